"""What a shard's changelog tells of its past: key versions, and how often it was set back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.errors import StateError
from state import cell_keys
from streams.keys import KeyVersions
from streams.shard.tenant import VERSIONS_ARRAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.kafka.reader import PartitionReader
    from streams.shard.vault import Vault


_VERSIONS_BYTES: Final = 8 * len(KeyVersions._fields)


@dataclass(frozen=True)
class Epoch:
    """One time that a shard was set back.

    Attributes:
        at: source offset that it had reached.
        to: source offset that it went back to.
        snapshot: id of the snapshot that it went back by; None: the log was stepped from its start.
    """

    at: int
    to: int
    snapshot: str | None

    def entry(self) -> bytes:
        """Write it as canonical JSON; the SHA-256 of this stands in the marks."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


def encode_epochs(epochs: Iterable[Epoch]) -> bytes:
    """Write the state's record of all epochs."""
    return json.dumps([asdict(one) for one in epochs], separators=(",", ":")).encode()


def decode_epochs(value: bytes | None) -> list[Epoch]:
    """Read the state's record of all epochs.

    Raises:
        StateError: it is damaged.
    """
    if value is None:
        return []
    try:
        return [Epoch(**one) for one in json.loads(value)]
    except (ValueError, TypeError) as error:
        raise StateError(
            "the shard's record of how often it was set back is damaged: delete the state folder, "
            "it will be restored from the changelog"
        ) from error


@dataclass
class History:
    """What was found.

    Attributes:
        versions: tenant → versions of the secrets that its cell began with.
        epochs: in order.
        quotas: the record of which quotas were in force when; None: there never were any.
    """

    versions: dict[str, KeyVersions] = field(default_factory=dict)
    epochs: list[Epoch] = field(default_factory=list)
    quotas: bytes | None = None


def read_history(reader: PartitionReader, changelog: str, shard: int, vault: Vault) -> History:
    """Read a changelog once for what a replay must know. O(its records).

    Args:
        reader: of the changelog.
        changelog: its topic.
        shard: partition number.
        vault: opens what is encrypted.

    Raises:
        StateError: a record is damaged.
        SecretError: a data key is missing.
        BrokerUnavailable: the changelog cannot be read.
    """
    found = History()
    opener = vault.opener(changelog)
    low, end = reader.bounds(changelog, shard)
    blocks = cell_keys.block_prefix("")[:1]
    for batch in reader.read(changelog, shard, low, end):
        for record in batch:
            key, value = record.key or b"", record.value
            if value is None:
                continue
            if key == cell_keys.epochs_key():
                found.epochs = decode_epochs(value)
            elif key == cell_keys.quotas_key():
                found.quotas = value
            elif key.startswith(blocks):
                tenant, name = cell_keys.array_of(key[: -cell_keys.BLOCK_NUMBER_BYTES])
                if name == VERSIONS_ARRAY and not vault.destroyed(tenant):
                    if len(value) != _VERSIONS_BYTES:
                        value = opener.open(tenant, key, value)
                    found.versions[tenant] = KeyVersions(*np.frombuffer(value, np.int64).tolist())
    return found
