"""How RocksDB is set up for the stores of a worker's shards.

A store is written in bursts (one batch a unit of work, a large one a checkpoint) and read from end
to end when a shard starts; there are few point reads. Memory is bounded for the process, not for
the shard: all stores share one block cache, and what their memtables take is charged to it.
RocksDB's and Faust's defaults (64 MiB memtables for each shard, a 2 GiB cache for each shard) would
make memory grow with the number of shards.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    WriteBufferManager,
)

_MIB: Final = 1024 * 1024

CACHE_BYTES: Final = 96 * _MIB
"""Block cache of all stores of the process; memtables are charged to it."""

MEMTABLE_BYTES: Final = 64 * _MIB
"""Memtables of all stores together; beyond it RocksDB flushes the largest."""

_SHARD_MEMTABLE_BYTES: Final = 16 * _MIB  # one checkpoint of a mid-sized cell
_BLOCK_BYTES: Final = 16 * 1024  # scans dominate: a quarter of the index of the default 4 KiB
_OPEN_FILES: Final = (
    128  # a shard; 64 MiB each, so 8 GiB of state before one is closed and reopened
)
_WAL_BYTES: Final = 64 * _MIB
_INFO_LOGS: Final = 2  # RocksDB keeps a thousand unless told
_INFO_LOG_BYTES: Final = 4 * _MIB


@cache
def _block_cache() -> Cache:
    return Cache(CACHE_BYTES)


@cache
def _memtables() -> WriteBufferManager:
    # Without stalls: a burst above the budget is flushed, it does not hold up the shard.
    return WriteBufferManager.new_write_buffer_manager_with_cache(
        MEMTABLE_BYTES, allow_stall=False, cache=_block_cache()
    )


def store_options() -> Options:
    """Options of one shard's store; block cache and memtable budget are shared by the process."""
    tables = BlockBasedOptions()
    tables.set_block_cache(_block_cache())
    tables.set_block_size(_BLOCK_BYTES)
    tables.set_cache_index_and_filter_blocks(v=True)

    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.set_block_based_table_factory(tables)
    options.set_write_buffer_manager(_memtables())
    options.set_write_buffer_size(_SHARD_MEMTABLE_BYTES)
    options.set_compression_type(DBCompressionType.lz4())  # empty slots of a table shrink to little
    options.set_max_open_files(_OPEN_FILES)
    options.set_paranoid_checks(enabled=True)
    # The log is not synced at every batch: after a power failure its tail may be torn. Up to there
    # the store is whole and knows its changelog offset, so it is restored from that offset on.
    options.set_wal_recovery_mode(DBRecoveryMode.point_in_time())
    options.set_max_total_wal_size(_WAL_BYTES)
    options.set_keep_log_file_num(_INFO_LOGS)
    options.set_max_log_file_size(_INFO_LOG_BYTES)
    return options
