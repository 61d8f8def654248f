"""Conversations typed piece by piece, in a person's rhythm, into the topic ``tokens``."""

from __future__ import annotations

import re
import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.codec import Codec
from streams.cli.sender import EventSender
from streams.demo.conversations import TENANT
from streams.demo.errors import DemoFailed
from streams.demo.followers import Watched
from streams.feed import FedEvent
from streams.kafka.topics import TOKENS_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.demo.conversations import Conversation
    from streams.settings import Settings

_SEED: Final = 7
_LOOK_S: Final = 0.1
_US: Final = 1_000_000
_WORD: Final = re.compile(r"\S+\s*|\s+")
_LONG_WORD: Final = 6
_MOST_AT_ONCE: Final = 4
# How long is thought, in the time that a character takes.
_AFTER_LINE: Final = (10.0, 25.0)
_AFTER_SENTENCE: Final = (2.0, 8.0)
_BEFORE_PASTE: Final = 12.0
# When a conversation begins and ends, as shares of the time that there is.
_BEGINS: Final = (0.0, 0.08)
_ENDS: Final = (0.86, 1.0)


class Stroke(NamedTuple):
    """One piece of a conversation.

    Attributes:
        at_s: when it is sent, in seconds from the beginning.
        conversation: whose it is.
        position: place of its first code point in the conversation.
        text: what is typed or pasted; nothing at the end of the conversation.
    """

    at_s: float
    conversation: Conversation
    position: int
    text: str

    @property
    def end(self) -> int:
        """Place after its last code point."""
        return self.position + len(self.text)


def strokes(conversations: Sequence[Conversation], seconds: float) -> list[Stroke]:
    """Cut conversations into what is sent of them, in the order of time.

    The pieces of a conversation are its text, and an empty one that ends it. The same arguments
    give the same pieces.

    Args:
        conversations: that are typed side by side.
        seconds: from the first piece to the last.
    """
    rng = Random(_SEED)  # noqa: S311 - a rhythm needs to repeat, not to be secret
    found = [stroke for one in conversations for stroke in _typed(one, seconds, rng)]
    first, last = (pick(stroke.at_s for stroke in found) for pick in (min, max))
    stretch = seconds / (last - first)
    found = [stroke._replace(at_s=(stroke.at_s - first) * stretch) for stroke in found]
    return sorted(found, key=lambda stroke: stroke.at_s)


def _typed(conversation: Conversation, seconds: float, rng: Random) -> list[Stroke]:
    now, position, found = 0.0, 0, []
    for pause, text in _pieces(conversation, rng):
        now += pause
        found.append(Stroke(now, conversation, position, text))
        position += len(text)
    begin, end = (seconds * rng.uniform(*share) for share in (_BEGINS, _ENDS))
    pace = (end - begin) / now
    return [stroke._replace(at_s=begin + pace * stroke.at_s) for stroke in found]


def _pieces(conversation: Conversation, rng: Random) -> Iterator[tuple[float, str]]:
    """Yield the pieces, and the time before each."""
    thought = 0.0
    for part in conversation.parts:
        if part.is_pasted:
            yield _BEFORE_PASTE, part.text
            continue
        for word in _WORD.findall(part.text):
            for piece in _halting(word, rng):
                yield thought + len(piece) * rng.uniform(0.6, 1.4), piece
                thought = 0.0
            if word.endswith("\n"):
                thought = rng.uniform(*_AFTER_LINE)
            elif word.rstrip().endswith((".", "?", "!", ",")):
                thought = rng.uniform(*_AFTER_SENTENCE)
    yield thought, ""


def _halting(word: str, rng: Random) -> Iterator[str]:
    """Yield a word: at once, or some characters at a time."""
    if len(word) <= _LONG_WORD and rng.random() < 0.5:  # noqa: PLR2004 - a coin
        yield word
        return
    at = 0
    while at < len(word):
        size = rng.randint(1, _MOST_AT_ONCE)
        yield word[at : at + size]
        at += size


class Keyboard(Watched):
    """Types conversations.

    Args:
        settings: ``broker.bootstrap`` known.
        pieces: in the order of time.
        rest_at: piece before which the typing rests until `go_on`; None: it does not.

    Attributes:
        typed: code points sent so far, by conversation.
        sent: pieces sent so far.
        is_done: whether all have been acknowledged.

    Raises:
        BrokerUnavailable: no broker answers.
        TopologyError: there is no topic ``tokens``.
    """

    def __init__(
        self, settings: Settings, pieces: Sequence[Stroke], rest_at: int | None = None
    ) -> None:
        super().__init__("type")
        self._sender = EventSender(settings, None, TOKENS_ROLE)
        self._pieces = pieces
        self._encode = Codec("token").encode
        self._newest_us = 0
        self._rest_at = rest_at
        self._may_go_on = threading.Event()
        self.typed = dict.fromkeys((one.conversation.name for one in pieces), 0)
        self.sent = 0
        self.is_done = False

    def _work(self) -> None:
        start = time.monotonic()
        for number, piece in enumerate(self._pieces):
            if number == self._rest_at:
                start += self._rest()
            if self._stopping.wait(max(0.0, start + piece.at_s - time.monotonic())):
                return
            self._sender.send(self._event(piece))
            self.typed[piece.conversation.name] = piece.end
            self.sent += 1
        self._sender.finish()
        if self._sender.failures:
            reasons = "; ".join(self._sender.failures)
            raise DemoFailed(f"the broker did not take every piece: {reasons}")
        self.is_done = True

    def go_on(self) -> None:
        """Let the typing go on, or not rest at all if it has not come to that."""
        self._may_go_on.set()

    def _rest(self) -> float:
        """Wait until the typing may go on; return for how long, in seconds."""
        since = time.monotonic()
        while not (self._may_go_on.wait(_LOOK_S) or self._stopping.is_set()):
            pass
        return time.monotonic() - since

    def _event(self, piece: Stroke) -> FedEvent:
        # The clock may be set back; the time of a stream must not.
        self._newest_us = max(self._newest_us, int(time.time() * _US))
        record = token(
            piece.conversation,
            piece.position,
            piece.text,
            self._newest_us,
            is_last=not piece.text,
        )
        return FedEvent(piece.conversation.name.encode(), self._encode(record))


def token(
    conversation: Conversation, position: int, text: str, time_us: int, *, is_last: bool
) -> dict[str, Any]:
    """Return a piece of a conversation as a record of the schema ``token``.

    Args:
        conversation: whose it is.
        position: place of its first code point.
        text: of the piece.
        time_us: when it was typed.
        is_last: whether it ends the conversation.
    """
    return {
        "tenant": TENANT,
        "stream_id": conversation.name,
        "operation": "END" if is_last else "APPEND",
        "position": position,
        "text": text,
        "time_us": time_us,
        "metadata": {"kind": "CHAT", "audience": conversation.audience, "source": "weir demo"},
    }
