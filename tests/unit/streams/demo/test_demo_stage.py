from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.demo.stage import SHARDS, set_stage
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse"  # noqa: S105 - what must not reach the file


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a user with a cluster of their own."""
    monkeypatch.chdir(tmp_path)
    return load_settings(
        data_dir=tmp_path / "data",
        mapping=tmp_path / "mine.yaml",
        broker={
            "bootstrap": 'kafka-"1":9092',
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": "me",
            "sasl_password": PASSWORD,
        },
        topics={"prefix": "mine.", "replication": 3},
        registry={"url": "http://registry:8081"},
    )


def test_the_file_gives_the_settings_of_the_run(
    base: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `weir --config FILE` reads is what the run used."""
    stage = set_stage(base, talks=False)
    for name, value in stage.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == stage.settings


def test_a_run_uses_the_users_broker_and_nothing_else_of_theirs(base: Settings) -> None:
    """Broker, data folder and replication are the user's; topics, registry, mapping are not."""
    settings = set_stage(base, talks=False).settings
    assert settings.broker == base.broker
    assert settings.data_dir == base.data_dir
    assert settings.topics.replication == 3
    assert settings.topics.partitions == SHARDS
    assert settings.topics.name("events") == f"{settings.application_id}.events"
    assert settings.mapping is None
    assert settings.registry.url is None


def test_no_password_is_written_to_the_folder(base: Settings) -> None:
    """Passwords reach the worker by its environment, never by a file."""
    stage = set_stage(base, talks=False)
    written = stage.config_file.read_text(encoding="utf-8")
    assert PASSWORD not in written
    assert "sasl_password" not in written
    assert stage.environment()["WEIR_BROKER__SASL_PASSWORD"] == PASSWORD


def test_settings_from_outside_do_not_reach_the_worker(
    base: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker gets the settings of the run alone, whatever the user's environment says."""
    stage = set_stage(base, talks=False)
    monkeypatch.setenv("WEIR_STREAM__GATHER_MS", "5000")
    assert "WEIR_STREAM__GATHER_MS" not in stage.environment()


def test_each_run_is_fresh(base: Settings) -> None:
    """Two runs share no name, no topic and no folder."""
    first, second = set_stage(base, talks=False), set_stage(base, talks=False)
    assert first.name != second.name
    assert first.folder != second.folder
    assert first.settings.state_dir != second.settings.state_dir


def test_streams_of_text_are_read_where_they_are_wanted(
    base: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second act's worker reads tokens, with logs in the folder of the run; its file says so.

    The state of streams cannot be encrypted: a user who encrypts can still watch.
    """
    encrypted = base.encryption.model_copy(update={"mode": "on", "keys": "/keys"})
    stage = set_stage(base.model_copy(update={"encryption": encrypted}), talks=True)
    for name, value in stage.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == stage.settings
    assert stage.settings.hierarchy.enabled
    assert stage.settings.encryption.mode == "off"
    assert stage.settings.stream_logs_dir == stage.folder / "stream-logs"
    assert not set_stage(base, talks=False).settings.hierarchy.enabled
