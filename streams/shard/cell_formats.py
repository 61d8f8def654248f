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


class CellFormats:
    """The versions of the layout of one kind of arrays.

    Args:
        taken_over: the i-th takes arrays of version i + 1 to the next version.
    """

    def __init__(self, *taken_over: Callable[[Arrays], Arrays]) -> None:
        self._taken_over = taken_over

    @property
    def version(self) -> int:
        """The version that this release writes."""
        return 1 + len(self._taken_over)

    def check(self, version: int, where: str) -> None:
        """Refuse arrays that this release cannot read, before anything is done with them.

        Args:
            version: of a checkpoint.
            where: it is; for the message of an error.

        Raises:
            StateError: a newer release wrote it, or none did.
        """
        if 1 <= version <= self.version:
            return
        raise StateError(
            f"{where} has cells of format {version}, and this release reads 1 to {self.version}: "
            "a newer release wrote them. Nothing was published or changed; run that release"
        )

    def as_present(self, arrays: Mapping[str, Any], version: int) -> Arrays:
        """Return arrays in the layout of this release.

        Args:
            arrays: name → array, as a checkpoint has them.
            version: of the checkpoint; see ``check``.
        """
        present = dict(arrays)
        for take_over in self._taken_over[version - 1 :]:
            present = take_over(present)
        return present


CELLS: Final = CellFormats(_with_time_of_reference)
"""What learners have."""

VERDICTS: Final = CellFormats()
"""What is kept of scanned messages."""

STREAMS: Final = CellFormats()
"""What is kept of tenants whose streams are read."""
