"""Predictions as Avro, a whole batch by one kernel.

fastavro takes 4.1 µs for a prediction, most of it for the dictionary that it reads; see
``docs/decisions/0007``.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from fastavro import schemaless_writer
from numba import njit

from operators.kernel_cache import use_folder_of_these_sources
from schemas.errors import Bug
from schemas.registry import load
from streams.shard.event_spans import WORD

if TYPE_CHECKING:
    import numpy.typing as npt

    from streams.shard.columns import Text

use_folder_of_these_sources()

NUMBERS_BEFORE_LABEL: Final = ("y_hat", "y_hlm", "y_sera", "y_meta", "gate")
NUMBERS_AFTER_LABEL: Final = ("margin", "rj_gap", "half_diff")
NUMBERS_THAT_CAME_LATER: Final = ("y_gate", "y_feature")  # null in records of earlier versions
NUMBERS: Final = NUMBERS_BEFORE_LABEL + NUMBERS_AFTER_LABEL + NUMBERS_THAT_CAME_LATER
_BEFORE: Final = len(NUMBERS_BEFORE_LABEL)
_BETWEEN: Final = len(NUMBERS_AFTER_LABEL)
_LATER: Final = len(NUMBERS_THAT_CAME_LATER)
_NUMBER_BRANCH: Final = 2  # zig-zag of the second branch of a union with null
LEAF_HASH_BYTES: Final = 32
LONG_BYTES: Final = 10  # the most that a long takes

# What the kernel writes, in this order.
_EXPECTED: Final = [
    *((name, "string") for name in ("tenant", "id", "event_id")),
    *((name, "long") for name in ("time_us", "step")),
    *((name, "double") for name in NUMBERS_BEFORE_LABEL),
    ("label", ["null", "double"]),
    *((name, "double") for name in NUMBERS_AFTER_LABEL),
    ("leaf", LEAF_HASH_BYTES),
    *((name, ["null", "double"]) for name in NUMBERS_THAT_CAME_LATER),
]


def _check_layout() -> None:
    """Hold the schema to what the kernel writes."""
    fields = [
        (
            field["name"],
            field["type"]["size"] if isinstance(field["type"], dict) else field["type"],
        )
        for field in load("prediction").parsed["fields"]
    ]
    if fields != _EXPECTED:
        raise Bug("prediction.avsc is not what the kernel in streams.shard.prediction_rows writes")


_check_layout()


@njit(cache=True, nogil=True)
def _put_long(
    out: npt.NDArray[np.uint8], at: int, number: int
) -> int:  # pragma: no cover - compiled
    """Write a long as zig-zag varint; give where it ends."""
    left = (np.uint64(number) << np.uint64(1)) ^ np.uint64(number >> 63)
    while left >= np.uint64(0x80):
        out[at] = np.uint8(left & np.uint64(0x7F)) | np.uint8(0x80)
        left >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(left)
    return at + 1


@njit(cache=True, nogil=True)
def _put(
    out: npt.NDArray[np.uint8], at: int, source: npt.NDArray[np.uint8], start: int, length: int
) -> int:  # pragma: no cover - compiled
    """Copy bytes; give where they end."""
    out[at : at + length] = source[start : start + length]
    return at + length


@njit(cache=True, nogil=True)
def _write(
    front: npt.NDArray[np.uint8],
    blob: npt.NDArray[np.uint8],
    id_starts: npt.NDArray[np.int64],
    id_lengths: npt.NDArray[np.int64],
    event_starts: npt.NDArray[np.int64],
    event_lengths: npt.NDArray[np.int64],
    time_us: npt.NDArray[np.int64],
    steps: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.uint8],
    label: npt.NDArray[np.uint8],
    has_label: npt.NDArray[np.uint8],
    leaves: npt.NDArray[np.uint8],
    out: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    at = 0
    for row in range(len(ends)):
        at = _put(out, at, front, 0, len(front))
        at = _put_long(out, at, id_lengths[row])
        at = _put(out, at, blob, id_starts[row], id_lengths[row])
        at = _put_long(out, at, event_lengths[row])
        at = _put(out, at, blob, event_starts[row], event_lengths[row])
        at = _put_long(out, at, time_us[row])
        at = _put_long(out, at, steps[row])
        first = row * len(NUMBERS) * WORD
        at = _put(out, at, numbers, first, _BEFORE * WORD)
        out[at] = _NUMBER_BRANCH * has_label[row]
        at += 1
        if has_label[row]:
            at = _put(out, at, label, row * WORD, WORD)
        at = _put(out, at, numbers, first + _BEFORE * WORD, _BETWEEN * WORD)
        at = _put(out, at, leaves, row * LEAF_HASH_BYTES, LEAF_HASH_BYTES)
        for place in range(_BEFORE + _BETWEEN, _BEFORE + _BETWEEN + _LATER):
            out[at] = _NUMBER_BRANCH
            at = _put(out, at + 1, numbers, first + place * WORD, WORD)
        ends[row] = at


def avro_string(text: str) -> bytes:
    """Encode a string as Avro does."""
    out = BytesIO()
    schemaless_writer(out, "string", text)
    return out.getvalue()


def encode_predictions(
    front: bytes,
    ids: Text,
    event_ids: Text,
    *,
    time_us: npt.NDArray[np.int64],
    label: npt.NDArray[np.float64],
    has_label: npt.NDArray[np.uint8],
    rows: np.ndarray[Any, Any],
    leaf_hashes: bytes,
) -> list[bytes]:
    """Encode a batch of predictions of one tenant.

    Args:
        front: what every one begins with: wire header, if any, and ``avro_string`` of the tenant.
        ids: n entity ids; over the same bytes as ``event_ids``.
        event_ids: n.
        time_us: int64[n].
        label: float64[n].
        has_label: uint8[n].
        rows: STEP_DTYPE[n].
        leaf_hashes: 32 bytes each, one after the other.

    Returns:
        n values. O(bytes).
    """
    events = len(time_us)
    numbers = np.empty((events, len(NUMBERS)))
    for place, name in enumerate(NUMBERS):
        numbers[:, place] = rows[name]
    fixed = len(front) + 4 * LONG_BYTES + (len(NUMBERS) + 1) * WORD + 1 + LEAF_HASH_BYTES
    fixed += _LATER
    text = int(ids.lengths.sum() + event_ids.lengths.sum())
    out = np.empty(events * fixed + text, np.uint8)
    ends = np.empty(events, np.int64)
    _write(
        np.frombuffer(front, np.uint8),
        np.frombuffer(ids.raw, np.uint8),
        ids.starts,
        ids.lengths,
        event_ids.starts,
        event_ids.lengths,
        time_us,
        rows["step"].astype(np.int64),
        numbers.reshape(-1).view(np.uint8),
        label.view(np.uint8),
        has_label,
        np.frombuffer(leaf_hashes, np.uint8),
        out,
        ends,
    )
    data, stops = out[: ends[-1]].tobytes(), ends.tolist()
    return [data[start:stop] for start, stop in zip([0, *stops[:-1]], stops, strict=True)]
