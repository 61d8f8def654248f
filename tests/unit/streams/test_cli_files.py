"""Commands that need no broker: trying mappings and configurations, and verifying what came out."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from streams.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

RUN = CliRunner()
MAPPING = """
tenant: {constant: acme}
id: card
time: {field: at, unit: s}
label: fraud
features: {numbers: [amount]}
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with no settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """Two hundred rows whose label follows from the amount, and a bad one."""
    rng = random.Random(5)
    rows = [f"c{rng.randrange(20)},{amount},{int(amount > 5)}" for amount in range(10)] * 20
    path = tmp_path / "cards.csv"
    path.write_text("\n".join(["card,amount,fraud", *rows, "c1,3"]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Ten messages that fit the mapping."""
    (tmp_path / "cards.yaml").write_text(MAPPING, encoding="utf-8")
    path = tmp_path / "samples.jsonl"
    messages = [
        {"card": "c", "at": 1_700_000_000 + n, "amount": n, "fraud": n % 2} for n in range(10)
    ]
    path.write_text("\n".join(map(json.dumps, messages)), encoding="utf-8")
    return path


def weir(*arguments: str) -> Result:
    return RUN.invoke(app, list(arguments))


def backtest(*arguments: str) -> Result:
    columns = ("--id", "card", "--label", "fraud", "--rejects", "bad.jsonl")
    return weir("backtest", "cards.csv", *columns, *arguments)


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.usefixtures("samples")
def test_mapping_that_fits_is_told_so() -> None:
    """All samples give events: exit code 0, and each part of the mapping is accounted for."""
    result = weir("map", "--check", "cards.yaml", "--samples", "samples.jsonl")
    assert result.exit_code == 0, result.output
    assert "10 of 10 samples" in result.stdout
    for part in ("tenant", "time", "label", "features.numbers[0]"):
        assert part in result.stdout


@pytest.mark.usefixtures("samples")
def test_mapping_that_does_not_fit_says_where(samples: Path) -> None:
    """Samples that give no event make the exit code 1, and the field that failed is named."""
    with samples.open("a", encoding="utf-8") as file:
        file.write('\n{"card": "c", "at": 1700000000, "amount": "much", "fraud": 0}\n')
    result = weir("map", "--check", "cards.yaml", "--samples", "samples.jsonl")
    assert result.exit_code == 1
    assert "10 of 11 samples" in result.stdout
    assert "'amount'" in result.stdout
    assert "much" not in result.stdout


@pytest.mark.usefixtures("samples")
def test_check_of_a_mapping_can_be_read_by_programs() -> None:
    """With --json the report is one object, without data when no preview is wanted."""
    command = ("map", "--check", "cards.yaml", "--samples", "samples.jsonl", "--json")
    [report] = objects(weir(*command, "--preview", "0", "--limit", "4"))
    assert (report["ok"], report["samples"], report["preview"]) == (True, 4, [])


@pytest.mark.parametrize("sources", [[], ["--samples", "samples.jsonl", "--topic", "t"]])
@pytest.mark.usefixtures("samples")
def test_mapping_is_checked_against_one_thing(sources: list[str]) -> None:
    """Neither or both of file and topic is a mistake that is said so."""
    result = weir("map", "--check", "cards.yaml", *sources)
    assert result.exit_code == 78
    assert "--topic" in result.stderr


@pytest.mark.usefixtures("cards")
def test_backtest_scores_the_learner() -> None:
    """On a file with labels, the learner is compared with its halves and a baseline."""
    [report] = objects(backtest("--json"))
    assert (report["events"], report["predictions"], report["rejected"]) == (200, 200, 1)
    assert set(report["scores"]) == {"fused", "linear", "attention", "baseline"}
    assert report["scores"]["fused"]["labels"] == 200
    assert sum(cell["steps"] for cell in report["cells"]) == 200


@pytest.mark.usefixtures("cards")
def test_backtest_repeats_itself() -> None:
    """The same file and secrets give the same weights and audit roots, bit for bit."""
    runs = [objects(backtest("--json"))[0]["cells"] for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 4


@pytest.mark.usefixtures("cards")
def test_backtest_takes_the_first_rows_and_as_many_shards_as_wanted() -> None:
    """A quick try on the head of a large file needs no settings file."""
    [report] = objects(backtest("--json", "--limit", "50", "--shards", "1", "--tenant", "acme"))
    assert [(cell["tenant"], cell["steps"]) for cell in report["cells"]] == [("acme", 50)]


@pytest.mark.usefixtures("cards")
def test_rows_that_are_kept_nowhere_make_the_exit_code_1() -> None:
    """Nobody overlooks rejected rows in a script."""
    columns = ("--id", "card", "--label", "fraud")
    result = weir("backtest", "cards.csv", *columns)
    assert result.exit_code == 1
    assert "line 202" in result.stderr


@pytest.fixture
def exported(cards: Path) -> Path:
    """Audit logs of four cells, as files."""
    assert cards.exists()
    result = backtest("--out", "out")
    assert result.exit_code == 0, result.output
    return cards.parent / "out"


def test_exported_trail_verifies(exported: Path) -> None:
    """What a backtest wrote holds, log by log, with the roots that it reported."""
    result = weir("verify", str(exported), "--json")
    assert result.exit_code == 0
    reports = objects(result)
    assert {one["outcome"] for one in reports} == {"OK"}
    assert sum(one["records"] for one in reports) == 200
    [again] = objects(backtest("--json"))
    assert [one["root"] for one in reports] == [cell["audit_root"] for cell in again["cells"]]


def test_public_key_is_all_that_a_verifier_needs(exported: Path) -> None:
    """With the printed key the trail verifies on a machine that has no secrets."""
    key = weir("audit-key").stdout.strip()
    (exported.parent / ".weir").rename(exported.parent / "elsewhere")
    assert weir("verify", str(exported)).exit_code == 78
    assert weir("verify", str(exported), "--key", key).exit_code == 0


def test_trail_signed_with_another_key_is_refused(exported: Path) -> None:
    """Somebody else's signature is as good as none."""
    (exported.parent / ".weir").rename(exported.parent / "elsewhere")
    assert backtest("--limit", "1").exit_code == 0
    result = weir("verify", str(exported), "--json")
    assert result.exit_code == 4
    assert all("CHECKPOINT_KEY" in one["failures"] for one in objects(result))


def test_edited_record_is_found_and_named(exported: Path) -> None:
    """One changed byte in one file: exit code 4, and the log, record and reason are printed."""
    [path] = exported.glob("audit/*/00002.avro")
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    result = weir("verify", str(exported))
    assert result.exit_code == 4
    assert "TAMPERED" in result.stdout
    assert "00002.avro@" in result.stdout
    assert result.stdout.count("│ OK") == 3


def test_records_without_checkpoints_are_incomplete(exported: Path) -> None:
    """Records alone prove nothing: exit code 5."""
    result = weir("verify", str(exported / "audit"), "--json")
    assert result.exit_code == 5
    assert {one["outcome"] for one in objects(result)} == {"INCOMPLETE"}


def test_checkpoints_without_records_are_a_missing_log(exported: Path) -> None:
    """Signed checkpoints of records that are not there: exit code 4."""
    result = weir("verify", str(exported / "audit-checkpoints"), "--json")
    assert result.exit_code == 4
    assert all("TRUNCATED" in one["failures"] for one in objects(result))


def test_files_that_are_no_trail_are_told(exported: Path) -> None:
    """A wrong file is a wrong argument, and no tampering; an empty folder verifies nothing."""
    [predictions, *_] = sorted(exported.glob("predictions/*.avro"))
    assert weir("verify", str(predictions)).exit_code == 66
    assert weir("verify", "nowhere.avro").exit_code == 66
    (exported / "empty").mkdir()
    assert weir("verify", str(exported / "empty")).exit_code == 5


def test_one_log_in_two_files_is_ambiguous(exported: Path) -> None:
    """Two exports of one log are not taken for one."""
    [path] = exported.glob("audit/*/00001.avro")
    path.with_name("copy.avro").write_bytes(path.read_bytes())
    result = weir("verify", str(exported))
    assert result.exit_code == 78
    assert "copy.avro" in result.stderr


def test_choosing_from_topics_does_not_go_with_files(exported: Path) -> None:
    """--tenant and --shard would silently do nothing for files, so they are refused."""
    result = weir("verify", str(exported), "--shard", "0")
    assert result.exit_code == 78
    assert "--shard" in result.stderr
