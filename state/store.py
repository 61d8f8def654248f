"""The store of one shard: RocksDB, written only after Kafka has committed.

Every write is one batch that is applied whole or not at all and that carries the changelog offset
it brings the store to. So the store is always a prefix of the changelog, and restoring means
reading on from `ShardStore.changelog_offset`. The changelog is the truth: a lost or damaged store
costs time, not data, which is why batches are not synced to disk one by one.

Life cycle:

    ==========  ==========================  ==========
    state       event                       next
    ==========  ==========================  ==========
    open        write succeeds              open
    open        write fails                 read-only
    read-only   write                       read-only (refused)
    any         close                       closed
    closed      anything but close          closed (refused)
    ==========  ==========================  ==========

After a failed write the store refuses others: a later batch would move the changelog offset past
the lost one and leave a hole that nobody sees.

One thread writes; any thread may read. A scan sees the store as it was when the scan began. Calls
into RocksDB hold the GIL while they write: a batch of 50 MB takes some 0.1 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from rocksdict import AccessType, DbClosedError, Rdict, RdictIter, WriteBatch

from schemas.errors import Bug, StateError
from state.store_errors import RESTORE, state_error
from state.store_options import store_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

CHANGELOG_OFFSET_KEY: Final = b"__faust\0offset__"
"""As Faust's own store has it, with decimal text for the value: standbys that it feeds agree."""

FORMAT_KEY: Final = b"__weir\0format__"
FORMAT: Final = b"1"
"""Version of the layout of a store; written when it is created, never changed."""

_LOCAL_KEYS: Final = (CHANGELOG_OFFSET_KEY, FORMAT_KEY)


