"""What keeps a worker from starting: what it says, and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka.cimpl import NewPartitions

from streams.kafka.topics import admin, changelog_name
from tests.integration.streams.under_test import SHARDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.streams.under_test import Stream

pytestmark = pytest.mark.integration

UNAVAILABLE = 69
MISCONFIGURED = 78


def test_without_a_broker_it_says_how_to_get_one(stream: Stream) -> None:
    """No address in the settings and none running here: the way out is `weir up` or a setting."""
    worker = stream.start(WEIR_BROKER__BOOTSTRAP="")
    assert worker.wait_ended() == UNAVAILABLE
    assert "no broker is named and none runs here" in worker.text()
    assert "weir up" in worker.text()
    assert "WEIR_BROKER__BOOTSTRAP" in worker.text()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "broker.invalid:9092"])
def test_at_a_wrong_address_it_names_the_address(stream: Stream, address: str) -> None:
    """A closed port or an unknown host is told with the setting to correct."""
    worker = stream.start(WEIR_BROKER__BOOTSTRAP=address)
    assert worker.wait_ended() == UNAVAILABLE
    assert f"no broker answers at {address}" in worker.text()
    assert "broker.bootstrap" in worker.text()


def test_without_its_source_topic_it_says_how_to_make_it(stream: Stream) -> None:
    """A missing or misspelt topic is no empty stream."""
    worker = stream.start(WEIR_TOPICS__PREFIX="elsewhere.")
    assert worker.wait_ended() == MISCONFIGURED
    assert "topic elsewhere.events is not on" in worker.text()
    assert "topics.prefix" in worker.text()


def test_partitions_added_to_the_source_are_refused(stream: Stream) -> None:
    """State sharded by three numbers is not read with four; the message says how to migrate."""
    source = stream.topic("events")
    client = admin(stream.settings.broker)
    client.create_partitions([NewPartitions(source, SHARDS + 1)])[source].result(timeout=30)
    worker = stream.start()
    assert worker.wait_ended() == MISCONFIGURED
    changelog = changelog_name(stream.settings.application_id)
    assert f"topic {source} has 4 partitions, but {changelog} has 3" in worker.text()
    assert "To migrate" in worker.text()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"STREAM__GATHR_MS": "5"}, "stream.gathr_ms: there is no such setting"),
        ({"STREM__GATHER_MS": "5"}, "WEIR_STREM__GATHER_MS"),
        ({"STREAM__WATCHDOG_S": "5"}, "the watchdog must wait longer than a transaction"),
        ({"BROKER__SECURITY_PROTOCOL": "SASL_SSL"}, "set broker.sasl_username"),
        ({"BROKER__SSL_CA_FILE": "/nowhere/ca.pem"}, "/nowhere/ca.pem is not a file"),
        (
            {"STREAM__TRANSACTION_TIMEOUT_S": "3600", "STREAM__WATCHDOG_S": "4000"},
            "transaction.max.timeout.ms",
        ),
        ({"STREAM__SESSION_TIMEOUT_S": "1"}, "group.min.session.timeout.ms"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_used_are_refused(
    stream: Stream, variables: dict[str, str], told: str
) -> None:
    """Unknown, contradictory and impossible settings are named, by us or by the brokers."""
    stream.environment |= {f"WEIR_{name}": value for name, value in variables.items()}
    worker = stream.start()
    assert worker.wait_ended() == MISCONFIGURED, worker.text()
    assert told in worker.text()


def test_an_unknown_setting_in_the_file_is_refused(stream: Stream, tmp_path: Path) -> None:
    """The same for the settings file."""
    file = tmp_path / "mine.toml"
    file.write_text("[stream]\ngathr_ms = 5\n", encoding="utf-8")
    worker = stream.start(WEIR_CONFIG=str(file))
    assert worker.wait_ended() == MISCONFIGURED
    assert "stream.gathr_ms: there is no such setting" in worker.text()


def test_without_secrets_it_says_which_and_how_to_make_them(stream: Stream, tmp_path: Path) -> None:
    """No key is made up in passing: predictions and audit trail would depend on it for ever."""
    worker = stream.start(WEIR_SECRETS__DIRECTORY=str(tmp_path / "none"))
    assert worker.wait_ended() == MISCONFIGURED
    assert str(tmp_path / "none") in worker.text()
    unset = stream.start(WEIR_SECRETS__PROVIDER="environment")
    assert unset.wait_ended() == MISCONFIGURED
    assert "WEIR_SECRET_" in unset.text()


def test_a_taken_port_is_named(stream: Stream) -> None:
    """Two workers on one machine need two ports, and the message says which setting."""
    first = stream.start("w0")
    stream.wait_ready(first)
    second = stream.start("w1", WEIR_HTTP__PORT=str(first.port))
    assert second.wait_ended() == MISCONFIGURED
    assert f"127.0.0.1:{first.port}" in second.text()
    assert "http.port" in second.text()
    assert first.terminate() == 0
