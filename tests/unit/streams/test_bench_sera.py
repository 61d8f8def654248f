"""What ``weir bench sera`` compares does the same, and what goes wrong is said."""

from __future__ import annotations

import numpy as np
import pytest

from operators.sera.config import SeraConfig
from operators.sera.sera import Sera
from streams.bench import sera as bench
from streams.bench.errors import BenchFailed
from streams.bench.sera_numpy import NumpySera
from streams.bench.sera_run import SEED, vectors


def test_floor_gives_the_same_readouts() -> None:
    """NumPy and the kernels do the same arithmetic, so that their times may be compared."""
    config = SeraConfig(d=8, r=64, d_v=3, lambda_rule="fixed", beta_floor=1e-9)
    sera = Sera(config, SEED)
    floor = NumpySera(config, sera.arrays.W)
    keys, values = vectors(config, 200)
    ours, theirs = sera.step_batch(keys, values).y, floor.step_batch(keys, values)
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


def test_a_process_that_fails_is_an_error_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A size that no Sera has ends the benchmark, and says what was run and why it failed."""
    monkeypatch.setattr(bench, "SIZES", ((4, 7, 1),))
    said: list[str] = []
    with pytest.raises(BenchFailed, match=r"sera_run 4 7 1 1 ended with 1: .*r=7: must be"):
        list(bench.run_sera(1, said.append))
    assert said == ["d = 4, r = 7, dv = 1"]
