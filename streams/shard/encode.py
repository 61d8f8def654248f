"""Messages in and out of a shard, as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from streams.shard.prediction_rows import LEAF_HASH_BYTES, avro_string, encode_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from state.audit.checkpoint import CheckpointNote
    from streams.shard.columns import EventReader, TenantColumns
    from streams.shard.quarantine import QuarantineEncoder
    from streams.shard.unit import Message


class Encoder(Protocol):
    """What a codec offers, with a registry's wire header or without."""

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """Return the record as bytes."""


class TrailCodecs:
    """The codecs that every shard needs.

    Args:
        checkpoint: encoder of signed checkpoints.
        quarantine: encodes messages that could not be used.
        audit_header: wire header; may be empty.
    """

    def __init__(
        self, checkpoint: Encoder, quarantine: QuarantineEncoder, audit_header: bytes = b""
    ) -> None:
        self._checkpoint = checkpoint
        self.quarantine = quarantine
        self._audit_header = audit_header

    def audit(self, tenant: str, values: list[bytes]) -> list[Message]:
        """Put the wire header before a tenant's audit records, and its name as key."""
        key, header = tenant.encode(), self._audit_header
        if header:
            values = [header + value for value in values]
        return [{"key": key, "value": value} for value in values]

    def checkpoint(self, tenant: str, shard: int, note: CheckpointNote) -> Message:
        """Encode a signed checkpoint, keyed by tenant."""
        return {
            "key": tenant.encode(),
            "value": self._checkpoint.encode(note.record(tenant, shard)),
        }


class MessageCodecs(TrailCodecs):
    """The codecs of a shard of events.

    Args:
        reader: takes source records to events.
        checkpoint: encoder of signed checkpoints.
        quarantine: encodes messages that could not be used.
        prediction_header, audit_header: wire headers; empty without a registry.
    """

    def __init__(
        self,
        reader: EventReader,
        checkpoint: Encoder,
        quarantine: QuarantineEncoder,
        prediction_header: bytes = b"",
        audit_header: bytes = b"",
    ) -> None:
        super().__init__(checkpoint, quarantine, audit_header)
        self.reader = reader
        self._prediction_header = prediction_header

    def predictions(
        self, tenant: str, columns: TenantColumns, rows: np.ndarray, audit_values: list[bytes]
    ) -> list[Message]:
        """Encode the predictions of a batch of steps, keyed by entity id. O(bytes)."""
        batch = columns.batch
        values = encode_predictions(
            self._prediction_header + avro_string(tenant),
            columns.ids,
            columns.event_ids,
            time_us=batch.time_us,
            label=batch.label,
            has_label=batch.has_label,
            rows=rows,
            leaf_hashes=b"".join([value[-LEAF_HASH_BYTES:] for value in audit_values]),
        )
        return [
            {"key": key, "value": value}
            for key, value in zip(columns.ids.parts(), values, strict=True)
        ]
