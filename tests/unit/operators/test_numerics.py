"""The project's own exp, log and sigmoid: as exact as stated, and the same bits everywhere."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import numerics, numerics_reference

if TYPE_CHECKING:
    from collections.abc import Callable

finite = st.floats(allow_nan=False, allow_infinity=False)


def same_bits(a: float, b: float) -> bool:
    return np.float64(a).tobytes() == np.float64(b).tobytes() or (math.isnan(a) and math.isnan(b))


def ulps(value: float, exact: Decimal) -> float:
    return float(abs(Decimal(value) - exact) / Decimal(math.ulp(float(exact))))


def exact_exp(x: float) -> Decimal:
    return Decimal(x).exp()


def exact_log(x: float) -> Decimal:
    return Decimal(x).ln()


def exact_sigmoid(x: float) -> Decimal:
    return 1 / (1 + (-Decimal(x)).exp())


@pytest.mark.parametrize(
    ("ours", "exact", "bound", "points"),
    [
        (numerics.exp, exact_exp, 0.9, np.linspace(-708.0, 709.0, 4001)),
        (numerics.exp, exact_exp, 0.9, np.linspace(-6.0, 6.0, 4001)),
        (numerics.log, exact_log, 0.83, np.geomspace(1e-300, 1e300, 2001)),
        (numerics.log, exact_log, 0.83, np.linspace(0.5, 2.5, 2002)),
        (numerics.sigmoid, exact_sigmoid, 2.0, np.linspace(-40.0, 40.0, 2001)),
    ],
)
def test_error_stays_below_the_stated_bound(
    ours: Callable[[float], float],
    exact: Callable[[float], Decimal],
    bound: float,
    points: np.ndarray,
) -> None:
    """Every value lies within the number of ulps that the module's docstring promises."""
    with localcontext() as context:
        context.prec = 40
        worst = max(ulps(ours(float(x)), exact(float(x))) for x in points)
    assert worst <= bound, f"{worst:.4f} ulp"


@settings(deadline=None)  # the first call compiles
@given(st.floats())
def test_compiled_and_plain_functions_agree_bit_for_bit(x: float) -> None:
    """What a kernel computes can be recomputed in plain Python to the last bit, for any input."""
    assert same_bits(numerics.exp(x), numerics_reference.exp(x))
    assert same_bits(numerics.log(x), numerics_reference.log(x))
    assert same_bits(numerics.sigmoid(x), numerics_reference.sigmoid(x))


@settings(deadline=None)
@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_branch_free_compensation_is_neumaiers(a: float, b: float) -> None:
    """The rounding error that a compensated sum keeps is the one of Neumaier's formula."""
    assert numerics.add_error(a, b) == numerics_reference.add_error(a, b)


@settings(deadline=None)
@given(st.lists(st.floats(-1e15, 1e15), max_size=50))
def test_compensated_sum_is_right_where_a_plain_sum_is_not(values: list[float]) -> None:
    """A compensated sum differs from the exact one by no more than its final rounding and eps²."""
    total, residual = 0.0, 0.0
    for x in values:
        residual += numerics.add_error(total, x)
        total += x
    exact = math.fsum(values)
    size = math.fsum(abs(x) for x in values)
    assert abs(total + residual - exact) <= math.ulp(exact) + 50 * size * 2.0**-104


def test_special_values_are_those_of_the_standard_functions() -> None:
    """Zero, infinity, NaN and numbers beyond the range behave as a reader would expect."""
    assert numerics.exp(0.0) == 1.0
    assert numerics.exp(-math.inf) == 0.0
    assert numerics.exp(math.inf) == math.inf
    assert math.isnan(numerics.exp(math.nan))
    assert numerics.log(1.0) == 0.0
    assert numerics.log(0.0) == -math.inf
    assert numerics.log(math.inf) == math.inf
    assert math.isnan(numerics.log(-1.0))
    assert numerics.sigmoid(0.0) == 0.5
    assert numerics.sigmoid(-math.inf) == 0.0
    assert numerics.sigmoid(math.inf) == 1.0
    assert math.isnan(numerics.sigmoid(math.nan))
    assert abs(numerics.log(5e-324) - math.log(5e-324)) < 1e-12


def test_exp_of_an_array_uses_vector_instructions() -> None:
    """A loop over an array runs several lanes at once: the speed of Sera rests on it."""

    @numba.njit(error_model="numpy")
    def loop(a: np.ndarray, out: np.ndarray) -> None:
        for i in range(a.shape[0]):
            out[i] = numerics.exp(a[i])

    x = np.linspace(-3.0, 3.0, 1003)
    out = np.empty_like(x)
    loop(x, out)
    assert all(same_bits(out[i], numerics_reference.exp(float(x[i]))) for i in range(x.size))
    (assembly,) = loop.inspect_asm().values()
    assert "fmadd" not in assembly, "a fused multiply-add rounds differently"
    packed = ("vmulpd", "mulpd", "fmul.2d", "fmul\tv")
    assert any(instruction in assembly for instruction in packed), "not vectorised"
