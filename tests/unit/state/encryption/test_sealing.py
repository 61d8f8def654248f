"""Sealed records open in their own place, with their own key, unchanged, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import ConfigError, SecretError, StateError
from state import cell_keys
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.encryption.sealing import (
    FORMAT,
    SEALED_BYTES,
    OpenedRecords,
    Opener,
    SealPlace,
    seal,
)
from state.secrets import EnvSecrets
from state.snapshots.reading import SnapshotRecords

if TYPE_CHECKING:
    from pathlib import Path

PLACE = SealPlace("test", 3)
SECRET = EnvSecrets({"WEIR_SECRET_KEY_ENCRYPTION_V1": "11" * 32})
VALUE = bytes(range(256))


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return make_keys(tmp_path / "keys")


def make_keys(folder: Path) -> KeyStore:
    place = KeyFolder(folder)
    KeyStore.initialise(place)
    return KeyStore(place, SECRET)


def block(number: int, tenant: str = "acme", name: str = "hlm.base") -> bytes:
    return cell_keys.block_key(tenant, name, number)


def sealed(
    keys: KeyStore, records: dict[bytes, bytes], tenant: str = "acme", place: SealPlace = PLACE
) -> dict[bytes, bytes]:
    found = dict(seal(records.items(), tenant, keys.current(tenant), place))
    return {key: value for key, value in found.items() if value is not None}


def opener(keys: KeyStore | None, place: SealPlace = PLACE) -> Opener:
    return Opener(keys, place, "the table")


def refused(keys: KeyStore, key: bytes, value: bytes, place: SealPlace = PLACE) -> None:
    with pytest.raises(StateError, match=r"tenant 'acme': it (does not open|is not sealed)"):
        opener(keys, place).open("acme", key, value)


def test_what_was_sealed_opens_and_shows_nothing(keys: KeyStore) -> None:
    """Values come back; equal ones look different; each is as much longer as is documented."""
    records = {block(number): VALUE for number in range(100)} | {block(100): b""}
    found = sealed(keys, records)
    assert {key: opener(keys).open("acme", key, value) for key, value in found.items()} == records
    assert len(set(found.values())) == len(records)
    assert {len(value) - len(records[key]) for key, value in found.items()} == {SEALED_BYTES}
    assert not any(VALUE[start : start + 8] in v for v in found.values() for start in (0, 99, 248))


def test_deletions_pass(keys: KeyStore) -> None:
    """A tombstone must stay one, or the changelog would never forget a key."""
    found = list(seal([(block(1), None), (block(2), b"x")], "acme", keys.current("acme"), PLACE))
    assert found[0] == (block(1), None)


def test_every_bit_counts(keys: KeyStore) -> None:
    """A flipped bit, a cut or an added byte anywhere is refused, never garbage."""
    key = block(7)
    value = sealed(keys, {key: b"0123456789"})[key]
    for at in range(len(value)):
        for bit in (1, 128):
            changed = value[:at] + bytes([value[at] ^ bit]) + value[at + 1 :]
            with pytest.raises((StateError, SecretError), match="tenant 'acme'"):
                opener(keys).open("acme", key, changed)
    for length in range(len(value)):
        refused(keys, key, value[:length])
    refused(keys, key, value + b"\0")


def test_records_cannot_change_places(keys: KeyStore) -> None:
    """Not between blocks, arrays, kinds, tenants, shards, applications or versions."""
    key = block(7)
    value = sealed(keys, {key: VALUE})[key]
    refused(keys, block(8), value)
    refused(keys, block(7, name="hlm.meta"), value)
    refused(keys, cell_keys.manifest_key("acme", "hlm.base"), value)
    refused(keys, key, value, SealPlace("test", 4))
    refused(keys, key, value, SealPlace("tes", 3))
    theirs = sealed(keys, {key: VALUE}, tenant="globex")[key]
    refused(keys, key, theirs)
    keys.rotate("acme")
    assert value[1:5] == b"\1\0\0\0"
    refused(keys, key, value[:1] + b"\2\0\0\0" + value[5:])
    opener(keys).open("acme", key, value)


def test_another_key_is_told_with_tenant_version_and_what_to_do(
    keys: KeyStore, tmp_path: Path
) -> None:
    """A key store that is not the one opens nothing, and says so."""
    key = block(7)
    value = sealed(keys, {key: VALUE})[key]
    other = make_keys(tmp_path / "other")
    other.current("acme")
    with pytest.raises(
        StateError,
        match=r"the table, shard 3: .* tenant 'acme': it does not open with version 1 .*bring the",
    ):
        opener(other).open("acme", key, value)
    keys.rotate("acme")
    newer = sealed(keys, {key: VALUE})[key]
    with pytest.raises(SecretError, match=r"shard 3: .*version 2.*version 2 .* is missing in"):
        opener(other).open("acme", key, newer)


def test_no_nonce_comes_twice_whatever_restarts(keys: KeyStore) -> None:
    """The same records sealed again and again, as by units that are stepped again, share none."""
    records = {block(number): VALUE for number in range(50)}
    seen: set[bytes] = set()
    for _ in range(200):
        seen |= {value[:25] for value in sealed(keys, records).values()}
    assert len(seen) == 200 * 50


def test_records_in_the_clear_are_taken_only_while_migrating(keys: KeyStore) -> None:
    """Otherwise whoever can write the changelog could do without any key."""
    manifest = cell_keys.manifest_key("acme", "a")
    records = SnapshotRecords({manifest: b"\1rest", block(0): b"clear", b"\1": b"offset"})
    taken = OpenedRecords(records, opener(keys), accept_clear=True, where="the table")
    assert dict(taken.items(b"")) == dict(records.items())
    strict = OpenedRecords(records, opener(keys), accept_clear=False, where="the table")
    with pytest.raises(ConfigError, match=r"'acme' is not encrypted .*set encryption.mode to mig"):
        list(strict.items(b""))
    assert strict.get(b"\1") == b"offset"


def test_a_record_in_the_clear_among_sealed_ones_is_refused(keys: KeyStore) -> None:
    """All records of a cell are sealed, or none."""
    manifest = cell_keys.manifest_key("acme", "a")
    found = sealed(keys, {manifest: b"\1rest", block(0): VALUE}) | {block(1): VALUE}
    records = OpenedRecords(
        SnapshotRecords(found), opener(keys), accept_clear=True, where="the table"
    )
    assert records.get(block(0)) == VALUE
    with pytest.raises(StateError, match="it is not sealed"):
        records.get(block(1))


def test_sealed_state_without_encryption_is_told(keys: KeyStore) -> None:
    """A worker whose settings forgot encryption says so, rather than that state is damaged."""
    manifest = cell_keys.manifest_key("acme", "a")
    found = sealed(keys, {manifest: b"\1rest"})
    assert found[manifest][0] == FORMAT
    records = OpenedRecords(
        SnapshotRecords(found), opener(None), accept_clear=True, where="the table"
    )
    with pytest.raises(ConfigError, match=r"'acme' is encrypted and encryption.mode is off"):
        list(records.items(b""))
