"""A shard that runs: destroyed keys and changed quotas become units of work of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from state import cell_keys
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.secrets import FileSecrets
from streams.keys import CellKeys
from streams.settings import QuotaSettings
from streams.shard.shard import ShardState
from streams.warmup import warm_up
from tests.unit.streams.test_shard_life import CONFIG, Lab, settle, standing, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm_up(CONFIG)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty Kafka, and encryption."""
    made = Lab(tmp_path)
    place = KeyFolder(tmp_path / "keys")
    KeyStore.initialise(place)
    secrets = FileSecrets(tmp_path / "secrets")
    made.keys = CellKeys(secrets, "test", KeyStore(place, secrets))
    yield made
    made.executor.shutdown()


def destroy(lab: Lab) -> None:
    store = lab.keys.data_keys
    assert store is not None
    store.destroy("acme")


async def test_a_shard_at_rest_erases_as_soon_as_it_is_told(lab: Lab) -> None:
    """No event has to come first."""
    lab.kafka.send(30)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0))
    before = shard.engine.chain("acme").size
    shard.wake()
    assert shard.state is ShardState.READY
    destroy(lab)
    shard.wake()
    await settle(shard)
    assert shard.engine.tenants == {}
    assert shard.engine.chain("acme").size == before + 1
    assert not [key for key, _ in shard.store.items() if cell_keys.is_of_cell(key)]
    shard.wake()
    assert shard.state is ShardState.READY
    assert lab.failures == []


@pytest.mark.parametrize("table", ["kept", "wiped"])
async def test_a_successor_erases_before_it_takes_events(lab: Lab, table: str) -> None:
    """Whether it has the table or reads the changelog: what it cannot open, it deletes."""
    lab.kafka.send(30)
    first = lab.opened("kept")
    await take(first, lab.kafka.fetch(0))
    await first.pause()
    first.close()
    destroy(lab)
    second = lab.opened(table)
    lab.kafka.send(10)
    await take(second, lab.kafka.fetch(30))
    assert second.next_offset == 40
    assert second.engine.tenants == {}
    assert second.engine.chain("acme").size == 31
    assert not [key for key, _ in second.store.items() if cell_keys.is_of_cell(key)]
    await second.pause()
    second.close()
    third = lab.opened("third")
    assert third.engine.chain("acme").size == 31
    assert lab.failures == []


async def test_a_shard_that_never_ran_settles_before_it_leaves_a_checkpoint(lab: Lab) -> None:
    """Else its checkpoint would tell of fewer cells than there are records of."""
    lab.kafka.send(30)
    first = lab.opened("kept")
    await take(first, lab.kafka.fetch(0, 25))
    await take(first, lab.kafka.fetch(25))
    await first.pause()
    first.close()
    destroy(lab)
    second = lab.opened("kept")
    assert lab.watching.stepped[-1] > 0
    await second.pause()
    second.leave_checkpoint()
    second.close()
    third = lab.opened("third")
    assert third.engine.chain("acme").size == 31
    assert not third.engine.unsettled
    assert not [key for key, _ in third.store.items() if cell_keys.is_of_cell(key)]
    assert lab.failures == []


async def test_changed_quotas_count_from_the_next_unit(lab: Lab) -> None:
    """A worker that starts with other quotas judges by them; one that restarts again, the same."""
    lab.kafka.send(30)
    first = lab.opened("kept")
    await take(first, lab.kafka.fetch(0))
    await first.pause()
    first.close()
    lab.quotas = QuotaSettings(events_per_s=1, burst_s=5)  # events are a millisecond apart
    second = lab.opened("kept")
    lab.kafka.send(30)
    await take(second, lab.kafka.fetch(30))
    assert second.engine.tenants["acme"].steps == 35
    expected = standing(second)
    await second.pause()
    second.close()
    third = lab.opened("wiped")
    assert standing(third) == expected
    assert lab.failures == []
