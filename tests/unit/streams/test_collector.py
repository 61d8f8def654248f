"""The garbage collector of a worker."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from streams.collector import YOUNG, relax_collector

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def collector() -> Iterator[None]:
    """Put the interpreter's own settings back at the end."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class _Knot:
    """An object that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.usefixtures("collector")
def test_cycles_are_still_freed_by_themselves() -> None:
    """A worker that runs for months does not grow by what refers to itself."""
    relax_collector()
    dropped = weakref.ref(_Knot())

    kept: list[list[int]] = [[] for _ in range(YOUNG + 1)]

    assert dropped() is None
    assert kept


@pytest.mark.usefixtures("collector")
def test_a_batch_does_not_start_a_collection() -> None:
    """The records of a unit of work are not walked while they are worked on."""
    relax_collector()
    started = []
    gc.callbacks.append(lambda phase, info: started.append((phase, info)))
    try:
        batch = [{"offset": offset} for offset in range(4_000)]
    finally:
        gc.callbacks.pop()

    assert len(batch) == 4_000
    assert started == []
