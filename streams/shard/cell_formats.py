"""The layout of a cell's arrays in checkpoints, version by version.

A checkpoint says which version its arrays have. Those of an older release are taken over step by
step when they are loaded, and stand in the present layout from the next checkpoint on; those of a
newer one are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.sera.layout import INGESTED
from schemas.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Arrays = dict[str, np.ndarray[Any, Any]]


def _with_time_of_reference(arrays: Arrays) -> Arrays:
    """Since 2 the margin's tally ends with what Sera had ingested when the reference was taken.

    It is not known of an older one: all that has been ingested since counts as known to it. From
    2 on a cell also has what waits for a label; an older one has nothing of that.
    """
    referred = arrays["sera.tally"][INGESTED] if arrays["margin.counts"].any() else -1.0
    return arrays | {"margin.tally": np.append(arrays["margin.tally"], referred)}


TAKEN_OVER: Final[tuple[Callable[[Arrays], Arrays], ...]] = (_with_time_of_reference,)
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


def as_present(arrays: Mapping[str, Any], version: int) -> Arrays:
    """Return a cell's arrays in the layout of this release.

    Args:
        arrays: name → array, as a checkpoint has them.
        version: of the checkpoint; see ``check_cell_format``.
    """
    present = dict(arrays)
    for take_over in TAKEN_OVER[version - 1 :]:
        present = take_over(present)
    return present
