"""What a cell reports as changed, as the records of a changelog: enough to restore it from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operators.fusion.cell import Cell
from state.cells import CellWriter, load_cell
from tests.property.operators.fusion.events import SEEDS, batch_of, unstable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Compacted(dict[bytes, bytes]):
    """The last value of each key, in the order of keys."""

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:  # type: ignore[override]
        """Records whose key starts with a prefix."""
        return ((key, self[key]) for key in sorted(self) if key.startswith(prefix))


@pytest.mark.parametrize(("d_v", "lowrank"), [(1, False), (2, True)])
def test_a_cell_whose_sera_is_succeeded_comes_back_from_its_checkpoints(
    d_v: int, lowrank: bool
) -> None:
    """Arrays of a successor appear, and go when it took over; each checkpoint is the cell."""
    config, stream = unstable(d_v, lowrank=lowrank)
    cell, writer, changelog = Cell(config, SEEDS), CellWriter("acme"), Compacted()
    warmed = set()
    for first in range(0, len(stream), 3):
        rows = cell.step_batch(batch_of(stream[first : first + 3], d_v=d_v))
        changes = writer.records(cell.to_state(), cell.take_dirty(), cell.block_bytes)
        for key, value in changes:
            if value is None:
                changelog.pop(key, None)
            else:
                changelog[key] = value
        arrays = load_cell(changelog, "acme")
        state = cell.to_state()
        assert arrays.keys() == state.keys()
        warmed.add("sera.next.s" in arrays)
        restored = Cell.from_state(config, SEEDS, arrays)
        assert all(
            array.tobytes() == state[name].tobytes() for name, array in restored.to_state().items()
        )
    assert warmed == {True, False}
    assert rows["r"][-1] == 24.0
