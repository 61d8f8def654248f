"""The steps of normalisation in their order, and the marks that they leave."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, Final

from operators.dlp.markers import Mark, escape
from operators.dlp.normalise import decode, fold
from operators.dlp.offsets import Edit, Traced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SUSPICIOUS: Final = re.compile(r"[&%\\]|[A-Za-z0-9+/_-]{12}|(?:[0-9a-fA-F]{2}[ :]){6}")
_SPACE: Final = re.compile(r"\s")
_DECODERS: Final[tuple[tuple[Mark, Callable[[str], list[Edit]]], ...]] = (
    (Mark.ENTITY, decode.entities),
    (Mark.PERCENT, decode.percents),
    (Mark.BASE64, decode.base64s),
    (Mark.HEX, decode.hexes),
)
_FOLDERS: Final[tuple[tuple[Mark, Callable[[str], list[Edit]]], ...]] = (
    (Mark.HIDDEN, fold.hidden),
    (Mark.FOLDED, fold.compatibility),
    (Mark.FOLDED, fold.confusables),
)


def normalise(text: str) -> Traced:
    """The text as the model reads it, with its way back to the original.

    Linear in the length of the text. No exception for any string.
    """
    now = Traced.of(text)
    marked: list[tuple[int, Mark]] = []
    if _SUSPICIOUS.search(text):
        now = _run(now, _DECODERS, marked)
    if not now.text.isascii():
        now = _run(now, _FOLDERS, marked)
    now = Traced(escape(now.text), now.starts, now.ends)
    return _mark(now, marked) if marked else now


def _run(
    now: Traced,
    steps: Sequence[tuple[Mark, Callable[[str], list[Edit]]]],
    marked: list[tuple[int, Mark]],
) -> Traced:
    for mark, step in steps:
        edits = step(now.text)
        marked += [
            (int(now.starts[edit.start]), mark) for edit in edits if _hides(now.text, edit, mark)
        ]
        now = now.apply(edits)
    return now


def _hides(text: str, edit: Edit, mark: Mark) -> bool:
    if mark in {Mark.BASE64, Mark.HEX}:
        return True
    if mark is Mark.HIDDEN:  # a joiner between letters that are joined anyway
        before, after = text[edit.start - 1 : edit.start], text[edit.end : edit.end + 1]
        return before.isascii() and after.isascii() and before.isalnum() and after.isalnum()
    return any(char.isascii() and char.isalnum() for char in edit.text) and (
        mark is not Mark.FOLDED or fold.is_letterlike(text[edit.start : edit.end])
    )


def _mark(now: Traced, marked: list[tuple[int, Mark]]) -> Traced:
    """One mark of each kind before a word, however often the word was changed."""
    edits: dict[int, set[str]] = {}
    words = [0, *(match.end() for match in _SPACE.finditer(now.text))]
    for origin, mark in set(marked):
        place, _ = now.from_original(origin, origin + 1)
        place = words[bisect.bisect_right(words, min(place, len(now.text))) - 1]
        edits.setdefault(place, set()).add(mark.value)
    return now.apply([Edit(place, place, "".join(sorted(edits[place]))) for place in sorted(edits)])
