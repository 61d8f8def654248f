"""What a shard of messages gives out, and that it follows from the log alone."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.codec import Codec
from schemas.wire import without_header
from state.audit.leaf import REPEAT, VERDICT
from streams.gate import engine as engine_module
from tests.unit.streams.gate.under_test import (
    BODIES,
    KEY,
    GateLab,
    arrived,
    bare_digest,
    conversation,
    leaves,
    message,
    outputs,
    run,
    scanner,
    verdict_of,
)

if TYPE_CHECKING:
    from pathlib import Path

SECRET = message(1)


@pytest.fixture
def lab(tmp_path: Path) -> GateLab:
    """Secrets and an empty folder; the gate forwards and verdicts are linked."""
    return GateLab(tmp_path, gate=True, link=True)


def test_each_message_has_a_verdict_a_leaf_and_one_way_out(lab: GateLab) -> None:
    """The leaf has the verdict's digest; the verdict names message, model and policy."""
    units = run(lab.engine(), records := conversation(8))
    out = outputs(units)
    verdicts = [verdict_of(one["value"]) for one in out["verdicts"]]
    assert [one["target_id"] for one in verdicts] == [f"m-{n}" for n in range(8)]
    assert len(out["forwards"]) == len(out["events"]) == 8
    found = leaves(units)
    assert (found["format"] == VERDICT).all()
    assert found["step"].tolist() == list(range(1, 9))
    for row, sent, one, record in zip(found, records, out["verdicts"], verdicts, strict=True):
        assert row["event_digest"].tobytes() == bare_digest(one["value"])
        assert record["input_digest"] == hashlib.sha256(sent.value or b"").digest()
        assert record["model_hash"] == scanner().scanner.package.digest
        assert record["policy_version"] == scanner().scanner.policy.version


def test_messages_go_where_the_decision_says(lab: GateLab) -> None:
    """A key to the outside is blocked, small talk passes byte for byte, headers go along."""
    talk = arrived(0, message(0), headers=(("trace", b"7"), ("weir-decision", b"ALLOW")))
    units = run(lab.engine(), [talk, arrived(1, SECRET)])
    passed, held = outputs(units)["forwards"]
    assert passed[:3] == ("allowed", b"m-0", talk.value)
    assert passed[3][0] == ("trace", b"7")
    assert [name for name, _ in passed[3]] == ["trace", "weir-decision", "weir-verdict"]
    assert held[0] == "blocked"
    assert dict(held[3])["weir-decision"] == b"BLOCK"


def test_a_redacted_message_has_its_values_masked_in_all_fields(lab: GateLab) -> None:
    """Lengths stay, so that the verdict's places still fit; nothing else changes."""
    routes = lab.settings.routes | dict.fromkeys(lab.settings.routes, "redacted")
    card = "4539 1488 0343 6467"
    sent = message(
        1,
        subject=f"card {card}",
        attachments=[{"name": "a.txt", "text": f"again {card}"}, {"name": "b.png"}],
        links=[f"https://x.example/?token={KEY}"],
    )
    [unit] = run(lab.engine(routes=routes), [arrived(0, sent)])
    [(role, _, value, _)] = unit.forwards
    assert role == "redacted"
    got = Codec("message").decode(value)
    text = json.dumps(got)
    assert KEY not in text
    assert card not in text
    assert got["subject"] == "card **** **** **** ****"
    assert len(got["body"]) == len(sent["body"])
    assert got["attachments"][0]["text"].startswith("again ")
    assert got["attachments"][1]["text"] is None
    assert len(got["links"][0]) == len(sent["links"][0])


def test_nothing_of_a_text_leaves_but_by_the_gate(lab: GateLab) -> None:
    """Verdicts, events, audit records and state hold places and types."""
    [unit] = run(lab.engine(), [arrived(0, SECRET)])
    values = [one["value"] for messages in unit.outputs.values() for one in messages]
    assert not any(KEY.encode() in value for value in values)
    assert not any(KEY.encode() in (value or b"") for value in unit.state.values())


def test_how_messages_are_cut_into_units_changes_no_byte(lab: GateLab) -> None:
    """One unit, or one for each message: verdicts, events, audit records and forwards are equal."""
    records = conversation(12, tenants=("acme", "globex"))
    whole = outputs(run(lab.engine(), records))
    assert outputs(run(lab.engine(), records, range(1, 12))) == whole
    assert outputs(run(lab.engine(), records, [3, 4, 9])) == whole


def test_a_restored_shard_goes_on_as_if_nothing_had_been(lab: GateLab) -> None:
    """Threads, names and thresholds come back from the table: the same bytes follow."""
    records = conversation(12, tenants=("acme", "globex"))
    undisturbed = outputs(run(lab.engine(), records, range(1, 12)))
    with lab.store() as store:
        before = run(lab.engine(), records[:7], range(1, 7), store)
        again = lab.restored(store)
        assert again.next_offset == 7
        assert outputs([*before, *run(again, records[7:])]) == undisturbed


