"""Compiling the kernels before the first event waits for them.

``python -m streams.warmup`` does nothing else, as before tests that would all wait for it.
"""

from __future__ import annotations

import math

import numpy as np

from operators.fusion.cell import Cell, CellConfig
from operators.seeds import Seeds
from schemas.codec import Codec
from schemas.hashing import FeatureHasher
from streams.kafka.reader import Record
from streams.kafka.topics import MAX_RECORD_BYTES
from streams.messages import PlainReader
from streams.settings import LabelSettings
from streams.shard.columns import Decoder
from streams.shard.known_names import FIRST_SLOTS
from streams.shard.prediction_rows import LEAF_HASH_BYTES, avro_string, encode_predictions
from streams.shard.stepping import Memory, Stepping

# More than a table of names begins with, so that it grows.
_NAMES = {f"name {number}": 0.0 for number in range(FIRST_SLOTS)}


class _Anyone:
    """Admits every tenant."""

    def __init__(self) -> None:
        self._hasher = FeatureHasher(b"-")

    def hasher(self, _: str) -> FeatureHasher:
        """Return a hasher of no secret."""
        return self._hasher

    def admit(self, _: str, __: FeatureHasher) -> None:
        """Do nothing."""

    def serves(self, _: str) -> bool:
        """Serve everyone."""
        return True


def warm_up(config: CellConfig) -> None:
    """Step an event, its late label and its repetition in a cell that is thrown away.

    Beside them an event that is refused; then a prediction is written, and a memory restored.

    Takes some seconds the first time on a machine, then numba's cache answers.
    """
    cell = Cell(config, Seeds(prf=0, prf_version=0, hash_salt=0, hash_version=0))
    event = {"kind": "OBSERVATION", "tenant": "t", "id": "i", "event_id": "e", "time_us": 0}
    decoder = Decoder(
        PlainReader(),
        0,
        _Anyone(),
        dimension=config.sera.d,
        value_dimension=config.sera.d_v,
        max_bytes=MAX_RECORD_BYTES,
    )
    encode = Codec("event").encode
    refused = event | {"event_id": "f", "label": math.nan}
    label = event | {"kind": "LABEL", "label": 0.0}
    events = [encode(one) for one in (event, label, event, refused)]
    columns = decoder([Record(at, 0, None, value) for at, value in enumerate(events)])[0]["t"]
    named = encode(event | {"features": _NAMES, "context": {"c": "v"}})
    decoder([Record(offset, 0, None, named) for offset in range(2)])
    memory = Memory(LabelSettings(), config, 0)
    rows = Stepping(cell, memory, columns).run().rows[:1]
    memory.load(memory.to_state())
    columns = columns.select(np.arange(1))
    one = columns.batch
    cell.predict_batch(one)
    cell.query(np.zeros(config.sera.d))
    encode_predictions(
        avro_string("t"),
        columns.ids,
        columns.event_ids,
        time_us=one.time_us,
        label=one.label,
        has_label=one.has_label,
        rows=rows,
        leaf_hashes=bytes(LEAF_HASH_BYTES),
    )


if __name__ == "__main__":
    warm_up(CellConfig())
