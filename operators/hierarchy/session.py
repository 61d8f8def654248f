"""One stream from its first piece to its end: which units are new, and what its text becomes.

    state    piece      next     what happens
    OPEN     APPEND     OPEN     its new units are read (`operators.hierarchy.arrivals`)
    OPEN     REPLACE    OPEN     the text goes back to the checkpoint before the edit, and is read
                                 from there as it is now
    OPEN     END        ENDED    as APPEND, then the text ends
    OPEN     time-out   ENDED    the text ends
    ENDED    any        ENDED    nothing: the last verdict has been given

Token ids are taken back to their text, and go on as such: what the model reads then does not depend
on who cut the text into tokens, or how. The ids since the last checkpoint are kept beside the text,
so that an edit, whose positions count ids, can be found in it (`operators.hierarchy.spelling`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from operators.errors import InvalidInput
from operators.hierarchy import spelling
from operators.hierarchy import text as texts
from operators.hierarchy.arrivals import Arrivals, admit
from operators.hierarchy.places import Places
from operators.hierarchy.spelling import Ids
from operators.hierarchy.text import TextState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.hierarchy.buffer import Token
    from operators.hierarchy.text import Reading, Stage


class Operation(StrEnum):
    """What a piece does to its stream."""

    APPEND = "APPEND"
    REPLACE = "REPLACE"
    END = "END"


class Piece(NamedTuple):
    """A piece of a stream; exactly one of `text` and `ids` is given, or neither at the end.

    Attributes:
        operation: what it does.
        position: of its first unit.
        replace_end: of a REPLACE: position after the last unit replaced; None for all from
            `position` on.
        text: units are its code points.
        ids: units are tokens of the vocabulary.
        time_us: when it was written.
    """

    operation: Operation
    position: int
    replace_end: int | None
    text: str | None
    ids: tuple[int, ...] | None
    time_us: int

    @property
    def units(self) -> int:
        """How many it has."""
        return len(self.text if self.text is not None else self.ids or ())


@dataclass(frozen=True, slots=True)
class Session:
    """A stream as far as it has come; plain values.

    Attributes:
        arrivals: which units have come.
        in_ids: whether units are tokens; None before the first unit.
        spelled: bytes of a code point that tokens have begun.
        ids: tokens since the last checkpoint; None in a stream of text.
        places: positions of the text's code points.
        time_us: of the newest piece.
        text: what has been read.
    """

    arrivals: Arrivals = field(default_factory=Arrivals)
    in_ids: bool | None = None
    spelled: bytes = b""
    ids: Ids | None = None
    places: Places = field(default_factory=Places)
    time_us: int = -1
    text: TextState = field(default_factory=TextState)


class Edit(NamedTuple):
    """A replacement.

    Attributes:
        start: first code point of the text that goes.
        end: the one after the last that goes.
        text: what takes their place.
        low: position of the first that goes.
        high: position after the last that goes.
        by: by how much the positions of what stands behind it grow.
        session: the stream after the edit, but for its text; its ids begin where those did that
            the edit was found in.
    """

    start: int
    end: int
    text: str
    low: int
    high: int
    by: int
    session: Session


def begin(opening: Sequence[Token]) -> Session:
    """A stream of which no piece has come."""
    return Session(text=texts.begin(opening))


def append(reading: Reading, state: Session, piece: Piece) -> tuple[Session, list[Stage]]:
    """Take in the units of an APPEND or END that are new.

    Returns:
        The stream after it, and what it did to the text, part by part, the last one being the
        stream's; for an END the text still has to be ended (`finish`).

    Raises:
        InvalidInput: the piece does not fit the stream; nothing has changed.
    """
    in_ids = _kind(reading, state, piece)
    arrivals, admitted = admit(state.arrivals, piece.position, piece.units)
    held, break_, places = state.spelled, "", state.places
    if admitted.gap:
        break_, held = spelling.break_(held), b""
        behind = state.text.length + len(break_)
        # A line feed has no position of its own where it is not known how much text is missing.
        position = places.position(behind - 1) if in_ids else piece.position
        places = places.after_gap(behind, position)
    text, ids = (piece.text or "")[admitted.skip :], state.ids
    if piece.ids is not None:
        new = piece.ids[admitted.skip :]
        text, held = reading.tokenizer.spell(new, held)
        known = Ids() if state.in_ids is None else ids
        ids = None if known is None else known.and_(admitted.gap, new)
    time_us = max(state.time_us, piece.time_us)
    stages = texts.advance(reading, state.text, break_ + text, time_us)
    after = replace(
        state, arrivals=arrivals, in_ids=in_ids, spelled=held, ids=ids, places=places,
        time_us=time_us, text=stages[-1].state,
    )  # fmt: skip
    return after, stages


def finish(reading: Reading, state: Session) -> tuple[Session, list[Stage]]:
    """End the stream's text."""
    stages: list[Stage] = []
    if state.spelled:
        stages = texts.advance(reading, state.text, "\ufffd", state.time_us)
        state = replace(state, spelled=b"", text=stages[-1].state)
    stages += texts.finish(reading, state.text, state.time_us)
    return replace(state, text=stages[-1].state), stages


