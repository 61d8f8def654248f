"""A worker's pace: measured by what it tells, said aloud, and no part of what it finally says."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import CollectorRegistry

from operators.hierarchy.boundaries import BoundaryState, Level, advance
from operators.hierarchy.pace import STEPS, PaceConfig, Plan, Step, Window
from streams.dlp.package import Package
from streams.hierarchy.above import Above
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.metrics import StreamMetrics
from streams.hierarchy.observer import (
    BoundaryType,
    Encoded,
    Ended,
    Metric,
    Observers,
    Paced,
    PredictionType,
    State,
    StateType,
    StreamObserver,
    Taken,
    Updated,
    Verdict,
)
from streams.hierarchy.pacing import WINDOW_S, Pacing
from streams.hierarchy.settings import LogShares, StreamLogSettings
from streams.report.summary import Summary, total
from tests.unit.streams.hierarchy.logs.happenings import Counted, everything, lines

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CONFIG = PaceConfig(calm_windows=3, pause_at=400, resume_at=200, backlog=200)


class Told(StreamObserver):
    """Remembers steps and pauses."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.windows: list[Window] = []
        self.pauses: list[tuple[int, bool]] = []

    def paced(self, what: Paced) -> None:
        """Remember a step."""
        self.steps.append(what.step)
        self.windows.append(what.window)

    def paused(self, partition: int, *, paused: bool) -> None:
        """Remember a pause."""
        self.pauses.append((partition, paused))


def sample(registry: CollectorRegistry, name: str, **labels: str) -> Any:
    """A metric's value."""
    return registry.get_sample_value(name, labels)


def test_the_slowest_hundredth_of_the_tokens_decides() -> None:
    """Calls count by their tokens: 2 slow ones of 100 are over the 99th percentile, 1 is not."""
    for slow, wanted in ((1, 10.0), (2, 90.0)):
        now = [0.0]
        told = Told()
        pacing = Pacing(CONFIG, clock=lambda now=now: now[0])  # type: ignore[misc]
        pacing.encoded(Encoded("s", 0, 100 - slow, 0.010, 0.01))
        pacing.encoded(Encoded("s", 1, slow, 0.090, 0.01))
        pacing.plan(0, told)
        assert told.windows == []
        now[0] += WINDOW_S
        pacing.plan(7, told)
        assert told.windows[0] == Window(wanted, 0.0, 7)


def test_pauses_are_told_once_and_end_with_the_partition() -> None:
    """Who counts paused partitions counts right, whatever happens to them."""
    told, pacing = Told(), Pacing(CONFIG)
    for waiting in (100, 400, 300, 500, 201, 200, 399, 400):
        pacing.pauses(3, waiting, told)
    pacing.forget(3, told)
    pacing.forget(3, told)
    assert told.pauses == [(3, True), (3, False), (3, True), (3, False)]


def test_metrics_show_what_happened() -> None:
    """One of each happening, and each is in a metric."""
    registry = CollectorRegistry()
    metrics = StreamMetrics(registry)
    everything(metrics, "text")
    metrics.encoded(Encoded("s", 9, 4, 0.080, 0.02))
    metrics.updated(Updated("s", 9, StateType.TOPIC, 0.250))
    for name, labels, value in (
        ("weir_tokens_total", {}, 2),
        ("weir_token_seconds_count", {}, 6),
        ("weir_hierarchical_update_seconds_count", {}, 2),
        ("weir_over_budget_total", {"what": "token"}, 4),
        ("weir_over_budget_total", {"what": "update"}, 1),
        ("weir_stream_verdicts_total", {"type": "partial"}, 1),
        ("weir_stream_verdicts_total", {"type": "final"}, 0),
        ("weir_boundaries_total", {"type": "topic"}, 1),
        ("weir_stream_failures_total", {"recovery": "rebuilt_from_checkpoint"}, 1),
        ("weir_pace_step", {}, 1),
        ("weir_pace_changes_total", {"step": "larger_chunks"}, 1),
        ("weir_pace_load", {}, 1.6),
        ("weir_token_partitions_paused", {}, 1),
    ):
        assert sample(registry, name, **labels) == value, name
    metrics.paused(3, paused=False)
    assert sample(registry, "weir_token_partitions_paused") == 0


