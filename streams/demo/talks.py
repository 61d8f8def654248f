"""Conversations as anyone sees them who reads the topic ``verdicts``, and knows what was typed."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.verdicts import FINAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.demo.conversations import Conversation

Verdict = dict[str, Any]
"""A record of the schema ``verdict``."""

_US: Final = 1_000_000
_WHEN: Final = frozenset(("sequence", "time_us", "spans"))


class Talk:
    """One conversation.

    Args:
        conversation: what is typed.

    Attributes:
        conversation: the same.
        typed: code points that have been sent.
        verdicts: that have come, in their order.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.typed = 0
        self.verdicts: list[Verdict] = []

    @property
    def name(self) -> str:
        """Of its stream."""
        return self.conversation.name

    @property
    def newest(self) -> Verdict | None:
        """The verdict that came last; None before the first."""
        return self.verdicts[-1] if self.verdicts else None

    @property
    def is_judged(self) -> bool:
        """Whether the final verdict has come."""
        return self.newest is not None and is_final(self.newest)


class Talks:
    """All conversations of a run.

    Args:
        conversations: of it.
        pieces: of all of them.

    Attributes:
        by_name: conversations.
        pieces: of all of them.
        sent: pieces that have been sent.
        last_s: from the newest piece that the last verdict rests on until the verdict was read.
    """

    def __init__(self, conversations: Iterable[Conversation], pieces: int) -> None:
        self.by_name = {one.name: Talk(one) for one in conversations}
        self.pieces = pieces
        self.sent = 0
        self.last_s: dict[str, float] = {}
        self._seconds: list[float] = []

    def take(self, verdict: Verdict, at_s: float) -> None:
        """Take a verdict.

        Args:
            verdict: as it was published.
            at_s: when it was read, in seconds since 1970 UTC.
        """
        talk = self.by_name.get(verdict["target_id"])
        if talk is None:
            return  # what nobody typed: the check at the end finds it
        talk.verdicts.append(verdict)
        seconds = at_s - verdict["time_us"] / _US
        self.last_s[talk.name] = seconds
        self._seconds.append(seconds)

    @property
    def verdicts(self) -> int:
        """Verdicts that have come."""
        return sum(len(talk.verdicts) for talk in self.by_name.values())

    @property
    def half_within_s(self) -> float | None:
        """Median time from piece to verdict; None before the first verdict."""
        return median(self._seconds) if self._seconds else None

    @property
    def are_judged(self) -> bool:
        """Whether each has had its final verdict."""
        return all(talk.is_judged for talk in self.by_name.values())


def is_final(verdict: Mapping[str, Any]) -> bool:
    """Whether no other verdict follows."""
    return bool(verdict["status"] == FINAL)


def judgement(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a verdict says of the text: all of it, but for how and when it was reached.

    That is the count of the verdicts before it, the time of the last piece, and the names that its
    spans were given when they were first told.
    """
    said = {name: value for name, value in verdict.items() if name not in _WHEN}
    said["spans"] = [
        {name: value for name, value in span.items() if name != "span_id"}
        for span in verdict["spans"]
    ]
    return said


class Revisions(NamedTuple):
    """What was told and then told otherwise.

    Attributes:
        revised: spans that a later verdict had elsewhere, or of another type.
        withdrawn: spans that a later verdict no longer had.
        decisions: decisions that followed upon another one.
    """

    revised: int
    withdrawn: int
    decisions: int


def revisions(verdicts: Sequence[Mapping[str, Any]]) -> Revisions:
    """Count what the verdicts on a conversation took back.

    Args:
        verdicts: in their order.
    """
    revised = withdrawn = decisions = 0
    known: dict[str, tuple[str, int, int]] = {}
    for number, verdict in enumerate(verdicts):
        told = {one["span_id"]: (one["type"], one["start"], one["end"]) for one in verdict["spans"]}
        revised += sum(told[name] != place for name, place in known.items() if name in told)
        withdrawn += sum(name not in told for name in known)
        decisions += number > 0 and verdict["decision"] != verdicts[number - 1]["decision"]
        known = told
    return Revisions(revised, withdrawn, decisions)


def first_given(verdicts: Sequence[Mapping[str, Any]], length: int) -> float:
    """Return the share of a text that had been seen when its last decision was first given.

    Args:
        verdicts: on it, in their order, at least one.
        length: of the text, in code points.
    """
    last = verdicts[-1]["decision"]
    first = next(one for one in verdicts if one["decision"] == last)
    return float(first["position"] / length)