def test_memory_is_the_threads(lab: GateLab) -> None:
    """A message sees what its thread was about, and nothing of other threads."""
    thread = {"id": "t", "position": 1}
    first = arrived(0, message(1, thread={"id": "t", "position": 0}))
    second = arrived(1, message(3, thread=thread))
    [_, after] = outputs(run(lab.engine(), [first, second]))["verdicts"]
    [alone] = outputs(run(lab.engine(), [second]))["verdicts"]
    other = arrived(0, message(1, thread={"id": "u", "position": 0}))
    [_, apart] = outputs(run(lab.engine(), [other, second]))["verdicts"]
    assert after["value"] != alone["value"]
    assert apart["value"] == alone["value"]


def test_a_message_that_comes_again_is_not_judged_twice(lab: GateLab) -> None:
    """No second verdict, no second copy behind the gate; the chain says that it came."""
    engine = lab.engine()
    [unit] = run(engine, [arrived(0, SECRET), arrived(1, SECRET)])
    assert len(unit.outputs["verdicts"]) == len(unit.forwards) == unit.repeats == 1
    assert leaves([unit])["format"].tolist() == [VERDICT, REPEAT]
    [later] = run(engine, [arrived(2, SECRET | {"tenant": "globex"})])
    assert len(later.outputs["verdicts"]) == 1  # another tenant's message of that name


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "EMPTY_VALUE"),
        (b"\x00nonsense", "BAD_AVRO"),
        (Codec("message").encode(message(0, id="")), "BAD_FIELD"),
        (Codec("message").encode(message(0, tenant="a" * 2_000)), "BAD_FIELD"),
        (Codec("message").encode(message(0, body="x" * 1_000_001)), "OVERSIZED"),
        (Codec("token", single_object=True).header() + b"\x00", "UNKNOWN_SCHEMA"),
    ],
)
def test_what_cannot_be_used_is_quarantined(lab: GateLab, value: bytes, reason: str) -> None:
    """And the messages around it are judged."""
    bad = arrived(1, message(0))._replace(value=value)
    [unit] = run(lab.engine(), [arrived(0, message(0)), bad, arrived(2, message(3))])
    assert unit.quarantined == {reason: 1}
    [(_, quarantined, _)] = unit.quarantine
    read = Codec("quarantine").decode(without_header(quarantined))
    assert (read["topic"], read["offset"]) == ("messages", 1)
    assert len(unit.outputs["verdicts"]) == 2


def test_a_message_that_the_scanner_fails_on_is_held_and_others_go_on(
    lab: GateLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in quarantine, behind no gate; sent again it is judged. The error quotes no text."""
    engine, scan = lab.engine(), scanner().scan

    def failing(told: Any, *rest: Any, **more: Any) -> Any:
        if told.body == BODIES[0]:
            raise ValueError(told.body)
        return scan(told, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(scanner(), "scan", failing)
        [unit] = run(engine, [arrived(0, message(0)), arrived(1, SECRET)])
    assert unit.quarantined == {"SCAN_FAILED": 1}
    assert len(unit.forwards) == 1
    detail = Codec("quarantine").decode(without_header(unit.quarantine[0][1]))
    assert BODIES[0] not in detail["detail"] + detail["trace"]
    [again] = run(engine, [arrived(2, message(0))])
    assert len(again.outputs["verdicts"]) == 1


def test_tenants_share_nothing_and_are_bounded(lab: GateLab) -> None:
    """A third tenant of a shard that may have two is quarantined."""
    records = [arrived(n, message(n, tenant=f"tenant-{n}")) for n in range(3)]
    [unit] = run(lab.engine(), records)
    assert unit.quarantined == {"UNKNOWN_TENANT": 1}
    assert leaves([unit])["step"].tolist() == [1, 1]


def test_a_verdict_with_very_many_spans_fits_its_topic(
    lab: GateLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones are told, and how many are not; all are masked."""
    monkeypatch.setattr(engine_module, "MOST_SPANS", 3)
    routes = dict.fromkeys(lab.settings.routes, "redacted")
    sent = message(0, body=" ".join(f"kim.{n}@northwind-freight.com" for n in range(9)))
    [unit] = run(lab.engine(routes=routes), [arrived(0, sent)])
    verdict = verdict_of(unit.outputs["verdicts"][0]["value"])
    assert len(verdict["spans"]) == 3
    assert verdict["rationales"][-1].startswith("6 further spans")
    assert "@" not in Codec("message").decode(unit.forwards[0][2])["body"]


def test_linked_verdicts_are_events_that_the_learner_takes(lab: GateLab) -> None:
    """Scores are features, the memory is key and query; without link there is no event."""
    sent = message(1, thread={"id": "t-1"})
    [unit] = run(lab.engine(), [arrived(0, sent)])
    [event] = unit.outputs["events"]
    read = Codec("event").decode(event["value"])
    assert event["key"] == b"t-1"
    assert (read["id"], read["event_id"], read["tenant"]) == ("t-1", "m-1", "acme")
    assert read["label"] is None
    assert set(read["features"]) >= {"dlp.sensitivity", "dlp.span.SECRET", "dlp.decision.BLOCK"}
    assert np.linalg.norm(np.frombuffer(read["key"], "<f8")) == pytest.approx(1.0)
    assert len(read["key"]) == 8 * 4
    assert not run(lab.engine(link=False), [arrived(0, sent)])[0].outputs["events"]
