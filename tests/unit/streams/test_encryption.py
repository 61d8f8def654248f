"""Cells whose state is encrypted: the same in memory, unreadable outside, gone when erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.codec import Codec
from schemas.errors import ConfigError, SecretError, StateError
from state import cell_keys
from state.audit.leaf import ERASURE, RECORD_DTYPE
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.objects import ObjectStore
from state.secrets import FileSecrets
from state.snapshots.reading import list_snapshots, load_snapshot
from state.snapshots.writing import write_snapshot
from state.store import ShardStore
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.shard import restore
from streams.shard.vault import Vault
from tests.property.streams.test_engine import (
    SHARD,
    TENANTS,
    make_engine,
    make_records,
    run,
)
from tests.property.streams.test_labels import standing

if TYPE_CHECKING:
    from pathlib import Path

    from streams.shard.engine import Engine
    from streams.shard.unit import UnitOfWork

NOW_US = 1_700_000_000_000_000
UNIT = 20


class Site:
    """Secrets and a key store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = FileSecrets.initialise(folder / "secrets")
        self.place = KeyFolder(folder / "keys")
        KeyStore.initialise(self.place)

    def keys(self, *, encrypted: bool = True, accept_clear: bool = False) -> CellKeys:
        """Return what another process would have."""
        store = self.store() if encrypted else None
        return CellKeys(self.secrets, "test", store, accept_clear=accept_clear)

    def store(self) -> KeyStore:
        """Return what another process sees of the key store."""
        return KeyStore(self.place, self.secrets)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def step(
    engine: Engine, table: ShardStore, records: list[Record], *, checkpoint: bool = True
) -> UnitOfWork:
    """Step and write a unit as a worker does."""
    unit = engine.process(records)
    if checkpoint:
        engine.add_checkpoint(unit)
    write(table, unit)
    return unit


def write(table: ShardStore, unit: UnitOfWork) -> None:
    table.write(unit.state, changelog_offset=(table.changelog_offset or 0) + len(unit.state))


def reopened(site: Site, table: ShardStore, records: list[Record], **how: Any) -> Engine:
    """Restore as a worker that starts does: the table, then a silent re-step."""
    engine = make_engine(site.keys(**how))
    reached, committed = restore.load_engine(engine, table)
    assert reached is not None
    assert committed is not None
    engine.expect(cell_keys.tenant_of(key) for key, _ in table.items(cell_keys.chain_prefix()))
    again = [record for record in records if reached <= record.offset < committed]
    if again:
        assert not engine.process(again, emit=False).outputs
    engine.next_offset = committed
    engine.compare_chains(
        (cell_keys.tenant_of(key), value) for key, value in table.items(cell_keys.chain_prefix())
    )
    return engine


def undisturbed(site: Site, records: list[Record]) -> Engine:
    """The same without encryption."""
    engine = make_engine(site.keys(encrypted=False))
    engine.process(records)
    return engine


def due(engine: Engine) -> bool:
    """Ask anew: between two questions it changes."""
    return engine.unsettled


def others(engine: Engine, but: str = "acme") -> Any:
    return {tenant: found for tenant, found in standing(engine).items() if tenant != but}


@pytest.mark.parametrize("checkpoint", [20, 40, 60])
def test_a_restored_cell_is_that_of_a_state_in_the_clear(site: Site, checkpoint: int) -> None:
    """Weights, chains and outputs are equal to the bit, wherever the checkpoint was."""
    records = make_records(5, 80)
    first = make_engine(site.keys())
    with ShardStore(site.folder / "table") as table:
        step(first, table, records[:checkpoint])
        step(first, table, records[checkpoint:70], checkpoint=False)
        second = reopened(site, table, records)
    assert standing(second) == standing(first) == standing(undisturbed(site, records[:70]))
    rest, _ = run(second, records[70:], [])
    plain, _ = run(undisturbed(site, records[:70]), records[70:], [])
    assert rest == plain