ABOVE = Above.open(Package.open())
TOKENS = ABOVE.weights.levels.entry.shape[0]
NOTHING = np.zeros(4)


class Simulated:
    """One stream: characters are tokens, levels are real, time is made up.

    Args:
        text: of the stream.
        observer: told.
    """

    def __init__(self, name: str, text: str, observer: StreamObserver) -> None:
        self.name = name
        self.text = text
        self.observer = observer
        self.done = 0
        self.came = 0
        self.outline = ABOVE.outline()
        self.boundaries = BoundaryState()
        self.verdicts: list[Verdict] = []
        self.said_at = -1e9

    def step(self, plan: Plan, now: float, seconds: float, most: int) -> None:
        """Encode what has come, end what has ended, say what is to be said."""
        piece = self.text[self.done : min(self.came, self.done + most)]
        first, self.done = self.done, self.done + len(piece)
        ids = [ord(character) for character in piece]
        self.observer.taken(Taken(self.name, first, ids, list(piece), self.done, "tokens-0", "me"))
        hidden = np.array([np.sin(np.arange(1, TOKENS + 1) * number) for number in ids])
        self.outline.tokens(hidden)
        self.observer.encoded(Encoded(self.name, self.done - 1, len(piece), seconds, seconds))
        self.boundaries, ended = advance(self.boundaries, piece)
        for one in ended:
            if one.level is Level.PARAGRAPH:
                self.outline.paragraph()
            elif self.outline.begins_topic(chance := self.outline.sentence(topics=plan.topics)):
                self.observer.ended(Ended(self.name, BoundaryType.TOPIC, one.end, chance, "", ""))
            kind = BoundaryType(one.level.value)
            before = self.text[one.start : one.end]
            self.observer.ended(Ended(self.name, kind, one.end, None, before, self.text[one.end :]))
        if ended:
            self.observer.updated(Updated(self.name, self.done, StateType.SENTENCE, seconds))
        if self.observer.wanted_states(self.name, range(self.done, self.done + 1)):
            levels = self.outline.read(NOTHING).levels
            self.observer.state(State(self.name, self.done, StateType.TOKEN, levels[0], None, 0))
        if now - self.said_at >= plan.partial_ms / 1e3:
            self.said_at = now
            self._say(PredictionType.PARTIAL, self.outline.read(NOTHING).scores)

    def finish(self) -> None:
        """The final verdict: of the text alone."""
        hidden = np.array([np.sin(np.arange(1, TOKENS + 1) * ord(one)) for one in self.text])
        self._say(PredictionType.FINAL, hidden.mean(0)[:4])

    def _say(self, kind: PredictionType, logits: NDArray[np.float64]) -> None:
        chance = float(1 / (1 + np.exp(-logits[0])))
        made = Verdict(
            self.name, len(self.verdicts), kind, "BLOCK" if chance > 0.5 else "ALLOW",
            max(chance, 1 - chance), {"exposure": chance}, [], 0, 0, 0.01, {"tokens": self.done},
            self.done, Step.NORMAL, "m", "p",
        )  # fmt: skip
        self.verdicts.append(made)
        self.observer.sent(made)


class Worker:
    """Simulates a worker with so many tokens a second to spare; pauses its only partition.

    Args:
        texts: of the streams.
        rate: tokens a second that it can do without degrading.
        observer: told.
    """

    def __init__(self, texts: list[str], rate: float, observer: StreamObserver) -> None:
        self.now = 0.0
        self.pacing = Pacing(CONFIG, clock=lambda: self.now)
        self.observer = Observers(observer, self.pacing)
        self.streams = [Simulated(f"s{n}", text, self.observer) for n, text in enumerate(texts)]
        self.rate = rate
        self.most_waiting = 0

    def run(self, arriving: int) -> None:
        """Take so many characters of each stream a tick of 50 ms, until all have ended."""
        log = deque(range(max(len(stream.text) for stream in self.streams)))
        idle = 0
        while idle < 400:
            waiting = sum(stream.came - stream.done for stream in self.streams)
            if not self.pacing.pauses(0, waiting, self.observer):
                for _ in range(min(arriving, len(log))):
                    log.popleft()
                    for stream in self.streams:
                        stream.came = min(stream.came + 1, len(stream.text))
            waiting = sum(stream.came - stream.done for stream in self.streams)
            self.most_waiting = max(self.most_waiting, waiting)
            plan = self.pacing.plan(waiting, self.observer)
            self._calls(plan)
            self.now += 0.05
            idle = 0 if log or waiting else idle + 1
        for stream in self.streams:
            stream.finish()

    def _calls(self, plan: Plan) -> None:
        """Encode as many tokens as 50 ms are enough for; those that are gathered are cheaper."""
        left = round(0.05 * self.rate * (2.0 if plan.gather_ms > CONFIG.gather_ms else 1.0))
        for stream in sorted(self.streams, key=lambda one: one.done - one.came):
            waiting = min(left, stream.came - stream.done)
            if waiting > 0:
                late = sum(one.came - one.done for one in self.streams) / self.rate
                stream.step(plan, self.now, 0.02 + late / 4, waiting)
                left -= waiting


