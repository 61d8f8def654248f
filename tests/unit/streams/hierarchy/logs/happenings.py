"""What happens to streams in these tests."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from operators.hierarchy.pace import Step, Window
from streams.hierarchy.logs.files import name_of
from streams.hierarchy.observer import (
    BoundaryType,
    Encoded,
    Ended,
    Failed,
    FailureType,
    Paced,
    PredictionType,
    Recovery,
    SentSpan,
    State,
    StateType,
    StreamObserver,
    Taken,
    Updated,
    Verdict,
)

if TYPE_CHECKING:
    from pathlib import Path


class Counted:
    """Counts what the logs tell."""

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()

    def logged(self, name: str, records: int) -> None:
        """Records were written."""
        self.written[name] += records

    def log_dropped(self, name: str, reason: str, records: int) -> None:
        """Records were dropped."""
        self.dropped[name, reason] += records


def verdict(stream: str = "chat-1", number: int = 0, **values: Any) -> Verdict:
    """A verdict; values as wanted."""
    made = Verdict(
        stream=stream,
        number=number,
        type=PredictionType.PARTIAL,
        decision="REVIEW",
        confidence=0.9,
        scores={"sensitivity": 0.9, "exposure": 0.2, "context": 0.5, "obfuscation": 0.01},
        spans=[SentSpan(0, "SSN", 4, 15, 0.97)],
        revised=0,
        withdrawn=0,
        latency_s=0.012,
        buffer={"first": 0, "tokens": 9, "characters": 31},
        characters=31,
        step=Step.NORMAL,
        model="m1",
        policy="p1",
    )
    return made._replace(**values)


def failure(text: str) -> BaseException:
    """An exception with a text in its message, its cause, and its frames' variables."""
    held = f"{text} held"
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError(held) from error
    except RuntimeError as error:
        return error


def everything(observer: StreamObserver, text: str, stream: str = "chat-1") -> None:
    """Tell of one of each, with a text wherever one can be."""
    ids = [101, 102]
    observer.taken(Taken(stream, 0, ids, [text, text[:1]], 2, "tokens-0", text))
    vector = np.linspace(-1, 1, 128)
    observer.state(State(stream, 1, StateType.TOKEN, vector, np.array([0.25, 0.75]), 6_300_000))
    observer.sent(verdict(stream))
    observer.encoded(Encoded(stream, 1, 2, 0.012, 0.004))
    observer.updated(Updated(stream, 1, StateType.SENTENCE, 0.03))
    observer.ended(Ended(stream, BoundaryType.SENTENCE, len(text), None, text, text))
    observer.ended(Ended(stream, BoundaryType.TOPIC, len(text), 0.8, text, text))
    observer.failed(
        Failed(stream, 1, FailureType.ENCODE, failure(text), 1, Recovery.REBUILT, recovered=True)
    )
    observer.paced(Paced(Step.NORMAL, Step.LARGER_CHUNKS, Window(80.0, 10.0, 40), 1.6))
    observer.paused(3, paused=True)


def lines(folder: Path, log: str) -> list[dict[str, Any]]:
    """The records of a log, in the order in which they were written."""
    found = [(name_of(path), path) for path in folder.iterdir()]
    chosen = sorted((name, path) for name, path in found if name is not None and name.log == log)
    data = [
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for _, path in chosen
    ]
    return [json.loads(line) for line in b"".join(data).splitlines()]
