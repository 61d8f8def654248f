"""A shard of tokens without Kafka: what comes in units of work, and what the log makes of time."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from operators.hierarchy.pace import STEPS, Step
from schemas.codec import Codec
from state import stream_keys
from state.stream_keys import StreamKey
from streams.hierarchy.codecs import AHEAD_US, IDLE
from streams.hierarchy.engine import TokenEngine
from streams.hierarchy.in_memory import MemoryTable
from streams.hierarchy.observer import BoundaryType, Encoded, StreamObserver
from streams.hierarchy.pacing import WINDOW_S, Pacing
from streams.hierarchy.worker import driver_config, token_codecs
from streams.kafka.reader import Record
from streams.kafka.topics import MAX_RECORD_BYTES
from streams.settings import load_settings
from streams.shard import restore
from tests.unit.streams.hierarchy.under_test import fickle, model, secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from operators.hierarchy.pace import Plan
    from streams.hierarchy.model import StreamModel
    from streams.hierarchy.observer import Ended, Paced, Verdict
    from streams.keys import CellKeys
    from streams.shard.unit import UnitOfWork

SECOND = 1_000_000
IDLE_S = 300
KEPT_S = 3_600
TEXT = "My card is 4111 1111 1111 1111. "

pytestmark = pytest.mark.slow


class ShardOfTokens:
    """An engine, its log and its table."""

    def __init__(
        self,
        keys: CellKeys | None = None,
        made: StreamModel | None = None,
        *,
        defers: bool = False,
        **settings: Any,
    ) -> None:
        self.defers = defers
        self.words: list[StreamKey] = []
        self.keys = keys or secrets()
        self.model = made or model()
        self.most_bytes = 10**9
        self.settings = load_settings(**settings)
        self.table = MemoryTable()
        self.offset = 0
        self.late = 0
        self.units: list[UnitOfWork] = []
        self.told: list[Verdict] = []
        self.plan: Callable[[], Plan] | None = None
        self.open()

    def open(self) -> None:
        """Begin anew from the table."""
        shard = self

        class Told(StreamObserver):
            def left_out(self, pieces: int) -> None:
                shard.late += pieces

            def sent(self, what: Verdict) -> None:
                shard.told.append(what)

        settings = self.settings
        self.executor = ThreadPoolExecutor(1)
        self.engine = TokenEngine(
            0, self.model, token_codecs(settings, self.model, MAX_RECORD_BYTES),
            driver_config(settings), Told(), keys=self.keys, application_id="test",
            max_tenants=settings.stream.max_tenants, source_topic="tokens",
            idle_us=IDLE_S * SECOND, remember_us=KEPT_S * SECOND,
            most_bytes=lambda: shard.most_bytes, executor=self.executor, plan=self.plan,
            judged=self.words.append if self.defers else None,
        )  # fmt: skip
        reached, committed = restore.load_records(self.engine, self.table, "table")
        assert reached == committed
        self.engine.open(self.table)

    def take(self, *pieces: dict[str, Any] | bytes, ahead_s: int = 0) -> list[dict[str, Any]]:
        """One unit of work; the verdicts that it gave."""
        records = []
        for one in pieces:
            value = one if isinstance(one, bytes) else Codec("token").encode(one)
            at_ms = 0 if isinstance(one, bytes) else (one["time_us"] // 1_000) - ahead_s * 1_000
            records.append(Record(self.offset, at_ms, None, value))
            self.offset += 1
        self.unit = self.engine.process(records)
        self.table.write(self.unit.state)
        self.units.append(self.unit)
        self.engine.committed()
        decode = Codec("verdict").decode
        return [decode(message["value"]) for message in self.unit.outputs["verdicts"]]

    def judged(self) -> list[StreamKey]:
        """Streams that had ended and have been judged since the last call; waits for that."""
        self.executor.submit(int).result()
        found, self.words[:] = list(self.words), []
        return found

    def word(self, key: StreamKey) -> bytes:
        """Word of a stream, as it comes in the log."""
        return token_codecs(self.settings, self.model, MAX_RECORD_BYTES).judged(key)

    def quarantined(self) -> list[dict[str, Any]]:
        """Quarantine records of the last unit."""
        return [Codec("quarantine").decode(value) for _, value, _ in self.unit.quarantine]


def token(stream: str, position: int, text: str | None, second: int, **more: Any) -> dict[str, Any]:
    """A piece; without text an END."""
    return {
        "tenant": "acme", "stream_id": stream, "position": position, "text": text,
        "operation": "APPEND" if text is not None else "END", "time_us": second * SECOND, **more,
    }  # fmt: skip


def finals(found: list[dict[str, Any]]) -> list[str]:
    """Streams that had a final verdict."""
    return [one["target_id"] for one in found if one["status"] == "FINAL"]


def test_stream_times_out_by_the_time_of_the_log() -> None:
    """Before the piece that shows it, in one unit of work or another, across restarts."""
    for restarts in (False, True):
        shard = ShardOfTokens()
        shard.take(token("a", 0, TEXT, 1_000), token("b", 0, TEXT, 1_200))
        if restarts:
            shard.open()
        assert finals(shard.take(token("b", len(TEXT), TEXT, 1_000 + IDLE_S - 1))) == []
        if restarts:
            shard.open()
        found = shard.take(token("c", 0, TEXT, 1_000 + IDLE_S))
        assert finals(found) == ["a"]
        assert found[0]["time_us"] == 1_000 * SECOND
        assert finals(shard.take(token("b", 2 * len(TEXT), None, 1_400))) == ["b"]


def test_clock_far_ahead_ends_no_other_stream() -> None:
    """A piece counts as at most a minute ahead of its record."""
    shard = ShardOfTokens()
    shard.take(token("a", 0, TEXT, 1_000))
    found = shard.take(token("b", 0, TEXT, 100_000), ahead_s=100_000 - 1_010)
    assert finals(found) == []
    assert AHEAD_US < IDLE_S * SECOND


def test_stream_that_has_ended_stays_so_for_a_while() -> None:
    """An END that is sent again gives no second verdict, also after a restart; until it expires."""
    shard = ShardOfTokens()
    assert finals(shard.take(token("a", 0, TEXT, 10), token("a", len(TEXT), None, 11))) == ["a"]
    assert shard.engine.has_ended(StreamKey("acme", "a"))
    shard.open()
    assert shard.take(token("a", len(TEXT), None, 12), token("a", 0, TEXT, 12)) == []
    assert shard.late == 2
    shard.take(token("b", 0, TEXT, 11 + KEPT_S))
    assert stream_keys.ended_key(StreamKey("acme", "a")) not in shard.table
    shard.take(token("a", 0, TEXT, 12 + KEPT_S))
    assert stream_keys.head_key(StreamKey("acme", "a")) in shard.table


def test_end_for_silence_counts_only_if_there_was_silence() -> None:
    """It carries the time of the newest piece that its sender knew of."""
    shard = ShardOfTokens()
    silent = {"metadata": {"source": IDLE}}
    shard.take(token("a", 0, TEXT, 10))
    assert shard.engine.open_streams() == {StreamKey("acme", "a"): 10 * SECOND}
    shard.take(token("a", len(TEXT), TEXT, 20))
    assert shard.take(token("a", 0, None, 10, **silent)) == []
    assert finals(shard.take(token("a", 0, None, 20, **silent))) == ["a"]


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (b"no token", "BAD_AVRO"),
        (token("a", -1, TEXT, 1), "BAD_FIELD"),
        (token("", 0, TEXT, 1), "BAD_FIELD"),
        (token("a", 0, None, 1, operation="APPEND"), "BAD_FIELD"),
        (token("a", 0, None, 1, operation="APPEND", token_ids=[5]), "WRONG_TOKENIZER"),
        (token("a", 7, "x", 1, operation="REPLACE", replace_end=3), "BAD_FIELD"),
    ],
)
def test_what_cannot_be_used_is_quarantined(piece: dict[str, Any] | bytes, reason: str) -> None:
    """With its bytes and its reason; the streams beside it go on, and no stream begins with it."""
    shard = ShardOfTokens()
    shard.take(token("b", 0, TEXT, 1), piece)
    [found] = shard.quarantined()
    assert found["reason"] == reason
    assert found["offset"] == 1
    assert shard.unit.quarantined == {reason: 1}
    assert set(shard.engine.open_streams()) == {StreamKey("acme", "b")}


def test_stream_is_told_of_on_demand() -> None:
    """What it would say now, the word that is not complete included; nothing changes by asking."""
    shard = ShardOfTokens()
    key = StreamKey("acme", "a")
    assert shard.engine.seen(key) is None
    shard.take(token("a", 0, "my card: 4111 1111 1111 1111", 1))
    before = dict(shard.table)
    for _ in range(2):
        said = shard.engine.seen(key)
        assert said is not None
        assert [span.type for span in said.found.spans] == ["PAN"]
        shard.open()
    assert dict(shard.table) == before


class Slow(StreamObserver):
    """Makes the calls of an engine as long as they are to be, and takes down what became of that.

    Args:
        shard: whose engine it paces, by a clock of its own.
    """

    def __init__(self, shard: ShardOfTokens) -> None:
        self.now = 0.0
        self.pacing = Pacing(shard.settings.pace, clock=lambda: self.now)
        self.steps: list[Step] = []
        self.boundaries: list[tuple[BoundaryType, Step]] = []
        self.plans: list[Plan] = []
        shard.plan = self.plan
        shard.open()
        shard.engine.driver._observer = self  # noqa: SLF001 - in place of what only counts

    def plan(self) -> Plan:
        """What is done now."""
        self.plans.append(self.pacing.plan(0, self))
        return self.plans[-1]

    def window(self, token_ms: float) -> None:
        """End a window, in which tokens took that long."""
        self.now += WINDOW_S
        self.pacing.encoded(Encoded("another", 0, 9, token_ms / 1_000, 0.0))

    def paced(self, what: Paced) -> None:
        """Take down a step."""
        self.steps.append(what.step)

    def ended(self, what: Ended) -> None:
        """Take down a boundary, and the step at which it was found."""
        self.boundaries.append((what.type, self.pacing.pace.step))


def paced(token_ms: Callable[[int], float], text: str) -> tuple[Slow, list[dict[str, Any]]]:
    """A text written in pieces of 20, one each half second, by a worker whose tokens take so long.

    Gives what became of the pace, and the verdicts.
    """
    shard = ShardOfTokens(made=fickle())
    slow, found = Slow(shard), []
    for number, at in enumerate(range(0, len(text), 20)):
        slow.window(token_ms(number))
        one = token("a", at, text[at : at + 20], 0)
        found += shard.take({**one, "time_us": number * SECOND // 2})
    found += shard.take(token("a", len(text), None, len(text)))
    return slow, found


def gaps(verdicts: list[dict[str, Any]], rarely: list[bool]) -> list[int]:
    """Times between partial verdicts where they are to come rarely, by number of the piece."""
    pairs = itertools.pairwise(one["time_us"] for one in verdicts)
    return [after - before for before, after in pairs if rarely[2 * after // SECOND]]


def test_worker_that_is_behind_does_less_step_by_step_and_judges_the_same() -> None:
    """Partial verdicts come less often, topics rest, and the final verdict does not know of it.

    It is behind in the middle, and has come back by the end.
    """
    text = "".join(
        f"Card {number}: 4111 1111 1111 1111, or call +49 30 {1234567 + number}. The cat is sick. "
        f"Deploy it with kubectl, the password is hunter{number}secret! "
        for number in range(18)
    )
    calm, verdicts = paced(lambda _: 30.0, text)
    slow, fewer = paced(lambda number: 90.0 if 20 <= number < 50 else 30.0, text)
    assert set(calm.steps) == {Step.NORMAL}
    assert set(slow.steps) == set(STEPS)
    last, same = verdicts.pop(), fewer.pop()
    assert last["status"] == same["status"] == "FINAL"
    # Verdicts are counted, and spans called by numbers in the order in which they were told.
    counted = {"spans", "sequence"}
    assert {k: v for k, v in same.items() if k not in counted} == {
        k: v for k, v in last.items() if k not in counted
    }
    spans = [[{**one, "span_id": ""} for one in of["spans"]] for of in (last, same)]
    assert spans[0] == spans[1] != []
    rarely = [plan.partial_ms == slow.pacing.config.partial_longer_ms for plan in slow.plans]
    assert min(gaps(verdicts, rarely)) == SECOND // 2
    assert min(gaps(fewer, rarely)) >= 2 * SECOND
    resting = [kind for kind, step in slow.boundaries if step is Step.NO_TOPICS]
    assert BoundaryType.TOPIC not in resting
    assert BoundaryType.SENTENCE in resting
    topics = [step for kind, step in slow.boundaries if kind is BoundaryType.TOPIC]
    assert topics
    assert len(topics) < [kind for kind, _ in calm.boundaries].count(BoundaryType.TOPIC)
