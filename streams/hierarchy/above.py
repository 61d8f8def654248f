"""What a model's folder holds for texts that are still arriving, beside its graphs.

hierarchy.npz      levels, topic classifier, lookahead of tags (`streams.train.levels`)
certainty.json     calibration by prefix (`streams.train.certainty`)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.hierarchy.certainty import Certainty
from operators.hierarchy.lookahead import Lookahead
from operators.hierarchy.outline import HierarchyWeights, Outline
from streams.dlp.errors import ModelUnusable

if TYPE_CHECKING:
    from pathlib import Path

    from streams.dlp.package import Package

WEIGHTS: Final = "hierarchy.npz"
CERTAINTY: Final = "certainty.json"


class Above(NamedTuple):
    """What stands above the causal network of one model."""

    weights: HierarchyWeights
    certainty: Certainty

    @classmethod
    def open(cls, package: Package) -> Above:
        """Read it; some 20 ms.

        Raises:
            ModelUnusable: the model is for whole texts only.
        """
        return cls(weights(package.folder), certainty(package.folder))

    def outline(self, state: bytes | None = None) -> Outline:
        """The outline of a stream, from its state; of a new one by default.

        Raises:
            StateMismatch: the state was made with another model.
        """
        return Outline(self.weights, self.certainty.turn, state)

    def lookahead(self) -> Lookahead:
        """Tags of a new segment."""
        return Lookahead(self.weights.lookahead)


def weights(folder: Path) -> HierarchyWeights:
    """The weights in a model's folder.

    Raises:
        ModelUnusable: there are none, or not all.
    """
    try:
        with np.load(folder / WEIGHTS) as arrays:
            return HierarchyWeights.from_arrays(dict(arrays))
    except (OSError, KeyError, ValueError) as error:
        raise _unusable(folder / WEIGHTS, error) from error


def certainty(folder: Path) -> Certainty:
    """The calibration in a model's folder.

    Raises:
        ModelUnusable: there is none, or it is damaged.
    """
    try:
        return Certainty.from_json(json.loads((folder / CERTAINTY).read_text(encoding="utf-8")))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise _unusable(folder / CERTAINTY, error) from error


def _unusable(path: Path, error: Exception) -> ModelUnusable:
    return ModelUnusable(
        f"{path}: {error!r}. Without it a model reads whole texts only: python -m "
        "streams.train.levels and python -m streams.train.certainty make it"
    )
