"""What a report says is what the logs hold, damaged or not, in memory that stays small."""

from __future__ import annotations

import gzip
import json
import math
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.dlp.tags import SCORES
from operators.hierarchy.pace import Step, Window
from streams.hierarchy.logs import records
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.observer import (
    Encoded,
    Metric,
    Paced,
    PredictionType,
    SentSpan,
    StateType,
    Updated,
)
from streams.hierarchy.settings import StreamLogSettings
from streams.report import verdicts
from streams.report.figures import figures
from streams.report.lines import Damage, read
from streams.report.summary import Period, Summary, total
from streams.report.timeline import MOST, Latencies, counted
from streams.report.verdicts import CONFIDENCE
from tests.unit.streams.hierarchy.logs.happenings import Counted, everything, verdict
from tests.unit.streams.report.days import START, Days

if TYPE_CHECKING:
    from pathlib import Path

SESSION = "20261122T180000Z-0123abcd"
BUCKET = 0.0101
"""How far off a percentile may be."""


def summary_of(folder: Path, **period: float) -> Summary:
    """What is in a folder."""
    found = Summary()
    found.read([folder], Period(**period))
    return found


def logging(folder: Path, **values: Any) -> StreamLogs:
    """Logs with a clock that stands still."""
    return StreamLogs(StreamLogSettings(**values), folder, Counted(), clock=lambda: START)


def test_percentiles_are_those_of_the_tokens(tmp_path: Path) -> None:
    """Each token counts, not each call; within one percent of the exact ones."""
    draws = random.Random(3)
    logs = logging(tmp_path)
    times: list[float] = []
    for position in range(2_000):
        count = draws.randint(1, 9)
        took = draws.lognormvariate(2.5, 1.0)
        times += [took] * count
        logs.encoded(Encoded("s", position, count, took / 1e3, took / 2e3))
        logs.updated(Updated("s", position, StateType.SENTENCE, 3 * took / 1e3))
    logs.close()
    told = figures(summary_of(tmp_path))["latency"]
    of = told[Metric.TOKEN]
    assert of["count"] == len(times)
    for share in (50, 95, 99):
        exact = np.percentile(times, share, method="inverted_cdf")
        assert of[f"p{share}_ms"] == pytest.approx(exact, rel=BUCKET)
    assert of["over"] == pytest.approx(np.mean(np.array(times) > 50.0), abs=1e-6)
    assert told[Metric.UPDATE]["count"] == 2_000


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_latencies_give_percentiles_within_a_bucket(times: list[float], share: float) -> None:
    """Whatever was measured."""
    some, others = Latencies(), Latencies()
    for place, took in enumerate(times):
        (some if place % 2 else others).add(took, 1, 50.0)
    some.merge(others)
    exact = sorted(times)[max(1, math.ceil(share * len(times))) - 1]
    assert some.percentiles([share]) == [pytest.approx(exact, rel=BUCKET)]
    assert some.over == sum(took > 50.0 for took in times)


@settings(deadline=None)
@given(st.lists(st.floats(START, START + 10**8), min_size=1, max_size=2_000))
def test_a_timeline_loses_nothing_however_long_it_gets(times: list[float]) -> None:
    """Few intervals, each thing counted once, in the interval of its time."""
    timeline = counted()
    for time in times:
        timeline.at(time)["x"] += 1
    assert len(timeline) <= MOST
    for begin, counts in timeline:
        inside = sum(begin <= time < begin + timeline.width for time in times)
        assert counts["x"] == inside
    assert sum(counts["x"] for _, counts in timeline) == len(times)
    timeline.coarsen(10**7)
    assert total(timeline)["x"] == len(times)


