"""A training run: it learns, and stopped and resumed it ends where it would have ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from operators.dlp.network.config import TINY  # noqa: E402 - after the check for PyTorch
from operators.dlp.network.model import Network  # noqa: E402
from streams.train import ablation, checkpoint, evaluate, loop  # noqa: E402
from streams.train.settings import TrainSettings  # noqa: E402
from tests.unit.streams.train.rows import batch  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train
SETTINGS = TrainSettings(size="tiny", steps=6, long=2, short=4, rate=3e-3)
CPU = torch.device("cpu")


def trained(steps: range, trainer: loop.Trainer) -> loop.Trainer:
    """The trainer after these steps."""
    for step in steps:
        trainer.learn(batch(step))
    return trainer


def test_resumed_run_ends_bit_for_bit_where_it_would_have(tmp_path: Path) -> None:
    """Weights, optimiser and masks go on as if nothing had happened."""
    straight = trained(range(6), loop.Trainer(SETTINGS, CPU, compiled=False))
    checkpoint.save(trained(range(3), loop.Trainer(SETTINGS, CPU, compiled=False)), tmp_path / "c")
    resumed = loop.Trainer(SETTINGS, CPU, compiled=False)
    checkpoint.resume(resumed, tmp_path / "c")
    trained(range(3, 6), resumed)
    left, right = straight.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_exported_pieces_hold_the_network(tmp_path: Path) -> None:
    """Weights come back from their pieces, rounded to half precision and no more."""
    network = loop.Trainer(SETTINGS, CPU, compiled=False).network
    other = loop.Trainer(TrainSettings(size="tiny", seed=5), CPU, compiled=False).network
    checkpoint.import_pieces(other, checkpoint.export(network, tmp_path, "tiny"))
    for name, weight in network.state_dict().items():
        assert torch.allclose(weight, other.state_dict()[name], rtol=1e-2)


def test_compared_networks_differ_in_the_slow_tier_alone() -> None:
    """The plain network has as many parameters as the gated one, to one in a thousand."""
    counts = {name: ablation.parameters(Network(net)) for name, net in ablation.NETWORKS.items()}
    assert counts["plain"] == pytest.approx(counts["gated"], rel=1e-3)
    assert counts["ungated"] < 0.85 * counts["gated"]


def test_figures_of_a_comparison_are_complete(tmp_path: Path) -> None:
    """A network of another size is trained and tried on both modes."""
    settings = TrainSettings("tiny", steps=2, long=2, short=4)
    trainer = loop.Trainer(settings, CPU, compiled=False, config=replace(TINY, slow_tier=False))
    loop.train(trainer, iter([batch(1), batch(2)]), tmp_path, lambda _: None)
    figures = evaluate.evaluate(trainer.network, [batch(3)], CPU)
    for mode in ("full", "causal"):
        assert figures[mode]["scores"]["context"]["count"] == 8
        assert figures[mode]["scores_second"]["context"]["count"] == 2
