"""A stream of token ids since a checkpoint: what they spell, and what an edit of them changes.

Ids are bytes of UTF-8, one after the other; where they are none, or where ids are missing in the
middle of a code point, U+FFFD stands. So the text of an id may depend on those right before and
after it. An edit is worked out on the ids, and then looked for in the text: from where the two
differ, up to where no byte is held back that was not before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dlp.tokenizer import Tokenizer
    from operators.hierarchy.places import Places


class Change(NamedTuple):
    """What an edit of ids does to the text.

    Attributes:
        start: first code point that goes.
        end: the one after the last that goes.
        text: what takes their place.
        ids: after the edit.
        spelled: bytes held back at the end.
        places: after the edit.
    """

    start: int
    end: int
    text: str
    ids: Ids
    spelled: bytes
    places: Places


class _Spelled(NamedTuple):
    """What items spell.

    Attributes:
        text: all of it.
        ends: its length before the first item and after each.
        held: bytes held back there.
    """

    text: str
    ends: list[int]
    held: list[bytes]


@dataclass(frozen=True, slots=True)
class Ids:
    """Token ids of a stream from some id on; plain values.

    Attributes:
        first: position of the first, in ids.
        place: code point of the text at which it begins; nothing is held back there.
        items: ids; a gap is minus the ids that are missing.
    """

    first: int = 0
    place: int = 0
    items: tuple[int, ...] = ()

    def and_(self, gap: int, ids: Sequence[int]) -> Ids:
        """With ids that follow, after a gap of so many."""
        return Ids(self.first, self.place, (*self.items, *((-gap,) if gap else ()), *ids))

    def joined(self, later: Ids) -> Ids:
        """With those that follow."""
        return Ids(self.first, self.place, self.items + later.items)

    def since(self, start: Ids) -> Ids:
        """From where others begin, which begin in these."""
        return Ids(start.first, start.place, self._cut(start.first)[1])

    def split(self, tokenizer: Tokenizer, place: int) -> tuple[Ids, Ids]:
        """Before a place of the text and from there on.

        The second part begins with the last id that begins there or before it with nothing held
        back. Linear in the ids before the place.
        """
        held, end, at, best = b"", self.place, self.first, (0, self.place, self.first)
        for number, item in enumerate(self.items, 1):
            text, held = _spell(tokenizer, item, held)
            end, at = end + len(text), at + max(1, -item)
            if end > place:
                break
            if not held:
                best = (number, end, at)
        count, end, at = best
        before = Ids(self.first, self.place, self.items[:count])
        return before, Ids(at, end, self.items[count:])

    def replaced(
        self, tokenizer: Tokenizer, places: Places, position: int, end: int, new: Sequence[int]
    ) -> Change:
        """Put other ids in the place of some.

        Args:
            tokenizer: of the vocabulary.
            places: positions of the text's code points.
            position: of the first id that goes, not before the first of these.
            end: position after the last one that goes.
            new: what takes their place.

        Linear in the ids there are; some 3 µs each.
        """
        before, after = self._cut(position)[0], self._cut(end)[1]
        if not new and before and after and before[-1] < 0 and after[0] < 0:
            middle: tuple[int, ...] = (before[-1] + after[0],)
            before, after = before[:-1], after[1:]
        else:
            middle = tuple(new)
        ids = Ids(self.first, self.place, (*before, *middle, *after))
        old, now = self._spelled(tokenizer), ids._spelled(tokenizer)
        same = _shared(self.items, ids.items)
        start = now.ends[same]
        left = min(len(after), len(self.items) - same, len(ids.items) - same)
        while left and old.held[-1 - left] != now.held[-1 - left]:
            left -= 1
        return Change(
            self.place + start,
            self.place + old.ends[-1 - left],
            now.text[start : now.ends[-1 - left]],
            ids,
            now.held[-1],
            ids._placed(places, now),
        )

    def _cut(self, position: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What is before a position and from there on; a gap may be cut in two."""
        at = self.first
        for number, item in enumerate(self.items):
            if at >= position:
                return self.items[:number], self.items[number:]
            after = at + max(1, -item)
            if after > position:
                rest = self.items[number + 1 :]
                return (*self.items[:number], at - position), (position - after, *rest)
            at = after
        return self.items, ()

    def _spelled(self, tokenizer: Tokenizer) -> _Spelled:
        parts, length, held = [], 0, b""
        ends, helds = [0], [b""]
        for item in self.items:
            text, held = _spell(tokenizer, item, held)
            parts.append(text)
            length += len(text)
            ends.append(length)
            helds.append(held)
        return _Spelled("".join(parts), ends, helds)

    def _placed(self, places: Places, spelled: _Spelled) -> Places:
        """Positions of the text: a line feed in place of a gap has none of its own."""
        known = places.until(self.place)
        for item, end in zip(self.items, spelled.ends[1:], strict=True):
            if item < 0:
                behind = self.place + end
                known = known.after_gap(behind, known.position(behind - 1))
        return known


def break_(held: bytes) -> str:
    """What stands in the text where units are missing."""
    return ("\ufffd" if held else "") + "\n"


def _spell(tokenizer: Tokenizer, item: int, held: bytes) -> tuple[str, bytes]:
    return (break_(held), b"") if item < 0 else tokenizer.spell((item,), held)


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    """How many items two begin with alike."""
    both = enumerate(zip(left, right, strict=False))
    return next((at for at, (a, b) in both if a != b), min(len(left), len(right)))
