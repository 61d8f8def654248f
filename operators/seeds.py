"""Seeds of a cell's randomness: secret numbers with public versions."""

from __future__ import annotations

from dataclasses import dataclass, field

from operators.errors import InvalidConfig

_BITS = 64


@dataclass(frozen=True, slots=True)
class Seeds:
    """What a cell's hashes and random features follow from; it is never part of its state.

    A representation shows the versions alone.

    Attributes:
        prf: 64-bit seed of Sera's random features and of the count-sketch.
        prf_version: its version, as recorded in the audit trail.
        hash_salt: 64-bit salt of Hlm's table.
        hash_version: its version, as recorded in the audit trail.

    Raises:
        InvalidConfig: a seed is not an unsigned 64-bit integer; the message does not show it.
    """

    prf: int = field(repr=False)
    prf_version: int
    hash_salt: int = field(repr=False)
    hash_version: int

    def __post_init__(self) -> None:
        for name in ("prf", "hash_salt"):
            if not 0 <= getattr(self, name) < 1 << _BITS:
                raise InvalidConfig(f"{name}: must be an unsigned integer of {_BITS} bits")