class ShardStore:
    """Ordered bytes to bytes on disk, for one shard.

    Args:
        path: folder of the store.
        read_only: look at a store as it is now, beside the process that writes it if there is one;
            otherwise the store is made if there is none.

    Raises:
        StateError: there is no store to look at; another process writes it; it is damaged; another
            version wrote it; no space is left. The message says what to do.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._write_failed = False
        self._read_only = read_only
        self._closed = False
        if read_only and not (path / "CURRENT").is_file():
            raise StateError(
                f"there is no shard state in {path}: check the data folder (WEIR_DATA_DIR), or "
                "start the worker, which makes it"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            access = AccessType.read_only() if read_only else AccessType.read_write()
            self._db = Rdict(str(path), store_options(), access_type=access)
        except Exception as error:
            raise state_error(path, "open", error) from error
        try:
            self._check_format()
        except BaseException:
            self.close()
            raise

    def _check_format(self) -> None:
        found = self.get(FORMAT_KEY)
        if found is None and not self._read_only and next(self._scan(b""), None) is None:
            self.write({FORMAT_KEY: FORMAT})
        elif found != FORMAT:
            version = "of no known format" if found is None else f"of format {found.decode()}"
            raise StateError(
                f"shard state {self.path} is {version}, this version of the application reads "
                f"format {FORMAT.decode()}: run the version that wrote it, or {RESTORE}"
            )

    def get(self, key: bytes) -> bytes | None:
        """The value at a key, or None.

        Raises:
            StateError: the store is closed or damaged.
        """
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise self._error("read", error) from error
        return value

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Records whose key starts with a prefix, in ascending order of keys, as of this call.

        The store's own records (format, changelog offset) are left out. An unfinished scan keeps
        the folder locked after `close` until it is dropped.

        Raises:
            StateError: the store is closed, or damaged somewhere in the scanned range.
        """
        records = self._scan(prefix)
        if any(key.startswith(prefix) for key in _LOCAL_KEYS):
            return ((key, value) for key, value in records if key not in _LOCAL_KEYS)
        return records

    def _scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        try:
            cursor = self._db.iter()
            cursor.seek(prefix)
        except Exception as error:
            raise self._error("read", error) from error
        return self._records(cursor, prefix)

    def _records(self, cursor: RdictIter, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        # Not ``Rdict.items``: at a damaged block it just ends, as if the store were shorter. And no
        # upper bound in the read options: the cursor keeps a pointer to it without owning it.
        try:
            while cursor.valid():
                key = cursor.key()
                if not key.startswith(prefix):
                    return
                yield key, cursor.value()
                cursor.next()
            cursor.status()
        except Exception as error:
            raise self._error("read", error) from error

    def view(self) -> StoreView:
        """The records as they are now, whatever is written afterwards; close it after use.

        RocksDB keeps what the view needs: nothing is copied.

        Raises:
            StateError: the store is closed.
        """
        try:
            return StoreView(self, self._db.iter())
        except Exception as error:
            raise self._error("read", error) from error

    def write(
        self, changes: Mapping[bytes, bytes | None], *, changelog_offset: int | None = None
    ) -> None:
        """Apply changes and the changelog offset they reach, all or nothing.

        Args:
            changes: key to new value; None deletes the key.
            changelog_offset: offset of the last changelog record that the store then reflects; None
                leaves it as it is.

        Raises:
            StateError: the batch could not be written (no space left, for one) and has changed
                nothing, or one before it could not; open the store again and restore from
                `changelog_offset`.
            Bug: the store was opened read-only.
        """
        if self._read_only:
            raise Bug(f"shard state {self.path} was opened to be looked at, not to be written")
        if self._write_failed:
            raise StateError(
                f"cannot write shard state {self.path}: an earlier write failed and this one would "
                "leave a hole; start the worker again, it restores what is missing"
            )
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if changelog_offset is not None:
            batch.put(CHANGELOG_OFFSET_KEY, str(changelog_offset).encode())
        try:
            self._db.write(batch)
        except Exception as error:
            self._write_failed = True
            raise self._error("write", error) from error

    @property
    def changelog_offset(self) -> int | None:
        """Offset of the last changelog record in the store; None in a new store.

        Raises:
            StateError: the store is closed or damaged.
        """
        value = self.get(CHANGELOG_OFFSET_KEY)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError as error:
            raise self._error("read", error) from error

    def size_bytes(self) -> int:
        """Approximate bytes on disk: tables, and what still stands in the write-ahead log.

        Raises:
            StateError: the store is closed.
        """
        try:
            tables = self._db.property_int_value("rocksdb.total-sst-files-size")
            memtables = self._db.property_int_value("rocksdb.cur-size-all-mem-tables")
        except Exception as error:
            raise self._error("measure", error) from error
        return (tables or 0) + (memtables or 0)

    def flush(self) -> None:
        """Bring everything written so far safely to disk, so that even a power failure keeps it.

        Raises:
            StateError: it could not be written, no space left for one.
        """
        try:
            self._db.flush()
        except Exception as error:
            raise self._error("flush", error) from error

    def close(self) -> None:
        """Flush and let go of the folder; closing twice is allowed.

        Raises:
            StateError: the last writes could not be brought to disk. The folder is free all the
                same, and the store will be restored from an earlier changelog offset.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._db.close()
        except Exception as error:
            # After a failed write this is the same failure again: the caller knows.
            if not self._write_failed:
                raise self._error("close", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def scan(self, cursor: RdictIter, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Records of a view; see ``StoreView.items``."""
        try:
            cursor.seek(prefix)
        except Exception as error:
            raise self._error("read", error) from error
        return self._records(cursor, prefix)

    def _error(self, doing: str, error: Exception) -> StateError:
        if isinstance(error, DbClosedError):
            return StateError(f"cannot {doing} shard state {self.path}: it has been closed")
        return state_error(self.path, doing, error)


class StoreView:
    """A store as it was at one moment; see ``state.cells.Records``. A context manager.

    It is one cursor, which RocksDB keeps at the state that it was made of, and which goes back and
    forth: a scan ends where the next one, or a `get`, begins. (The snapshots that rocksdict offers
    do not do it: its 0.3.29 reads through them what was written after them.)

    Args:
        store: which.
        cursor: made at that moment.
    """

    def __init__(self, store: ShardStore, cursor: RdictIter) -> None:
        self._store = store
        self._cursor: RdictIter | None = cursor
        self._scans = 0

    def get(self, key: bytes) -> bytes | None:
        """The value at a key, or None.

        Raises:
            StateError: the store is closed or damaged.
        """
        for found, value in self.items(key):
            return value if found == key else None
        return None

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Records whose key starts with a prefix, in ascending order of keys.

        Raises:
            StateError: the store is closed or damaged.
            Bug: the view was closed, or another scan began before this one ended.
        """
        self._scans += 1
        mine = self._scans
        if self._cursor is None:
            raise Bug("a view of a store was used after it was closed")
        for key, value in self._store.scan(self._cursor, prefix):
            if key not in _LOCAL_KEYS:
                yield key, value
                if mine != self._scans:
                    raise Bug("two scans of one view of a store: finish the first")

    def close(self) -> None:
        """Let go of what RocksDB kept for it."""
        self._cursor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
