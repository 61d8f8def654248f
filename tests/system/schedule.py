"""What is done to workers and brokers, and when: a pure function of a seed.

What the system makes of it is up to the moment: a kill lands in another unit of work each time. The
same seed does the same things to the same processes at the same times.
"""

from __future__ import annotations

import random
from enum import Enum
from typing import Final, NamedTuple

WORKERS: Final = 3
BROKERS: Final = 3
POISONS: Final = 5
"""Kinds of broken messages; see ``tests.system.traffic``."""


class Kind(Enum):
    """What can happen."""

    WORKER_KILL = "a worker is killed with SIGKILL, and started again"
    WORKER_STOP = "a worker is stopped with SIGTERM, and started again"
    WORKER_PAUSE = "a worker is frozen with SIGSTOP, and goes on"
    WORKER_JOIN = "a worker is started beside the others"
    WORKER_LEAVE = "a worker is stopped with SIGTERM and stays away"
    BROKER_KILL = "a broker is killed with SIGKILL, and started again"
    BROKER_STOP = "a broker is stopped with SIGTERM, and started again"
    BROKER_PAUSE = "a broker is frozen with SIGSTOP, and goes on"


OF_BROKERS: Final = frozenset({Kind.BROKER_KILL, Kind.BROKER_STOP, Kind.BROKER_PAUSE})

# Seconds, least and most. A worker's session lasts 6 s, and a broker's: some absences are noticed,
# some are not.
_LASTS: Final = {
    Kind.WORKER_KILL: (0.0, 4.0),
    Kind.WORKER_STOP: (0.0, 4.0),
    Kind.WORKER_PAUSE: (1.0, 12.0),
    Kind.WORKER_JOIN: (0.0, 0.0),
    Kind.WORKER_LEAVE: (0.0, 0.0),
    Kind.BROKER_KILL: (0.0, 8.0),
    Kind.BROKER_STOP: (0.0, 8.0),
    Kind.BROKER_PAUSE: (1.0, 9.0),
}
_WITHIN_S: Final = 6.0


class Fault(NamedTuple):
    """One thing that happens.

    Attributes:
        at_s: seconds after the start of its round.
        kind: what.
        target: number of the worker, from 0, or of the broker, from 1.
        lasts_s: seconds until it is undone.
    """

    at_s: float
    kind: Kind
    target: int
    lasts_s: float


class Poison(NamedTuple):
    """One message that no worker can use.

    Attributes:
        place: share of the round's events that go before it.
        breakage: in which way it is broken, 0 to ``POISONS`` - 1.
    """

    place: float
    breakage: int


class Round(NamedTuple):
    """What happens while a part of the events is sent.

    Attributes:
        faults: by time; no two to brokers, so that two of three are there.
        poison: by place.
        length_s: seconds until the last fault is undone, and a little more.
    """

    faults: tuple[Fault, ...]
    poison: tuple[Poison, ...]
    length_s: float


def first_workers() -> frozenset[int]:
    """Return which workers run at the start."""
    return frozenset(range(WORKERS - 1))


def make_schedule(seed: int, rounds: int) -> list[Round]:
    """Draw a schedule; the same arguments give the same one.

    Kinds are drawn like cards: each comes once before any comes again, as far as there are workers
    to join and to leave.
    """
    rng = random.Random(seed)
    deck: list[Kind] = []
    running = set(first_workers())
    return [_round(rng, deck, running) for _ in range(rounds)]


def _draw(rng: random.Random, deck: list[Kind], forbidden: frozenset[Kind]) -> Kind:
    """Take the first card that is not forbidden."""
    if forbidden.issuperset(deck):
        deck += rng.sample(list(Kind), len(Kind))
    kind = next(kind for kind in deck if kind not in forbidden)
    deck.remove(kind)
    return kind


def _round(rng: random.Random, deck: list[Kind], running: set[int]) -> Round:
    """Draw a round; ``running`` is brought to how it ends."""
    drawn: list[Kind] = []
    for _ in range(2 + rng.randrange(2)):
        no_second_broker = OF_BROKERS if OF_BROKERS & set(drawn) else frozenset[Kind]()
        drawn.append(_draw(rng, deck, no_second_broker))
    times = sorted(round(rng.uniform(0.0, _WITHIN_S), 2) for _ in drawn)
    faults = tuple(
        _fault(rng, kind, at_s, running) for kind, at_s in zip(drawn, times, strict=True)
    )
    poison = tuple(
        sorted(
            Poison(round(rng.random(), 3), rng.randrange(POISONS))
            for _ in range(rng.randrange(1, 6))
        )
    )
    return Round(faults, poison, max(fault.at_s + fault.lasts_s for fault in faults) + 2.0)


def _fault(rng: random.Random, kind: Kind, at_s: float, running: set[int]) -> Fault:
    lasts_s = round(rng.uniform(*_LASTS[kind]), 2)
    if kind in OF_BROKERS:
        return Fault(at_s, kind, rng.randrange(BROKERS) + 1, lasts_s)
    away = sorted(set(range(WORKERS)) - running)
    if kind is Kind.WORKER_JOIN and not away:
        kind = Kind.WORKER_LEAVE
    elif kind is Kind.WORKER_LEAVE and len(running) == 1:
        kind = Kind.WORKER_JOIN
    if kind is Kind.WORKER_JOIN:
        target = rng.choice(away)
        running.add(target)
    else:
        target = rng.choice(sorted(running))
        if kind is Kind.WORKER_LEAVE:
            running.discard(target)
    return Fault(at_s, kind, target, lasts_s)
