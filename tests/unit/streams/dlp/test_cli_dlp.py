"""The scanner on the command line."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import streams.dlp.scanner
from streams.cli.main import app
from streams.dlp.inference import Engine

if TYPE_CHECKING:
    from pathlib import Path

RUN = CliRunner()
ENGINES = functools.cache(Engine)
KEY = "sk_live_4qR8tYw2LmZx9KvBn7CpHd3J"


@pytest.fixture(autouse=True)
def _graphs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's graphs are loaded once for all commands, its files checked by each."""
    monkeypatch.setattr(streams.dlp.scanner, "Engine", ENGINES)


@pytest.fixture
def leak(tmp_path: Path) -> Path:
    """A file with a key in it."""
    path = tmp_path / "leak.txt"
    path.write_text(f"the key is {KEY}\nsee you\n", encoding="utf-8")
    return path


def test_exit_code_is_the_decision(leak: Path, tmp_path: Path) -> None:
    """0 for what may go, 10 for what somebody should look at, 11 for what must not go."""
    assert RUN.invoke(app, ["scan", str(leak)]).exit_code == 10
    assert RUN.invoke(app, ["scan", "-"], input="See you at lunch.").exit_code == 0
    policy = tmp_path / "policy.yaml"
    rule = "{name: a, decision: BLOCK, types: [SECRET], count: 1, rationale: No keys}"
    policy.write_text(f"version: x\nrules: [{rule}]\n", encoding="utf-8")
    result = RUN.invoke(app, ["scan", "--policy", str(policy), str(leak)])
    assert result.exit_code == 11
    assert "No keys" in result.stdout


def test_text_is_shown_with_what_was_found(leak: Path) -> None:
    """The text, the tag behind the value, the decision; no escapes in a pipe."""
    shown = RUN.invoke(app, ["scan", str(leak)]).stdout
    assert f"{KEY}⟨SECRET⟩" in shown
    assert "REVIEW" in shown
    assert "\x1b" not in shown


def test_json_holds_places_and_no_value(leak: Path) -> None:
    """For machines: the verdict, on one line."""
    shown = RUN.invoke(app, ["scan", "--json", str(leak)]).stdout
    [span] = json.loads(shown)["spans"]
    assert (span["type"], span["start"], span["end"]) == ("SECRET", 11, 11 + len(KEY))
    assert KEY not in shown


@pytest.mark.parametrize(("how", "instead"), [("replace", "[SECRET]"), ("mask", "*" * len(KEY))])
def test_redacted_text_has_no_value(leak: Path, how: str, instead: str) -> None:
    """What is printed can be sent."""
    shown = RUN.invoke(app, ["scan", "--redact", how, str(leak)]).stdout
    assert shown == f"the key is {instead}\nsee you\n"


def test_predictions_have_the_form_of_labels(tmp_path: Path) -> None:
    """What --jsonl writes, `weir eval dlp` reads, and finds itself right."""
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"id": "a", "text": f"key {KEY}"}) + "\n", encoding="utf-8")
    assert RUN.invoke(app, ["scan", "--jsonl", str(source), str(out)]).exit_code == 0
    [line] = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert (line["id"], line["spans"][0]["label"]) == ("a", "SECRET")
    result = RUN.invoke(app, ["eval", "dlp", "--alone", "--json", str(out)])
    figures = json.loads(result.stdout)
    assert figures["spans"]["SECRET"]["exact_f1"] == 1.0
    assert figures["macro_exact_f1"] == 1.0
    assert figures["false_per_mb"] == 0.0


def test_missing_file_is_said_so() -> None:
    """66 and a line, no traceback."""
    result = RUN.invoke(app, ["scan", "no-such-file"])
    assert result.exit_code == 66
    assert "no-such-file" in result.stderr