def test_nothing_of_a_cell_lies_in_the_clear(site: Site) -> None:
    """Table, changelog and snapshot hold no id, weight or block, as those without keys do."""
    records = make_records(5, 80)
    found = {}
    for encrypted in (True, False):
        engine = make_engine(site.keys(encrypted=encrypted))
        folder = site.folder / f"table-{encrypted}"
        objects = ObjectStore(str(site.folder / f"objects-{encrypted}"))
        with ShardStore(folder) as table:
            unit = step(engine, table, records)
            with table.view() as view:
                write_snapshot(objects, view, engine.about(NOW_US))
        changelog = b"".join(value for value in unit.state.values() if value is not None)
        files = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
        snapshot = b"".join(objects.get(name) for name in objects.names())
        found[encrypted] = (changelog, files, snapshot)
    at = engine.members["acme"]
    for arrays in (at.cell.to_state(), at.memory.to_state()):
        # RocksDB compresses some of them away.
        words = [w for w in known_words(arrays) if all(w in place for place in found[False])]
        assert len(words) > 10
        for place in found[True]:
            assert sum(word in place for word in words) == 0


def known_words(arrays: Any) -> list[bytes]:
    """Return bytes of state that nothing else has."""
    words = []
    for name, array in arrays.items():
        flat = array.reshape(-1).view(np.uint8)
        whole = flat[: len(flat) // 16 * 16].reshape(-1, 16)
        learnt = name.startswith(("hlm.delta", "hlm.base", "sera.", "memory."))
        if learnt and array.dtype.itemsize == 8:
            words += [row.tobytes() for row in whole if np.count_nonzero(row) >= 10]
    return words[:200]


def test_a_rotation_needs_no_restart_and_both_versions_are_read(site: Site) -> None:
    """What is written next has the new version; what was written stays readable."""
    records = make_records(5, 80)
    keys = site.keys()
    store = keys.data_keys
    assert store is not None
    engine = make_engine(keys)
    with ShardStore(site.folder / "table") as table:
        step(engine, table, records[:40])
        store.refresh()
        site.store().rotate("acme")
        store.refresh()
        unit = step(engine, table, records[40:])
        mine = cell_keys.block_prefix("acme")
        written = {value[1] for key, value in unit.state.items() if value and key.startswith(mine)}
        lying = {value[1] for _, value in table.items(mine)}
        assert (written, lying) == ({2}, {1, 2})
        assert {v[1] for _, v in table.items(cell_keys.block_prefix("globex"))} == {1}
        assert standing(reopened(site, table, records)) == standing(undisturbed(site, records))
        assert engine.about(0).key_versions["acme"]["data"] == 2


def test_a_wrong_or_missing_key_stops_with_its_name(site: Site) -> None:
    """Never garbage: tenant, version and what to do."""
    with ShardStore(site.folder / "table") as table:
        step(make_engine(site.keys()), table, make_records(5, 60))
        [mine] = [p for p in (site.folder / "keys").rglob("v*.json") if b"acme" in p.read_bytes()]
        kept = mine.read_bytes()
        mine.unlink()
        with pytest.raises(SecretError, match=r"shard 2: .*'acme' is sealed with version 1 .*miss"):
            restore.load_engine(make_engine(site.keys()), table)
        site.store().current("acme")  # somebody makes another in its place
        with pytest.raises(StateError, match="'acme': it does not open with version 1"):
            restore.load_engine(make_engine(site.keys()), table)
        with pytest.raises(ConfigError, match=r"encryption\.mode is off"):
            restore.load_engine(make_engine(site.keys(encrypted=False)), table)
        mine.write_bytes(kept)
        restore.load_engine(make_engine(site.keys()), table)


def test_state_in_the_clear_is_encrypted_by_the_next_checkpoint(site: Site) -> None:
    """Turning encryption on is a setting and a checkpoint, not a new beginning."""
    records = make_records(5, 80)
    with ShardStore(site.folder / "table") as table:
        step(make_engine(site.keys(encrypted=False)), table, records[:60])
        with pytest.raises(ConfigError, match=r"set encryption\.mode to migrate"):
            restore.load_engine(make_engine(site.keys()), table)
        engine = reopened(site, table, records, accept_clear=True)
        step(engine, table, records[60:61])
        again = reopened(site, table, records)
        assert standing(again) == standing(undisturbed(site, records[:61]))


# -- erasure --------------------------------------------------------------------------------------


def kinds(values: list[Any]) -> list[float]:
    leaves = np.frombuffer(b"".join(m["value"] for m in values), RECORD_DTYPE)["leaf"]
    return [float(kind) for kind in leaves["format"]]


def test_a_destroyed_key_erases_the_tenant_and_nobody_else(site: Site) -> None:
    """Its cell and records go, its chain ends with a mark, its events go to quarantine."""
    records = make_records(5, 120)
    keys = site.keys()
    engine = make_engine(keys)
    with ShardStore(site.folder / "table") as table:
        step(engine, table, records[:60])
        assert not due(engine)
        size = engine.chain("acme").size
        site.store().destroy("acme")
        step(engine, table, records[60:70], checkpoint=False)  # has not heard of it yet
        assert keys.data_keys is not None
        keys.data_keys.refresh()
        step(engine, table, records[70:80])  # a checkpoint before it is settled does no harm
        assert due(engine)
        unit = engine.settle()
        engine.add_checkpoint(unit)
        write(table, unit)
        assert kinds(unit.outputs["audit"]) == [ERASURE]
        assert len(unit.outputs["audit-checkpoints"]) == 1
        assert set(engine.tenants) == set(TENANTS) - {"acme"}
        assert engine.chain("acme").size > size + 1
        for prefix in cell_keys.cell_prefixes("acme"):
            assert not list(table.items(prefix))
        chain = engine.chain("acme").to_bytes()
        later = step(engine, table, records[80:], checkpoint=False)
        assert later.quarantined["TENANT_ERASED"] > 0
        assert_left_at_source(later)
        assert engine.chain("acme").to_bytes() == chain
        again = reopened(site, table, records)
        assert again.chain("acme").to_bytes() == chain
        assert not due(again)
        assert others(again) == others(undisturbed(site, records))


def test_a_late_label_of_an_erased_tenant_is_left_at_its_source(site: Site) -> None:
    """It is no label that found nothing: its bytes must not stay anywhere."""
    site.store().current("acme")
    site.store().destroy("acme")
    engine = make_engine(site.keys())
    name = {"tenant": "acme", "id": "somebody", "event_id": "1", "time_us": 1}
    labels = [{"kind": "LABEL", "label": label, **name} for label in (1.0, None)]
    values = [Codec("event").encode(label) for label in labels]
    unit = engine.process([Record(at, 0, b"k", value) for at, value in enumerate(values)])
    assert unit.quarantined == {"TENANT_ERASED": 2}
    assert_left_at_source(unit)


def assert_left_at_source(unit: UnitOfWork) -> None:
    """A topic that keeps for ever what it is given is not given what is erased."""
    for key, value, _ in unit.quarantine:
        record = Codec("quarantine").decode(value)
        if record["reason"] == "TENANT_ERASED":
            assert (key, record["key"], record["value"]) == (None, None, None)
            assert "left at events[2]@" in record["detail"]


@pytest.mark.parametrize("checkpointed", [True, False])
def test_a_key_destroyed_while_the_worker_was_down(site: Site, *, checkpointed: bool) -> None:
    """The shard opens without the tenant, takes its chain as committed, and marks it."""
    records = make_records(5, 120)
    engine = make_engine(site.keys())
    with ShardStore(site.folder / "table") as table:
        first = [r for r in records[:40] if checkpointed or b"acme" not in (r.value or b"")]
        step(engine, table, first)
        rest = records[40:80]
        step(engine, table, rest, checkpoint=False)
        committed = engine.chain("acme")
        site.store().destroy("acme")
        again = reopened(site, table, records)
        assert due(again)
        assert again.chain("acme").to_bytes() == committed.to_bytes()
        unit = again.settle()
        again.add_checkpoint(unit)
        write(table, unit)
        assert kinds(unit.outputs["audit"]) == [ERASURE]
        assert again.chain("acme").size == committed.size + 1
        for prefix in cell_keys.cell_prefixes("acme"):
            assert not list(table.items(prefix))
        third = reopened(site, table, records)
        assert not due(third)
        step(third, table, records[80:])
        whole = undisturbed(site, [*first, *records[40:]])
        assert others(third) == others(whole)


def test_a_place_that_is_free_now_was_not_free_then(site: Site) -> None:
    """A tenant that was refused when the shard was full is refused in the re-step, too."""
    records = make_records(5, 120)
    extra = make_records(6, 3)
    encode, decode = Codec("event").encode, Codec("event").decode
    late = [
        record._replace(offset=records[-1].offset + 1 + number, value=encode(late_comer))
        for number, record in enumerate(extra)
        if record.value != b"poison"
        for late_comer in [decode(record.value) | {"tenant": "late-comer", "label": None}]
    ]
    engine = make_engine(site.keys())
    with ShardStore(site.folder / "table") as table:
        step(engine, table, records)
        unit = step(engine, table, late, checkpoint=False)
        assert unit.quarantined == {"UNKNOWN_TENANT": len(late)}
        site.store().destroy("acme")
        again = reopened(site, table, [*records, *late])
        assert set(again.tenants) == set(TENANTS) - {"acme"}
        settled = again.settle()
        again.add_checkpoint(settled)
        more = [record._replace(offset=record.offset + 10) for record in late]
        assert again.process(more).quarantined == {}


def test_a_tenant_that_was_erased_gets_no_new_cell(site: Site) -> None:
    """Neither in a shard that never knew it, nor when the log is replayed from its beginning."""
    records = make_records(5, 120)
    site.store().current("acme")
    site.store().destroy("acme")
    engine = make_engine(site.keys())
    unit = engine.process(records)
    assert set(engine.tenants) == set(TENANTS) - {"acme"}
    assert unit.quarantined["TENANT_ERASED"] > 0
    assert others(engine) == others(undisturbed(site, records))


def test_snapshots_of_an_erased_tenant_stay_good_for_the_others(site: Site) -> None:
    """One from before holds what nobody can read, one from after only its chain."""
    records = make_records(5, 120)
    objects = ObjectStore(str(site.folder / "objects"))
    keys = site.keys()
    engine = make_engine(keys)
    with ShardStore(site.folder / "table") as table:
        step(engine, table, records[:60])
        with table.view() as view:
            write_snapshot(objects, view, engine.about(NOW_US))
        before = standing(engine)
        site.store().destroy("acme")
        assert keys.data_keys is not None
        keys.data_keys.refresh()
        unit = engine.settle()
        engine.add_checkpoint(unit)
        write(table, unit)
        with table.view() as view:
            write_snapshot(objects, view, engine.about(NOW_US + 1))
    for snapshot in list_snapshots(objects, "test", SHARD):
        manifest, loaded = load_snapshot(objects, snapshot)
        assert {cell.tenant for cell in manifest.cells} == set(TENANTS)
        again = make_engine(site.keys())
        restore.load_records(again, loaded, "snapshot", "test")
        assert set(again.tenants) == set(TENANTS) - {"acme"}
        assert standing(again) == {k: v for k, v in before.items() if k != "acme"}
        again.process(records[60:])
        assert others(again) == others(undisturbed(site, records))


def test_a_snapshot_of_another_application_opens_under_its_name(site: Site) -> None:
    """A replay under another name begins with the original's snapshot."""
    engine = make_engine(site.keys())
    with ShardStore(site.folder / "table") as table:
        step(engine, table, make_records(5, 60))
        vault = Vault(site.keys(), "test@shadow", SHARD)
        key, value = next(table.items(cell_keys.manifest_prefix("acme")))
        with pytest.raises(StateError, match="does not open"):
            vault.opener("snapshot").open("acme", key, value)
        vault.opener("snapshot", "test").open("acme", key, value)