def edit(reading: Reading, state: Session, piece: Piece, known: Ids | None) -> Edit:
    """What a REPLACE replaces.

    Args:
        reading: how the stream is read.
        state: of it.
        piece: the REPLACE.
        known: in a stream of token ids, those since the oldest checkpoint that is kept.

    Raises:
        InvalidInput: there is no such place in the stream, or it is not known any more.
    """
    end = state.arrivals.expected if piece.replace_end is None else piece.replace_end
    in_ids = _kind(reading, state, piece)
    if piece.text is None and piece.ids is None:
        raise InvalidInput("an edit without text or token ids")
    if not 0 <= piece.position <= end <= state.arrivals.expected:
        raise InvalidInput(
            f"units {piece.position} to {end} of a stream that has {state.arrivals.expected} "
            "cannot be replaced"
        )
    arrivals = _moved(state.arrivals, piece, end)
    time_us = max(state.time_us, piece.time_us)
    session = replace(state, arrivals=arrivals, in_ids=in_ids, time_us=time_us)
    if piece.ids is not None:
        begun = Ids() if state.in_ids is None else known
        if begun is None or piece.position < begun.first:
            raise InvalidInput(f"an edit of token {piece.position}, which is not known any more")
        return _edit_of_ids(reading, session, piece, end, begun)
    text = piece.text or ""
    start, stop = state.places.place(piece.position), state.places.place(end)
    by = len(text) - (end - piece.position)
    places = _shifted(state.places, start, stop, by, len(text))
    session = replace(session, places=places)
    return Edit(start, stop, text, piece.position, end, by, session)


def _edit_of_ids(reading: Reading, state: Session, piece: Piece, end: int, known: Ids) -> Edit:
    places, new = state.places, piece.ids or ()
    change = known.replaced(reading.tokenizer, places, piece.position, end, new)
    low, high = places.position(change.start), places.position(change.end)
    behind = change.places.position(change.start + len(change.text))
    session = replace(state, ids=change.ids, spelled=change.spelled, places=change.places)
    return Edit(change.start, change.end, change.text, low, high, behind - high, session)


def edited(
    reading: Reading, at: TextState, change: Edit, text: str, ids: Ids | None
) -> tuple[Session, list[Stage]]:
    """Read the text of an edited stream from a checkpoint on.

    Args:
        reading: how.
        at: the text as it was at a checkpoint that is not behind the edit.
        change: what is replaced (`edit`).
        text: of the stream from the checkpoint on, before the edit.
        ids: where those begin that are kept from the checkpoint on; None for where they do.
    """
    low, after = at.checkpoint, change.session
    new = text[: change.start - low] + change.text + text[change.end - low :]
    stages = texts.advance(reading, at, new, after.time_us)
    kept = after.ids if after.ids is None or ids is None else after.ids.since(ids)
    return replace(after, ids=kept, text=stages[-1].state), stages


def _kind(reading: Reading, state: Session, piece: Piece) -> bool | None:
    if piece.text is None and piece.ids is None:
        return state.in_ids
    in_ids = piece.ids is not None
    if state.in_ids is not None and in_ids != state.in_ids:
        was = "token ids" if state.in_ids else "text"
        raise InvalidInput(f"a piece of another kind than those before it, which were {was}")
    if not all(0 <= one < reading.tokenizer.size for one in piece.ids or ()):
        raise InvalidInput(f"token ids that are not below {reading.tokenizer.size}")
    return in_ids


def _moved(arrivals: Arrivals, piece: Piece, end: int) -> Arrivals:
    """What has come of a stream after an edit: what lies behind it has moved."""
    by = piece.units - (end - piece.position)
    gaps = tuple(
        (low + by, high + by) if low >= end else (low, high)
        for low, high in arrivals.gaps
        if high <= piece.position or low >= end
    )
    return replace(arrivals, expected=arrivals.expected + by, gaps=gaps)


def _shifted(places: Places, start: int, end: int, by: int, new: int) -> Places:
    """Places after an edit that put `new` code points where others were.

    Args:
        places: before it.
        start: first code point that goes.
        end: the one after the last that goes.
        by: by how much the positions of what stands behind it grow.
        new: code points.
    """
    longer = new - (end - start)
    ahead = by - longer
    behind = places.position(end) - end + ahead
    known = list(zip(places.from_, places.shifts, strict=True))
    kept = [one for one in known if one[0] <= start]
    kept.append((end + longer, behind))
    kept += [(from_ + longer, shift + ahead) for from_, shift in known if from_ > end]
    return Places(tuple(one[0] for one in kept), tuple(one[1] for one in kept))
