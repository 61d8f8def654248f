"""What came of the conversations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from streams.cli.palette import COLOURS, DECISIONS
from streams.demo.talks_view import milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.demo.talk_checks import TalkResult

_SHOWN: Final = 12
"""Characters of a masked span: a connection string would fill the table."""


@dataclass(frozen=True)
class TalkReport:
    """What came of the conversations of a run.

    Attributes:
        results: of each.
        pieces: in which they were typed.
        seconds: that the typing took.
        half_within_s: median from a piece to the verdict that rests on it, before any crash.
        takeover_s: from the kill of the worker until its successor served; None without a crash.
    """

    results: Sequence[TalkResult]
    pieces: int
    seconds: float
    half_within_s: float | None
    takeover_s: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "streams": {one.name: one.as_dict() for one in self.results},
            "pieces": self.pieces,
            "latency_s": {"p50": self.half_within_s},
            "crash": None if self.takeover_s is None else {"takeover_s": round(self.takeover_s, 3)},
        }

    def render(self, width: int) -> Table:
        """Return it as a table of so many columns at most."""
        table = Table(box=box.SIMPLE_HEAD, width=width, title="Conversations", title_style="bold")
        table.add_column("stream", no_wrap=True)
        table.add_column("decision", no_wrap=True)
        table.add_column("spans")
        for heading in ("first given after", "revisions", "verdicts", "exactly once"):
            table.add_column(heading, justify="right")
        for one in self.results:
            table.add_row(
                one.name,
                Text(
                    f"{one.decision.replace('_', ' ')} {one.confidence:.0%}",
                    DECISIONS.get(one.decision, "bold red"),
                ),
                _spans(one),
                f"{one.first_given:.0%}",
                f"{one.revisions.revised + one.revisions.withdrawn}",
                f"{one.verdicts}",
                Text("✓", "green") if one.once and one.same else Text("✗", "bold red"),
            )
        return table

    def caption(self) -> str:
        """Say how to read the table."""
        latency = milliseconds(self.half_within_s)
        return (
            "first given after: share of the text that had come; revisions: spans told otherwise "
            "later, or taken back;\nexactly once: one final verdict, no number missing or twice, "
            f"as for the text in one piece.\nFrom a piece to its verdict: half within {latency}."
        )


def _spans(result: TalkResult) -> Text:
    lines = []
    for kind, stars in result.spans:
        shown = stars if len(stars) <= _SHOWN else f"{stars[:_SHOWN]}…"
        lines.append(Text.assemble((kind, COLOURS.get(kind, "white")), f" {shown}"))
    return Text("\n").join(lines)
