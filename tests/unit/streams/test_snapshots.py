"""Snapshots of real cells: complete, checked, and good through a kill at every write."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import StateError
from state.objects import ObjectStore
from state.secrets import SECRET_NAMES, FileSecrets
from state.snapshots.blobs import records_of
from state.snapshots.manifest import SnapshotId, manifest_name
from state.snapshots.reading import (
    find_snapshot,
    list_snapshots,
    load_snapshot,
    newest_before,
    read_manifest,
)
from state.snapshots.retention import DAY_US, prune
from state.snapshots.writing import About, Cancelled, Written, write_snapshot
from state.store import ShardStore
from streams.keys import CellKeys
from streams.shard import restore
from tests.property.streams.test_engine import (
    SHARD,
    make_engine,
    make_records,
    run,
    standing,
)
from tests.s3_server import running_s3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.shard.engine import Engine
    from tests.s3_server import S3

APPLICATION = "test"
KILLED_WRITER = Path(__file__).with_name("killed_snapshot.py")
NOW_US = 1_700_000_000_000_000


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets made for this run."""
    folder = tmp_path_factory.mktemp("secrets") / "keys"
    FileSecrets.initialise(folder)
    return folder


@pytest.fixture(scope="session")
def keys(secrets: Path) -> CellKeys:
    return CellKeys(FileSecrets(secrets), APPLICATION)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with running_s3() as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def objects(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ObjectStore:
    """An empty store of each kind."""
    if request.param == "folder":
        return ObjectStore(str(tmp_path / "objects"))
    server: S3 = request.getfixturevalue("s3")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"b{abs(hash(tmp_path))}"
    server.make_bucket(bucket)
    return ObjectStore(f"s3://{bucket}/snapshots")


@pytest.fixture
def folder_store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(str(tmp_path / "objects"))


def checkpointed(engine: Engine, store: ShardStore, seed: int, count: int) -> None:
    """Step some events and write the table as a worker does at a checkpoint."""
    unit = engine.process(make_records(seed, count))
    engine.add_checkpoint(unit)
    store.write(unit.state, changelog_offset=count)


def taken(
    engine: Engine, store: ShardStore, objects: ObjectStore, created_us: int = NOW_US
) -> Written:
    with store.view() as view:
        return write_snapshot(objects, view, engine.about(created_us))


def test_a_snapshot_restores_every_cell_bit_for_bit(
    keys: CellKeys, tmp_path: Path, objects: ObjectStore
) -> None:
    """What comes back is the state of the moment, and goes on as the original does."""
    records = make_records(5, 60)
    engine = make_engine(keys)
    with ShardStore(tmp_path / "table") as store:
        unit = engine.process(records[:40])
        engine.add_checkpoint(unit)
        store.write(unit.state, changelog_offset=0)
        with store.view() as view:
            # The shard goes on while the snapshot is written.
            expected, at = standing(engine), engine.next_offset
            later = engine.process(records[40:50])
            engine.add_checkpoint(later)
            store.write(later.state, changelog_offset=1)
            write_snapshot(objects, view, make_about(engine, expected))
    [found] = list_snapshots(objects, APPLICATION, SHARD)
    manifest, loaded = load_snapshot(objects, found)
    again = make_engine(keys)
    assert restore.load_records(again, loaded, str(found.id)) == (at, at)
    assert standing(again) == expected
    assert manifest.source_offset == at
    rest, _ = run(again, records[40:], [])
    assert standing(again) == standing(make_whole(keys, records))
    assert rest["predictions"]


def make_about(engine: Engine, tenants: Any) -> About:
    about = engine.about(NOW_US)
    assert set(about.origins) == set(tenants)
    return about


def make_whole(keys: CellKeys, records: Any) -> Engine:
    engine = make_engine(keys)
    engine.process(records)
    return engine


@pytest.mark.parametrize("kind", ["flip", "cut", "gone"])
def test_a_damaged_object_is_refused(
    keys: CellKeys, tmp_path: Path, folder_store: ObjectStore, kind: str
) -> None:
    """Not one byte of any object can change or be missing without being noticed."""
    engine = make_engine(keys)
    with ShardStore(tmp_path / "table") as store:
        checkpointed(engine, store, 3, 60)
        written = taken(engine, store, folder_store)
    [found] = list_snapshots(folder_store, APPLICATION, SHARD)
    assert len(written.manifest.parts) == 4
    for part in written.manifest.parts:
        path = tmp_path / "objects" / found.folder / part.name
        data = path.read_bytes()
        if kind == "flip":
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        elif kind == "cut":
            path.write_bytes(data[:-1])
        else:
            path.unlink()
        with pytest.raises(StateError, match=part.name):
            load_snapshot(folder_store, found)
        path.write_bytes(data)
    load_snapshot(folder_store, found)


def test_a_changed_manifest_is_no_snapshot(
    keys: CellKeys, tmp_path: Path, folder_store: ObjectStore
) -> None:
    """A manifest is known by its hash, which the audit chain holds."""
    engine = make_engine(keys)
    with ShardStore(tmp_path / "table") as store:
        checkpointed(engine, store, 3, 60)
        taken(engine, store, folder_store)
    [found] = list_snapshots(folder_store, APPLICATION, SHARD)
    path = tmp_path / "objects" / found.manifest
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"source_offset":', b'"source_offset": ', 1))
    assert list_snapshots(folder_store, APPLICATION, SHARD) == []
    with pytest.raises(StateError, match="hash in its name"):
        read_manifest(folder_store, found)


def test_no_secret_is_in_a_snapshot(
    keys: CellKeys, secrets: Path, tmp_path: Path, folder_store: ObjectStore
) -> None:
    """Salts, seeds and keys are there as version numbers only."""
    engine = make_engine(keys)
    with ShardStore(tmp_path / "table") as store:
        checkpointed(engine, store, 3, 60)
        written = taken(engine, store, folder_store)
    provider = FileSecrets(secrets)
    hidden = [provider.get(name).reveal() for name in SECRET_NAMES]
    for cell in written.manifest.cells:
        seeds = keys.seeds(cell.tenant, SHARD, keys.current)
        hidden += [seeds.prf.to_bytes(8, "little"), seeds.hash_salt.to_bytes(8, "little")]
        assert cell.key_versions == {"prf": 1, "hash": 1, "feature": 1}
    everything = b"".join(folder_store.get(name) for name in folder_store.names())
    assert len(hidden) == 11
    assert [
        value for value in hidden if value in everything or value.hex().encode() in everything
    ] == []


def test_a_kill_at_every_write_leaves_the_snapshot_before_good(
    keys: CellKeys, tmp_path: Path
) -> None:
    """Killed -9 before, in the middle of, and after each object: never is there half a snapshot."""
    engine = make_engine(keys)
    with ShardStore(tmp_path / "table") as store:
        checkpointed(engine, store, 3, 40)
        first = taken(engine, store, ObjectStore(str(tmp_path / "objects")))
        at = engine.next_offset or 0
        later = engine.process([r for r in make_records(3, 60) if r.offset >= at])
        engine.add_checkpoint(later)
        store.write(later.state, changelog_offset=1_000)
    about = json.dumps(dataclasses.asdict(engine.about(NOW_US + 1)))
    outcomes = []
    for stage in ("before", "half", "after"):
        for write in range(1, 10):
            where = tmp_path / f"{stage}-{write}"
            shutil.copytree(tmp_path / "objects", where)
            done = subprocess.run(
                [
                    *(sys.executable, str(KILLED_WRITER), str(tmp_path / "table"), str(where)),
                    *(about, stage, str(write)),
                ],
                check=False,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
            )
            assert done.returncode in {0, -9}
            objects = ObjectStore(str(where))
            found = list_snapshots(objects, APPLICATION, SHARD)
            for snapshot in found:
                load_snapshot(objects, snapshot)
            assert found[0].digest == first.digest
            outcomes.append((stage, done.returncode, len(found)))
            if done.returncode == 0:
                break
    assert {(code, count) for _, code, count in outcomes} == {(-9, 1), (-9, 2), (0, 2)}
    assert sum(code == -9 for _, code, _ in outcomes) == 3 * 5
    assert [stage for stage, code, count in outcomes if (code, count) == (-9, 2)] == ["after"]


def test_a_snapshot_that_is_given_up_is_none(
    keys: CellKeys, tmp_path: Path, folder_store: ObjectStore
) -> None:
    """A shard that closes does not wait for its snapshot, and leaves none that is half."""
    engine = make_engine(keys)
    asked: list[int] = []

    def twice() -> bool:
        asked.append(1)
        return len(asked) < 3

    with ShardStore(tmp_path / "table") as store:
        checkpointed(engine, store, 3, 40)
        with store.view() as view, pytest.raises(Cancelled):
            write_snapshot(folder_store, view, engine.about(NOW_US), twice)
    assert folder_store.names() != []
    assert list_snapshots(folder_store, APPLICATION, SHARD) == []


def test_state_between_checkpoints_is_no_snapshot(
    keys: CellKeys, tmp_path: Path, folder_store: ObjectStore
) -> None:
    """Arrays of one moment and chains of another would be no state at all."""
    engine = make_engine(keys)
    records = make_records(3, 60)
    with ShardStore(tmp_path / "table") as store:
        unit = engine.process(records[:30])
        engine.add_checkpoint(unit)
        store.write(unit.state, changelog_offset=0)
        store.write(engine.process(records[30:]).state, changelog_offset=1)
        with pytest.raises(StateError, match="taken at checkpoints"):
            taken(engine, store, folder_store)


def test_large_state_travels_in_parts(
    keys: CellKeys, tmp_path: Path, folder_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is for one part, whatever the size of a cell."""
    monkeypatch.setattr("state.snapshots.blobs.PART_BYTES", 4_096)
    engine = make_engine(keys)
    with ShardStore(tmp_path / "table") as store:
        checkpointed(engine, store, 3, 60)
        written = taken(engine, store, folder_store)
        everything = dict(store.items())
    assert max(len(cell.parts) for cell in written.manifest.cells) > 2
    [found] = list_snapshots(folder_store, APPLICATION, SHARD)
    _, loaded = load_snapshot(folder_store, found)
    assert dict(loaded.items()) == everything


def test_the_right_snapshot_is_found(
    keys: CellKeys, tmp_path: Path, folder_store: ObjectStore
) -> None:
    """By name, the newest, or the nearest before an offset."""
    engine = make_engine(keys)
    records = make_records(3, 60)
    offsets = []
    with ShardStore(tmp_path / "table") as store:
        for number in range(3):
            unit = engine.process(records[number * 20 : number * 20 + 20])
            engine.add_checkpoint(unit)
            store.write(unit.state, changelog_offset=number)
            taken(engine, store, folder_store, NOW_US + number)
            offsets.append(unit.next_offset)
    find = (folder_store, APPLICATION, SHARD)
    latest = find_snapshot(*find, "latest")
    assert latest is not None
    assert latest.id.source_offset == offsets[2]
    assert find_snapshot(*find, str(latest.id)) == latest
    assert find_snapshot(*find, "2-1-0") is None
    nearest = newest_before(*find, offsets[1] + 3)
    assert nearest is not None
    assert nearest.id.source_offset == offsets[1]
    assert newest_before(*find, offsets[0] - 1) is None


@pytest.mark.parametrize(
    ("keep", "keep_days", "left"), [(1, None, [4]), (2, None, [3, 4]), (1, 3.5, [2, 3, 4])]
)
def test_retention_goes_by_count_and_age(
    keys: CellKeys,
    tmp_path: Path,
    objects: ObjectStore,
    keep: int,
    keep_days: float | None,
    left: list[int],
) -> None:
    """Old ones go whole; young ones and the newest stay; leftovers of a crash go after a day."""
    engine = make_engine(keys)
    with ShardStore(tmp_path / "table") as store:
        checkpointed(engine, store, 3, 40)
        for day in range(5):
            taken(engine, store, objects, NOW_US + day * DAY_US)
    offset = engine.next_offset
    assert offset is not None
    for number, day in enumerate((1, 5)):
        leftover = SnapshotId(SHARD, offset, NOW_US + day * DAY_US + 1)
        objects.put(f"{APPLICATION}/shard-{SHARD:05d}/{leftover}/shard-000.blob", b"%d" % number)
    now_us = NOW_US + 5 * DAY_US - 1
    pruned = prune(objects, APPLICATION, SHARD, keep=keep, keep_days=keep_days, now_us=now_us)
    found = list_snapshots(objects, APPLICATION, SHARD)
    assert [(one.id.created_us - NOW_US) // DAY_US for one in found] == left
    assert len(pruned.snapshots) == 5 - len(left)
    assert len(pruned.leftovers) == 1
    for one in found:
        load_snapshot(objects, one)
    assert len({name.split("/")[-2] for name in objects.names()}) == len(left) + 1


def test_a_blob_that_breaks_off_is_refused() -> None:
    """Lengths that lead beyond the end are no records."""
    with pytest.raises(StateError, match="breaks off"):
        list(records_of(b"\x01\x00\x00", "blob"))
    with pytest.raises(StateError, match="breaks off"):
        list(records_of(b"\x01\x00\x00\x00\x09\x00\x00\x00k", "blob"))
    assert manifest_name(b"").startswith("manifest-e3b0c442")