def test_partials_are_judged_by_their_final_verdict(tmp_path: Path) -> None:
    """Calibration, agreement and earliness of three streams, worked out by hand."""
    logs = logging(tmp_path)

    def said(stream: str, number: int, decision: str, chance: float, characters: int) -> None:
        scores = dict.fromkeys(SCORES, chance)
        logs.sent(
            verdict(
                stream, number, decision=decision, scores=scores, confidence=chance,
                characters=characters,
            )
        )  # fmt: skip

    def ended(stream: str, decision: str, chance: float) -> None:
        scores = dict.fromkeys(SCORES, chance)
        logs.sent(
            verdict(
                stream, 9, type=PredictionType.FINAL, decision=decision, scores=scores,
                characters=100,
            )
        )  # fmt: skip

    said("right", 0, "ALLOW", 0.2, 10)
    said("right", 1, "BLOCK", 0.8, 35)
    said("right", 2, "BLOCK", 0.8, 90)
    said("wrong", 0, "BLOCK", 0.8, 50)
    ended("wrong", "ALLOW", 0.1)
    ended("right", "BLOCK", 0.9)
    ended("alone", "ALLOW", 0.1)
    said("open", 0, "ALLOW", 0.2, 10)
    logs.close()

    judged = summary_of(tmp_path).judged
    of = judged.reliability["exposure"]
    assert of.counts.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 3, 0]
    assert of.came_true.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 2, 0]
    assert of.error == pytest.approx((0.8 + abs(3 * 0.8 - 2)) / 4, abs=0.005)
    confidence = judged.reliability[CONFIDENCE]
    assert confidence.came_true.tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 2, 0]
    assert judged.earliness.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    assert judged.partials.tolist() == [0, 1, 0, 1, 0, 1, 0, 0, 0, 1]
    assert judged.agreed.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    assert judged.finals == {"ALLOW": 2, "BLOCK": 1}
    assert judged.still_open == 1
    assert judged.characters == 300


def test_revisions_are_told_of_the_spans_that_were_shown(tmp_path: Path) -> None:
    """Two of four spans were taken back: half, however often each was shown."""
    logs = logging(tmp_path)
    spans = [SentSpan(number, "SSN", 0, 9, 0.9) for number in range(4)]
    logs.sent(verdict("s", 0, spans=spans[:3]))
    logs.sent(verdict("s", 1, spans=spans, revised=1))
    logs.sent(verdict("s", 2, type=PredictionType.FINAL, spans=spans[:3], withdrawn=1))
    logs.close()
    told = figures(summary_of(tmp_path))
    assert told["spans_shown"] == 4
    assert told["spans_taken_back"] == {"revised": 1, "withdrawn": 1}
    assert told["revision_rate"] == 0.5


def test_a_stream_that_moves_to_another_worker_is_one_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partials of one session are judged by the final verdict of a later one."""
    sessions = iter(["20261122T180000Z-ffffffff", "20261122T180001Z-00000000"])
    monkeypatch.setattr("streams.hierarchy.logs.stream_logs.new_session", lambda: next(sessions))
    first = logging(tmp_path / "b")
    first.sent(verdict("s", 0, characters=10))
    first.close()
    second = logging(tmp_path / "a")
    second.sent(verdict("s", 1, type=PredictionType.FINAL, characters=20))
    second.close()
    summary = Summary()
    summary.read([tmp_path / "a", tmp_path / "b"])
    assert summary.judged.partials.sum() == 1
    assert len(summary.sessions) == 2


def test_steps_and_losses_are_told(tmp_path: Path) -> None:
    """How long which step was in force, what waited, and what the logs themselves lack."""
    logs = logging(tmp_path)
    for step in (Step.NORMAL, Step.LARGER_CHUNKS, Step.LARGER_CHUNKS):
        logs.paced(Paced(Step.NORMAL, step, Window(1.0, 1.0, 700), 0.4))
    logs.sent(verdict(scores={"exposure": float("inf")}))
    logs.close()
    summary = summary_of(tmp_path)
    assert figures(summary)["steps"] == {"normal": 1, "larger_chunks": 2}
    assert summary.dropped == {("predictions", "record"): 1}
    [(_, load)] = summary.load
    assert load[Metric.WAITING] == 700


def damaged(folder: Path) -> dict[str, int]:
    """Write everything, and then damage; return what is still whole."""
    logs = logging(folder)
    for number in range(20):
        everything(logs, "text", f"s{number}")
    logs.close()
    whole = figures(summary_of(folder))["records"]
    assert isinstance(whole, dict)
    for path in folder.iterdir():
        lines = path.read_bytes().splitlines(keepends=True)
        lines[3] = b'{"timestamp": 1795\n'
        lines[5] = lines[5][:40] + b"\n"
        lines[7] = b"\xff\xfe\x00\n"
        lines[8] = b"[1, 2]\n"
        lines[9] = json.dumps({**json.loads(lines[9]), "timestamp": 5e11}).encode() + b"\n"
        lines[10] = json.dumps({**json.loads(lines[10]), "session_id": None}).encode() + b"\n"
        lines[-1] = lines[-1][:-10]
        path.write_bytes(b"".join([*lines[:12], b"\n \n", *lines[12:]]))
    return whole


def test_damaged_lines_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    """Torn, garbled, of another form or time: seven lines less in each log, and each is told."""
    whole = damaged(tmp_path)
    summary = summary_of(tmp_path)
    for log, count in whole.items():
        assert summary.lines[log] == count - 7
    kinds = {kind for _, kind in summary.damage.counts}
    assert kinds == {
        "no JSON", "no JSON object", "impossible time", "torn at the end of a file",
        "fields missing or of the wrong type",
    }  # fmt: skip
    assert summary.damage.counts.total() == 7 * len(whole)
    assert all(":" in place for places in summary.damage.places.values() for place in places)


ODD: tuple[Any, ...] = (
    None, True, -1, 0, 10**400, 1.5, float("nan"), -float("inf"), "", "final", "pace_step", [], [1],
    [{}], [{"id": "x"}], {}, {"decision": 1}, {"tokens": -5, "step": []},
    {"decision": "ALLOW", "scores": {"exposure": 7}, "spans": [{"id": 1e300}]},
    {"characters": -4, "revised": "1"}, {"characters": 0, "position": {}},
)  # fmt: skip


@pytest.mark.parametrize("log", records.NAMES)
def test_no_line_is_fatal(tmp_path: Path, log: str) -> None:
    """Whatever its fields hold, a line is read or counted, and a page can be made."""
    draws = random.Random(log)
    names = {name for kind in records.LOGS for name in kind._fields}
    lines = [
        {name: draws.choice(ODD) for name in names} | {"timestamp": START, "session_id": "s/t"}
        for _ in range(400)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / f"{log}_{SESSION}.jsonl").write_text(text, encoding="utf-8")
    summary = summary_of(tmp_path)
    assert summary.lines[log] + summary.damage.counts.total() == 400
    json.dumps(figures(summary), allow_nan=False)


def test_packed_files_are_read_and_one_that_ends_early_up_to_there(tmp_path: Path) -> None:
    """Which are packed is told by their names."""
    logs = logging(tmp_path)
    for number in range(500):
        logs.sent(verdict("s", number))
    logs.close()
    path = tmp_path / f"predictions_{logs.session}.jsonl"
    packed = path.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert summary_of(tmp_path).lines["predictions"] == 500
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size // 2])
    torn = summary_of(tmp_path)
    assert 0 < torn.lines["predictions"] < 500
    assert ("predictions", "packed file ends early or is damaged") in torn.damage.counts


def test_a_line_without_end_is_no_way_to_fill_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beginning is looked at, its end is skipped, and the next line is read."""
    monkeypatch.setattr("streams.report.lines.LONGEST", 1_000)
    good = json.dumps({"timestamp": START}).encode()
    path = tmp_path / f"predictions_{SESSION}.jsonl"
    path.write_bytes(good + b"\n" + b"x" * 5_500 + b"\n" + good + b"\n")
    damage = Damage()
    assert [number for number, _ in read(path, "predictions", damage)] == [1, 3]
    assert damage.counts == {("predictions", "torn or too long"): 1}


