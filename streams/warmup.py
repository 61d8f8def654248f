"""Compiling the kernels before the first event waits for them."""

from __future__ import annotations

from operators.fusion.cell import Cell, CellConfig
from operators.seeds import Seeds
from schemas.codec import Codec
from schemas.hashing import FeatureHasher
from streams.kafka.reader import Record
from streams.kafka.topics import MAX_RECORD_BYTES
from streams.messages import PlainReader
from streams.shard.columns import Decoder
from streams.shard.known_names import FIRST_SLOTS
from streams.shard.prediction_rows import LEAF_HASH_BYTES, avro_string, encode_predictions

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
    """Read an event, step and predict in a cell that is thrown away, and write the prediction.

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
    columns = decoder([Record(0, 0, None, Codec("event").encode(event))])[0]["t"]
    named = Codec("event").encode(event | {"features": _NAMES, "context": {"c": "v"}})
    decoder([Record(offset, 0, None, named) for offset in range(2)])
    one = columns.batch
    rows = cell.step_batch(one)
    cell.predict_batch(one)
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
