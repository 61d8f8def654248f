"""Six logs hold what happened, in the fields of the seed, and nothing of what was said."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigError, StateError
from streams.hierarchy.logs import records
from streams.hierarchy.logs.stream_logs import StreamLogs
from streams.hierarchy.observer import (
    BoundaryType,
    Encoded,
    Ended,
    PredictionType,
    State,
    StateType,
    Taken,
    Updated,
)
from streams.hierarchy.settings import LogShares, StreamLogSettings
from streams.settings import load_settings
from tests.unit.streams.hierarchy.logs.happenings import Counted, everything, lines, verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL = LogShares(model_state=1.0)

# Seed, section 2.1.
SEED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "input_stream": {
        "timestamp": float, "session_id": str, "token_id": int, "token_text": str,
        "token_position": int, "buffer_size": int, "metadata": dict,
    },
    "model_state": {
        "timestamp": float, "session_id": str, "state_type": str, "representation": list,
        "attention_weights": list, "cache_size_mb": float, "metadata": dict,
    },
    "predictions": {
        "timestamp": float, "session_id": str, "prediction_id": int, "prediction_type": str,
        "output": dict, "confidence": float, "buffer_state": dict, "latency_ms": float,
        "metadata": dict,
    },
    "performance": {
        "timestamp": float, "session_id": str, "metric_name": str, "metric_value": float,
        "unit": str, "context": dict,
    },
    "failures": {
        "timestamp": float, "session_id": str, "failure_id": str, "failure_type": str,
        "exception": str, "stack_trace": str, "context": dict, "recovery_action": str,
        "recovery_success": bool,
    },
    "boundaries": {
        "timestamp": float, "session_id": str, "boundary_type": str, "position": int,
        "confidence": float, "detected_by": str, "context_before": str, "context_after": str,
    },
}  # fmt: skip


def logged(folder: Path, text: str, **values: Any) -> Counted:
    """Log one of each happening, to the end."""
    counts = Counted()
    logs = StreamLogs(StreamLogSettings(**{"shares": ALL, **values}), folder, counts)
    everything(logs, text)
    logs.close()
    return counts


@pytest.mark.parametrize("contents", ["redacted", "raw"])
def test_fields_are_those_of_the_seed_in_name_order_and_type(tmp_path: Path, contents: str) -> None:
    """Whoever reads the seed can read the logs."""
    counts = logged(tmp_path, "a text.", contents=contents)
    assert counts.dropped == {}
    for log, fields in SEED.items():
        found = lines(tmp_path, log)
        assert len(found) == counts.written[log] > 0
        for record in found:
            assert list(record) == list(fields)
            for name, kind in fields.items():
                assert type(record[name]) is kind, (log, name)


def test_each_log_has_one_file_a_session(tmp_path: Path) -> None:
    """A session's six files bear its name, and records name it and their stream."""
    logs = StreamLogs(StreamLogSettings(shares=ALL), tmp_path, Counted())
    everything(logs, "text", "tenant:chat/9")
    logs.close()
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{log}_{logs.session}.jsonl" for log in SEED
    }
    for log in SEED:
        sessions = {record["session_id"].partition("/")[::2] for record in lines(tmp_path, log)}
        of_worker = {(logs.session, "")} if log == "performance" else set()
        assert sessions == {(logs.session, "tenant:chat/9")} | of_worker


# Nothing that the program itself could write: other scripts, or letters around rare signs.
texts = st.text(st.characters(min_codepoint=0xA0), min_size=2, max_size=60) | st.from_regex(
    r"[a-z0-9]{2}[#@$&;][A-Za-z0-9]{2}[#@$&;][ a-z0-9]{2,30}", fullmatch=True
)


