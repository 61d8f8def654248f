"""Made-up runs for the tests of what is shown and reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.demo.checks import Check
from streams.demo.gauges import Health, Reading
from streams.demo.problems import Problem, Row
from streams.demo.report import Crash, Report
from streams.demo.scene import Scene
from streams.demo.stage import Stage
from streams.demo.tally import ProblemTally, Tally
from streams.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

PROBLEM = Problem(
    "phishing",
    "does this web page pose as another?",
    tuple(Row({"age": float(i % 2), "length": i / 10}, float(i % 2)) for i in range(10)),
    centre=0.5,
    scale=2.0,
)
HOLDS = Check("exactly_once", True, "10 events, 10 predictions: none lost, none repeated", 1)
BROKEN = Check("audit", False, "1 audit log: TAMPERED", 4)


def prediction(number: int, *, fused: float, linear: float, attention: float, label: float) -> Any:
    """Return a prediction as it is published, as far as the tally looks at it."""
    return {
        "tenant": "phishing",
        "event_id": f"{number}#1",
        "label": label,
        "y_hat": fused,
        "y_hlm": linear,
        "y_sera": attention,
        "gate": 0.25,
    }


def learnt(count: int, *, fused: float = 0.9, linear: float = 0.6, attention: float = 0.7) -> Tally:
    """Return the tally of events with label 1, all predicted alike."""
    tally = Tally(["phishing"], {("phishing", f"{number}#1") for number in range(count // 2)})
    for number in range(count):
        tally.judge(prediction(number, fused=fused, linear=linear, attention=attention, label=1.0))
    return tally


def scene_of(tally: Tally) -> Scene:
    """Return a scene in the middle of a run."""
    scene = Scene("demo-abc123", [PROBLEM], tally, total=1_000, sent=600, is_worker_up=True)
    scene.begin("Starting Kafka").finish("Kafka is up at 127.0.0.1:9092")
    scene.begin("Starting a worker").finish("A worker serves (process 4242)")
    scene.begin("Streaming 1,000 messages, 300 a second")
    scene.quarantined.update({"BAD_AVRO": 2, "NON_FINITE_LABEL": 1})
    scene.reading = Reading({0: 120, 1: 80}, {"phishing": Health(2.5, 0.031)}, {})
    scene.latency = (0.035, 1.25)
    scene.throughput.add(0, 0.0)
    scene.throughput.add(600, 2.0)
    return scene


def report_of(
    folder: Path, problems: dict[str, ProblemTally], *checks: Check, crash: Crash | None = None
) -> Report:
    """Return the report of a run."""
    return Report(
        stage=Stage("demo-abc123", folder, Settings()),
        problems=problems,
        checks=checks or (HOLDS,),
        crash=crash,
        latency=(0.03, 0.2),
        seconds=42.0,
    )
