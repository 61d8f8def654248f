"""The report's main figures as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.hierarchy.observer import Metric
from streams.report import markup
from streams.report.plots import SHARES
from streams.report.summary import total, whole

if TYPE_CHECKING:
    from streams.report.summary import Summary


def figures(summary: Summary) -> dict[str, Any]:
    """The report's main figures as plain data; None for what nothing is known of."""
    judged = summary.judged
    return {
        "since": markup.iso(summary.first) if summary.last else None,
        "until": markup.iso(summary.last) if summary.last else None,
        "files": summary.files,
        "records": dict(summary.lines),
        "damaged": {
            f"{log}: {kind}": count for (log, kind), count in summary.damage.counts.items()
        },
        "dropped": {f"{log}: {why}": count for (log, why), count in summary.dropped.items()},
        "sessions": len(summary.sessions),
        "latency": {name: latency_figures(summary, name) for name in summary.latency},
        "steps": dict(total(summary.steps)),
        "calibration_error": {
            name: markup.known(of.error, 4) for name, of in judged.reliability.items()
        },
        "streams_ended": dict(judged.finals),
        "spans_shown": judged.shown,
        "spans_taken_back": dict(judged.taken_back),
        "revision_rate": markup.known(markup.rate(judged.taken_back.total(), judged.shown), 4),
        "boundaries": {" by ".join(key): count for key, count in summary.boundary_kinds.items()},
        "failures": dict(total(summary.failures)),
    }


def latency_figures(summary: Summary, name: str) -> dict[str, Any]:
    """Count, percentiles and share over budget of one kind of latency."""
    together = whole(summary.latency[name])
    budgets = {Metric.TOKEN: summary.budgets.token_ms, Metric.UPDATE: summary.budgets.update_ms}
    found = together.percentiles(SHARES)
    return {
        "count": together.count,
        **{
            f"p{round(100 * share)}_ms": markup.known(value, 3)
            for share, value in zip(SHARES, found, strict=True)
        },
        "budget_ms": budgets.get(name),  # type: ignore[call-overload]
        "over": None
        if name not in budgets
        else markup.known(markup.rate(together.over, together.count), 6),
    }
