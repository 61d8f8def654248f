"""Questions see what has been committed, whole, and change nothing; real cells, Kafka in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from schemas.codec import Codec
from streams.backtest import state_digest
from streams.kafka.reader import Record
from streams.replay.compare import read_audit, read_prediction
from streams.service import queries
from streams.service.answers import FuseAnswer
from streams.service.bodies import FusePredict, HlmPredict, SeraQuery
from streams.shard.questions import AT_ONCE, NotServing
from tests.unit.streams.test_shard_life import (
    PATIENCE_S,
    SOURCE,
    Lab,
    settle,
    standing,
    take,
)

if TYPE_CHECKING:
    from streams.shard.engine import Engine
    from streams.shard.shard import Shard

EVENTS = 120
BODY = FusePredict(
    tenant="acme", id="id-1", feature_ids=[1, 2, 8], feature_values=[0.5, -1.0, 2.0],
    query=[0.1, 0.7], context={"channel": "web"},
)  # fmt: skip
PLACE = queries.Place(SOURCE, 0)


def asked(engine: Engine) -> FuseAnswer:
    """Ask the one question of this file."""
    return queries.fuse_predict(engine, PLACE, BODY)


def undisturbed(lab: Lab) -> dict[int, FuseAnswer]:
    """Return the answer at each offset of a shard that steps event by event."""
    shard = lab.shard("reference")
    found = {}
    for offset in range(EVENTS):
        shard.engine.process([lab.kafka.source[offset]])
        found[offset + 1] = asked(shard.engine)
    shard.store.close()
    return found


async def test_no_answer_is_torn_while_the_shard_steps(lab: Lab) -> None:
    """Whatever falls between whichever units, each answer is that of its offset, to the bit."""
    lab.kafka.send(EVENTS)
    expected = undisturbed(lab)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 1))
    answers: list[FuseAnswer] = []

    async def ask_on() -> None:
        while shard.next_offset != EVENTS:
            answers.append(await shard.ask(asked))

    async with asyncio.timeout(PATIENCE_S):
        askers = [asyncio.create_task(ask_on()) for _ in range(8)]
        for start in range(1, EVENTS, 7):
            await shard.offer(lab.kafka.fetch(start, min(start + 7, EVENTS)))
            await asyncio.sleep(0)
        await asyncio.gather(*askers)
    await settle(shard)
    offsets = {answer.as_of.offset for answer in answers}
    assert len(offsets) > 5
    for answer in answers:
        assert answer == expected[answer.as_of.offset]
    assert lab.failures == []


async def test_being_asked_changes_no_byte(lab: Lab) -> None:
    """State, chain, dirty blocks and outputs are those of a shard that nobody asked."""
    lab.kafka.send(40)
    quiet = lab.opened("quiet")
    await take(quiet, lab.kafka.fetch(0))
    expected = standing(quiet)
    outputs, lab.kafka.outputs = lab.kafka.outputs, []
    lab.kafka.changelog.clear()
    lab.kafka.committed = None

    shard = lab.opened("asked")
    for start in range(0, 40, 4):
        await take(shard, lab.kafka.fetch(start, start + 4))
        before = standing(shard)
        for question, body in (
            (queries.fuse_predict, BODY),
            (queries.hlm_predict, HlmPredict(tenant="acme", id="x", features={"never seen": 1.0})),
            (queries.sera_query, SeraQuery(tenant="acme", id="x", query=[1.0, 2.0])),
        ):
            await shard.ask(lambda engine, q=question, b=body: q(engine, PLACE, b))  # type: ignore[misc]
        assert standing(shard) == before
    assert standing(shard) == expected
    assert lab.kafka.outputs == outputs
    assert state_digest(shard.engine.tenants["acme"]) == state_digest(quiet.engine.tenants["acme"])


async def test_an_answer_waits_for_the_commit(lab: Lab) -> None:
    """While a unit is stepped but not committed, nothing of it is told."""
    lab.kafka.send(10)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 5))
    lab.kafka.commits.clear()
    await shard.offer(lab.kafka.fetch(5))
    answer = asyncio.create_task(shard.ask(asked))
    async with asyncio.timeout(PATIENCE_S):
        while shard.engine.next_offset != 10:  # noqa: ASYNC110 - the shard has no such event
            await asyncio.sleep(0)
    done, _ = await asyncio.wait([answer], timeout=0.05)
    assert not done
    lab.kafka.commits.set()
    assert (await answer).as_of.offset == 10


async def test_a_failed_commit_is_never_told_of(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is ahead of the log then: whoever asks is turned away."""
    lab.kafka.send(10)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 5))

    def fail(_: Any) -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(lab.kafka, "commit", fail)
    await shard.offer(lab.kafka.fetch(5))
    with pytest.raises(NotServing):
        await shard.ask(asked)
    assert len(lab.failures) == 1


