"""Streams whose state is encrypted: unreadable outside, the same inside, gone when erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from operators.hierarchy.records import Checkpoint
from schemas.errors import ConfigError, SecretError, StateError
from state import stream_keys
from state.audit.leaf import ERASURE
from state.audit.report import Outcome
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.encryption.sealing import FORMAT
from state.secrets import FileSecrets
from state.store import ShardStore
from state.stream_keys import StreamKey
from streams.keys import CellKeys
from tests.unit.streams.hierarchy.test_engine import (
    IDLE_S,
    TEXT,
    ShardOfTokens,
    finals,
    token,
)
from tests.unit.streams.hierarchy.test_trail import verified_of
from tests.unit.streams.trails import leaves

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

LONG = "The quarterly report of Zanzibar was late again, and nobody said why. " * 60
TENANTS = ("acme", "globex")
NAME = "chat-with-nobody"


class Site:
    """Secrets and a key store."""

    def __init__(self, folder: Path) -> None:
        self.secrets = FileSecrets.initialise(folder / "secrets")
        self.folder = folder / "keys"
        KeyStore.initialise(KeyFolder(self.folder))

    def store(self) -> KeyStore:
        """Return what a process that starts sees of the key store."""
        return KeyStore(KeyFolder(self.folder), self.secrets)

    def keys(self, *, accept_clear: bool = False) -> CellKeys:
        """Return what a process that starts has."""
        return CellKeys(self.secrets, "test", self.store(), accept_clear=accept_clear)

    def clear(self) -> CellKeys:
        """Return the same without encryption."""
        return CellKeys(self.secrets, "test")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def both(second: int, position: int, text: str | None) -> list[dict[str, Any]]:
    """A piece of a stream of each tenant."""
    return [token(NAME, position, text, second, tenant=name) for name in TENANTS]


def of_streams(shard: ShardOfTokens, tenant: str) -> dict[bytes, bytes]:
    """What lies in the table of a tenant's streams."""
    prefixes = stream_keys.tenant_prefixes(tenant)
    return {key: value for prefix in prefixes for key, value in shard.table.items(prefix)}


def written(shard: ShardOfTokens) -> bytes:
    """All that went to the changelog."""
    return b"\n".join(
        key + b"\n" + (value or b"") for unit in shard.units for key, value in unit.state.items()
    )


def test_nothing_of_a_stream_lies_in_the_clear(site: Site, tmp_path: Path) -> None:
    """Neither its text, nor tokens, nor its name: in no table, file or changelog."""
    found = {}
    for name, keys in (("sealed", site.keys()), ("clear", site.clear())):
        shard = ShardOfTokens(keys)
        shard.take(token(NAME, 0, LONG, 1), token("other", 0, TEXT, 1))
        shard.take(token(NAME, len(LONG), TEXT, 2), token("other", len(TEXT), None, 2))
        with ShardStore(tmp_path / name) as store:
            store.write(dict(shard.table), changelog_offset=1)
        files = b"".join(p.read_bytes() for p in (tmp_path / name).iterdir() if p.is_file())
        table = b"".join(key + value for key, value in shard.table.items())
        found[name] = (written(shard), table, files)
    key = stream_keys.checkpoint_key(StreamKey("acme", NAME), 1)
    tokens = Checkpoint.from_bytes(shard.table[key]).text.buffer.tokens
    row = b"".join(number.to_bytes(4, "little") for number in tokens[1])
    assert row in found["clear"][0]
    secrets = [NAME.encode(), b"Zanzibar", b"4111 1111", b"other", row]
    for secret in secrets:
        assert secret in found["clear"][0], "what is looked for is what would lie there"
        for where in found["sealed"]:
            assert secret not in where
    words = {LONG[at : at + 8].encode() for at in range(0, 400, 3)}
    assert not any(word in where for word in words for where in found["sealed"])


def test_sealed_streams_go_on_as_if_they_were_not(site: Site) -> None:
    """After an eviction, a restart and a rotation: each verdict is that of a state in the clear."""
    pieces = [
        [token(NAME, 0, LONG, 1)],
        [token(NAME, len(LONG), TEXT, 3)],
        [token(NAME, 7, "Card 4111 1111 1111 1111", 5, operation="REPLACE", replace_end=9)],
        [token(NAME, len(LONG), None, 7), token("b", 0, TEXT, 7)],
        [token("c", 0, TEXT, 7 + IDLE_S)],
    ]
    plain, sealed = ShardOfTokens(site.clear()), ShardOfTokens(site.keys())
    for unit in pieces:
        expected = plain.take(*unit)
        assert sealed.take(*unit) == expected
        store = site.store()
        store.rotate("acme")
        sealed.keys = site.keys()
        sealed.open()
    versions = {value[1] for value in of_streams(sealed, "acme").values()}
    assert len(versions) > 1
    assert verified_of(sealed).outcome is Outcome.OK
    chains = [shard.engine.chain("acme").to_bytes() for shard in (plain, sealed)]
    assert chains[0] == chains[1]