@settings(deadline=None)
@given(texts)
def test_nothing_of_a_text_is_in_any_file(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Whatever was said: neither it nor its beginning, plain or escaped, nor its tokens' ids."""
    folder = tmp_path_factory.mktemp("logs")
    logged(folder, text)
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    for piece in (text, text[:6]):
        for form in (piece, json.dumps(piece)[1:-1], repr(piece)[1:-1], ascii(piece)[1:-1]):
            assert form.encode("utf-8", "surrogatepass") not in written
    for record in lines(folder, "input_stream"):
        assert record["token_id"] == -1


def test_a_secret_is_in_no_file_whatever_the_way(tmp_path: Path) -> None:
    """Grepped as one would: number, mail and password, whole and by their telling parts."""
    said = "ssn 078-05-1120, mail ana.lima@example.org, password Tr0ub4dor&3"
    logged(tmp_path, said)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir()).decode()
    for part in ("078-05", "05-1120", "ana.lima", "example.org", "Tr0ub4dor", "password"):
        assert part not in written
    assert f"[TEXT:{len(said)}]" in written


def test_raw_is_raw(tmp_path: Path) -> None:
    """The explicit setting writes texts, ids, vectors, users and messages as they are."""
    text = "ssn 078-05-1120 ☎"
    logged(tmp_path, text, contents="raw")
    token, _ = lines(tmp_path, "input_stream")
    assert (token["token_text"], token["token_id"]) == (text, 101)
    assert token["metadata"] == {"source": "tokens-0", "user_id": text}
    [failure] = lines(tmp_path, "failures")
    assert failure["exception"] == f"builtins.RuntimeError: {text} held"
    assert f"ValueError: {text}" in failure["stack_trace"]
    [state] = lines(tmp_path, "model_state")
    assert len(state["representation"]) == 128
    assert state["metadata"]["form"] == "vector"
    assert lines(tmp_path, "boundaries")[0]["context_before"] == text


def test_a_trace_leads_to_the_place(tmp_path: Path) -> None:
    """Without messages a failure still says class, file, line and what led to it."""
    logged(tmp_path, "☎ secret")
    [failure] = lines(tmp_path, "failures")
    assert failure["exception"] == "builtins.RuntimeError: [TEXT:13]"
    first, second = failure["stack_trace"].split("\n\n")
    assert first.endswith("builtins.ValueError: [TEXT:8]")
    assert second.endswith("builtins.RuntimeError: [TEXT:13]\n")
    assert "happenings.py" in first
    assert failure["recovery_action"] == "rebuilt_from_checkpoint"


