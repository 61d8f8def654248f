"""Conversations on a terminal: what has been typed, and what the verdicts say of it."""

from __future__ import annotations

from collections import Counter
from io import StringIO
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.cli.palette import COLOURS, DECISIONS
from streams.demo.talks import is_final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.demo.talks import Talk, Talks, Verdict

BESIDE_TEXT: Final = 4
"""Rows of a panel without its text: borders, and what was decided and found."""
COLUMNS: Final = 2
_BORDER: Final = 4
_CURSOR: Final = "▌"
_QUIET: Final = "dim"
_OTHER: Final = "white"
_INK: Final = "#101010"
"""Darker than what terminals and pictures call black."""

# Wraps lines; prints nothing.
_PAPER: Final = Console(file=StringIO(), width=200)


def panels(talks: Talks, width: int, rows: int) -> Table:
    """Return one panel a conversation, two beside each other.

    Args:
        talks: as they are now.
        width: columns of all of it.
        rows: of the text in each panel.
    """
    grid = Table.grid()
    half = width // COLUMNS
    for _ in range(COLUMNS):
        grid.add_column(width=half)
    shown = [
        _panel(talk, talks.last_s.get(talk.name), half, rows) for talk in talks.by_name.values()
    ]
    for start in range(0, len(shown), COLUMNS):
        grid.add_row(*shown[start : start + COLUMNS])
    return grid


def _panel(talk: Talk, seconds: float | None, width: int, rows: int) -> Panel:
    one = talk.conversation
    content = Group(
        _last_lines(highlighted(talk), width - _BORDER, rows),
        _decided(talk),
        _found(talk.newest, seconds),
    )
    style = _style(talk.newest) if talk.is_judged else "default"
    title = f"[bold]{one.name}[/bold] · {one.audience}: {one.about}"
    return Panel(
        content,
        title=title,
        title_align="left",
        width=width,
        height=rows + BESIDE_TEXT,
        box=box.ROUNDED,
        border_style=style.removeprefix("bold "),
    )


def highlighted(talk: Talk) -> Text:
    """Return what has been typed, with what the newest verdict found in it.

    Args:
        talk: as it is now.
    """
    text = Text(talk.conversation.text[: talk.typed])
    if talk.newest is not None:
        for span in talk.newest["spans"]:
            colour = COLOURS.get(span["type"], _OTHER)
            text.stylize(f"{_INK} on {colour}", span["start"], span["end"])
    if not talk.is_judged:
        text.append(_CURSOR, _QUIET)
    return text


def _last_lines(text: Text, width: int, rows: int) -> Text:
    """Return the end of a text in so many rows, with empty ones where it is shorter."""
    text.rstrip()
    lines = text.wrap(_PAPER, width)[-rows:]
    return Text("\n").join([*lines, *[Text()] * (rows - len(lines))])


def _decided(talk: Talk) -> Text:
    verdict = talk.newest
    if verdict is None:
        return Text("no verdict yet", _QUIET)
    number = verdict["sequence"] + 1
    read = verdict["position"] / len(talk.conversation.text)
    partial = f"partial {number}, given at {read:.0%}"
    which = f"final, the {ordinal(number)}" if is_final(verdict) else partial
    return Text.assemble(
        (verdict["decision"].replace("_", " "), _style(verdict)),
        f" {verdict['confidence']:.0%}",
        (f" · {which}", _QUIET),
    )


def _found(verdict: Verdict | None, seconds: float | None) -> Text:
    parts: list[Text | tuple[str, str]] = []
    for kind, count in types_of(verdict).items():
        shown = kind if count == 1 else f"{count} {kind}"
        parts += [(shown, COLOURS.get(kind, _OTHER)), ("  ", "")]
    if seconds is not None:
        parts.append((milliseconds(seconds), _QUIET))
    line = Text.assemble(*parts)
    line.no_wrap = True
    return line


def types_of(verdict: Verdict | None) -> Counter[str]:
    """Return what was found, how often, in the order in which it stands in the text."""
    return Counter(span["type"] for span in verdict["spans"]) if verdict is not None else Counter()


def _style(verdict: Verdict | None) -> str:
    return DECISIONS.get(verdict["decision"], "bold red") if verdict is not None else "default"


def milliseconds(seconds: float | None) -> str:
    """Return a time from a piece to its verdict."""
    return "-" if seconds is None else f"{seconds * 1000:,.0f} ms"


def ordinal(number: int) -> str:
    """Return a number as one counts: 1st, 2nd, 11th."""
    teens = number // 10 % 10 == 1
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def line_of(talk: Talk, talks: Talks) -> str:
    """Say in a line where a conversation stands."""
    verdict = talk.newest
    assert verdict is not None
    found = ", ".join(types_of(verdict)) or "nothing"
    length = len(talk.conversation.text)
    which = "final verdict" if is_final(verdict) else "partial verdict"
    return (
        f"  {talk.name} at {verdict['position'] / length:.0%}: {verdict['decision']} "
        f"{verdict['confidence']:.0%}, {found} found; {which} {verdict['sequence'] + 1} "
        f"after {milliseconds(talks.last_s[talk.name])}"
    )


def news(talks: Talks, said: dict[str, tuple[object, ...]]) -> Iterator[str]:
    """Yield a line for each conversation of which something else is said than before.

    Args:
        talks: as they are now.
        said: what was said before, by conversation; brought up to date.
    """
    for talk in talks.by_name.values():
        if talk.newest is None:
            continue
        now = (talk.newest["decision"], talk.is_judged, *types_of(talk.newest))
        if said.get(talk.name) != now:
            said[talk.name] = now
            yield line_of(talk, talks)
