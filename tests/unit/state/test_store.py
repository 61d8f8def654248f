"""The store of a shard: what is written survives, and what goes wrong is said in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from faust.stores.rocksdb import RocksDBOptions
from faust.stores.rocksdb import Store as FaustStore

from schemas.errors import Bug, StateError
from state.store import CHANGELOG_OFFSET_KEY, FORMAT_KEY, ShardStore
from state.store_options import CACHE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "worker" / "shard-0"


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process, as another worker is."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    )


def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    """A worker that stops and starts again finds its state."""
    with ShardStore(path) as store:
        store.write({b"a": b"1", b"b": b"2"}, changelog_offset=41)
    with ShardStore(path) as store:
        assert store.get(b"a") == b"1"
        assert dict(store.items()) == {b"a": b"1", b"b": b"2"}
        assert store.changelog_offset == 41


def test_a_new_store_is_empty_and_has_no_offset(path: Path) -> None:
    """A fresh data folder is restored from the beginning of the changelog."""
    with ShardStore(path) as store:
        assert store.changelog_offset is None
        assert list(store.items()) == []
        assert store.get(b"a") is None


def test_none_deletes(path: Path) -> None:
    """A tombstone in the changelog removes the record from the store."""
    with ShardStore(path) as store:
        store.write({b"a": b"1", b"b": b"2"})
        store.write({b"a": None, b"never there": None})
        assert dict(store.items()) == {b"b": b"2"}


def test_scans_are_ordered_and_keep_to_their_prefix(path: Path) -> None:
    """Loading one tenant never reads a byte of another, whatever bytes the keys have."""
    keys = [b"a", b"a\x00", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff\x01", b"_z"]
    with ShardStore(path) as store:
        store.write({key: key for key in keys})
        for prefix in (b"", b"a", b"a\xff", b"\xff", b"\xff\xff", b"_", b"c"):
            expected = sorted(key for key in keys if key.startswith(prefix))
            assert [key for key, _ in store.items(prefix)] == expected


def test_the_stores_own_records_do_not_show_in_scans(path: Path) -> None:
    """A scan gives the state and nothing of the store's bookkeeping."""
    with ShardStore(path) as store:
        store.write({b"a": b"1"}, changelog_offset=3)
        assert [key for key, _ in store.items()] == [b"a"]
        assert list(store.items(b"__")) == []
        assert store.get(FORMAT_KEY) is not None


def test_a_scan_sees_the_store_as_it_was_when_it_began(path: Path) -> None:
    """A reader is not confused by the writer that goes on meanwhile."""
    with ShardStore(path) as store:
        store.write({b"a": b"1"})
        scan = store.items()
        store.write({b"a": b"2", b"b": b"2"})
        assert dict(scan) == {b"a": b"1"}


def test_readers_in_other_threads_see_whole_batches_only(path: Path) -> None:
    """Metrics and inspection may read while the shard writes, and never see half a unit of work."""
    keys = [bytes((number,)) for number in range(1, 51)]
    done = threading.Event()
    seen: list[set[bytes]] = []

    with ShardStore(path) as store:
        store.write(dict.fromkeys(keys, b"0"))

        def read() -> None:
            while not done.is_set():
                seen.append({value for _, value in store.items()})

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for number in range(300):
            store.write(dict.fromkeys(keys, str(number).encode()))
        done.set()
        for reader in readers:
            reader.join()
    assert seen
    assert all(len(values) == 1 for values in seen)


def test_the_offset_is_where_faust_looks_for_it(path: Path) -> None:
    """A standby that Faust feeds and a restore of ours continue at the same changelog offset."""
    assert FaustStore.offset_key == CHANGELOG_OFFSET_KEY
    with ShardStore(path) as store:
        store.write({}, changelog_offset=12345)
    faust_view = RocksDBOptions(use_rocksdict=True).open(path)
    assert int(faust_view.get(FaustStore.offset_key)) == 12345
    faust_view.put(FaustStore.offset_key, b"12346")
    faust_view.close()
    with ShardStore(path) as store:
        assert store.changelog_offset == 12346


