"""A worker over a shard with some events behind it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from streams.warmup import warm_up
from tests.unit.streams.service.under_test import WorkerUnderTest, a_worker
from tests.unit.streams.test_shard_life import CONFIG, Lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working folder, and no setting in the environment."""
    for name in list(os.environ):
        if name.startswith("WEIR_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Compile the kernels before anybody waits for a unit."""
    warm_up(CONFIG)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty Kafka and an empty folder."""
    made = Lab(tmp_path)
    yield made
    made.executor.shutdown()


@pytest.fixture
def worker(lab: Lab) -> Iterator[WorkerUnderTest]:
    """A worker whose shard has stepped forty events."""
    with a_worker(lab) as made:
        made.step(40)
        yield made
