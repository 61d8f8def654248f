"""Outputs as people and programs read them."""

from __future__ import annotations

import io
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from operators.fusion.outputs import Action
from schemas.codec import Codec
from schemas.errors import BadMessage, ConfigError
from state.audit.chain import Chain
from streams.cli.console import print_json, printable
from streams.cli.follow import TopicRecord
from streams.cli.outputs import OUTPUTS, OutputReader, as_json, time_text
from streams.cli.rejects import SHOWN, Rejects
from streams.feed import RejectedRow
from streams.settings import load_settings
from tests.unit.state.audit.conftest import honest_rows, make_signer

if TYPE_CHECKING:
    from pathlib import Path

PREDICTION: dict[str, Any] = {
    "tenant": "acme",
    "id": "card-1",
    "event_id": "7",
    "time_us": 1_700_000_000_000_000,
    "step": 1234,
    "y_hat": 0.75,
    "y_hlm": 0.5,
    "y_sera": 0.25,
    "y_meta": 0.1,
    "gate": 0.3,
    "label": 1.0,
    "margin": 3.5,
    "rj_gap": 0.0,
    "half_diff": 0.0,
    "leaf": bytes(range(32)),
}


def record(key: bytes, value: bytes | None) -> TopicRecord:
    return TopicRecord("topic", 2, 17, None, key, value)


def shown(role: str, row: dict[str, Any]) -> dict[str, str]:
    return {heading: show(row) for heading, show in OUTPUTS[role].columns.items()}


def read(role: str, key: bytes, value: bytes | None) -> dict[str, Any]:
    return OutputReader(load_settings(), OUTPUTS[role]).read(record(key, value))


def test_prediction_shows_what_one_looks_for() -> None:
    """Prediction, label and their difference stand side by side, rounded, with the time in UTC."""
    row = read("predictions", b"card-1", Codec("prediction").encode(PREDICTION))
    cells = shown("predictions", row)
    assert cells["time"] == "2023-11-14 22:13:20"
    assert (cells["y_hat"], cells["label"], cells["error"]) == ("0.750", "1.000", "-0.250")
    assert cells["step"] == "1,234"


def test_prediction_without_a_label_has_no_error() -> None:
    """Where nothing is known yet, nothing is shown."""
    row = read("predictions", b"c", Codec("prediction").encode(PREDICTION | {"label": None}))
    cells = shown("predictions", row)
    assert (cells["label"], cells["error"]) == ("", "")


def test_audit_record_shows_its_place_in_the_chain() -> None:
    """Shard, tenant and the hashes that link it are told from the record and where it lies."""
    chain = Chain("weir/acme/2")
    _, value = chain.append(honest_rows(2))
    row = read("audit", b"acme", value)
    cells = shown("audit", row)
    assert (cells["tenant"], cells["shard"], cells["step"]) == ("acme", "2", "2")
    assert row["curr"] == chain.head


def test_audit_record_says_what_was_decided_and_why() -> None:
    """Actions are named, each with its causes; a number that is none of ours shows as nothing."""
    decided = Action.MARGIN_ALARM | Action.GATE_STEPPED_DOWN | Action.LAMBDA_LOWERED
    show = OUTPUTS["audit"].columns["actions"]
    assert show({"actions": float(decided)}) == "gate_stepped_down (margin_alarm), lambda_lowered"
    assert show({"actions": 0.0}) == ""
    assert show({"actions": math.nan}) == ""


def test_verdicts_show_what_was_found_and_decided() -> None:
    """Types and counts, as JSON the whole record with digests in hex."""
    span = {
        "span_id": "body:0:4",
        "type": "PAN",
        "field": "body",
        "start": 4,
        "end": 23,
        "confidence": 1.0,
        "origin": "BOTH",
        "validated": True,
    }
    record = {
        "tenant": "acme",
        "target": "MESSAGE",
        "target_id": "m-1",
        "sequence": 0,
        "status": "FINAL",
        "time_us": 0,
        "position": 30,
        "decision": "BLOCK",
        "confidence": 0.987,
        "spans": [span, span | {"span_id": "body:0:30"}, span | {"type": "NAME"}],
        "model_hash": bytes(32),
        "policy_version": "2",
    }
    row = read("verdicts", b"m-1", Codec("verdict").encode(record))
    seen = shown("verdicts", row)
    assert (seen["target"], seen["decision"], seen["confidence"]) == ("m-1", "BLOCK", "0.99")
    assert seen["found"] == "1 NAME, 2 PAN"
    plain = json.loads(json.dumps(as_json(row)))
    assert plain["model_hash"] == "00" * 32
    assert plain["spans"][0]["type"] == "PAN"


