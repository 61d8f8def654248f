"""`weir demo` as its users run it, on the session's broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deploy.broker.handle import CrashableBroker

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WEIR = Path(sys.executable).with_name("weir")
PATIENCE_S = 240


def run_weir(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty folder, with no settings from outside."""
    environment = {name: v for name, v in os.environ.items() if not name.startswith("WEIR_")}
    return subprocess.run(
        [WEIR, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_run_with_a_crash_ends_well_and_can_be_verified_again(
    broker: CrashableBroker, tmp_path: Path
) -> None:
    """Each event has one prediction, the trail verifies, and the files that are named are there."""
    picture = tmp_path / "view.svg"
    arguments = ("--bootstrap", broker.bootstrap, "--rounds", "1", "--picture", str(picture))
    run = run_weir(tmp_path, "demo", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    for line in (
        "✓ 2,500 events, 2,500 predictions: none lost, none repeated",
        "✓ 6 broken messages, 6 in quarantine, byte for byte",
        "✓ run again without Kafka and without a crash: the same 4 audit roots, bit for bit",
        "Killed the worker (kill -9)",
        f"Kafka was there already, at {broker.bootstrap}",
        "always the majority",
    ):
        assert line in run.stdout, run.stdout
    assert "✗" not in run.stdout
    assert picture.read_text(encoding="utf-8").startswith("<svg")

    [folder] = (tmp_path / ".weir" / "demo").iterdir()
    assert (folder / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in folder.glob("worker-*.log")} == {"worker-1.log", "worker-2.log"}
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert all(result["checks"].values())
    for name, problem in result["problems"].items():
        scores = {who: score["rmse"] for who, score in problem["scores"].items()}
        assert scores["fused"] < scores["baseline"], name

    again = run_weir(tmp_path, "--config", str(folder / "weir.toml"), "verify", "--json")
    logs = [json.loads(line) for line in again.stdout.splitlines()]
    assert {log["outcome"] for log in logs} <= {"OK", "ALARM"}, again.stdout + again.stderr
    assert sum(log["records"] for log in logs) == 2_500
