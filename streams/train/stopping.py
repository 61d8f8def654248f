"""Early stop: a run ends where it no longer gets better on development messages.

What counts first is the mean FP@95R of the scores (seed section 5). It soon reaches zero for most
of them; between two checks that are equal in it the macro F1 of exact spans decides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch

from operators.dlp.generator.rows import batch_seed
from streams.train.evaluate import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from operators.dlp.generator.rows import Batch, Source
    from operators.dlp.network.model import Network
    from streams.train.settings import TrainSettings

_STREAM: Final = 8_888
_LEAST_STEPS: Final = 20


class EarlyStop:
    """Checks a network now and then, and keeps the weights of the best check.

    Args:
        batches: development messages.
        every: steps from one check to the next.
        patience: checks in a row without a better one, after which the run is over.
    """

    def __init__(self, batches: Sequence[Batch], every: int, patience: int) -> None:
        self.every = every
        self._batches = batches
        self._patience = patience
        self._best = (math.inf, math.inf)
        self._weights: dict[str, Tensor] = {}
        self._worse = 0

    @property
    def over(self) -> bool:
        """Whether the run should end."""
        return self._worse >= self._patience

    def check(self, network: Network, device: torch.device) -> dict[str, float]:
        """Measure, in full mode; FP@95R and macro F1."""
        with torch.compiler.set_stance("force_eager"):
            figures = evaluate(network, self._batches, device, modes=(False,))["full"]
        found = merit(figures)
        if found < self._best:
            self._best, self._worse = found, 0
            state = network.state_dict()
            self._weights = {name: weight.detach().cpu().clone() for name, weight in state.items()}
        else:
            self._worse += 1
        return {"dev_fp_at_95r": found[0], "dev_macro_exact_f1": 1 - found[1]}

    def restore(self, network: Network) -> None:
        """Give the network the weights of the best check; without any it stays as it is."""
        if self._weights:
            network.load_state_dict(self._weights)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"best": self._best, "weights": self._weights, "worse": self._worse}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._best, self._weights = tuple(state["best"]), state["weights"]
        self._worse = state["worse"]


def merit(figures: Mapping[str, Any]) -> tuple[float, float]:
    """Mean FP@95R of the scores that have both answers, and what macro F1 lacks; less is better."""
    alarms = [row["fp_at_95r"] for row in figures["scores"].values()]
    known = [alarm for alarm in alarms if not math.isnan(alarm)]
    return sum(known) / max(1, len(known)), 1 - float(figures["macro_exact_f1"])


def early_stop(settings: TrainSettings, dev: Source) -> EarlyStop | None:
    """The check of a run on as many development messages as a step has; None where it has none."""
    if settings.patience == 0:
        return None
    batch = dev.batch(batch_seed(_STREAM, 0), settings.long, settings.short)
    every = max(_LEAST_STEPS, settings.steps // settings.checks)
    return EarlyStop([batch], every, settings.patience)
