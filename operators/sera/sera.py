"""Sera as an object: the arrays, who may change them, and how they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from operators.errors import InvalidInput, NonFiniteInput, StateMismatch
from operators.sera import kernels
from operators.sera.layout import Floats, SeraArrays, allocate

if TYPE_CHECKING:
    from operators.sera.config import SeraConfig

State = Mapping[str, npt.NDArray[np.generic]]


class Readouts(NamedTuple):
    """Answers to ``n`` queries; ``operators.sera.kernels.Reading`` explains the diagnostics.

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

    @property
    def arrays(self) -> SeraArrays:
        """What kernels of other operators work on; the Sera's own, not copies."""
        return self._arrays

    def ingest(self, k: Floats, v: Floats) -> None:
        """Learn one event: key float64[d], value float64[d_v].

        Raises:
            InvalidInput: wrong length.
            NonFiniteInput: NaN or infinity; nothing has changed.
        """
        self.ingest_batch(k[np.newaxis], v[np.newaxis])

    def ingest_batch(self, keys: Floats, values: Floats) -> None:
        """Learn ``n`` events in turn: keys float64[n, d], values float64[n, d_v].

        Raises:
            InvalidInput: wrong shapes.
            NonFiniteInput: NaN or infinity; nothing has changed.
        """
        keys = _checked("key", keys, self.config.d)
        values = _checked("value", values, self.config.d_v)
        if len(keys) != len(values):
            raise InvalidInput(f"{len(keys)} keys and {len(values)} values: one value for each key")
        kernels.ingest_events(self._arrays, keys, values)

    def query(self, q: Floats) -> Readouts:
        """Readout for one query, float64[d], as ``Readouts`` of one row. Changes nothing.

        Raises:
            InvalidInput: wrong length.
            NonFiniteInput: NaN or infinity.
        """
        return self.query_batch(q[np.newaxis])

    def query_batch(self, queries: Floats) -> Readouts:
        """Readouts for queries float64[n, d], all from the present statistics. Changes nothing.

        Raises:
            InvalidInput: wrong shape.
            NonFiniteInput: NaN or infinity.
        """
        queries = _checked("query", queries, self.config.d)
        n = len(queries)
        y = np.empty((n, self.config.d_v))
        columns = np.empty((len(Readouts._fields) - 1, n))
        kernels.query_events(self._arrays, queries, self.config.lambda_star, y, columns)
        return Readouts(y, *columns)

    def to_state(self) -> dict[str, Floats]:
        """Named flat arrays that a Sera of the same configuration and seed continues from.

        They are views of the live statistics: copy them to keep them.
        """
        return {name: array.reshape(-1) for name, array in self._arrays.state._asdict().items()}

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
        return sera


def _checked(what: str, vectors: Floats, length: int) -> Floats:
    vectors = np.ascontiguousarray(vectors, np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != length:  # noqa: PLR2004 - rows and columns
        raise InvalidInput(f"{what} has shape {vectors.shape}: must be (n, {length})")
    bad = np.flatnonzero(~np.isfinite(vectors))
    if bad.size:
        raise NonFiniteInput(what, int(bad[0]), float(vectors.reshape(-1)[bad[0]]))
    return vectors
