"""What a model's folder holds above its graphs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.dlp.errors import ModelUnusable
from streams.dlp.package import SHIPPED, Package
from streams.hierarchy.above import CERTAINTY, WEIGHTS, Above, certainty, weights

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shipped_model_reads_growing_texts() -> None:
    """Weights and calibration are there, and fit each other."""
    above = Above.open(Package.open())
    outline, tags = above.outline(), above.lookahead()
    outline.tokens(np.ones((3, 384), np.float32))
    tags.take(np.zeros((3, 21), np.float32), np.ones((3, 384), np.float32))
    scores = outline.read(np.zeros(4)).scores
    assert np.isfinite(above.certainty.chances(scores, 3)).all()
    assert np.isfinite(tags.logits()).all()


def test_a_model_for_whole_texts_says_so(tmp_path: Path) -> None:
    """It names the file that is missing, and what makes it."""
    with pytest.raises(ModelUnusable, match=r"hierarchy\.npz.*streams\.train\.levels"):
        weights(tmp_path)
    with pytest.raises(ModelUnusable, match=r"certainty\.json.*streams\.train\.certainty"):
        certainty(tmp_path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """Other arrays, other fields."""
    np.savez(tmp_path / WEIGHTS, entry=np.zeros(3))
    (tmp_path / CERTAINTY).write_text("{}")
    with pytest.raises(ModelUnusable, match="KeyError"):
        weights(tmp_path)
    with pytest.raises(ModelUnusable, match="KeyError"):
        certainty(tmp_path)
    shutil.copyfile(SHIPPED / CERTAINTY, tmp_path / WEIGHTS)
    with pytest.raises(ModelUnusable):
        weights(tmp_path)