def test_kill_9_loses_no_write(path: Path) -> None:
    """Whatever the store said is written is there after the process was killed."""
    code = """
import os, signal, sys, pathlib
from state.store import ShardStore
store = ShardStore(pathlib.Path(sys.argv[1]))
for number in range(1000):
    store.write({b"a%d" % number: bytes(100)}, changelog_offset=number)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with run_python(code, str(path)) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    with ShardStore(path) as store:
        assert store.changelog_offset == 999
        assert sum(1 for _ in store.items(b"a")) == 1000


def test_a_torn_log_gives_an_earlier_whole_state(path: Path) -> None:
    """After a power failure the store stands at an earlier batch, and its offset says at which."""
    code = """
import os, signal, sys, pathlib
from state.store import ShardStore
store = ShardStore(pathlib.Path(sys.argv[1]))
for number in range(100):
    store.write({b"a%d" % n: b"%d" % number for n in range(10)}, changelog_offset=number)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with run_python(code, str(path)) as process:
        process.communicate()
    (log,) = path.glob("*.log")
    os.truncate(log, log.stat().st_size // 2)
    with ShardStore(path) as store:
        offset = store.changelog_offset
        assert offset is not None
        assert 10 < offset < 90
        assert {value for _, value in store.items()} == {str(offset).encode()}


def test_a_second_worker_is_told_that_the_folder_is_taken(path: Path) -> None:
    """Two workers on one data folder: the second says so and names the setting to change."""
    code = """
import sys, pathlib
from state.store import ShardStore
with ShardStore(pathlib.Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(
            StateError, match=r"another worker uses this data folder.*WEIR_DATA_DIR"
        ):
            ShardStore(path)
        process.communicate()
    with ShardStore(path):
        pass  # free as soon as the other has gone


def test_opening_twice_in_one_process_is_told_apart(path: Path) -> None:
    """The message for a bug of ours does not send the user looking for another worker."""
    with ShardStore(path), pytest.raises(StateError, match="open in this process already"):
        ShardStore(path)


def write_and_close(path: Path) -> None:
    with ShardStore(path) as store:
        store.write({b"%06d" % n: os.urandom(256) for n in range(20_000)}, changelog_offset=7)
        store.flush()


def test_a_damaged_table_is_reported_not_skipped(path: Path) -> None:
    """Damage in the middle of the data raises; the store never just looks shorter than it is."""
    write_and_close(path)
    table = max(path.glob("*.sst"), key=lambda file: file.stat().st_size)
    with table.open("r+b") as file:
        file.seek(table.stat().st_size // 2)
        file.write(b"\xff" * 100)
    with ShardStore(path) as store, pytest.raises(StateError, match="delete this folder"):
        list(store.items())


@pytest.mark.parametrize("pattern", ["MANIFEST-*", "CURRENT", "*.sst"])
@pytest.mark.parametrize("damage", ["garbage", "missing"])
def test_a_damaged_store_says_to_delete_it(path: Path, pattern: str, damage: str) -> None:
    """Whatever file of the store is damaged or gone, the user learns what to do."""
    write_and_close(path)
    for file in path.glob(pattern):
        if damage == "missing":
            file.unlink()
        else:
            file.write_bytes(b"garbage" * 10)
    with pytest.raises(StateError, match=r"damaged; delete this folder.*changelog") as caught:
        ShardStore(path)
    assert str(path) in str(caught.value)


def test_the_same_folder_works_again_after_deleting_it_as_told(path: Path) -> None:
    """The remedy that the message names does work."""
    write_and_close(path)
    (path / "CURRENT").write_text("garbage")
    with pytest.raises(StateError, match="delete this folder"):
        ShardStore(path)
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    with ShardStore(path) as store:
        assert store.changelog_offset is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MiB; needs the right to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a small disk; the file size limit has its own test")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path, leaving: int) -> Path:
    """Take all space of a disk but some bytes."""
    free = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - leaving))
    return ballast


def write_until_it_fails(store: ShardStore) -> tuple[int, StateError]:
    """The offset of the last batch that was accepted, and what the next one raised."""
    for offset in range(10_000):
        try:
            store.write({b"%d" % offset: os.urandom(10_000)}, changelog_offset=offset)
        except StateError as error:
            return offset - 1, error
    pytest.fail("the disk is larger than it should be")


def test_a_full_disk_stops_the_shard_and_loses_nothing(small_disk: Path) -> None:
    """On a full disk the write fails in words, and once there is room the store goes on."""
    path = small_disk / "shard-0"
    ballast = fill(small_disk, leaving=10 * MIB)
    with ShardStore(path) as store:
        reached, error = write_until_it_fails(store)
        assert reached > 500
        assert "no space is left" in str(error)
        assert "changelog has it all" in str(error)
        assert str(path) in str(error)
        assert store.changelog_offset == reached
        with pytest.raises(StateError, match="an earlier write failed"):
            store.write({b"later": b""}, changelog_offset=reached + 2)
    with pytest.raises(StateError, match="no space is left"):
        ShardStore(path)
    ballast.unlink()
    with ShardStore(path) as store:
        assert store.changelog_offset == reached
        assert sum(1 for _ in store.items()) == reached + 1
        store.write({b"later": b""}, changelog_offset=reached + 1)


def test_a_store_is_not_made_on_a_full_disk(small_disk: Path) -> None:
    """A worker that starts on a full disk says so at once, and starts when there is room."""
    ballast = fill(small_disk, leaving=0)
    with pytest.raises(StateError, match="no space is left"):
        ShardStore(small_disk / "shard-0")
    ballast.unlink()
    with ShardStore(small_disk / "shard-0") as store:
        assert store.changelog_offset is None


def test_a_file_size_limit_stops_the_shard_like_a_full_disk(path: Path) -> None:
    """A quota on file sizes gives the same clear message as a full disk."""
    code = """
import os, resource, sys, pathlib
from schemas.errors import Bug, StateError
from state.store import ShardStore
resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
with ShardStore(pathlib.Path(sys.argv[1])) as store:
    reached = -1
    try:
        for offset in range(10_000):
            store.write({b"%d" % offset: os.urandom(10_000)}, changelog_offset=offset)
            reached = offset
    except StateError as error:
        print(reached, store.changelog_offset, error)
"""
    with run_python(code, str(path)) as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    reached, stored, message = output.split(maxsplit=2)
    assert int(reached) == int(stored) > 0
    assert "no space is left" in message
    with ShardStore(path) as store:
        assert store.changelog_offset == int(reached)


def test_another_format_is_refused(path: Path) -> None:
    """State of another version is not misread; the message says how to go on."""
    with ShardStore(path) as store:
        store.write({FORMAT_KEY: b"2"})
    with pytest.raises(StateError, match=r"of format 2, .* reads format 1: run the ver") as refusal:
        ShardStore(path)
    with pytest.raises(StateError, match="of format 2"):  # the refusal left no lock behind
        ShardStore(path)
    assert refusal.tb  # though its frames, and so the store, are still alive


def test_a_store_of_another_program_is_refused(path: Path) -> None:
    """A RocksDB folder that is not ours is left alone."""
    path.parent.mkdir()
    foreign = RocksDBOptions(use_rocksdict=True).open(path)
    foreign.put(b"theirs", b"1")
    foreign.close()
    with pytest.raises(StateError, match="no known format"):
        ShardStore(path)


def test_looking_does_not_create(path: Path) -> None:
    """Inspecting a folder that holds no state says so and leaves nothing behind."""
    with pytest.raises(StateError, match="no shard state in"):
        ShardStore(path, read_only=True)
    assert not path.exists()
    with ShardStore(path) as store:
        store.write({b"a": b"1"})
    with ShardStore(path, read_only=True) as store:
        assert store.get(b"a") == b"1"


def test_looking_goes_on_beside_the_one_who_writes(path: Path) -> None:
    """A store is shown while its worker runs, as of the moment of looking, and never changed."""
    with ShardStore(path) as store:
        store.write({b"a": b"1"}, changelog_offset=7)
        with ShardStore(path, read_only=True) as seen:
            store.write({b"a": b"2"}, changelog_offset=9)
            assert (seen.get(b"a"), seen.changelog_offset) == (b"1", 7)
            assert list(seen.items()) == [(b"a", b"1")]
            with pytest.raises(Bug, match="looked at"):
                seen.write({b"a": b"3"})
        store.write({b"a": b"4"}, changelog_offset=11)
        assert store.get(b"a") == b"4"


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """A data folder below something that is no folder gives an error of ours."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot open shard state"):
        ShardStore(tmp_path / "file" / "shard-0")


