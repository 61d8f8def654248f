"""From a trained network to a model that can be shipped: graphs, calibration, figures, manifest."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from operators.dlp.calibration import Calibration, fit
from operators.dlp.tags import SCORES, TYPES
from streams.dlp.evaluation import generated, score_figures, truths
from streams.dlp.inference import Engine
from streams.dlp.package import Package, seal
from streams.dlp.policy_file import load as load_policy
from streams.dlp.scanner import Scanner
from streams.train.export import export
from streams.train.onnx_graphs import Precision

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from operators.dlp.generator.rows import Source
    from operators.dlp.network.model import Network

LEAST: Final = {
    "EMAIL": 0.95, "PHONE": 0.9, "PAN": 0.85, "SSN": 0.85, "SECRET": 0.9, "DBURI": 0.9, "NDA": 0.8,
    "MATTER": 0.85, "NAME": 0.85, "ADDR": 0.85,
}  # fmt: skip
"""Confidence that a span of the model alone needs (docs/dlp-model.md says how it was chosen)."""
SUPPORTED: Final = {
    "EMAIL": 0.6, "PHONE": 0.6, "PAN": 0.5, "SSN": 0.55, "SECRET": 0.6, "DBURI": 0.5, "NDA": 0.5,
    "MATTER": 0.5, "NAME": 0.35, "ADDR": 0.5,
}  # fmt: skip
"""The same where a word before the span says that such a value follows, or for names in prose."""
_ROWS: Final = (24, 64)
_CALIBRATION_STREAM: Final = 5 << 40
_FIT_SEED: Final = 4_711


def neutral() -> Calibration:
    """No temperature, no thresholds but the fixed ones."""
    return Calibration(np.ones(len(SCORES)), np.zeros(len(SCORES)), LEAST, SUPPORTED)


def ship(
    network: Network,
    source: Source,
    dev: Source,
    tokenizer: bytes,
    folder: Path,
    *,
    version: str,
    size: str,
    messages: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Write a model's folder and return the figures of its scores after calibration.

    Args:
        network: trained; smoothed in place, which changes no output.
        source: of the calibration set for activations.
        dev: of the messages that temperatures are fitted on, and others that they are tried on.
        tokenizer: bytes of the SentencePiece model.
        folder: to be written.
        version: of the model.
        size: of the network.
        messages: to fit on; as many again are tried on.
        say: told what is going on.
    """
    say("exporting")
    torch.manual_seed(0)
    export(network, source.batch(_CALIBRATION_STREAM, *_ROWS), folder, Precision.STATIC)
    (folder / "tokenizer.model").write_bytes(tokenizer)
    _write(folder, neutral(), version, size)
    say("calibrating")
    drawn = generated(dev, 2 * messages, _FIT_SEED)
    scanner = Scanner(Package.open(folder), Engine(folder), load_policy())
    logits = np.array([scanner.read(one.message).logits for one in drawn])
    labels = np.array([truths(one) for one in drawn])
    fitted = [
        fit(logits[:messages, place], labels[:messages, place]) for place in range(len(SCORES))
    ]
    calibration = Calibration(
        np.array([temperature for temperature, _ in fitted]),
        np.array([shift for _, shift in fitted]),
        LEAST,
        SUPPORTED,
    )
    _write(folder, calibration, version, size)
    return score_figures(calibration.chances(logits[messages:]), labels[messages:])


def copy_card(card: Path, folder: Path, version: str, size: str) -> None:
    """Put a model card beside the model, and seal the folder anew."""
    shutil.copyfile(card, folder / "MODEL_CARD.md")
    seal(folder, version, size)


def _write(folder: Path, calibration: Calibration, version: str, size: str) -> None:
    assert set(calibration.least) == set(TYPES)
    text = json.dumps(calibration.to_json(), indent=1) + "\n"
    (folder / "calib.json").write_text(text, encoding="utf-8")
    seal(folder, version, size)