async def test_a_paused_shard_turns_questions_away(lab: Lab) -> None:
    """During a rebalance it may be another worker's by now; afterwards it answers again."""
    lab.kafka.send(10)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0))
    await shard.pause()
    with pytest.raises(NotServing, match="ask again"):
        await shard.ask(asked)
    shard.resume()
    assert (await shard.ask(asked)).as_of.offset == 10


async def test_questions_and_units_take_turns(lab: Lab) -> None:
    """More questions than are answered at once do not keep the shard from its events."""
    lab.kafka.send(30)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0, 10))
    crowd = [asyncio.create_task(shard.ask(asked)) for _ in range(3 * AT_ONCE)]
    await asyncio.sleep(0)
    await shard.offer(lab.kafka.fetch(10))
    async with asyncio.timeout(PATIENCE_S):
        answers = await asyncio.gather(*crowd)
    await settle(shard)
    assert shard.next_offset == 30
    offsets = [answer.as_of.offset for answer in answers]
    assert offsets == sorted(offsets)
    assert offsets[0] == 10 < offsets[-1]


async def test_who_gives_up_leaves_the_others_their_answers(lab: Lab) -> None:
    """A cancelled question, and one that fails, concern nobody else."""
    lab.kafka.send(5)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0))

    def fails(_: Engine) -> int:
        raise ValueError("asked the wrong thing")

    tasks = [asyncio.create_task(shard.ask(one)) for one in (asked, fails, asked)]
    tasks[0].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert isinstance(found[1], ValueError)
    assert isinstance(found[2], FuseAnswer)
    assert found[2].as_of.offset == 5


async def test_an_answer_is_what_the_next_event_is_predicted(lab: Lab) -> None:
    """Query, then send the event: the same numbers to the bit, with names, ids and context."""
    lab.kafka.send(60)
    shard = lab.opened()
    await take(shard, lab.kafka.fetch(0))
    body = BODY.model_copy(update={"features": {"amount": 3.25, "hour=3": 1.0}})
    answer = await shard.ask(lambda engine: queries.fuse_predict(engine, PLACE, body))
    row = step_of(shard, body)
    for name in ("y_hat", "y_sera", "y_hlm", "y_gate", "y_meta", "y_feature", "gate"):
        assert getattr(answer, name) == row[name], name
    assert answer.diagnostics.den == row["den"]
    assert answer.diagnostics.rj_gap == row["rj_gap"]
    assert answer.versions.ver_sera == row["ver_sera"]
    assert answer.as_of.step + 1 == row["step"]
    assert answer.as_of.chain_head == row["prev"].hex()


def step_of(shard: Shard, body: FusePredict) -> dict[str, Any]:
    """Let a shard's engine step the event of a body; return the prediction and the audit leaf."""
    value = Codec("event").encode(body.event() | {"event_id": "e", "time_us": 1})
    unit = shard.engine.process([Record(60, 0, b"id-1", value)])
    return read_audit(unit.outputs["audit"][0]["value"]) | read_prediction(
        unit.outputs["predictions"][0]["value"]
    )
