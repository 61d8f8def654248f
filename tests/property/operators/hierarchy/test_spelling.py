"""Edits of token ids: the text after them is what the ids spell that stand there then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.hierarchy import session
from operators.hierarchy.places import Places
from operators.hierarchy.session import Operation, Piece, Session
from operators.hierarchy.spelling import Ids
from operators.hierarchy.text import Reading
from tests.property.operators.hierarchy.test_growing import tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

READING = Reading(tokenizer())
CHARACTERS = [*"é合😀".encode(), 0xFF, 0x80]
ZERO = tokenizer().encode("\U0001f980").ids.tolist()[-1] - 0x80
"""Id of the byte 0: a code point that no piece has ends with the byte 80."""
BYTES = [ZERO + one for one in CHARACTERS]
IDS = st.lists(
    st.sampled_from([*BYTES, 0, *tokenizer().encode("Hi Anna, it is 合 done.\n").ids.tolist()]),
    max_size=25,
)
ITEMS = st.lists(IDS | st.integers(1, 9), max_size=8)
"""Ids that come together, and gaps between them."""


def test_bytes_are_bytes() -> None:
    """What the others draw from: ids that spell a code point together."""
    text, held = tokenizer().spell(BYTES[:9])
    assert (text, held) == ("é合😀", b"")


def written(items: Sequence[int]) -> Session:
    """A stream of ids and gaps, one piece for each id."""
    state, at = session.begin(()), 0
    for item in items:
        if item < 0:
            at -= item
            continue
        piece = Piece(Operation.APPEND, at, None, None, (item,), 0)
        state, _ = session.append(READING, state, piece)
        at += 1
    return state


def flat(parts: Sequence[list[int] | int]) -> list[int]:
    """Ids and gaps in a row; gaps that touch are one, none is at the end."""
    found: list[int] = []
    for part in parts:
        if isinstance(part, list):
            found += part
        elif found and found[-1] < 0:
            found[-1] -= part
        else:
            found.append(-part)
    while found and found[-1] < 0:
        found.pop()
    return found


def spread(items: Sequence[int]) -> list[int | None]:
    """Each position: its id, or None where it is missing."""
    return [one for item in items for one in ([item] if item >= 0 else [None] * -item)]


def packed(positions: Sequence[int | None]) -> list[int]:
    """The opposite of `spread`."""
    return flat([[one] if one is not None else 1 for one in positions])


def whole(state: Session) -> str:
    """The text of a stream."""
    assert state.text.checkpoint == 0
    return state.text.tip


@settings(deadline=None, max_examples=400)
@given(ITEMS, IDS, st.data())
def test_edited_ids_are_those_that_were_written_so(
    parts: list[list[int] | int], new: list[int], data: st.DataObject
) -> None:
    """Text, positions, bytes held back and ids; wherever the edit cuts code points and gaps."""
    items = flat(parts)
    before = spread(items)
    low = data.draw(st.integers(0, len(before)))
    high = data.draw(st.integers(low, len(before)))
    now, state = [*before[:low], *new, *before[high:]], written(items)
    if now and now[-1] is None:
        return  # a gap at the end is none before something comes behind it
    fresh = written(packed(now))
    ids = state.ids or Ids()
    assert "".join(str(one) for one in ids.items) == "".join(str(one) for one in items)
    change = ids.replaced(READING.tokenizer, state.places, low, high, new)
    text = whole(state)
    assert text[: change.start] + change.text + text[change.end :] == whole(fresh)
    assert change.spelled == fresh.spelled
    assert change.ids == (fresh.ids or Ids())
    known = [change.places.position(place) for place in range(len(whole(fresh)))]
    assert known == [fresh.places.position(place) for place in range(len(whole(fresh)))]
    piece = Piece(Operation.REPLACE, low, high, None, tuple(new), 0)
    begun = session.begin(())
    made = session.edit(READING, state, piece, ids)
    edited, _ = session.edited(READING, begun.text, made, text, ids)
    assert whole(edited) == whole(fresh)
    assert edited.ids == change.ids
    assert edited.arrivals.expected == len(now)
    more = Piece(Operation.APPEND, len(now), None, None, tuple(BYTES[:3]), 0)
    after = [session.append(READING, one, more)[0] for one in (edited, fresh)]
    assert whole(after[0]) == whole(after[1])
    assert after[0].spelled == after[1].spelled


@settings(deadline=None, max_examples=200)
@given(ITEMS, st.integers(0, 200))
def test_ids_are_kept_from_a_checkpoint_on(parts: list[list[int] | int], place: int) -> None:
    """Cut at any place of the text, both parts spell what they spelled together."""
    items = flat(parts)
    state = written(items)
    ids, text = state.ids or Ids(), whole(state)
    before, after = ids.split(READING.tokenizer, place)
    assert before.joined(after) == ids
    assert after.place <= max(place, 0)
    nothing = Places()
    spelled = after.replaced(READING.tokenizer, nothing, after.first, after.first, ())
    assert spelled.spelled == state.spelled
    again = written(after.items)
    if after.items and after.items[0] >= 0:
        assert whole(again) == text[after.place :]
    assert ids.since(after) == after
