"""Models and policies that change while a scanner serves."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from operators.dlp.dsl import Message
from operators.dlp.policy import Decision
from streams.dlp import policy_file
from streams.dlp.errors import PolicyUnusable
from streams.dlp.live import LiveScanner, Sources
from streams.dlp.package import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEAK = Message("the key is sk_live_4qR8tYw2LmZx9KvBn7CpHd3J")
ALWAYS = """version: "edited"
rules:
  - {name: always, decision: BLOCK, rationale: Everything is blocked}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy to be edited."""
    path = tmp_path / "policy.yaml"
    path.write_text(policy_file.SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    os.utime(path, (1, 1))
    return path


def test_edited_policy_takes_over_without_a_restart(policy: Path) -> None:
    """The next message is decided by the new version, which its verdict names."""
    live = LiveScanner(Sources(SHIPPED, policy))
    assert live.scan(LEAK).decision is Decision.REVIEW
    assert not live.reload()
    policy.write_text(ALWAYS, encoding="utf-8")
    assert live.reload()
    verdict = live.scan(LEAK)
    assert (verdict.decision, verdict.policy_version) == (Decision.BLOCK, "edited")


def test_policy_that_makes_no_sense_changes_nothing(policy: Path) -> None:
    """What served goes on serving, and the fault is told."""
    live = LiveScanner(Sources(SHIPPED, policy))
    policy.write_text("version: 3\nrules: nonsense\n", encoding="utf-8")
    with pytest.raises(PolicyUnusable):
        live.reload()
    assert live.scan(LEAK).policy_version == "2"


@pytest.mark.slow
def test_model_whose_weights_come_after_its_manifest_is_loaded_once_whole(
    policy: Path, tmp_path: Path
) -> None:
    """What failed is tried again when another of its files changes, and not before."""
    model = tmp_path / "model"
    shutil.copytree(SHIPPED, model)
    told: list[str] = []
    live = LiveScanner(Sources(model, policy), told=told.append)
    before = live.scanner
    stopped = threading.Event()
    watching = threading.Thread(target=live.watch, args=(stopped, 0.05))
    watching.start()
    try:
        weights = (model / "weights.bin").read_bytes()
        (model / "weights.bin").write_bytes(weights[:-1])
        _until(lambda: bool(told))
        assert live.scanner is before
        _until(lambda: _is_settled(told, stopped))
        (model / "weights.bin").write_bytes(weights)
        _until(lambda: live.scanner is not before)
    finally:
        stopped.set()
        watching.join()


def _is_settled(told: list[str], stopped: threading.Event) -> bool:
    """Tell whether nothing more is told: a file that grows is looked at again and again."""
    count = len(told)
    stopped.wait(1.0)
    return len(told) == count


def _until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if holds():
            return
        pause.wait(0.1)
    raise AssertionError("waited a minute in vain")


def test_candidate_in_shadow_is_counted_and_decides_nothing(policy: Path, tmp_path: Path) -> None:
    """Disagreements are counted by what changed, without any text."""
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text(ALWAYS, encoding="utf-8")
    live = LiveScanner(Sources(SHIPPED, policy), Sources(SHIPPED, candidate))
    assert live.scan(LEAK).decision is Decision.REVIEW
    assert live.scan(Message("See you at lunch.")).decision is Decision.ALLOW
    assert live.shadowed == 2
    assert live.disagreements == {"decision REVIEW -> BLOCK": 1, "decision ALLOW -> BLOCK": 1}
