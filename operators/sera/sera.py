"""Sera as an object: the arrays, who may change them, and how they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.blocks import BLOCK_BYTES, NO_BLOCKS, all_blocks
from operators.errors import InvalidInput, NonFiniteInput, OutOfCapacity, StateMismatch
from operators.sera import kernels
from operators.sera.allocation import allocate
from operators.sera.kernel_shrinkage import NOW
from operators.sera.layout import (
    CLIP,
    CLIPPED,
    COORDINATES,
    GUARDED,
    INGESTED,
    MAX_EXPONENT,
    RESIDUAL_ALARMS,
    RESIDUAL_R,
    RESIDUAL_S,
    RESIDUAL_SHARE,
    VECTORS,
    Floats,
    SeraArrays,
)

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig

State = Mapping[str, npt.NDArray[np.generic]]

_SMALL = ("tally", "shrinkage")
"""Arrays that a counted vector or a label changes too; all change with every event ingested."""


class Readouts(NamedTuple):
    """Answers to ``n`` queries; ``operators.sera.kernel_readout.Reading`` explains the diagnostics.

    Attributes:
        y: float64[n, d_v], the readouts.
        den: float64[n], denominators.
        phi_l1: float64[n], sums of the query features.
        rj_gap: float64[n], the seed's half-split diagnostic.
        half_diff: float64[n], half the distance of the two half readouts.
        level: float64[n], 0 green, 1 yellow, 2 red.
    """

    y: Floats
    den: Floats
    phi_l1: Floats
    rj_gap: Floats
    half_diff: Floats
    level: Floats


class Health(NamedTuple):
    """How well a Sera's settings fit what it is fed.

    Attributes:
        ingested: events so far.
        clip_rate: share of exponents that were clipped; the seed wants 0.1 % to 1 %.
        clip: bound of the exponents in force.
        max_exponent: the largest before clipping; minus infinity before the first.
        norm_guard_rate: share of vectors that were shortened to the radius.
        residual: largest compensation term of the statistics, absolute.
        residual_share: the largest relative to the largest sum of its array.
        residual_alarms: events at which that was above ``residual_limit``.
        lambda_star: weight of the prior in the denominator at the next event.
    """

    ingested: int
    clip_rate: float
    clip: float
    max_exponent: float
    norm_guard_rate: float
    residual: float
    residual_share: float
    residual_alarms: int
    lambda_star: float


class Sera:
    """Streaming attention: keys and values in, readouts for queries out, in constant time.

    Time and memory of an event are O(d r + r d_v), whatever the length of the stream. Not
    thread-safe; the kernels release the GIL.

    Args:
        config: settings.
        seed: 64-bit seed of the random weights and of the count-sketch.
    """

    def __init__(self, config: SeraConfig, seed: int) -> None:
        self.config = config
        self._arrays = allocate(config, seed)
        # The small arrays as of the last report of changes; empty where all of it is to be told.
        self._reported: dict[str, Floats] = {}

    @property
    def arrays(self) -> SeraArrays:
        """What kernels of other operators work on; the Sera's own, not copies."""
        return self._arrays

    def ingest(self, k: Floats, v: Floats) -> None:
        """Learn one event: key float64[d], value float64[d_v].

        Raises:
            InvalidInput: wrong length.
            NonFiniteInput: NaN or infinity; nothing has changed.
            OutOfCapacity: beyond the horizon declared for ``gamma`` 1; nothing has changed.
        """
        self.ingest_batch(k[np.newaxis], v[np.newaxis])

    def ingest_batch(self, keys: Floats, values: Floats) -> None:
        """Learn ``n`` events in turn: keys float64[n, d], values float64[n, d_v].

        Raises:
            InvalidInput: wrong shapes.
            NonFiniteInput: NaN or infinity; nothing has changed.
            OutOfCapacity: beyond the horizon declared for ``gamma`` 1; nothing has changed.
        """
        keys, values = self.checked_events(keys, values)
        kernels.ingest_events(self._arrays, keys, values)

    def step_batch(self, keys: Floats, values: Floats) -> Readouts:
        """Read out for each key, then learn it, in turn: the loop of ``query`` and ``ingest``.

        To the bit what that loop gives, and each key is projected once.

        Args:
            keys: float64[n, d].
            values: float64[n, d_v].

        Raises:
            InvalidInput: wrong shapes.
            NonFiniteInput: NaN or infinity; nothing has changed.
            OutOfCapacity: beyond the horizon declared for ``gamma`` 1; nothing has changed.
        """
        keys, values = self.checked_events(keys, values)
        y = np.empty(values.shape)
        columns = np.empty((len(Readouts._fields) - 1, len(keys)))
        kernels.step_events(self._arrays, keys, values, y, columns)
        return Readouts(y, *columns)

    def query(self, q: Floats, *, lowrank: bool = False) -> Readouts:
        """Readout for one query, float64[d], as ``Readouts`` of one row. Changes nothing.

        Where only low rank is kept, it is of low rank either way.

        Raises:
            InvalidInput: wrong length, or no low rank was configured.
            NonFiniteInput: NaN or infinity.
        """
        return self.query_batch(q[np.newaxis], lowrank=lowrank)

    def query_batch(
        self,
        queries: Floats,
        *,
        lowrank: bool = False,
        raised: float = 0.0,
        beta_floor: float | None = None,
    ) -> Readouts:
        """Readouts for queries float64[n, d], all from the present statistics. Changes nothing.

        Args:
            queries: float64[n, d].
            lowrank: answer U(phi H / den), in O(r r_v) instead of O(r d_v): the part of the readout
                that lies in the span of the seeded basis U.
            raised: by how much a controller has raised lambda_*.
            beta_floor: least denominator, where a controller has moved it; None: the configured.

        Raises:
            InvalidInput: wrong shape, or no low rank was configured.
            NonFiniteInput: NaN or infinity.
        """
        queries = _checked("query", queries, self.config.d)
        if lowrank and not self.config.r_v:
            raise InvalidInput("lowrank needs r_v above 0 in the configuration")
        n = len(queries)
        y = np.empty((n, self.config.d_v))
        columns = np.empty((len(Readouts._fields) - 1, n))
        floor = self._arrays.params.beta_floor if beta_floor is None else beta_floor
        kernels.query_events(self._arrays, queries, int(lowrank), raised, floor, y, columns)
        return Readouts(y, *columns)

    def health(self) -> Health:
        """Rates and maxima over all vectors that were projected as keys. O(1)."""
        tally = self._arrays.state.tally
        return Health(
            ingested=int(tally[INGESTED]),
            clip_rate=float(tally[CLIPPED] / max(tally[COORDINATES], 1.0)),
            clip=float(tally[CLIP]),
            max_exponent=float(tally[MAX_EXPONENT]),
            norm_guard_rate=float(tally[GUARDED] / max(tally[VECTORS], 1.0)),
            residual=float(max(tally[RESIDUAL_R], tally[RESIDUAL_S])),
            residual_share=float(tally[RESIDUAL_SHARE]),
            residual_alarms=int(tally[RESIDUAL_ALARMS]),
            lambda_star=float(self._arrays.state.shrinkage[NOW]),
        )

    def checked_events(self, keys: Floats, values: Floats) -> tuple[Floats, Floats]:
        """The events as kernels take them: keys float64[n, d], values float64[n, d_v].

        Raises:
            InvalidInput: wrong shapes.
            NonFiniteInput: NaN or infinity.
            OutOfCapacity: beyond the horizon declared for ``gamma`` 1.
        """
        keys = _checked("key", keys, self.config.d)
        values = _checked("value", values, self.config.d_v)
        horizon, ingested = self.config.horizon, self.health().ingested
        if horizon and ingested + len(keys) > horizon:
            raise OutOfCapacity(f"event {ingested + len(keys)} is beyond horizon={horizon}")
        if len(keys) != len(values):
            raise InvalidInput(f"{len(keys)} keys and {len(values)} values: one value for each key")
        return keys, values

    def to_state(self) -> dict[str, Floats]:
        """Named flat arrays that a Sera of the same configuration and seed continues from.

        They are views of the live statistics: copy them to keep them.
        """
        arrays = self._arrays.state._asdict()
        return {name: array.reshape(-1) for name, array in arrays.items() if array.size}

    def take_dirty(self) -> dict[str, npt.NDArray[np.int64]]:
        """Numbers of the blocks of each array that changed since the last call, and forget them.

        Statistics decay with every ingested event, so they are dirty as a whole or not at all. Of a
        new Sera all is dirty, of a restored one nothing.
        """
        state, before = self.to_state(), self._reported
        ingested = not before or state["tally"][INGESTED] != before["tally"][INGESTED]
        changed = (
            set(state)
            if ingested
            else {name for name in _SMALL if not np.array_equal(state[name], before[name])}
        )
        self._reported = {name: state[name].copy() for name in _SMALL}
        return {
            name: all_blocks(array) if name in changed else NO_BLOCKS
            for name, array in state.items()
        }

    def take_all_as_changed(self) -> None:
        """Let all of it be dirty: it is saved under another name from now on."""
        self._reported = {}

    def block_bytes(self, name: str) -> int:
        """Bytes of one block of the named array of the state.

        Raises:
            InvalidInput: there is no such array.
        """
        if name not in self.to_state():
            raise InvalidInput(f"a Sera has no state array {name!r}")
        return BLOCK_BYTES

    @classmethod
    def from_state(cls, config: SeraConfig, seed: int, state: State) -> Sera:
        """A Sera that continues bit for bit where the saved one stood; the arrays are copied.

        Raises:
            StateMismatch: an array is missing, or has another type or length than ``config`` says.
        """
        sera = cls(config, seed)
        for name, target in sera.to_state().items():
            source = state.get(name)
            if source is None:
                raise StateMismatch(f"the saved Sera has no array {name!r}")
            if source.dtype != target.dtype or source.shape != target.shape:
                raise StateMismatch(
                    f"{name!r} was saved as {source.dtype}{list(source.shape)}, the configuration "
                    f"says {target.dtype}{list(target.shape)}: r and d_v cannot change in place"
                )
            target[:] = source
        if not config.tune_clip:
            sera.arrays.state.tally[CLIP] = config.clip
        if config.lambda_rule == "fixed":
            sera.arrays.state.shrinkage[NOW] = config.lambda_star
        sera.take_dirty()
        return sera


def _checked(what: str, vectors: Floats, length: int) -> Floats:
    vectors = np.ascontiguousarray(vectors, np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != length:  # noqa: PLR2004 - rows and columns
        raise InvalidInput(f"{what} has shape {vectors.shape}: must be (n, {length})")
    bad = np.flatnonzero(~np.isfinite(vectors))
    if bad.size:
        raise NonFiniteInput(what, int(bad[0]), float(vectors.reshape(-1)[bad[0]]))
    return vectors
