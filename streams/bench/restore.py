"""``restore_s``: how long a shard takes to come back, by the size of its state and where it lies.

A shard's cell learns so many weights and is checkpointed into a changelog, once, which is what
compaction leaves, or ten times over, which is what there is before. Then an empty engine is filled

- from the changelog of one checkpoint, and from that of ten (``changelog_uncompacted``);
- from a standby's table, which followed the changelog of ten;
- from the worker's own table (``rocksdb``), and from a snapshot in a folder.

The floor is a raw read: a consumer that takes the same changelog and does nothing with it.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from operators.fusion.config import CellConfig
from operators.hlm.config import HlmConfig
from operators.sera.config import SeraConfig
from schemas.codec import Codec
from state.objects import ObjectStore
from state.snapshots.reading import find_snapshot
from state.store import ShardStore
from streams.bench import machine
from streams.bench.errors import BenchFailed
from streams.bench.lab import open_lab
from streams.bench.measured import Measured, measured
from streams.kafka.reader import PartitionReader, Record
from streams.kafka.topics import OUTPUT_ROLES, admin, create_topics
from streams.shard import restore
from streams.shard.commit import ShardProducer
from streams.snapshots import build_engine, load_into
from streams.standby import Standbys

BENCH = "durable"
METRIC = "restore_s"
WEIGHTS = (100_000, 1_000_000, 10_000_000)
CHECKPOINTS = 10
REPEATS = 3
SHARD = 0
TENANT = "bench"
IDS_AN_EVENT = 1_000
LOAD = 0.59
"""Share of the learner's slots in use: just below where a rebuild would begin."""
UNIT_EVENTS = 500
TRANSACTION_S, PATIENCE_S = 600, 300
FOLLOW_S = 900


class Filled(NamedTuple):
    """A state that was learnt, and where it lies.

    Attributes:
        lab: on whose broker.
        settings: of the application that learnt it.
        once: changelog of one checkpoint.
        often: changelog of ``CHECKPOINTS``.
        folder: of tables and snapshots.
        cells: digest of what was learnt.
    """

    settings: Settings
    once: str
    often: str
    folder: Path
    digest: bytes
    records: dict[str, int]


def restore_rows(
    repeats: int, say: Callable[[str], None], weights: Sequence[int] = WEIGHTS
) -> Iterator[Measured]:
    """Measure; yield figures as soon as they are known.

    Args:
        repeats: runs of each; every one restores from where nothing is left of the one before.
        say: told what is going on.
        weights: sizes of state.

    Raises:
        BenchFailed: what was restored is not what was learnt.
        BrokerUnavailable: no broker can be started here.
    """
    params: dict[str, Any] = {"cores": machine.pin(), "load_before": machine.load()}
    with open_lab() as lab:
        for size in weights:
            say(f"learning {size:,} weights")
            filled = fill(lab, size)
            yield from _measure(filled, size, repeats, say, params)
            _forget(filled)
