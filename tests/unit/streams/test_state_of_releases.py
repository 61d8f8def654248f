"""State that earlier releases left is read, and goes on to the same bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import fastavro
import pytest

from schemas.errors import StateError
from state import cell_keys, changelog
from state.objects import ObjectStore
from state.snapshots.reading import SnapshotRecords, find_snapshot, load_snapshot
from streams.backtest import state_digest
from streams.shard import restore
from streams.shard.cell_formats import CELLS, CellFormats
from tests.compat.release import COMMITTED, ROLES, engine_of, published, read_log, step_on

if TYPE_CHECKING:
    from streams.shard.engine import Engine

FOLDER = Path(__file__).parents[2] / "compat" / "state"
RELEASES = sorted(FOLDER.iterdir())


def engine_with(release: Path, tmp_path: Path) -> Engine:
    """Return the empty engine of a release's shard; a checkout does not keep files private."""
    secrets = shutil.copytree(release / "secrets", tmp_path / "secrets")
    secrets.chmod(0o700)
    for secret in secrets.iterdir():
        secret.chmod(0o600)
    return engine_of(json.loads((release / "settings.json").read_text(encoding="utf-8")), secrets)


def table_of(release: Path) -> dict[bytes, bytes]:
    """Return the records of a release's table."""
    with (release / "table.avro").open("rb") as file:
        rows: list[dict[str, bytes]] = list(fastavro.reader(file))  # type: ignore[arg-type]
    return {row["key"]: row["value"] for row in rows}


def format_of(release: Path) -> int:
    """Return the version of the cells' layout that a release wrote."""
    return changelog.decode_checkpoint(table_of(release)[cell_keys.checkpoint_key()]).app_format


def assert_published(release: Path, found: dict[str, str]) -> None:
    """Compare with what the release itself published; with the state where it has one layout."""
    wanted = dict(json.loads((release / "published.json").read_text(encoding="utf-8")))
    assert wanted.keys() == found.keys()
    comparable = wanted if format_of(release) == CELLS.version else ROLES
    assert {name: found[name] for name in comparable} == {n: wanted[n] for n in comparable}


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_a_table_goes_on_where_the_release_left_it(release: Path, tmp_path: Path) -> None:
    """Loaded, stepped again to the last commit and on to the end: predictions, audit, weights."""
    engine, log, table = engine_with(release, tmp_path), read_log(release), table_of(release)
    records = SnapshotRecords(table)
    reached, committed = restore.load_records(engine, records, "the table")
    assert (reached, committed) == (engine.next_offset, COMMITTED)
    for _ in step_on(engine, log[:COMMITTED]):
        pass
    engine.compare_chains(
        (cell_keys.tenant_of(key), value) for key, value in records.items(cell_keys.chain_prefix())
    )
    assert_published(release, published(engine, log, COMMITTED))


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_a_snapshot_goes_on_where_the_release_took_it(release: Path, tmp_path: Path) -> None:
    """A snapshot of an earlier release is what a replay or a rewind can begin with."""
    engine, log = engine_with(release, tmp_path), read_log(release)
    store = ObjectStore(str(release / "snapshot"))
    found = find_snapshot(store, "compat", 0, "latest")
    assert found is not None
    _, records = load_snapshot(store, found)
    restore.load_records(engine, records, "the snapshot")
    assert_published(release, published(engine, log, COMMITTED))


@pytest.mark.parametrize("version", [0, CELLS.version + 1])
def test_state_of_a_newer_release_is_refused(version: int, tmp_path: Path) -> None:
    """It is told what to do, and no cell is loaded."""
    release = RELEASES[-1]
    engine, table = engine_with(release, tmp_path), table_of(release)
    found = changelog.decode_checkpoint(table[cell_keys.checkpoint_key()])
    other = found._replace(app_format=version)
    table[cell_keys.checkpoint_key()] = changelog.encode_checkpoint(other)
    with pytest.raises(StateError, match="run that release"):
        restore.load_records(engine, SnapshotRecords(table), "shard 0")
    assert not engine.tenants


def test_arrays_are_taken_over_version_by_version() -> None:
    """Each step is applied once, from the version of the checkpoint on."""
    steps = tuple(
        lambda arrays, number=number: arrays | {f"since {number}": number} for number in (2, 3, 4)
    )
    formats = CellFormats(*steps)
    assert formats.version == 4
    assert list(formats.as_present({}, 2)) == ["since 3", "since 4"]
    assert not formats.as_present({}, 4)


def test_the_present_format_is_kept_as_a_release() -> None:
    """Whoever changes the layout leaves what a release before wrote, and so does the next one."""
    formats = {format_of(release) for release in RELEASES}
    assert sorted(formats) == list(range(1, CELLS.version + 1))


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_every_cell_is_of_the_format_that_the_checkpoint_says(
    release: Path, tmp_path: Path
) -> None:
    """A cell that was not stepped before the first checkpoint of this release is taken over too."""
    engine, table = engine_with(release, tmp_path), table_of(release)
    restore.load_records(engine, SnapshotRecords(table), "the table")
    expected = {name: state_digest(cell) for name, cell in engine.tenants.items()}
    unit = engine.pause()
    engine.add_checkpoint(unit)
    changed = table | unit.state
    again = engine_of(json.loads((release / "settings.json").read_text()), tmp_path / "secrets")
    present = {key: value for key, value in changed.items() if value is not None}
    restore.load_records(again, SnapshotRecords(present), "the table")
    assert {name: state_digest(cell) for name, cell in again.tenants.items()} == expected