@pytest.mark.parametrize("value", [None, b"", b"junk"])
@pytest.mark.parametrize("role", OUTPUTS)
def test_what_is_no_record_is_told_as_such(role: str, value: bytes | None) -> None:
    """Foreign bytes on an output topic give a reason, not a crash."""
    with pytest.raises(BadMessage):
        read(role, b"acme", value)


def test_checkpoint_shows_what_is_signed() -> None:
    """Log, size and root of a checkpoint can be compared with what was noted elsewhere."""
    note = Chain("weir/acme/2").checkpoint(make_signer("weir", 1))
    value = Codec("audit_checkpoint").encode(note.record("acme", 2))
    cells = shown("audit-checkpoints", read("audit-checkpoints", b"acme", value))
    assert (cells["origin"], cells["size"]) == ("weir/acme/2", "0")
    assert cells["root"] == note.root.hex()[:12]


def test_quarantined_bytes_are_counted_and_not_shown() -> None:
    """What may hold secrets does not reach the screen; a program can ask for it in base64."""
    row = {
        "reason": "BAD_AVRO",
        "detail": "ends too early",
        "topic": "events",
        "partition": 1,
        "offset": 9,
        "key": b"card",
        "value": b"4929 1234",
        "trace": "",
    }
    cells = shown("quarantine", row)
    assert cells["bytes"] == "9"
    assert cells["from"] == "events[1]@9"
    assert not any("4929" in cell for cell in cells.values())
    assert as_json(row)["value"] == "NDkyOSAxMjM0"


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Digests are hexadecimal, NaN is null: any JSON reader takes it, one object a line."""
    print_json(as_json({"leaf": b"\x01\xff", "label": math.nan, "name": "a\nb"}))
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"leaf": "01ff", "label": None, "name": "a\nb"}


def test_data_does_not_steer_the_terminal() -> None:
    """An id with an escape sequence in it is shown without."""
    assert "\x1b" not in printable("card\x1b[31m\n1")
    assert printable("Käfer 7") == "Käfer 7"


@pytest.mark.parametrize("time_us", [1e30, -1e30, 9.3e18])
def test_times_beyond_the_calendar_are_numbers(time_us: float) -> None:
    """A nonsensical time is shown as it is and stops nothing."""
    assert time_text(time_us).endswith("µs")


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def shown_by(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rejected_rows_are_kept_with_their_reason(tmp_path: Path) -> None:
    """Each rejected row can be found, mended and sent again from the file."""
    path = tmp_path / "bad.jsonl"
    console = quiet()
    with Rejects(path, console) as rejects:
        rejects.add(RejectedRow(3, "BAD_MAPPING", "no id", b"a,\xff"))
        rejects.add(RejectedRow(5, "BAD_FIELD", "no number", None))
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [one["line"] for one in kept] == [3, 5]
    assert kept[0]["row"] == "a,\\xff"
    assert kept[1]["row"] is None
    assert rejects.counts == {"BAD_MAPPING": 1, "BAD_FIELD": 1}


def test_only_the_first_rejected_rows_are_shown_and_none_of_their_data() -> None:
    """A file full of bad rows does not flood the screen, and its contents stay off it."""
    console = quiet()
    with Rejects(None, console) as rejects:
        for line in range(1, 100):
            rejects.add(RejectedRow(line, "BAD_FIELD", "no number", b"4929 1234"))
    lines = shown_by(console).splitlines()
    assert len(lines) == SHOWN
    assert "line 1: BAD_FIELD" in lines[0]
    assert "4929" not in shown_by(console)
    assert rejects.total == 99


def test_rejects_file_that_cannot_be_written_is_told_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    """A wrong path for rejected rows ends the command at its start."""
    with pytest.raises(ConfigError, match="--rejects"):
        Rejects(tmp_path / "no" / "folder.jsonl", quiet())
