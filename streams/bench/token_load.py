"""Shards of tokens without a broker, and streams that are written to them at a steady rate."""

from __future__ import annotations

import heapq
import threading
import time
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from schemas.codec import Codec
from streams.bench.dlp import texts
from streams.hierarchy.observer import StreamObserver

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

    from state.stream_keys import StreamKey
    from streams.hierarchy.in_memory import ShardInMemory
    from streams.hierarchy.model import StreamModel
    from streams.hierarchy.observer import Encoded, Taken

_MICROSECOND: Final = 1e6
_LONGEST: Final = 6_000
START_US: Final = 1_700_000_000_000_000


class Writer:
    """One stream that is written piece by piece, then ended, and begun anew under another name.

    Args:
        model: that reads it.
        name: of it.
        seed: of its text.
        every_s: between two pieces.
    """

    def __init__(self, model: StreamModel, name: str, seed: int, every_s: float) -> None:
        self._encode = Codec("token").encode
        self._tokenizer = model.reading.tokenizer
        self._name = name
        self._rng = Random(seed)  # noqa: S311 - the same texts in every run
        self.every_s = every_s
        self._lives = 0
        self._now_us = START_US
        self._begin()

    def _begin(self) -> None:
        self._lives += 1
        self.stream = f"{self._name}-{self._lives}"
        [whole] = texts(self._rng.randrange(400, _LONGEST), 1)
        shift = self._rng.randrange(len(whole))
        self._text, self._at = whole[shift:] + whole[:shift], 0
        self._ends = self._tokenizer.encode(self._text).ends

    def piece(self, characters: int | None = None) -> tuple[str, bytes]:
        """The stream's name, and its next record.

        Args:
            characters: of it; by default the next token, and what stands before it.
        """
        end = len(self._text)
        if characters is not None:
            end = self._at + characters
        elif (token := int(np.searchsorted(self._ends, self._at, "right"))) < len(self._ends):
            end = int(self._ends[token])
        stream, text = self.stream, self._text[self._at : end]
        self._now_us += int(self.every_s * _MICROSECOND)
        record = {
            "tenant": "bench", "stream_id": stream, "operation": "APPEND" if text else "END",
            "position": self._at, "text": text or None, "time_us": self._now_us,
        }  # fmt: skip
        self._at += len(text)
        if not text:
            self._begin()
        return f"bench/{stream}", self._encode(record)


class Latencies(NamedTuple):
    """Of a run, in seconds.

    Attributes:
        tokens: from when the first piece of a unit of work came until the stream's tokens were
            encoded; one each token.
        updates: from when a piece came until the unit of work that tells of it was done; one each
            piece.
    """

    tokens: list[float]
    updates: list[float]


class Clocked(StreamObserver):
    """Notes when the tokens of each stream were encoded."""

    def __init__(self) -> None:
        self.encoded_at: list[tuple[str, float, int]] = []
        self._new: dict[str, int] = {}

    def taken(self, what: Taken) -> None:
        """Tokens are about to be encoded for the first time."""
        self._new[what.stream] = len(what.ids)

    def encoded(self, what: Encoded) -> None:
        """Tokens have been encoded; some that two segments share for the second time."""
        new = self._new.pop(what.stream, 0)
        if new:
            self.encoded_at.append((what.stream, time.perf_counter(), new))


class Load(threading.Thread):
    """Writes streams to a shard at their rate, and measures.

    Args:
        shard: takes them.
        clocked: its observer.
        writers: of its streams.
        warm_s: before it is measured.
        measured_s: how long it is.
        gather_s: least time between two units of work.
        words: streams that had ended and have been judged; their word is put into the log.
    """

    def __init__(
        self,
        shard: ShardInMemory,
        clocked: Clocked,
        writers: list[Writer],
        warm_s: float,
        measured_s: float,
        gather_s: float,
        words: deque[StreamKey],
    ) -> None:
        super().__init__(name="load")
        self._shard = shard
        self._clocked = clocked
        self._writers = writers
        self._warm_s = warm_s
        self._measured_s = measured_s
        self._gather_s = gather_s
        self._words = words
        self.found = Latencies([], [])

    def run(self) -> None:
        """Write until the time is over."""
        begun = time.perf_counter()
        rng = Random(len(self._writers))  # noqa: S311 - the same times in every run
        due = [
            (begun + rng.random() * writer.every_s, number)
            for number, writer in enumerate(self._writers)
        ]
        heapq.heapify(due)
        measured_from = begun + self._warm_s
        while (now := time.perf_counter()) < measured_from + self._measured_s:
            arrived = list(self._arrived(due, now))
            words = [self._shard.word(self._words.popleft()) for _ in range(len(self._words))]
            if not arrived and not words:
                time.sleep(max(0.0, min(self._gather_s, due[0][0] - now)))
                continue
            self._clocked.encoded_at.clear()
            self._shard.take([*words, *(value for _, _, value in arrived)])
            done = time.perf_counter()
            if now >= measured_from:
                self._note(arrived, done)
            time.sleep(max(0.0, self._gather_s - (done - now)))

    def _arrived(
        self, due: list[tuple[float, int]], now: float
    ) -> Iterator[tuple[float, str, bytes]]:
        while due[0][0] <= now:
            came, number = heapq.heappop(due)
            writer = self._writers[number]
            yield came, *writer.piece()
            heapq.heappush(due, (came + writer.every_s, number))

    def _note(self, arrived: list[tuple[float, str, bytes]], done: float) -> None:
        self.found.updates.extend(done - came for came, _, _ in arrived)
        first = {stream: came for came, stream, _ in reversed(arrived)}
        for stream, at, new in self._clocked.encoded_at:
            if stream in first:
                self.found.tokens.extend([at - first[stream]] * new)


def filled(shard: ShardInMemory, writers: list[Writer], seed: int) -> None:
    """Let streams have some text already, of any length, as in the middle of a day."""
    rng = Random(seed)  # noqa: S311 - the same lengths in every run
    for writer in writers:
        shard.take([writer.piece(rng.randrange(1, _LONGEST // 2))[1]])