def test_an_erased_tenant_is_gone_and_others_go_on(site: Site) -> None:
    """No verdict, no record, no byte of it in quarantine; its trail ends with a mark."""
    shard = ShardOfTokens(site.keys())
    keys = shard.keys.data_keys
    assert keys is not None
    shard.take(*both(1, 0, TEXT))
    keys.destroy("acme")
    assert shard.engine.unsettled
    # A unit that is in flight: what cannot be read any more is no failure of the stream.
    assert finals(shard.take(*both(2, len(TEXT), None))) == [NAME]
    [refused] = shard.quarantined()
    assert (refused["reason"], refused["value"], refused["key"]) == ("TENANT_ERASED", None, None)
    settle(shard)
    assert not of_streams(shard, "acme")
    assert list(shard.engine.tenants) == ["globex"]
    assert not [key for key in shard.engine.open_streams() if key.tenant == "acme"]
    for restarts in (False, True):
        if restarts:
            shard.keys = site.keys()
            shard.open()
        late = 2 * IDLE_S + restarts
        found = shard.take(token("new", 0, TEXT, late), token("x", 0, TEXT, late, tenant="globex"))
        assert not finals(found)
        assert shard.unit.quarantined == {"TENANT_ERASED": 1}
        assert verified_of(shard, "acme").outcome is Outcome.OK
        assert leaves(shard.units, "acme")["format"].tolist()[-1] == ERASURE


def settle(shard: ShardOfTokens) -> None:
    """Commit what became of destroyed keys, as the shard does."""
    unit = shard.engine.settle()
    shard.engine.add_checkpoint(unit)
    shard.table.write(unit.state)
    shard.units.append(unit)


def test_a_tenant_that_was_erased_meanwhile_is_passed_over(site: Site) -> None:
    """A shard that finds what it cannot open, and the marker, deletes it and goes on."""
    shard = ShardOfTokens(site.keys())
    shard.take(*both(1, 0, TEXT))
    site.store().destroy("acme")
    shard.keys = site.keys()
    shard.open()
    assert set(shard.engine.open_streams()) == {StreamKey("globex", NAME)}
    assert shard.engine.unsettled
    settle(shard)
    assert not of_streams(shard, "acme")
    assert finals(shard.take(*both(2, len(TEXT), None))) == [NAME]
    assert shard.unit.quarantined == {"TENANT_ERASED": 1}


def test_streams_that_time_out_after_the_destruction_say_nothing(site: Site) -> None:
    """Between the destruction of a key and the unit that erases, too."""
    shard = ShardOfTokens(site.keys())
    shard.take(*both(1, 0, TEXT))
    assert shard.keys.data_keys is not None
    shard.keys.data_keys.destroy("acme")
    shard.engine.driver.make_room(0)
    found = shard.take(token("late", 0, TEXT, 1 + IDLE_S, tenant="globex"))
    assert [one["tenant"] for one in found if one["status"] == "FINAL"] == ["globex"]
    assert {one.stream.split("/")[0] for one in shard.told[-len(found) :]} == {"globex"}


def test_state_in_the_clear_is_encrypted_by_the_next_unit(site: Site) -> None:
    """While it is migrated it is read as it lies; afterwards nothing is left of it."""
    shard = ShardOfTokens(site.clear())
    shard.take(*both(1, 0, LONG), token("done", 0, TEXT, 1), token("done", len(TEXT), None, 1))
    shard.keys = site.keys()
    with pytest.raises(ConfigError, match="not encrypted"):
        shard.open()
    shard.keys = site.keys(accept_clear=True)
    shard.open()
    before = len(of_streams(shard, "globex"))
    shard.take(token(NAME, len(LONG), TEXT, 2))
    for tenant in TENANTS:
        lying = of_streams(shard, tenant)
        assert {value[0] for value in lying.values()} == {FORMAT}
        assert not any(NAME.encode() in key for key in lying)
    assert len(of_streams(shard, "globex")) == before
    shard.keys = site.keys()
    shard.open()
    assert shard.engine.has_ended(StreamKey("acme", "done"))
    found = shard.take(*both(3, len(LONG) + len(TEXT), None))
    plain = ShardOfTokens(site.clear())
    plain.take(token(NAME, 0, LONG + TEXT, 2), *both(1, 0, LONG)[1:])
    expected = plain.take(*both(3, len(LONG) + len(TEXT), None))
    kept = ("tenant", "decision", "scores", "spans", "position")
    told = [
        {name: one[name] for name in kept}
        for one in (*found, *expected)
        if one["status"] == "FINAL"
    ]
    assert len(told) == 4
    assert told[:2] == told[2:]


def test_a_missing_or_wrong_key_stops_the_shard(site: Site) -> None:
    """It is no failure of a stream, which would end it: nothing is judged and nothing deleted."""
    shard = ShardOfTokens(site.keys())
    shard.take(token(NAME, 0, LONG, 1))
    key = stream_keys.checkpoint_key(StreamKey("acme", NAME), 1)
    place = max(one for one in shard.table if one[:1] == key[:1])
    kept = shard.table[place]
    shard.table[place] = kept[:-1] + bytes((kept[-1] ^ 1,))
    shard.open()
    with pytest.raises(StateError, match="does not open"):
        shard.take(token(NAME, len(LONG), TEXT, 2))
    shard.table[place] = kept
    [file] = list(site.folder.rglob("v*.json"))
    file.rename(file.with_suffix(".gone"))
    shard.keys = site.keys()
    with pytest.raises(SecretError, match="missing"):
        shard.open()
    file.with_suffix(".gone").rename(file)
    shard.keys = site.keys()
    shard.open()
    shard.offset += 1
    assert finals(shard.take(token(NAME, len(LONG), None, 2))) == [NAME]
