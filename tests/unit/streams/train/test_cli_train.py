"""`weir train` from start to end, in the tiny size."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="the train extra is not installed")
pytest.importorskip("faker", reason="the train extra is not installed")

from operators.dlp.dsl import Message
from streams.cli.main import app
from streams.dlp.scanner import Scanner

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(900)]

RUN = CliRunner()
BOUND_S = 120
"""Seconds of processor time."""
TINY = ["--size", "tiny", "--steps", "6", "--messages", "20", "--workers", "0", "--json"]


def test_tiny_model_is_trained_exported_and_loaded(tmp_path: Path) -> None:
    """Data, network, graphs, calibration, manifest: under two minutes, and the scanner loads it."""
    began = time.process_time()
    result = RUN.invoke(app, ["train", "--out", str(tmp_path / "run"), *TINY])
    assert result.exit_code == 0, result.output
    assert time.process_time() - began < BOUND_S
    told = json.loads(result.stdout)
    assert told["steps"] == 6
    scanner = Scanner.load(tmp_path / "run" / "model")
    assert scanner.package.size == "tiny"
    assert scanner.scan(Message("card 4539 1488 0343 6467")).spans[0].type == "PAN"

    own = tmp_path / "own.jsonl"
    line = {"text": "badge ZX-4471-K", "spans": [{"start": 6, "end": 15, "label": "SSN"}]}
    own.write_text(json.dumps(line) + "\n", encoding="utf-8")
    tuned = ["train", "--data", str(own), "--start", str(tmp_path / "run" / "model")]
    small = ["--steps", "2", "--long", "2", "--short", "4", "--messages", "20", "--workers", "0"]
    result = RUN.invoke(app, [*tuned, "--out", str(tmp_path / "ours"), *small, "--json"])
    assert result.exit_code == 0, result.output
    assert Scanner.load(tmp_path / "ours" / "model").package.size == "tiny"
