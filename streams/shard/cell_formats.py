"""The layout of a cell's arrays in checkpoints, version by version.

A checkpoint says which version its arrays have. Those of an older release are taken over step by
step when they are loaded, and stand in the present layout from the next checkpoint on; those of a
newer one are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.sera import margin
from schemas.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from operators.fusion.cell import CellConfig

    Arrays = dict[str, np.ndarray[Any, Any]]

_MARGIN_TALLY: Final = "margin.tally"


def _ready_for_late_labels(arrays: Arrays, config: CellConfig) -> Arrays:
    """Version 2 keeps observations that wait for their labels, and dates the margin's reference.

    An empty memory has no arrays. A reference is dated by the events ingested before it, which
    matters to labels of those only: none of them waits, so 0 stands for all.
    """
    tally = arrays[_MARGIN_TALLY]
    referred = 0.0 if tally[margin.SEEN] > config.sera.burn_in else -1.0
    return arrays | {_MARGIN_TALLY: np.append(tally, referred)}


TAKEN_OVER: Final[tuple[Callable[[Arrays, CellConfig], Arrays], ...]] = (_ready_for_late_labels,)
"""The i-th takes arrays of version i + 1 to the next version."""

CELL_FORMAT: Final = 1 + len(TAKEN_OVER)
"""The version that this release writes."""


def check_cell_format(version: int, where: str) -> None:
    """Refuse arrays that this release cannot read, before anything is done with them.

    Args:
        version: of a checkpoint.
        where: it is; for the message of an error.

    Raises:
        StateError: a newer release wrote it, or none did.
    """
    if 1 <= version <= CELL_FORMAT:
        return
    raise StateError(
        f"{where} has cells of format {version}, and this release reads 1 to {CELL_FORMAT}: a "
        "newer release wrote them. Nothing was published or changed; run that release"
    )


def as_present(arrays: Mapping[str, Any], version: int, config: CellConfig) -> Arrays:
    """Return a cell's arrays in the layout of this release.

    Args:
        arrays: name → array, as a checkpoint has them.
        config: of the cell.
        version: of the checkpoint; see ``check_cell_format``.
    """
    present = dict(arrays)
    for take_over in TAKEN_OVER[version - 1 :]:
        present = take_over(present, config)
    return present
