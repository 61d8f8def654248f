"""Settings of an Hlm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from operators.errors import InvalidConfig

MAX_SUBTABLE = 1 << 12
"""Most bucket slots that share one stash, ring and emergency slot.

Measured: with the default constants these run out at a mean load of 0.92 in a table of 2^12 slots,
but at 0.79 in one of 2^20, below ``tau_high``. So larger deltas are made of sub-tables.
"""

MAX_CAPACITY = 1 << 28
"""Most bucket slots of one delta (4 GiB of records)."""

_LINE_SLOTS = 4  # kernels compare four records at a time
_MAX_BUCKET = 16
_MAX_CHOICES = 4
_MAX_RELOCATIONS = 64
_MAX_OVERFLOW = 255  # a sub-table counts its overflow in one byte
_MAX_EVENTS = 1 << 40


@dataclass(frozen=True, slots=True)
class HlmConfig:
    """Settings of an Hlm; the defaults are the seed's (sections 2.1 and 9.1).

    Attributes:
        capacity: bucket slots of the first delta (the seed's C), a power of two. Later deltas are
            as large or larger, see operators/hlm/sizing.py.
        choices: buckets a key may live in (d).
        bucket: slots of a bucket (b): 4, 8 or 16, whole cache lines of records of 16 bytes.
        stash: slots of a sub-table's stash (S).
        relocations: most records that one insert moves (L).
        ring: slots of a sub-table's overflow ring (Q).
        subtable: most bucket slots of a sub-table, a power of two.
        tau_low: load of the delta at which a rebuild begins.
        tau_high: load that no event may pass.
        rebuild_events: events from the beginning of a rebuild to its publication, besides those
            for its keys.
        rebuild_keys_per_event: keys for which a rebuild takes one event more.
        stable: publish at that event, whatever the clock says. Otherwise a rebuild is published
            as soon as it is done, and versions and costs differ from run to run. Predictions and
            weights do not, as long as no insert is frozen: how long it stays so depends on the
            rebuild, and with it which ids are refused.
        lr: learning rate.
        l2: L2 regularisation of the touched weights; the bias has none.
        link: ``"identity"`` for squared loss, ``"logistic"`` for log loss with labels in [0, 1].
        rate: ``"constant"``, or ``"adagrad"``: each weight's rate falls with the gradients it met.
        arithmetic: ``"double"``, or ``"single"``: every operation in float32, as Vowpal Wabbit
            computes; only with the identity link, the constant rate and no compensation.
        order: ``"seed"``, or ``"river"``: the same rule in the order of operations, and with the
            factors of 2, of River's linear regression, which is then met bit for bit; only with
            double arithmetic, the identity link, the constant rate and no compensation.
        compensated: add up the products of a prediction by compensated summation.
        intercept: learn a bias.

    Raises:
        InvalidConfig: a value is out of range; the message names it and the range.
    """

    capacity: int = MAX_SUBTABLE
    choices: int = 2
    bucket: int = 4
    stash: int = 8
    relocations: int = 8
    ring: int = 16
    subtable: int = MAX_SUBTABLE
    tau_low: float = 0.6
    tau_high: float = 0.8
    rebuild_events: int = 256
    rebuild_keys_per_event: int = 1
    stable: bool = True
    lr: float = 0.05
    l2: float = 0.0
    link: Literal["identity", "logistic"] = "identity"
    rate: Literal["constant", "adagrad"] = "constant"
    arithmetic: Literal["double", "single"] = "double"
    order: Literal["seed", "river"] = "seed"
    compensated: bool = False
    intercept: bool = True

    def __post_init__(self) -> None:
        _require_between("choices", self.choices, 2, _MAX_CHOICES)
        _require_power_of_two("bucket", self.bucket, _LINE_SLOTS, _MAX_BUCKET)
        _require_power_of_two("subtable", self.subtable, 2 * self.bucket, MAX_SUBTABLE)
        _require_power_of_two("capacity", self.capacity, 2 * self.bucket, MAX_CAPACITY)
        _require_between("relocations", self.relocations, 0, _MAX_RELOCATIONS)
        _require_between("stash", self.stash, 0, _MAX_OVERFLOW)
        _require_between("ring", self.ring, 0, _MAX_OVERFLOW)
        _require_between("stash + ring + 1", self.stash + self.ring + 1, 1, _MAX_OVERFLOW)
        _require_between("rebuild_events", self.rebuild_events, 2, _MAX_EVENTS)
        _require_between("rebuild_keys_per_event", self.rebuild_keys_per_event, 1, _MAX_EVENTS)
        if not 0.0 < self.tau_low < self.tau_high < 1.0:
            raise InvalidConfig(
                f"tau_low={self.tau_low} and tau_high={self.tau_high}: "
                "0 < tau_low < tau_high < 1 must hold"
            )
        _require_one_of("link", self.link, ("identity", "logistic"))
        _require_one_of("rate", self.rate, ("constant", "adagrad"))
        _require_one_of("arithmetic", self.arithmetic, ("double", "single"))
        _require_one_of("order", self.order, ("seed", "river"))
        plain = self.link == "identity" and self.rate == "constant" and not self.compensated
        if self.arithmetic == "single" and not plain:
            raise InvalidConfig(
                "arithmetic='single' goes with link='identity', rate='constant' and no compensation"
            )
        if self.order == "river" and not (plain and self.arithmetic == "double"):
            raise InvalidConfig(
                "order='river' goes with link='identity', rate='constant', arithmetic='double' and "
                "no compensation"
            )
        check_rates(self.lr, self.l2)

    @property
    def overflow(self) -> int:
        """Slots of a sub-table outside its buckets: stash, ring and the emergency slot."""
        return self.stash + self.ring + 1

    @property
    def table_bound(self) -> int:
        """Most records that a lookup examines in one delta: d*b + S + Q + 1.

        The seed's d*b + S + 1 leaves out the ring, which is searched like the stash.
        """
        return self.choices * self.bucket + self.overflow

    @property
    def lookup_bound(self) -> int:
        """Most records of deltas that one lookup examines.

        While a rebuild runs there are two deltas: the one that goes into the new base, and the one
        that takes new ids. The one pilot and the one record of the base are counted apart.
        """
        return 2 * self.table_bound

    @property
    def insert_bound(self) -> int:
        """Most steps of one insert: the lookup that fails, L relocations, and the final write.

        A relocation counts as one step: it reads the other bucket lines of the record it moved.
        """
        return self.lookup_bound + self.relocations + 1

    def publication(self, keys: int) -> int:
        """Events from the beginning of a rebuild of so many keys to its publication (T_rb)."""
        return self.rebuild_events + keys // self.rebuild_keys_per_event


def check_rates(lr: float, l2: float) -> None:
    """Refuse a learning rate or an L2 factor that no model can learn with.

    Raises:
        InvalidConfig: ``lr`` is not positive, ``l2`` is negative, ``lr * l2`` reaches 1 (a weight
            would change its sign at every touch), or one of them is not finite.
    """
    if not (math.isfinite(lr) and lr > 0.0):
        raise InvalidConfig(f"lr={lr}: must be a positive number")
    if not (math.isfinite(l2) and l2 >= 0.0):
        raise InvalidConfig(f"l2={l2}: must be zero or a positive number")
    if lr * l2 >= 1.0:
        raise InvalidConfig(f"lr={lr} and l2={l2}: lr * l2 must be below 1")


def _require_between(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidConfig(f"{name}={value}: must be between {low} and {high}")


def _require_power_of_two(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high or value & (value - 1):
        raise InvalidConfig(f"{name}={value}: must be a power of two between {low} and {high}")


def _require_one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidConfig(f"{name}={value!r}: must be one of {', '.join(map(repr, allowed))}")
