"""Settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Everything that decides the weights, beside the data's own seeds.

    Attributes:
        size: ``base``, ``fast`` or ``tiny``.
        steps: optimiser steps.
        long: rows of 2 x 512 tokens in a step.
        short: rows of 128 tokens in a step.
        rate: peak learning rate. The seed's 3e-4 is for batches of 2 to 3 M tokens; with
            a few thousand steps of 0.2 M a small network is still far from done at that rate.
        floor: share of the peak that the cosine ends at.
        warmup: share of the steps over which the rate rises.
        decay: weight decay.
        clip: largest norm of the gradient.
        easy: share of the steps, at the start, without disguises (the curriculum).
        checks: on development messages, spread evenly over the steps.
        patience: checks in a row without a better one, after which the run ends; 0: no checks.
        seed: of the weights, the masks and the stream of batches.
    """

    size: str = "base"
    steps: int = 3000
    long: int = 128
    short: int = 512
    rate: float = 1e-3
    floor: float = 0.02
    warmup: float = 0.04
    decay: float = 0.02
    clip: float = 1.0
    easy: float = 0.1
    checks: int = 20
    patience: int = 5
    seed: int = 1

    @property
    def tokens(self) -> int:
        """Token places in a step."""
        return self.long * 1024 + self.short * 128
