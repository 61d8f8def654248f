from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from operators.errors import InvalidConfig, InvalidInput, NonFiniteInput
from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm

if TYPE_CHECKING:
    from collections.abc import Callable

IDS = np.array([3, 0, 7], np.uint64)


@pytest.fixture
def model() -> Hlm:
    """A model that has learnt one event."""
    hlm = Hlm(HlmConfig(capacity=64), salt=1)
    hlm.update(IDS, [1.0, 2.0, 3.0], 1.0)
    return hlm


def state_bytes(hlm: Hlm) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in hlm.to_state().items()}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_non_finite_feature_is_refused_and_named(model: Hlm, bad: float) -> None:
    """NaN or infinity in a feature is refused with its position, and nothing is learnt."""
    before = state_bytes(model)

    with pytest.raises(NonFiniteInput) as refused:
        model.update(np.array([9, 8, 7], np.uint64), [1.0, bad, bad], 1.0)

    assert (refused.value.what, refused.value.position) == ("feature", 1)
    assert "feature 1" in str(refused.value)
    assert state_bytes(model) == before


def test_non_finite_feature_refuses_the_whole_batch(model: Hlm) -> None:
    """A batch with NaN in its last event leaves the first ones unlearnt too."""
    before = state_bytes(model)

    with pytest.raises(NonFiniteInput) as refused:
        model.step_batch([0, 1, 3], IDS, [1.0, 2.0, math.nan], [1.0, 0.0])

    assert refused.value.position == 2
    assert state_bytes(model) == before


def test_non_finite_label_is_refused(model: Hlm) -> None:
    """NaN as a label is refused, and nothing is learnt."""
    before = state_bytes(model)

    with pytest.raises(NonFiniteInput) as refused:
        model.step_batch([0, 1, 3], IDS, [1.0, 2.0, 3.0], [1.0, math.nan])

    assert (refused.value.what, refused.value.position) == ("label", 1)
    assert state_bytes(model) == before


@pytest.mark.parametrize("rates", [(math.nan, 0.0), (-1.0, 0.0), (0.1, -1.0), (0.1, 10.0)])
def test_rates_out_of_range_are_refused(model: Hlm, rates: tuple[float, float]) -> None:
    """A learning rate or L2 factor that would ruin the weights is refused before it does."""
    before = state_bytes(model)

    with pytest.raises(InvalidConfig):
        model.update(IDS, [1.0, 2.0, 3.0], 1.0, lr=rates[0], l2=rates[1])

    assert state_bytes(model) == before


@pytest.mark.parametrize(
    "ids",
    [
        np.array([1, -1], np.int64),
        np.array([1.0, 2.0]),
        np.array([[1, 2]], np.uint64),
        [1, -1],
        [1, 1 << 64],
        [1],
        ["a", "b"],
    ],
)
def test_ids_that_are_no_ids_are_refused(model: Hlm, ids: npt.ArrayLike) -> None:
    """Signed, fractional, out-of-range or too few ids are refused instead of being converted."""
    with pytest.raises(InvalidInput):
        model.predict(ids, [1.0, 2.0])


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.step_batch([0, 2], IDS, [1.0, 2.0, 3.0], [1.0]),
        lambda m: m.step_batch([1, 3], IDS, [1.0, 2.0, 3.0], [1.0]),
        lambda m: m.step_batch([0, 3, 2, 3], IDS, [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]),
        lambda m: m.step_batch([], IDS, [1.0, 2.0, 3.0], []),
        lambda m: m.step_batch([0, 3], IDS, [1.0, 2.0, 3.0], [1.0, 2.0]),
        lambda m: m.step_batch([0.0, 3.5], IDS, [1.0, 2.0, 3.0], [1.0]),
    ],
)
def test_rows_that_do_not_fit_are_refused(model: Hlm, call: Callable[[Hlm], object]) -> None:
    """Row offsets that would make a kernel read outside its arrays never reach it."""
    with pytest.raises(InvalidInput):
        call(model)


@pytest.mark.parametrize("salt", [-1, 1 << 256])
def test_salt_key_must_have_256_bits(salt: int) -> None:
    """A key that would have to be cut is refused, and not shown."""
    with pytest.raises(InvalidConfig, match="256 bits"):
        Hlm(HlmConfig(), salt=salt)
