"""The report as one HTML page that needs nothing beside it."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Final

from operators.hierarchy.pace import STEPS
from streams.hierarchy.logs.records import NAMES
from streams.hierarchy.observer import Metric
from streams.report import markup, plots
from streams.report.figures import latency_figures
from streams.report.summary import CACHES, VERDICT, total

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from streams.report.summary import Summary

_THOUSAND: Final = 1_000

_JUDGED: Final = """\
<p>Partial verdicts, judged by the final one of their stream: a score by whether the final score \
is at least one half, the confidence by whether the final decision is the same. Points on the \
diagonal are calibrated; larger points stand for more verdicts.</p>"""

_UNWRITTEN: Final = """\
<p>Records are not written where the queue to the disk was full (queue), the disk refused them \
(disk), or they could not be encoded (record). Shares below 1 in the settings leave out others, \
which are not counted here.</p>"""


def render(summary: Summary, folders: Sequence[str], now: datetime) -> str:
    """The page.

    Args:
        summary: of what was read.
        folders: that it was read from.
        now: when the report is made.
    """
    body = [
        "<h1>Token streams</h1>",
        f"<p>{escape(_about(summary, folders, now))}</p>",
        _overview(summary),
        *_latency(summary),
        *_pace(summary),
        *_calibration(summary),
        *_revisions(summary),
        *_boundaries(summary),
        *_failures(summary),
        *_missing(summary),
    ]
    return markup.document("Token streams", body)


def _about(summary: Summary, folders: Sequence[str], now: datetime) -> str:
    made = f"Made {now:%Y-%m-%d %H:%M} UTC from {', '.join(folders)}; all times are UTC."
    if not summary.last:
        return f"{made} There is no record of the time that was asked for."
    return f"{made} From {markup.minute(summary.first)} to {markup.minute(summary.last)}."


def _overview(summary: Summary) -> str:
    judged = summary.judged
    tokens = latency_figures(summary, Metric.TOKEN)
    updates = latency_figures(summary, Metric.UPDATE)
    caches = max((cell.get(CACHES, 0.0) for _, cell in summary.load), default=0.0)
    unread, dropped = summary.damage.counts.total(), summary.dropped.total()
    rows = [
        ["p99 per token", markup.ms(tokens["p99_ms"]), f"{summary.budgets.token_ms:g} ms"],
        ["p99 per update", markup.ms(updates["p99_ms"]), f"{summary.budgets.update_ms:g} ms"],
        ["tokens over budget", markup.percent(tokens["over"]), ""],
        ["updates over budget", markup.percent(updates["over"]), ""],
        ["largest caches of a stream", f"{caches:,.1f} MB", ""],
        ["tokens logged", f"{total(summary.tokens).total():,}", ""],
        ["streams ended", f"{judged.finals.total():,}", ""],
        [
            "spans revised or withdrawn",
            markup.percent(markup.rate(judged.taken_back.total(), judged.shown)),
            "",
        ],
        ["failed steps", f"{total(summary.failures).total():,}", ""],
        ["sessions", f"{len(summary.sessions):,}", ""],
        ["files", f"{summary.files:,}", ""],
        ["records read", f"{summary.lines.total():,}", ""],
        ["records that could not be read", f"{markup.MARK if unread else ''}{unread:,}", "0"],
        ["records that were dropped", f"{markup.MARK if dropped else ''}{dropped:,}", "0"],
    ]
    for row, of in zip(rows, (tokens, updates), strict=False):
        if of["p99_ms"] is not None and of["p99_ms"] > of["budget_ms"]:
            row[1] = markup.MARK + row[1]
    return markup.table("At a glance", ("", "figure", "budget"), rows)


def _latency(summary: Summary) -> list[str]:
    names = {Metric.TOKEN: "per token", Metric.UPDATE: "per update", VERDICT: "per verdict"}
    rows = []
    for name, title in names.items():
        of = latency_figures(summary, name)
        shown = [markup.ms(of[f"p{share}_ms"]) for share in (50, 95, 99)]
        rows.append([title, f"{of['count']:,}", *shown, markup.percent(of["over"])])
    return [
        "<h2>Latency</h2>",
        markup.figure(
            partial(plots.latency, summary, Metric.TOKEN),
            "Milliseconds per token over time",
            "From when a worker has a token until it is encoded. Each token counts; those of one "
            "call took as long as the slowest.",
            some=summary.latency[Metric.TOKEN],
        ),
        markup.figure(
            partial(plots.latency, summary, Metric.UPDATE),
            "Milliseconds per hierarchical update over time",
            "Sentences, paragraphs, topics and the document.",
            some=summary.latency[Metric.UPDATE],
        ),
        markup.table("Latency", ("", "count", "p50", "p95", "p99", "over budget"), rows),
    ]


def _pace(summary: Summary) -> list[str]:
    steps = total(summary.steps)
    rows = [
        [
            step.value.replace("_", " "),
            f"{steps[step]:,}",
            markup.percent(markup.rate(steps[step], steps.total())),
        ]
        for step in STEPS
    ]
    pauses = total(summary.pauses)
    return [
        "<h2>Degradation</h2>",
        markup.figure(
            partial(plots.pace, summary),
            "Steps of degradation, and waiting tokens, over time",
            "How much less was done, as a share of the workers' windows, and the most that waited.",
            some=summary.steps,
        ),
        markup.table("Steps", ("", "windows", "share"), rows),
        f"<p>Partitions paused: {pauses['paused']:,}; resumed: {pauses['resumed']:,}.</p>",
    ]


def _calibration(summary: Summary) -> list[str]:
    judged = summary.judged
    rows = [
        [name, f"{int(of.counts.sum()):,}", markup.number(of.error)]
        for name, of in judged.reliability.items()
    ]
    note = f"{judged.still_open:,} streams had not ended" + (
        f", {judged.without_final:,} more were forgotten before they did."
        if judged.without_final
        else "."
    )
    return [
        "<h2>Calibration</h2>",
        _JUDGED,
        markup.figure(
            partial(plots.reliability, summary),
            "Reliability of the scores and of the confidence of partial verdicts",
            note,
            some=judged.finals,
        ),
        markup.table("Expected calibration error", ("", "partial verdicts", "error"), rows),
    ]


def _revisions(summary: Summary) -> list[str]:
    judged = summary.judged
    kinds = total(summary.verdicts)
    rows = [
        ["spans shown before the end", f"{judged.shown:,}", ""],
        *(
            [
                what,
                f"{judged.taken_back[what]:,}",
                markup.percent(markup.rate(judged.taken_back[what], judged.shown)),
            ]
            for what in ("revised", "withdrawn")
        ),
    ]
    decisions = [[name, f"{count:,}"] for name, count in judged.finals.most_common()]
    return [
        "<h2>Verdicts and revisions</h2>",
        markup.figure(
            partial(plots.revisions, summary),
            "Verdicts, and spans revised and withdrawn, over time",
            f"{kinds['partial']:,} partial verdicts, {kinds['final']:,} final ones.",
            some=summary.verdicts,
        ),
        markup.table("Spans of partial verdicts", ("", "spans", "of those shown"), rows),
        markup.figure(
            partial(plots.prefixes, summary),
            "How early the final decision was given, and how often partial verdicts had it",
            "By how much of its text a stream had brought.",
            some=judged.finals,
        ),
        markup.table("Final decisions", ("", "streams"), decisions),
    ]


def _boundaries(summary: Summary) -> list[str]:
    rows = []
    for (kind, by), count in summary.boundary_kinds.most_common():
        sure = summary.boundary_confidence[kind, by] / count
        each = markup.number(markup.rate(_THOUSAND * count, summary.judged.characters))
        rows.append([kind, by, f"{count:,}", each, f"{sure:.2f}"])
    columns = ("", "found by", "count", "per 1,000 characters", "mean confidence")
    return [
        "<h2>Boundaries</h2>",
        markup.figure(
            partial(plots.boundaries, summary),
            "Sentences, paragraphs and topics over time",
            f"Characters are those of streams that ended: {summary.judged.characters:,}.",
            some=summary.boundaries,
        ),
        markup.table("Boundaries", columns, rows),
    ]


def _failures(summary: Summary) -> list[str]:
    rows = [[*key, f"{count:,}"] for key, count in summary.failure_kinds.most_common()]
    latest = [
        [markup.second(one.timestamp), one.stream, one.what, one.exception, one.action,
         "yes" if one.recovered else "no"]
        for one in reversed(summary.latest)
    ]  # fmt: skip
    return [
        "<h2>Failures</h2>",
        markup.figure(
            partial(plots.failures, summary),
            "Failed steps of streams over time",
            "Whether their stream went on or was ended.",
            some=summary.failures,
        ),
        markup.table("Failures", ("during", "exception", "done", "went on", "count"), rows),
        markup.table(
            "The latest", ("time", "stream", "during", "exception", "done", "went on"), latest
        ),
    ]


def _missing(summary: Summary) -> list[str]:
    damage = summary.damage
    unread = [
        [log, kind, f"{count:,}", ", ".join(damage.places[log])]
        for (log, kind), count in sorted(damage.counts.items())
    ]
    dropped = [[log, why, f"{count:,}"] for (log, why), count in sorted(summary.dropped.items())]
    lines = [[name, f"{summary.lines[name]:,}"] for name in NAMES]
    return [
        "<h2>What the logs hold, and what they lack</h2>",
        markup.table("Records read", ("log", "records"), lines),
        markup.table(
            "Lines that could not be read", ("log", "why", "lines", "the first few"), unread
        ),
        markup.table("Records that were never written", ("log", "why", "records"), dropped),
        _UNWRITTEN,
    ]
