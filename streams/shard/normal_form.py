"""An event as the codec decoded it, checked, and with its names hashed.

The way of the events that ``streams.shard.event_spans`` does not read, good ones and bad ones.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from schemas.errors import BadMessage
from schemas.reasons import Reason
from streams.shard.event_spans import MAX_ID_CHARACTERS, MAX_TIME_US, WORD

if TYPE_CHECKING:
    from schemas.hashing import FeatureHasher


OPTIONAL: Final = (
    "label",
    "features",
    "feature_ids",
    "feature_values",
    "key",
    "value",
    "query",
    "context",
)
"""Fields of an event that may be null: all that a learner reads of it."""


class NormalForm(NamedTuple):
    """The parts of one event under the names of ``SPAN_DTYPE``; None where there is none."""

    time_us: int
    id: bytes
    event_id: bytes
    label: bytes | None
    features: bytes
    values: bytes
    key: bytes | None
    value: bytes | None
    query: bytes | None
    context: bytes


def normal_form(
    event: dict[str, Any], hasher: FeatureHasher, vector_bytes: int, value_bytes: int
) -> NormalForm:
    """Check an event and hash its names.

    Args:
        event: an observation.
        hasher: its tenant's.
        vector_bytes: of keys and queries.
        value_bytes: of values.

    Raises:
        BadMessage: a field is out of range or of the wrong length.
    """
    time_us = event["time_us"]
    if not 0 <= time_us < MAX_TIME_US:
        raise BadMessage(Reason.BAD_FIELD, f"time_us {time_us} is outside 0..2^53")
    entity, event_id = event["id"], event["event_id"]
    if len(entity) > MAX_ID_CHARACTERS or len(event_id) > MAX_ID_CHARACTERS:
        raise BadMessage(
            Reason.BAD_FIELD,
            f"id has {len(entity)} characters and event_id {len(event_id)}: "
            f"at most {MAX_ID_CHARACTERS} are allowed",
        )
    features, values = _features(event, hasher)
    label, context = event["label"], event["context"]
    names = [f"{name}={value}" for name, value in context.items()] if context else []
    return NormalForm(
        time_us,
        entity.encode(),
        event_id.encode(),
        None if label is None else struct.pack("<d", label),
        features,
        values,
        _vector(event, "key", vector_bytes),
        _vector(event, "value", value_bytes),
        _vector(event, "query", vector_bytes),
        hasher.hash_many(names).tobytes(),
    )


def _vector(event: dict[str, Any], field: str, wanted: int) -> bytes | None:
    packed: bytes | None = event[field]
    if packed is not None and len(packed) != wanted:
        raise BadMessage(
            Reason.DIMENSION_MISMATCH,
            f"{field} has {len(packed)} bytes; the configuration says {wanted // WORD} "
            "packed little-endian doubles",
        )
    return packed


def _features(event: dict[str, Any], hasher: FeatureHasher) -> tuple[bytes, bytes]:
    ids: bytes = event["feature_ids"] or b""
    values: bytes = event["feature_values"] or b""
    if len(ids) != len(values) or len(ids) % WORD:
        raise BadMessage(
            Reason.LENGTH_MISMATCH,
            f"feature_ids has {len(ids)} bytes and feature_values {len(values)}: "
            "both must be packed 8-byte little-endian words, as many of one as of the other",
        )
    named: dict[str, float] | None = event["features"]
    if not named:
        return ids, values
    numbers = np.fromiter(named.values(), dtype="<f8", count=len(named))
    return hasher.hash_many(named).tobytes() + ids, numbers.tobytes() + values
