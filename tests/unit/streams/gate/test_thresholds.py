"""What analysts say moves the thresholds: through the log, exactly once, within bounds."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import pytest

from schemas.codec import Codec
from streams.gate.feedback import News
from streams.gate.memory import LABELLED, PREDICTED
from streams.kafka.reader import Record
from tests.unit.streams.gate.under_test import (
    Arrived,
    GateLab,
    arrived,
    message,
    outputs,
    run,
    verdict_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from streams.gate.engine import MessageEngine

EVENT, PREDICTION = Codec("event", single_object=True), Codec("prediction", single_object=True)
SECRETS = 4


@pytest.fixture
def lab(tmp_path: Path) -> GateLab:
    """Two labels suffice, and a prediction moves much."""
    return GateLab(tmp_path, link=True, least_labels=2, rate=1.0, max_shift=1.5)


def label(offset: int, number: int, said: float) -> Arrived:
    """Return what an analyst said of a message, as it was forwarded."""
    event = {
        "kind": "LABEL",
        "tenant": "acme",
        "id": f"m-{number}",
        "event_id": f"m-{number}",
        "time_us": 1,
        "label": said,
    }
    return Arrived(offset, 0, f"m-{number}".encode(), EVENT.encode(event))


def prediction(offset: int, number: int, chance: float) -> Arrived:
    """Return what the learner said of a verdict, as it was forwarded."""
    numbers = ("y_hlm", "y_sera", "y_meta", "gate", "margin", "rj_gap", "half_diff")
    record = {
        "tenant": "acme",
        "id": f"m-{number}",
        "event_id": f"m-{number}",
        "time_us": 1,
        "step": 1,
        "y_hat": chance,
        "label": None,
        "leaf": bytes(32),
        **dict.fromkeys(numbers, 0.0),
    }
    return Arrived(offset, 0, f"m-{number}".encode(), PREDICTION.encode(record))


def held(count: int) -> list[Arrived]:
    """Return messages with a key in them, which are blocked."""
    return [arrived(n, message(1, id=f"m-{n}", time_us=n)) for n in range(count)]


def shift_of(engine: MessageEngine) -> float:
    """Return where a tenant's thresholds stand."""
    return engine.members["acme"].memory.thresholds.shift


def test_thresholds_move_once_analysts_have_spoken(lab: GateLab) -> None:
    """Predictions before that count nothing; after it each moves, and the next verdict says so."""
    engine = lab.engine()
    run(engine, [*held(4), prediction(4, 0, 0.0)])
    assert shift_of(engine) == 0.0
    run(engine, [label(5, 0, 0.0), label(6, 1, 0.0), prediction(7, 1, 0.1)])
    assert shift_of(engine) == pytest.approx(-0.4)
    [after] = run(engine, [arrived(8, message(13))])
    assert verdict_of(after.outputs["verdicts"][0]["value"])["threshold_shift"] == shift_of(engine)
    [unit] = run(engine, [prediction(9, 2, 0.0), prediction(10, 3, 0.0)])
    assert unit.feedback == {"prediction": 2}
    assert shift_of(engine) == pytest.approx(-1.4)


def test_a_shift_stays_within_its_bounds(lab: GateLab) -> None:
    """However sure the learner is that nobody minds."""
    engine = lab.engine(rate=10.0)
    run(engine, [*held(2), label(2, 0, 1.0), label(3, 1, 1.0), prediction(4, 0, 9.9)])
    assert shift_of(engine) == 1.5


def test_news_counts_once_and_of_held_messages_alone(lab: GateLab) -> None:
    """Twice the same, of a message that passed, of a stranger: thresholds stand still."""
    engine = lab.engine()
    run(engine, [*held(2), arrived(2, message(0, id="m-2"))])
    news = [label(3, 0, 1.0), label(4, 0, 1.0), label(5, 2, 1.0), prediction(6, 77, 1.0)]
    [unit] = run(engine, news)
    assert unit.feedback == {"label": 1, "unmatched": 3}
    assert engine.members["acme"].memory.thresholds.labels == 1


def test_thresholds_follow_from_the_log_however_it_is_cut_and_restored(lab: GateLab) -> None:
    """With news between the messages."""
    records = held(4)
    records += [label(4, 0, 0.0), label(5, 1, 1.0), prediction(6, 0, 0.2)]
    records += [arrived(n, message(n)) for n in range(7, 12)] + [prediction(12, 3, 0.3)]
    records += [arrived(13, message(13))]
    whole = outputs(run(lab.engine(), records))
    assert outputs(run(lab.engine(), records, range(1, len(records)))) == whole
    with lab.store() as store:
        before = run(lab.engine(), records[:6], [2, 5], store)
        assert outputs([*before, *run(lab.restored(store), records[6:], [2])]) == whole


def test_a_stricter_policy_holds_what_a_lenient_one_lets_pass(lab: GateLab) -> None:
    """The shift moves probabilities that rules name, and nothing else."""
    engine = lab.engine()
    run(engine, held(1))
    decisions = {}
    for shift in (-8.0, 0.0, 8.0):
        engine.members["acme"].memory.thresholds.shift = shift
        talk = message(7, body="Let us keep the terms of the merger to ourselves for now.")
        records = [arrived(1, talk | {"id": f"talk{shift}"})]
        records += [arrived(2, message(1, id=f"key{shift}"))]
        [unit] = run(engine, records)
        read = [verdict_of(one["value"])["decision"] for one in unit.outputs["verdicts"]]
        decisions[shift] = read
    assert [of[1] for of in decisions.values()] == ["BLOCK"] * 3
    assert decisions[-8.0][0] == "ALLOW"
    assert decisions[8.0][0] != "ALLOW"


def test_only_news_of_held_messages_is_forwarded(lab: GateLab) -> None:
    """By key first; a label is told from other events; broken records are left to others."""
    engine = lab.engine()
    run(engine, held(2))
    assert engine.awaited == {zlib.crc32(b"m-0"), zlib.crc32(b"m-1")}
    pick = News(
        Codec("event"), EVENT, lambda: engine.awaited, lambda event: event["kind"] == "LABEL"
    )
    wanted, other = label(0, 0, 1.0), label(1, 9, 1.0)
    broken = Record(3, 0, b"m-1", b"\xff")
    picked = pick([Record(*wanted), Record(*other), broken])
    assert picked == [{"key": b"m-0", "value": wanted.value}]
    run(engine, [label(2, 0, 1.0), prediction(3, 0, 1.0)])
    assert engine.awaited == {zlib.crc32(b"m-1")}


def test_marks_are_taken_once(lab: GateLab) -> None:
    """A mark that is set is not set again, across a restart too."""
    engine = lab.engine()
    with lab.store() as store:
        run(engine, held(1), (), store)
        memory: Any = lab.restored(store).members["acme"].memory
    name = memory.name("m-0")
    assert [memory.take(name, mark) for mark in (LABELLED, LABELLED, PREDICTED)] == [
        True,
        False,
        True,
    ]