TEXTS = [
    "One sentence. Another one of this text, no. 3! And so on.\n\nA paragraph. " * 4,
    "The rain in Spain stays mainly in the plain. It falls. 078-05-1120 is a number?\n\n" * 3,
    "no stop at all and no end of it " * 8,
]


def ran(rate: float, observer: StreamObserver | None = None) -> Worker:
    """A worker that did all texts."""
    worker = Worker(TEXTS, rate, observer or StreamObserver())
    worker.run(arriving=3)
    return worker


def test_final_verdicts_do_not_depend_on_the_pace() -> None:
    """A worker with time to spare and one that is far behind say the same in the end."""
    told = Told()
    calm, busy = ran(10_000.0), ran(70.0, told)
    assert set(told.steps) == set(STEPS)
    for one, other in zip(calm.streams, busy.streams, strict=True):
        assert other.done == len(other.text)
        assert len(other.verdicts) < len(one.verdicts) or one.verdicts[:-1] != other.verdicts[:-1]
        assert one.verdicts[-1]._replace(number=0) == other.verdicts[-1]._replace(number=0)


def test_a_worker_that_is_behind_holds_no_more_than_it_may() -> None:
    """Kafka waits, not memory: what waits stays within the mark and what one fetch brings."""
    told = Told()
    busy = ran(30.0, told)
    assert busy.most_waiting <= CONFIG.pause_at + 3 * len(TEXTS)
    assert told.pauses[0] == (0, True)
    assert told.pauses[-1] == (0, False)


def test_it_is_back_to_normal_once_there_is_time() -> None:
    """After the load every step is taken back, in order."""
    told = Told()
    ran(70.0, told)
    assert told.steps[-1] is Step.NORMAL
    changes = [b for a, b in zip(told.steps, told.steps[1:], strict=False) if a is not b]
    assert changes[-3:] == [Step.FEWER_PARTIALS, Step.LARGER_CHUNKS, Step.NORMAL]


def test_logs_metrics_and_report_tell_the_same(tmp_path: Path) -> None:
    """Plugged together, each says what the worker did; and none says what was said."""
    registry = CollectorRegistry()
    metrics = StreamMetrics(registry, CONFIG)
    counts = Counted()
    logs = StreamLogs(StreamLogSettings(shares=LogShares(model_state=0.5)), tmp_path, counts)
    told = Told()
    busy = ran(70.0, Observers(metrics, logs, told))
    logs.close()
    summary = Summary(CONFIG)
    summary.read([tmp_path])

    tokens = sum(map(len, TEXTS))
    assert summary.lines["input_stream"] == tokens
    assert sample(registry, "weir_tokens_total") == tokens
    sent = total(summary.verdicts)
    assert sent["final"] == len(TEXTS)
    assert sent.total() == sum(len(stream.verdicts) for stream in busy.streams)
    assert sample(registry, "weir_stream_verdicts_total", type="partial") == sent["partial"]
    steps = [
        line["context"]["step"]
        for line in lines(tmp_path, "performance")
        if line["metric_name"] == Metric.PACE
    ]
    assert steps == [step.value for step in told.steps]
    assert total(summary.steps) == {step.value: told.steps.count(step) for step in STEPS}
    assert sample(registry, "weir_pace_step") == 0
    assert summary.lines["model_state"] > 0
    assert not summary.damage.counts
    assert not counts.dropped
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for said in (b"078-05", b"Spain", b"sentence of", b"paragraph."):
        assert said not in written