def test_a_closed_store_says_so(path: Path) -> None:
    """Use after a rebalance took the shard away is an error in words; closing twice is none."""
    store = ShardStore(path)
    store.close()
    store.close()
    for use in (
        lambda: store.get(b"a"),
        lambda: store.write({b"a": b"1"}),
        store.items,
        store.flush,
        store.size_bytes,
        lambda: store.changelog_offset,
    ):
        with pytest.raises(StateError, match="has been closed"):
            use()
    with ShardStore(path):
        pass  # the folder is free


def test_size_follows_what_is_stored(path: Path) -> None:
    """The size that metrics show is about that of the data, in memory or on disk."""
    with ShardStore(path) as store:
        empty = store.size_bytes()
        store.write({b"%d" % n: os.urandom(1000) for n in range(1000)})
        assert 900_000 < store.size_bytes() - empty < 2_000_000
        store.flush()
        assert 900_000 < store.size_bytes() - empty < 2_000_000


def test_memory_does_not_grow_with_the_number_of_shards(tmp_path: Path) -> None:
    """A worker with many shards stays within one memory budget for all its stores."""
    code = """
import os, pathlib, resource, sys
from state.store import ShardStore
stores = [ShardStore(pathlib.Path(sys.argv[1]) / str(number)) for number in range(16)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for batch in range(12):
    for store in stores:
        store.write({b"%d %d" % (batch, n): os.urandom(4096) for n in range(512)})
for store in stores:
    assert sum(len(value) for _, value in store.items()) == 12 * 512 * 4096
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
    with run_python(code, str(tmp_path)) as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    # 384 MiB were written; a few batches of 2 MiB and what malloc keeps come on top of the budget.
    assert int(output) < CACHE_BYTES + 64 * MIB


def test_a_view_stays_as_it_was_while_the_store_goes_on(tmp_path: Path) -> None:
    """What is written after a view was made is not in it, whatever RocksDB does meanwhile."""
    with ShardStore(tmp_path / "store") as store:
        store.write({b"a": b"1", b"b": b"1"}, changelog_offset=0)
        with store.view() as view:
            store.write({b"a": b"2", b"b": None, b"c": b"2"}, changelog_offset=1)
            store.flush()
            assert dict(view.items()) == {b"a": b"1", b"b": b"1"}
            assert (view.get(b"b"), view.get(b"c")) == (b"1", None)
            assert dict(view.items(b"a")) == {b"a": b"1"}
            scan = view.items()
            next(scan)
            view.get(b"a")
            with pytest.raises(Bug, match="two scans"):
                next(scan)
        with pytest.raises(Bug, match="closed"):
            view.get(b"a")
        assert dict(store.items()) == {b"a": b"2", b"c": b"2"}
    with pytest.raises(StateError, match="closed"):
        store.view()
