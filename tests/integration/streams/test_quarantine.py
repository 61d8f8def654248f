"""What was quarantined is listed, shown, mended and sent again, each message once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from schemas.codec import Codec
from streams.cli.main import app
from streams.feed import FedEvent
from tests.integration.streams.under_test import Stream, make_events

if TYPE_CHECKING:
    from typer.testing import Result

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RUN = CliRunner()


def weir(stream: Stream, *arguments: str, code: int = 0) -> Result:
    """Run a command with the stream's settings."""
    result = RUN.invoke(app, list(arguments), env=stream.environment)
    assert result.exit_code == code, result.output + result.stderr
    return result


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_what_was_refused_for_its_time_is_sent_again_once(stream: Stream) -> None:
    """A tenant without a place: its events wait in quarantine, and are learnt once it has one."""
    first = make_events(60)
    second = make_events(60, start=60, tenants=("globex",))
    stream.produce([*first, FedEvent(b"entity-1", b"garbage"), *second])
    worker = stream.start(WEIR_STREAM__MAX_TENANTS="1")
    stream.wait_committed()
    assert worker.terminate() == 0

    listed = objects(weir(stream, "quarantine", "list", "--json"))
    by_reason = {one["reason"]: one for one in listed}
    assert set(by_reason) == {"BAD_AVRO", "UNKNOWN_TENANT"}
    waiting = [one for one in listed if one["reason"] == "UNKNOWN_TENANT"]
    assert len(waiting) == 60
    assert not any(one["redriven"] for one in listed)
    [shown] = objects(weir(stream, "quarantine", "show", waiting[0]["place"], "--json"))
    assert shown["event"]["tenant"] == "globex"
    text = weir(stream, "quarantine", "show", by_reason["BAD_AVRO"]["place"]).stdout
    assert b"garbage".hex() in text

    one = waiting[0]["place"]
    done = objects(weir(stream, "quarantine", "redrive", one, "--yes", "--json"))
    assert done == [{"sent": 1, "already": 0, "gone": []}]
    by_code = ("quarantine", "redrive", "--reason", "UNKNOWN_TENANT", "--yes", "--json")
    assert objects(weir(stream, *by_code)) == [{"sent": 59, "already": 1, "gone": []}]
    assert objects(weir(stream, *by_code)) == [{"sent": 0, "already": 60, "gone": []}]
    left = objects(weir(stream, "quarantine", "list", "--pending", "--json"))
    assert [record["reason"] for record in left] == ["BAD_AVRO"]
    assert "name places" in weir(stream, "quarantine", "redrive", code=78).stderr

    ends = [len(part) for part in stream.records("events")]
    again = stream.start()
    decode = Codec("prediction").decode

    def predicted() -> list[str]:
        values = [value for part in stream.values("predictions") for value in part]
        return [decode(v)["event_id"] for v in values if v and decode(v)["tenant"] == "globex"]

    stream.until(lambda: len(predicted()) >= 60, "predictions of what was sent again")
    assert again.terminate() == 0
    assert sorted(predicted()) == sorted(f"event-{number}" for number in range(60, 120))
    assert sum(ends) == 121 + 60
    assert len(objects(weir(stream, "quarantine", "list", "--json"))) == 61
