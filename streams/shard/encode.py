"""Messages in and out of a shard, as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.audit.checkpoint import CheckpointNote
    from streams.shard.columns import EventReader, TenantColumns
    from streams.shard.quarantine import QuarantineEncoder
    from streams.shard.unit import KeyedValue

LEAF_HASH_BYTES = 32

# Fields of a prediction that are columns of the step's output.
PREDICTION_FIELDS = (
    "y_hat",
    "y_hlm",
    "y_sera",
    "y_meta",
    "gate",
    "margin",
    "rj_gap",
    "half_diff",
)


class Encoder(Protocol):
    """What a codec offers, with a registry's wire header or without."""

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """Return the record as bytes."""


class MessageCodecs:
    """The codecs of a shard.

    Args:
        read_event: takes a source record to an event's Avro bytes and the event; see ``Decoder``.
        prediction, checkpoint: encoders of the schemas of these names.
        quarantine: encodes messages that could not be used.
        audit_header: wire header before audit records; empty without a registry.
    """

    def __init__(
        self,
        read_event: EventReader,
        prediction: Encoder,
        checkpoint: Encoder,
        quarantine: QuarantineEncoder,
        audit_header: bytes,
    ) -> None:
        self.read_event = read_event
        self._prediction = prediction
        self._checkpoint = checkpoint
        self.quarantine = quarantine
        self._audit_header = audit_header

    def framed_audit(self, value: bytes) -> bytes:
        """Put the wire header before an audit record."""
        return self._audit_header + value if self._audit_header else value

    def checkpoint(self, tenant: str, shard: int, note: CheckpointNote) -> KeyedValue:
        """Encode a signed checkpoint, keyed by tenant."""
        return tenant.encode(), self._checkpoint.encode(note.record(tenant, shard))

    def predictions(
        self, tenant: str, columns: TenantColumns, rows: np.ndarray, audit_values: list[bytes]
    ) -> list[KeyedValue]:
        """Encode the predictions of a batch of steps, keyed by entity id."""
        encode = self._prediction.encode
        batch = columns.batch
        labels = [
            label if has else None
            for label, has in zip(batch.label.tolist(), batch.has_label.tolist(), strict=True)
        ]
        numbers = zip(*(rows[name].tolist() for name in PREDICTION_FIELDS), strict=True)
        steps = rows["step"].astype(np.int64).tolist()
        encoded: list[KeyedValue] = []
        for entity, event_id, time_us, step, label, audit, values in zip(
            columns.ids,
            columns.event_ids,
            batch.time_us.tolist(),
            steps,
            labels,
            audit_values,
            numbers,
            strict=True,
        ):
            record = dict(zip(PREDICTION_FIELDS, values, strict=True))
            record.update(
                tenant=tenant,
                id=entity,
                event_id=event_id,
                time_us=time_us,
                step=step,
                label=label,
                leaf=audit[-LEAF_HASH_BYTES:],
            )
            encoded.append((entity.encode(), encode(record)))
        return encoded
