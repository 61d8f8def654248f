"""Where a replay begins: what can be asked for, and what the log must still have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import ConfigError, StateError
from state.objects import ObjectStore
from state.store import ShardStore
from streams.replay import points
from streams.replay.history import Epoch, decode_epochs, encode_epochs
from streams.replay.points import Point, parse_point, start_of
from streams.settings import load_settings
from tests.property.streams.test_engine import SHARD, make_engine
from tests.unit.streams.test_snapshots import checkpointed, keys, secrets, taken

if TYPE_CHECKING:
    from pathlib import Path

    from streams.keys import CellKeys

__all__ = ["keys", "secrets"]


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("beginning", Point(beginning=True)),
        ("0", Point(offset=0)),
        ("1234", Point(offset=1234)),
        ("snapshot:latest", Point(snapshot="latest")),
        ("snapshot:0-12-ab", Point(snapshot="0-12-ab")),
        ("1970-01-01T00:00:01", Point(time_ms=1_000)),
        ("1970-01-01T02:00:00+02:00", Point(time_ms=0)),
    ],
)
def test_a_point_is_read_as_it_is_meant(text: str, point: Point) -> None:
    """Offsets, times (UTC unless they say so), snapshots and the beginning."""
    assert parse_point(text) == point


@pytest.mark.parametrize("text", ["", "yesterday", "-5", "1e3", "²"])
def test_what_is_no_point_is_refused(text: str) -> None:
    """A misread point would replay something else."""
    with pytest.raises(ConfigError, match="no point of the log"):
        parse_point(text)


@pytest.fixture
def store(keys: CellKeys, tmp_path: Path) -> tuple[Any, int]:
    """Settings with a store of one snapshot, and the offset at which it stands."""
    url = str(tmp_path / "objects")
    engine = make_engine(keys)
    with ShardStore(tmp_path / "table") as table:
        checkpointed(engine, table, 3, 40)
        taken(engine, table, ObjectStore(url))
    assert engine.next_offset is not None
    return load_settings(application_id="test", snapshots={"url": url}), engine.next_offset


def test_the_newest_snapshot_before_a_point_is_taken(store: tuple[Any, int]) -> None:
    """What lies between it and the point is stepped silently; before it, the log is."""
    settings, at = store
    begin = start_of(settings, SHARD, Point(offset=at + 5), 0, 100)
    assert begin.snapshot is not None
    assert (begin.state_offset, begin.emit_offset) == (at, at + 5)
    earlier = start_of(settings, SHARD, Point(offset=at - 1), 0, 100)
    assert earlier == points.Start(None, 0, at - 1)
    assert start_of(settings, SHARD, Point(beginning=True), 0, 100) == points.Start(None, 0, 0)
    latest = start_of(settings, SHARD, Point(snapshot="latest"), 0, 100)
    assert (latest.state_offset, latest.emit_offset) == (at, at)


def test_a_log_that_lost_its_beginning_needs_a_snapshot(store: tuple[Any, int]) -> None:
    """Events that retention deleted are not passed over in silence."""
    settings, at = store
    assert start_of(settings, SHARD, Point(offset=at + 5), at, 100).state_offset == at
    with pytest.raises(StateError, match="were deleted"):
        start_of(settings, SHARD, Point(beginning=True), at, 100)
    with pytest.raises(StateError, match="were deleted"):
        start_of(settings, SHARD, Point(snapshot="latest"), at + 1, 100)


def test_a_point_behind_the_end_is_refused(store: tuple[Any, int]) -> None:
    """There is nothing to replay there."""
    with pytest.raises(ConfigError, match="lies behind"):
        start_of(store[0], SHARD, Point(offset=101), 0, 100)
    with pytest.raises(StateError, match="has no snapshot"):
        start_of(store[0], SHARD, Point(snapshot="2-1-0"), 0, 100)


def test_epochs_read_back_and_damage_is_noticed() -> None:
    """How often a shard was set back is part of its state."""
    epochs = [Epoch(10, 4, None), Epoch(9, 0, "0-4-ab")]
    assert decode_epochs(encode_epochs(epochs)) == epochs
    assert decode_epochs(None) == []
    assert epochs[0].entry() != epochs[1].entry()
    with pytest.raises(StateError, match="damaged"):
        decode_epochs(b"{")
