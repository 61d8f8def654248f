"""Which happenings are logged: a share of them, always the same ones.

Whether one is taken follows from its stream and position, so that a replay, another worker or
another log takes the same; what a smaller share takes, a larger one takes too.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_RANGE: Final = 1 << 64


class Sampler:
    """Takes a share.

    Args:
        share: from 0 to 1.
    """

    __slots__ = ("_below",)

    def __init__(self, share: float) -> None:
        self._below = round(share * _RANGE)

    @property
    def takes_any(self) -> bool:
        """Whether the share is more than nothing."""
        return self._below > 0

    def taken(self, stream: str, positions: range) -> Sequence[int]:
        """At which of some positions what happens is logged; about 1 µs each, less if none is."""
        if not self._below:
            return ()
        return [position for position in positions if self.takes(stream, position)]

    def takes(self, stream: str, position: int) -> bool:
        """Whether what happens there is logged; about 1 µs."""
        if self._below in (0, _RANGE):
            return self._below != 0
        key = f"{position}\0{stream}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(key, digest_size=8).digest()) < self._below
