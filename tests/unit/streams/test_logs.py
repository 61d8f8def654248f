"""Logs can be read by people or by machines, and never hold what travels through the stream."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from streams import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "4929 1234 5678 9012"  # noqa: S105 - a payload, for tests


@dataclass
class Record:
    """Looks like a consumer's record."""

    topic: str
    partition: int
    offset: int
    value: bytes


@dataclass
class Batch:
    """Looks like nothing that is known."""

    records: list[Record]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("streams", "state", "schemas"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_without_a_terminal_each_message_is_a_json_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A log collector gets one object a line, with time, level, logger and fields."""
    logs.configure()
    structlog.get_logger("streams.worker").info("shard open", shard=3)
    [line] = lines(capsys)
    assert line["message"] == "shard open"
    assert line["shard"] == 3
    assert line["level"] == "info"
    assert line["logger"] == "streams.worker"
    assert line["timestamp"].endswith("Z")


def test_on_a_terminal_messages_are_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal there is a readable line, without colours where they are not wanted."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    logs.configure()
    structlog.get_logger("streams.worker").info("shard open", shard=3)
    text = capsys.readouterr().err
    assert "shard open" in text
    assert "shard=3" in text
    assert "\x1b" not in text
    assert not text.startswith("{")


def test_level_holds_for_the_application_and_libraries_start_at_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A chatty library does not drown the application's own messages."""
    logs.configure(logs.Level.DEBUG)
    structlog.get_logger("streams.shard").debug("own detail")
    logging.getLogger("faust.app").info("their detail")
    logging.getLogger("streams.kafka.fetch").info("detail of their base class")
    logging.getLogger("aiokafka").warning("their warning %d", 7)
    assert [line["message"] for line in lines(capsys)] == ["own detail", "their warning 7"]


def test_quiet_level_leaves_out_what_is_less_severe(capsys: pytest.CaptureFixture[str]) -> None:
    """At level warning the application's info is left out."""
    logs.configure(logs.Level.WARNING)
    structlog.get_logger("streams.shard").info("detail")
    assert lines(capsys) == []


@pytest.mark.parametrize(
    "argument",
    [
        SECRET.encode(),
        bytearray(SECRET.encode()),
        Record("events", 1, 42, SECRET.encode()),
        Batch([Record("events", 1, 42, SECRET.encode())]),
        {"nested": [(Record("events", 1, 42, SECRET.encode()),)]},
        [[[[[[SECRET.encode()]]]]]],
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("style", ["%r", "%s"])
def test_payload_in_a_librarys_message_is_left_out(
    capsys: pytest.CaptureFixture[str], argument: object, style: str
) -> None:
    """Whatever a library prints of a record, its contents do not reach the log."""
    logs.configure()
    logging.getLogger("faust.streams").error(f"cannot handle {style}", argument)  # noqa: G004 - the format is what varies
    [line] = lines(capsys)
    assert "4929" not in json.dumps(line)
    assert line["message"].startswith("cannot handle ")


def test_records_show_where_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    """In place of a record's contents stand topic, partition and offset."""
    logs.configure()
    logging.getLogger("faust").error("lost %r", Record("events", 1, 42, b"x"))
    assert lines(capsys)[0]["message"] == "lost events[1]@42"


def test_tracebacks_show_no_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback names lines of the program, not the values that its variables had."""
    for terminal in (False, True):
        with monkeypatch.context() as patched:
            patched.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
            logs.configure()
            value = SECRET.encode()
            try:
                raise RuntimeError(len(value))
            except RuntimeError:
                structlog.get_logger("streams").exception("failed")
        text = capsys.readouterr().err
        assert "RuntimeError" in text
        assert "4929" not in text


def test_long_messages_of_libraries_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """A value that a library prints whole is cut, however it got into the message."""
    logs.configure()
    logging.getLogger("faust").error("x" * 100_000)
    assert len(lines(capsys)[0]["message"]) < 3_000
