"""A worker whose kernel does nothing: what is left is the stream itself.

Started by the benchmark in place of ``weir worker``: ``python -m streams.bench.null_worker``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import uvloop

from operators.fusion import layout as at
from operators.fusion.cell import Cell
from operators.fusion.outputs import FIELDS, STEP_DTYPE
from streams import logs
from streams.settings import load_settings

if TYPE_CHECKING:
    from operators.batch import EventBatch

ROWS = 4_096


def plausible_rows() -> np.ndarray:
    """Return STEP_DTYPE[ROWS] of numbers that compress no better than a learner's."""
    rows = np.zeros(ROWS, STEP_DTYPE)
    rng = np.random.default_rng(1)
    for name in FIELDS:
        rows[name] = rng.random(ROWS)
    return rows


class NullCell(Cell):
    """Copies rows; the state is a cell's, and never changes but for the count of steps."""

    _rows = plausible_rows()

    def step_batch(
        self,
        batch: EventBatch,
        kept: np.ndarray[Any, Any] | None = None,  # noqa: ARG002 - nothing is learnt from labels
    ) -> np.ndarray[Any, Any]:
        """Return a row an event, none of them looked at."""
        first = self.steps
        rows = np.take(self._rows, np.arange(first, first + batch.events) % ROWS)
        rows["step"] = np.arange(first + 1, first + 1 + batch.events)
        self._tally[at.STEPS] += batch.events
        self._last = rows[-1].copy()
        return rows


def main() -> int:
    """Serve as ``weir worker`` does."""
    logs.configure(logs.Level.WARNING)
    # As in ``streams.cli.worker``: Faust binds to the policy when it is imported.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    from streams.worker import Parts, Worker  # noqa: PLC0415 - see above

    return Worker(load_settings(), Parts(cell=NullCell)).run()


if __name__ == "__main__":
    sys.exit(main())
