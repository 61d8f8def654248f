"""What the gauges say of a shard, and for how long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from operators.fusion.cell import Cell, CellConfig
from operators.seeds import Seeds
from operators.sera.config import SeraConfig
from streams.metrics import Metrics
from streams.shard.shard import ShardState


class Counting(Cell):
    """A cell whose number of alarms can be set."""

    alarms = 0.0

    def describe(self) -> dict[str, float]:
        """Describe the cell, with that number."""
        return {**super().describe(), "alarms": self.alarms}


@pytest.fixture
def cell() -> Counting:
    """Give a small cell."""
    config = CellConfig(sera=SeraConfig(d=3, r=8, prior=0.5))
    return Counting(config, Seeds(prf=0, prf_version=0, hash_salt=0, hash_version=0))


@pytest.fixture
def shard(cell: Cell) -> Any:
    """Give what metrics look at of a shard."""
    return SimpleNamespace(
        number=2,
        label=2,
        next_offset=70,
        state=ShardState.RUNNING,
        store=SimpleNamespace(size_bytes=lambda: 4_096),
        engine=SimpleNamespace(tenants={"acme": cell}, chain=lambda _: SimpleNamespace(size=69)),
    )


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return a metric of the shard."""
    return metrics.registry.get_sample_value(name, {"shard": "2", **labels})


def test_a_look_shows_lag_table_and_cells(shard: Any) -> None:
    """Each gauge stands at what the shard was when it was looked at, from the first look on."""
    metrics = Metrics()
    metrics.looked_at(shard, 100)
    assert value(metrics, "weir_shard_lag") == 30
    assert value(metrics, "weir_rocksdb_bytes") == 4_096
    assert value(metrics, "weir_chain_height", tenant="acme") == 69
    assert value(metrics, "weir_shard_state", state="running") == 1


def test_a_shard_that_went_elsewhere_leaves_no_gauge_behind(shard: Any) -> None:
    """A lag that stands for ever would call somebody out of bed."""
    metrics = Metrics()
    metrics.restored(shard, 0, 0, 0.0)
    metrics.looked_at(shard, 100)
    metrics.closed(shard)
    left = [
        sample.name
        for family in metrics.registry.collect()
        for sample in family.samples
        if family.type == "gauge" and "shard" in sample.labels
    ]
    assert left == []
    metrics.closed(shard)  # a shard that was never looked at


def test_alarms_are_counted_where_they_happen(shard: Any, cell: Counting) -> None:
    """Neither one before the first look is missed, nor one of an earlier worker counted again."""
    metrics = Metrics()
    cell.alarms = 3.0
    metrics.restored(shard, 0, 0, 0.0)
    cell.alarms = 5.0
    metrics.looked_at(shard, 100)
    assert value(metrics, "weir_alarms_total", tenant="acme") == 2
    fresh = Counting(cell.config, Seeds(prf=0, prf_version=0, hash_salt=0, hash_version=0))
    fresh.alarms = 1.0
    shard.engine.tenants["globex"] = fresh
    metrics.looked_at(shard, 100)
    assert value(metrics, "weir_alarms_total", tenant="globex") == 1
