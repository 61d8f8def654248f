"""One stream from its first piece to its end: which units are new, and what its text becomes.

    state    piece      next     what happens
    OPEN     APPEND     OPEN     its new units are read (`operators.hierarchy.arrivals`)
    OPEN     REPLACE    OPEN     the text goes back to the checkpoint before the edit, and is read
                                 from there as it is now
    OPEN     END        ENDED    as APPEND, then the text ends
    OPEN     time-out   ENDED    the text ends
    ENDED    any        ENDED    nothing: the last verdict has been given

Token ids are taken back to their text, and go on as such: what the model reads then does not depend
on who cut the text into tokens, or how.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from operators.errors import InvalidInput
from operators.hierarchy import text as texts
from operators.hierarchy.arrivals import Arrivals, admit
from operators.hierarchy.places import Places
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
        places: positions of the text's code points.
        time_us: of the newest piece.
        text: what has been read.
    """

    arrivals: Arrivals = field(default_factory=Arrivals)
    in_ids: bool | None = None
    spelled: bytes = b""
    places: Places = field(default_factory=Places)
    time_us: int = -1
    text: TextState = field(default_factory=TextState)


class Edit(NamedTuple):
    """A replacement, in code points of the text.

    Attributes:
        start: first code point that goes.
        end: the one after the last that goes.
        by: by how much the positions of what stands behind it grow.
    """

    start: int
    end: int
    by: int


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
        break_, held = ("\ufffd" if held else "") + "\n", b""
        behind = state.text.length + len(break_)
        # A line feed has no position of its own where it is not known how much text is missing.
        position = places.position(behind - 1) if in_ids else piece.position
        places = places.after_gap(behind, position)
    text = (piece.text or "")[admitted.skip :]
    if piece.ids is not None:
        text, held = reading.tokenizer.spell(piece.ids[admitted.skip :], held)
    time_us = max(state.time_us, piece.time_us)
    stages = texts.advance(reading, state.text, break_ + text, time_us)
    after = replace(
        state, arrivals=arrivals, in_ids=in_ids, spelled=held, places=places, time_us=time_us,
        text=stages[-1].state,
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


def edit(state: Session, piece: Piece) -> Edit:
    """What a REPLACE replaces.

    Raises:
        InvalidInput: there is no such place in the stream.
    """
    end = state.arrivals.expected if piece.replace_end is None else piece.replace_end
    if piece.text is None or state.in_ids:
        raise InvalidInput("an edit of a stream of token ids: edits are of text alone")
    if not 0 <= piece.position <= end <= state.arrivals.expected:
        raise InvalidInput(
            f"units {piece.position} to {end} of a stream that has {state.arrivals.expected} "
            "cannot be replaced"
        )
    start, stop = state.places.place(piece.position), state.places.place(end)
    return Edit(start, stop, len(piece.text) - (end - piece.position))


def edited(
    reading: Reading, at: TextState, now: Session, piece: Piece, change: Edit, text: str
) -> tuple[Session, list[Stage]]:
    """Read the text of an edited stream from a checkpoint on.

    Args:
        reading: how.
        at: the text as it was at a checkpoint that is not behind the edit.
        now: the stream before the edit.
        piece: the REPLACE.
        change: what it replaces (`edit`).
        text: of the stream from the checkpoint on, before the edit.
    """
    low = at.checkpoint
    new = text[: change.start - low] + (piece.text or "") + text[change.end - low :]
    arrivals = _moved(now.arrivals, piece, change)
    places = _shifted(now.places, change, len(piece.text or ""))
    time_us = max(now.time_us, piece.time_us)
    stages = texts.advance(reading, at, new, time_us)
    after = replace(now, arrivals=arrivals, places=places, time_us=time_us, text=stages[-1].state)
    return after, stages


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


def _moved(arrivals: Arrivals, piece: Piece, change: Edit) -> Arrivals:
    """What has come of a stream after an edit: what lies behind it has moved."""
    end = arrivals.expected if piece.replace_end is None else piece.replace_end
    gaps = tuple(
        (low + change.by, high + change.by) if low >= end else (low, high)
        for low, high in arrivals.gaps
        if high <= piece.position or low >= end
    )
    return replace(arrivals, expected=arrivals.expected + change.by, gaps=gaps)


def _shifted(places: Places, change: Edit, new: int) -> Places:
    """Places after an edit that put `new` code points where it was."""
    by = new - (change.end - change.start)
    ahead = change.by - by
    behind = places.position(change.end) - change.end + ahead
    known = list(zip(places.from_, places.shifts, strict=True))
    kept = [one for one in known if one[0] <= change.start]
    kept.append((change.end + by, behind))
    kept += [(start + by, shift + ahead) for start, shift in known if start > change.end]
    return Places(tuple(one[0] for one in kept), tuple(one[1] for one in kept))
