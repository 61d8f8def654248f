"""Real events, and broken ones among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from schemas.codec import Codec
from schemas.errors import BadMessage
from streams.demo.problems import DIMENSION, Dataset, load_problems
from streams.demo.traffic import ROUND_ROWS, make_traffic
from streams.feed import FedEvent
from tests.system.schedule import POISONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.schedule import Round

__all__ = ["DIMENSION", "make_rounds"]

_START_US = 1_700_000_000_000_000
_PERIOD_US = 1_000


def make_rounds(seed: int, schedule: Sequence[Round], each: int) -> list[list[FedEvent]]:
    """Return what is sent in each round: rows of Phishing and Bananas, poison among them.

    Args:
        seed: of the order of the rows.
        schedule: says where poison goes.
        each: events of a round, without the poison.
    """
    problems = load_problems(Dataset.BOTH)
    passes = -(-each * len(schedule) // (ROUND_ROWS * len(problems)))
    events = make_traffic(problems, passes, seed, _START_US, _PERIOD_US).messages
    parts = []
    for number, part in enumerate(schedule):
        messages = events[number * each : (number + 1) * each]
        for poison in reversed(part.poison):
            place = int(poison.place * len(messages))
            sample = messages[place - 1]
            messages.insert(place, FedEvent(sample.key, broken(sample.value, poison.breakage)))
        parts.append(messages)
    return parts


def broken(value: bytes, breakage: int) -> bytes:
    """Return an event broken in one of ``POISONS`` ways; what is broken already stays so."""
    codec = Codec("event")
    if breakage == 0:
        return b"no event at all"
    if breakage == 1:
        return value[: len(value) // 2]
    if breakage == 2:
        return value + b"\0"
    try:
        event = codec.decode(value)
    except BadMessage:
        return value
    if breakage == 3:
        return codec.encode(event | {"label": float("inf")})
    assert breakage == POISONS - 1
    return codec.encode(event | {"key": np.zeros(DIMENSION + 1).tobytes()})
