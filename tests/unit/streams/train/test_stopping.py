"""A run ends where development messages are no longer read better, with the best weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from streams.train import checkpoint, loop  # noqa: E402 - after the check for PyTorch
from streams.train.settings import TrainSettings  # noqa: E402
from streams.train.stopping import EarlyStop, merit  # noqa: E402
from tests.unit.streams.train.rows import batch  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from operators.dlp.generator.rows import Batch

pytestmark = pytest.mark.train
STUCK = TrainSettings(size="tiny", steps=12, long=2, short=4, rate=0.0)
CPU = torch.device("cpu")


def batches(first: int) -> Iterator[Batch]:
    """Of the steps that are left."""
    return map(batch, range(first, STUCK.steps))


def stop() -> EarlyStop:
    """Every second step; two checks without a better one end the run."""
    return EarlyStop([batch(99)], every=2, patience=2)


def figures(alarms: list[float], macro: float) -> dict[str, Any]:
    """What an evaluation gives."""
    rows = {str(place): {"fp_at_95r": alarm} for place, alarm in enumerate(alarms)}
    return {"scores": rows, "macro_exact_f1": macro}


def test_alarms_count_before_spans() -> None:
    """Fewer false alarms are better whatever the spans; of equals the better spans win."""
    nan = float("nan")
    assert merit(figures([0.1, 0.0, nan], 0.2)) < merit(figures([0.2, 0.0, nan], 0.9))
    assert merit(figures([0.1, nan], 0.9)) < merit(figures([0.1, nan], 0.8))


def test_run_that_gets_no_better_is_over(tmp_path: Path) -> None:
    """With a rate of zero the first check stays the best: two more, and the run ends."""
    trainer = loop.Trainer(STUCK, CPU, compiled=False)
    loop.train(trainer, batches(0), tmp_path, lambda _: None, stop=stop())
    assert trainer.step == 6
    assert (tmp_path / "metrics.jsonl").read_text().count("dev_fp_at_95r") == 3


def test_interrupted_run_ends_at_the_same_step(tmp_path: Path) -> None:
    """What was checked before counts after; what is over stays over."""
    trainer = loop.Trainer(STUCK, CPU, compiled=False)
    loop.train(trainer, batches(0), tmp_path, lambda _: None, stop=stop(), seconds=0.0)
    assert trainer.step == 1
    for least in (1, 6):
        again, checks = loop.Trainer(STUCK, CPU, compiled=False), stop()
        checkpoint.resume(again, tmp_path / "last.pt", checks)
        assert again.step == least
        loop.train(again, batches(again.step), tmp_path, lambda _: None, stop=checks)
        assert again.step == 6


def test_weights_of_the_best_check_are_kept() -> None:
    """A network that is no better afterwards is put back."""
    network, checks = loop.Trainer(STUCK, CPU, compiled=False).network, stop()
    checks.check(network, CPU)
    best = {name: weight.clone() for name, weight in network.state_dict().items()}
    with torch.no_grad():
        network.span_head.weight.zero_()
        network.span_head.bias.zero_()
        network.span_head.bias[20] = 1.0
    checks.check(network, CPU)
    checks.restore(network)
    assert all(torch.equal(best[name], weight) for name, weight in network.state_dict().items())