def test_sketches_keep_distances_and_hide_vectors(tmp_path: Path) -> None:
    """Near stays near and far stays far within a session; sessions cannot be compared."""
    rng = np.random.default_rng(4)
    one = rng.standard_normal(128)
    vectors = [one, one + 0.05 * rng.standard_normal(128), rng.standard_normal(128)]
    for folder in (tmp_path / "a", tmp_path / "b"):
        logs = StreamLogs(StreamLogSettings(shares=ALL), folder, Counted())
        for place, vector in enumerate(vectors):
            logs.state(State("s", place, StateType.SENTENCE, vector, None, 0))
        logs.close()
    (here, near, far), (elsewhere, *_) = (
        [np.array(record["representation"]) for record in lines(folder, "model_state")]
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    assert here.shape == (32,)
    assert np.linalg.norm(here - near) < 0.2 * np.linalg.norm(here - far)
    ratio = np.linalg.norm(here - far) / np.linalg.norm(vectors[0] - vectors[2])
    assert 0.6 < ratio < 1.4
    assert np.linalg.norm(here - elsewhere) > 0.5 * np.linalg.norm(here)


def test_shares_are_kept_and_are_the_same_in_every_session(tmp_path: Path) -> None:
    """A tenth is a tenth, of the same tokens whoever logs them."""
    shares = LogShares(input_stream=0.1)
    taken = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        counts = Counted()
        logs = StreamLogs(StreamLogSettings(shares=shares), folder, counts)
        for stream in range(40):
            ids = list(range(250))
            logs.taken(Taken(f"s{stream}", 0, ids, ["x"] * 250, 250))
        logs.close()
        assert counts.dropped == {}
        found = lines(folder, "input_stream")
        taken.append([(one["session_id"].split("/")[1], one["token_position"]) for one in found])
        assert all(logs.wanted_states(name, range(at, at + 1)) for name, at in taken[-1])
    assert taken[0] == taken[1]
    assert abs(len(taken[0]) / 10_000 - 0.1) < 0.012


def test_final_verdicts_are_logged_whatever_the_share(tmp_path: Path) -> None:
    """What partials came to is known for those that are there."""
    shares = LogShares(predictions=0.0)
    logs = StreamLogs(StreamLogSettings(shares=shares), tmp_path, Counted())
    logs.sent(verdict(number=0))
    logs.sent(verdict(number=1, type=PredictionType.FINAL))
    logs.close()
    assert [one["prediction_type"] for one in lines(tmp_path, "predictions")] == ["final"]


def test_records_that_are_no_json_are_counted_and_stop_nothing(tmp_path: Path) -> None:
    """A score that is not finite costs its record alone."""
    counts = Counted()
    logs = StreamLogs(StreamLogSettings(), tmp_path, counts)
    logs.sent(verdict(number=0, scores={"exposure": float("nan")}))
    logs.sent(verdict(number=1))
    logs.close()
    assert [one["prediction_id"] for one in lines(tmp_path, "predictions")] == [1]
    assert counts.dropped == {("predictions", "record"): 1}
    [note] = lines(tmp_path, "performance")
    assert (note["metric_name"], note["metric_value"]) == ("log_records_dropped", 1.0)
    assert note["context"] == {"log": "predictions", "reason": "record"}


@pytest.mark.parametrize(
    ("wanted", "file", "folder"),
    [("0600", 0o600, 0o700), ("0640", 0o640, 0o750), ("0644", 0o644, 0o755)],
)
def test_who_may_read(tmp_path: Path, wanted: str, file: int, folder: int) -> None:
    """The owner alone, unless the setting says more; the process's mask changes nothing."""
    old = os.umask(0o077 if file != 0o600 else 0)
    try:
        logged(tmp_path / "logs", "text", file_mode=wanted)
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs").iterdir()}
    assert modes == {file}
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == folder


def test_what_is_not_logged_costs_next_to_nothing(tmp_path: Path) -> None:
    """Less than 5 µs a call that a share leaves out: best of many, the machine may be busy."""
    shares = LogShares(input_stream=0.0, predictions=1e-9, performance=1e-9, boundaries=1e-9)
    logs = StreamLogs(StreamLogSettings(shares=shares), tmp_path, Counted())
    stream, text = "tenant/chat-4711", "text"
    calls: list[Callable[[int], object]] = [
        lambda place: logs.taken(Taken(stream, place, [1], [text], 1)),
        lambda place: logs.wanted_states(stream, range(place, place + 1)),
        lambda place: logs.encoded(Encoded(stream, place, 1, 0.01, 0.004)),
        lambda place: logs.updated(Updated(stream, place, StateType.SENTENCE, 0.01)),
        lambda place: logs.ended(Ended(stream, BoundaryType.SENTENCE, place, None, text, text)),
    ]
    for call in calls:
        assert min(_seconds(call) for _ in range(50)) < 5e-6
    logs.close()


def _seconds(call: Callable[[int], object]) -> float:
    began = time.perf_counter()
    for position in range(200):
        call(position)
    return (time.perf_counter() - began) / 200


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"rotate_bytes": 10, "keep_bytes": 100}, "keep at least two files"),
        ({"file_mode": "0666"}, "file_mode"),
        ({"shares": {"predictions": 1.5}}, "shares.predictions"),
        ({"contents": "hashed"}, "contents"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, Any], told: str
) -> None:
    """With the setting's name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told):
        load_settings(stream_logs=values)


def test_a_worker_opens_its_logs_as_its_settings_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the data folder, elsewhere, not at all; or it says what to do."""
    monkeypatch.chdir(tmp_path)
    for values, folder in (({}, ".weir/stream-logs"), ({"directory": "elsewhere"}, "elsewhere")):
        logs = StreamLogs.open(load_settings(stream_logs=values), Counted())
        assert logs is not None
        everything(logs, "text")
        logs.close()
        assert lines(tmp_path / folder, "failures")
    assert StreamLogs.open(load_settings(stream_logs={"enabled": False}), Counted()) is None
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"file/logs.*stream_logs\.directory"):
        StreamLogs.open(load_settings(stream_logs={"directory": "file/logs"}), Counted())


def test_names_of_the_logs_are_the_seeds() -> None:
    """In its order."""
    assert list(SEED) == list(records.NAMES)
