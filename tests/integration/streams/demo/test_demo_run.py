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
    """Each event has one prediction, each conversation one final verdict; the trail verifies."""
    picture = tmp_path / "view.svg"
    arguments = ("--bootstrap", broker.bootstrap, "--rounds", "1", "--picture", str(picture))
    run = run_weir(tmp_path, "demo", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    for line in (
        "✓ 2,500 events, 2,500 predictions: none lost, none repeated",
        "✓ 6 broken messages, 6 in quarantine, byte for byte",
        "✓ run again without Kafka and without a crash: the same 4 audit roots, bit for bit",
        "✓ 4 conversations, ",
        "one final each, no number left out and none twice",
        "the same texts in one piece, without Kafka and without a crash: the same 4 final verdicts",
        "Killed the worker (kill -9) at prediction",
        "Killed the worker (kill -9) after",
        "support at 100%: BLOCK",
        "lunch at 100%: ALLOW",
        f"Kafka was there already, at {broker.bootstrap}",
        "always the majority",
    ):
        assert line in run.stdout, run.stdout
    assert "✗" not in run.stdout
    assert picture.read_text(encoding="utf-8").startswith("<svg")

    [folder] = (tmp_path / ".weir" / "demo").iterdir()
    assert (folder / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in folder.glob("worker-*.log")} == {
        "worker-1.log",
        "worker-2.log",
        "worker-3.log",
    }
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert all(result["checks"].values())
    for name, problem in result["problems"].items():
        scores = {who: score["rmse"] for who, score in problem["scores"].items()}
        assert scores["fused"] < scores["baseline"], name

    talks = result["conversations"]
    assert set(talks["streams"]) == {"support", "deploy", "counsel", "lunch"}
    for name, talk in talks["streams"].items():
        assert talk["exactly_once"], name
        assert talk["as_undisturbed"], name
        assert talk["verdicts"] > 1, name
    assert talks["crash"]["takeover_s"] > 0
    logged = {path.name for path in (folder / "stream-logs").iterdir()}
    assert {"input_stream", "predictions"} <= {name.rsplit("_", 1)[0] for name in logged}

    again = run_weir(tmp_path, "--config", str(folder / "weir.toml"), "verify", "--json")
    logs = [json.loads(line) for line in again.stdout.splitlines()]
    assert {log["outcome"] for log in logs} <= {"OK", "ALARM"}, again.stdout + again.stderr
    verdicts = sum(talk["verdicts"] for talk in talks["streams"].values())
    assert sum(log["records"] for log in logs) == 2_500 + verdicts


def test_conversations_can_be_watched_alone(broker: CrashableBroker, tmp_path: Path) -> None:
    """The second act needs nothing of the first, and leaves nothing of it."""
    picture = tmp_path / "view.svg"
    arguments = ("--act", "conversations", "--no-crash", "--bootstrap", broker.bootstrap)
    run = run_weir(tmp_path, "demo", *arguments, "--picture", str(picture))
    assert run.returncode == 0, run.stdout + run.stderr
    for line in ("✓ 4 conversations, ", "the same 4 final verdicts, bit for bit", "MATTER"):
        assert line in run.stdout, run.stdout
    for absent in ("✗", "Killed", "phishing", "tail --from"):
        assert absent not in run.stdout
    assert "tilda.brook" not in run.stdout, "what was found is not printed where it may be kept"
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    [folder] = (tmp_path / ".weir" / "demo").iterdir()
    assert not (folder / "accuracy.png").exists()
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert result["problems"] == {}
    assert result["conversations"]["crash"] is None
    assert result["conversations"]["latency_s"]["p50"] > 0
