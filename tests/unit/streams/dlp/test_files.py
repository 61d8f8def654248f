"""Models and policies as files: what is damaged or senseless is refused, in words."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from operators.dlp.policy import Audience, Decision, Evidence
from schemas.sources.errors import UnreadableSource
from streams.dlp import policy_file, records
from streams.dlp.errors import ModelUnusable, PolicyUnusable
from streams.dlp.package import SHIPPED, Package

if TYPE_CHECKING:
    from pathlib import Path

SCORES = {"sensitivity": 0.5, "exposure": 0.1, "context": 0.9, "obfuscation": 0.1}
LARGEST = 40 << 20


def test_shipped_model_is_whole_and_small() -> None:
    """Its checksums hold, it has its card, and all of it is below 40 MB."""
    package = Package.open()
    assert package.size == "base"
    assert (SHIPPED / "MODEL_CARD.md").is_file()
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < LARGEST


def test_changed_file_is_refused(tmp_path: Path) -> None:
    """One changed byte anywhere is found before anything is run."""
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    calib = folder / "calib.json"
    calib.write_text(calib.read_text().replace("0", "1", 1))
    with pytest.raises(ModelUnusable, match=r"calib\.json differs"):
        Package.open(folder)


def test_missing_model_is_said_so(tmp_path: Path) -> None:
    """A folder without a model is named."""
    with pytest.raises(ModelUnusable, match=r"manifest\.json"):
        Package.open(tmp_path)


def test_other_format_is_refused(tmp_path: Path) -> None:
    """A model of a later release says so itself."""
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ModelUnusable, match="format 99"):
        Package.open(tmp_path)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ("decision: BLOCK", "decision: EXPLODE"),
        ("types: [SECRET, DBURI]", "types: [SECRETS]"),
        ("count: 1", "count: -1"),
        ("above: {sensitivity: 0.9, exposure: 0.7}", "above: {danger: 0.9}"),
        ("name: secret\n", "name: secret-to-outside\n"),
        ("audience: [external]", "audiense: [external]"),
    ],
)
def test_senseless_policies_are_refused(tmp_path: Path, changed: str, says: str) -> None:
    """Unknown decisions, tags, scores, names of conditions; rules of one name."""
    text = policy_file.SHIPPED.read_text(encoding="utf-8")
    assert changed in text
    path = tmp_path / "policy.yaml"
    path.write_text(text.replace(changed, says, 1), encoding="utf-8")
    with pytest.raises(PolicyUnusable, match=r"policy\.yaml"):
        policy_file.load(path)


def test_gravest_rule_decides_and_all_say_why() -> None:
    """Every rule that holds gives its rationale, the gravest first."""
    policy = policy_file.load()
    spans = [("SECRET", 0.9, False), ("PHONE", 0.9, True)]
    decision, rationale = policy.decide(Evidence(SCORES, spans, Audience.EXTERNAL))
    assert decision is Decision.BLOCK
    assert len(rationale) == 3
    assert rationale[-1] == "PII detected"


def test_nothing_found_is_allowed() -> None:
    """No rule, no reason."""
    evidence = Evidence(SCORES, [], Audience.EXTERNAL)
    assert policy_file.load().decide(evidence) == (Decision.ALLOW, ())


def test_labelled_lines_are_read_and_faults_name_their_line(tmp_path: Path) -> None:
    """Names that others use for a tag are understood, labels that are no tags are told."""
    path = tmp_path / "in.jsonl"
    span = {"start": 0, "end": 4, "label": "PERSON"}
    other = {"start": 0, "end": 4, "label": "MOOD"}
    path.write_text(json.dumps({"id": 7, "text": "Anna is in", "spans": [span, other]}) + "\n")
    [record] = records.read(path)
    assert record.spans[0].type == "NAME"
    assert record.others == ("MOOD",)
    path.write_text(
        '{"text": "a"}\n{"text": "a", "spans": [{"start": 0, "end": 9, "label": "NAME"}]}'
    )
    with pytest.raises(UnreadableSource, match="line 2"):
        list(records.read(path))
