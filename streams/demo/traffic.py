"""What is sent: rows of the problems, shuffled and interleaved, and some broken messages."""

from __future__ import annotations

import random
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from schemas.codec import Codec
from streams.feed import FedEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.demo.problems import Problem, Row

ROUND_ROWS = 1_250
"""Rows of each problem in a round: all of Phishing, a quarter of Bananas."""

POISON_SHARE = (0.2, 0.4)
"""The broken messages are spread over this part of the stream, before the crash."""

EventName = tuple[str, str]
"""Tenant and event id."""


class Traffic(NamedTuple):
    """All messages of a run.

    Attributes:
        messages: in the order in which they are sent.
        names: of the events that must be predicted, each once.
        first_time: those of them whose row was not sent before.
        broken: values of the messages that must end in quarantine.
    """

    messages: list[FedEvent]
    names: frozenset[EventName]
    first_time: frozenset[EventName]
    broken: frozenset[bytes]


def make_traffic(
    problems: Sequence[Problem], rounds: int, seed: int, start_us: int, period_us: int
) -> Traffic:
    """Build the messages of a run; the same arguments give the same bytes.

    Args:
        problems: whose rows.
        rounds: ``ROUND_ROWS`` rows of each problem, so many times. A problem is shuffled anew
            whenever all its rows have been sent.
        seed: of the shuffles.
        start_us: event time of the first event, microseconds since 1970 UTC.
        period_us: from one event to the next.
    """
    encode = Codec("event").encode
    rng = random.Random(seed)  # noqa: S311 - shuffles need to repeat, not to be secret
    streams = [islice(_passes(problem, rng), rounds * ROUND_ROWS) for problem in problems]
    messages: list[FedEvent] = []
    names: list[EventName] = []
    first_time: list[EventName] = []
    samples: list[dict[str, Any]] = []
    for number, (event, is_first) in enumerate(chain.from_iterable(zip(*streams, strict=True))):
        event["time_us"] = start_us + number * period_us
        messages.append(FedEvent(event["id"].encode(), encode(event)))
        names.append((event["tenant"], event["event_id"]))
        if is_first:
            first_time.append(names[-1])
        if len(samples) < _BREAKAGES:
            samples.append(event)
    broken = _broken(samples)
    first, last = (int(share * len(messages)) for share in POISON_SHARE)
    places = np.linspace(first, last, len(broken)).astype(int).tolist()
    for place, message in reversed(list(zip(places, broken, strict=True))):
        messages.insert(place, message)
    return Traffic(
        messages,
        frozenset(names),
        frozenset(first_time),
        frozenset(message.value for message in broken),
    )


def _passes(problem: Problem, rng: random.Random) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the events of a problem for ever, and whether its row comes for the first time."""
    order = list(range(len(problem.rows)))
    turn = 0
    while True:
        turn += 1
        rng.shuffle(order)
        for number in order:
            yield _event(problem, number, problem.rows[number], turn), turn == 1


def _event(problem: Problem, number: int, row: Row, turn: int) -> dict[str, Any]:
    return {
        "kind": "OBSERVATION",
        "tenant": problem.name,
        "id": f"{problem.name}-{number}",
        "event_id": f"{number}#{turn}",
        "label": row.label,
        "features": row.features,
        "key": np.array(problem.key(row), "<f8").tobytes(),
    }


_BREAKAGES = 6


def _broken(samples: Sequence[dict[str, Any]]) -> list[FedEvent]:
    """Break one event in each of the ways in which messages break."""
    encode = Codec("event").encode
    nan = float("nan")
    text, cut, feature, label, vector, length = samples
    values = [
        b'{"this": "is JSON, where Avro was agreed"}',
        encode(cut)[:-10],
        encode(
            feature | {"features": {**feature["features"], next(iter(feature["features"])): nan}}
        ),
        encode(label | {"label": nan}),
        encode(vector | {"key": np.full(len(vector["key"]) // 8, np.inf).tobytes()}),
        encode(length | {"key": length["key"][:-8]}),
    ]
    keys = [event["id"].encode() for event in (text, cut, feature, label, vector, length)]
    return [FedEvent(key, value) for key, value in zip(keys, values, strict=True)]