def test_only_the_time_that_is_asked_for_counts(tmp_path: Path) -> None:
    """From the first moment on, before the last."""
    days = Days(tmp_path, StreamLogSettings())
    days.run(hours=10, streams_an_hour=2)
    summary = summary_of(tmp_path, since=START + 3 * 3_600, until=START + 5 * 3_600)
    assert START + 3 * 3_600 <= summary.first <= summary.last < START + 5 * 3_600
    assert summary.lines["input_stream"] == 2 * 2 * 32


def test_memory_does_not_grow_with_the_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six times the records, streams that never end among them: hardly more memory."""
    monkeypatch.setattr(verdicts, "OPEN", 20)

    def peak(folder: Path, streams: int) -> int:
        logs = logging(folder, queue_records=10**6)
        for stream in range(streams):
            for number in range(20):
                logs.sent(verdict(f"s{stream}", number, characters=number + 1))
                logs.encoded(Encoded(f"s{stream}", number, 3, 0.01 + 0.0001 * number, 0.0))
        logs.close()
        tracemalloc.start()
        summary = summary_of(folder)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert summary.judged.without_final == streams - 20
        return most

    peak(tmp_path / "warm", 30)
    assert peak(tmp_path / "many", 600) < 1.2 * peak(tmp_path / "few", 100)


def test_a_long_stream_is_thinned_evenly(tmp_path: Path) -> None:
    """Of a stream with very many partials, as many as are kept, all over its text."""
    logs = logging(tmp_path)
    for number in range(1_500):
        logs.sent(verdict("s", number, characters=number + 1))
    logs.sent(verdict("s", 1_500, type=PredictionType.FINAL, characters=1_500))
    logs.close()
    judged = summary_of(tmp_path).judged
    assert verdicts.PARTIALS // 2 <= judged.partials.sum() <= verdicts.PARTIALS
    assert judged.partials.max() - judged.partials.min() <= 1
