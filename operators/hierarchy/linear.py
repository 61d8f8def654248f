"""Steps that the kernels above the tokens are made of, in one order of operations each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators import numerics
from operators.compiled import inlined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


@inlined
def copied(source: Doubles, out: Doubles) -> None:
    """Item by item: numba's assignment allows for both being one array, and needs memory for it."""
    for j in range(out.shape[0]):
        out[j] = source[j]


@inlined
def add_product(item: Doubles, weight: Doubles, out: Doubles) -> None:
    """Add item times weight to out, over the inputs in their order."""
    for i in range(weight.shape[0]):
        x = item[i]
        for j in range(weight.shape[1]):
            out[j] += x * weight[i, j]


@inlined
def silu(values: Doubles) -> None:
    """Each value times its sigmoid, in place."""
    for j in range(values.shape[0]):
        values[j] *= numerics.sigmoid(values[j])
