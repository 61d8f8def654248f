"""Parts of an HTML page that needs nothing beside it, light and dark."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1a1c1f; --paper: #ffffff; --soft: #f3f4f6;
  --faint: #8a8f98; --series-1: #0b62a4; --series-2: #a34a00; --series-3: #1b7837;
  --series-4: #7b3294; --series-5: #5c5f66; --series-6: #c3172b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #15171a; --soft: #23262b;
  --faint: #7f858f; --series-1: #6cb4ee; --series-2: #ffb454; --series-3: #6fd08c;
  --series-4: #cfa8f5; --series-5: #b4b8bf; --series-6: #ff7b7b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 62rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { max-width: 46rem; } figure { margin: 1rem 0; } figcaption { font-size: .9rem; }
svg { width: 100%; height: auto; color: var(--ink); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--soft); }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 1px solid var(--faint); }
.words { text-align: left; }
.over { color: var(--series-6); font-weight: 600; }
@media print { body { max-width: none; } figure { break-inside: avoid; } }
"""

MARK: Final = "!"
"""Before a cell that is to stand out, so that not only its colour says so."""


NOTHING: Final = "n/a"
"""In place of a figure that nothing is known of."""


def document(title: str, body: Iterable[str]) -> str:
    """A page of parts; it may load nothing and run nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    text = "\n".join(body)
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body><main>\n{text}\n'
        "</main></body></html>\n"
    )


def figure(draw: Callable[[], str], label: str, caption: str, some: Any) -> str:
    """A drawing with its label, also for those who cannot see it; a sentence if it is empty."""
    if not len(some):
        return f"<p>{escape(label)}: nothing was logged.</p>"
    named = draw().replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
    text = f"<b>{escape(label)}.</b> {escape(caption)}"
    return f"<figure>{named}<figcaption>{text}</figcaption></figure>"


def table(caption: str, columns: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names the rows; cells with `MARK` before them stand out."""
    if not rows:
        return f"<p>{escape(caption)}: none.</p>"
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: Sequence[str]) -> Iterable[str]:
    first, *others = row
    yield f'<th scope="row">{escape(first)}</th>'
    for cell in others:
        if cell.startswith(MARK):
            yield f'<td class="over">{escape(cell.removeprefix(MARK))} ▲</td>'
        else:
            words = ' class="words"' if cell[:1].isalpha() else ""
            yield f"<td{words}>{escape(cell)}</td>"


def rate(part: float, of: float) -> float:
    """One over the other; nan over nothing."""
    return part / of if of else math.nan


def known(value: float, digits: int) -> float | None:
    """A rounded figure; None for nan."""
    return None if math.isnan(value) else round(value, digits)


def ms(value: float | None) -> str:
    """Milliseconds."""
    return NOTHING if value is None else f"{value:.3g} ms"


def number(value: float) -> str:
    """Three digits."""
    return NOTHING if math.isnan(value) else f"{value:.3g}"


def percent(share: float | None) -> str:
    """A share, in percent."""
    return NOTHING if share is None or math.isnan(share) else f"{100 * share:.3g} %"


def iso(timestamp: float) -> str:
    """A time for programs."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")


def minute(timestamp: float) -> str:
    """A time, to the minute."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M}"


def second(timestamp: float) -> str:
    """A time, to the second."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S}"
