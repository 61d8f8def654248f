"""Where settings come from, which wins, and what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from schemas.errors import ConfigError
from streams.settings import Settings, StreamSettings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder, and no setting in the environment."""
    for name in list(os.environ):
        if name.startswith("WEIR_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_source_the_defaults_hold() -> None:
    """A newcomer needs no settings file."""
    assert load_settings() == Settings()
    assert load_settings().stream.gather_ms == 20


def test_a_file_in_the_working_folder_wins_over_the_defaults(nowhere: Path) -> None:
    """weir.toml is read where it stands, and leaves the rest as it was."""
    (nowhere / "weir.toml").write_text("[stream]\ngather_ms = 30\n", encoding="utf-8")
    settings = load_settings()
    assert settings.stream.gather_ms == 30
    assert settings.stream.max_unit_events == StreamSettings().max_unit_events


def test_the_environment_wins_over_the_file(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One value is overridden in a deployment without a copy of the file."""
    (nowhere / "weir.toml").write_text(
        "[stream]\ngather_ms = 30\nmax_unit_events = 7\n", encoding="utf-8"
    )
    monkeypatch.setenv("WEIR_STREAM__GATHER_MS", "40")
    settings = load_settings()
    assert settings.stream.gather_ms == 40
    assert settings.stream.max_unit_events == 7


def test_arguments_win_over_everything(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed on the command line is what counts."""
    (nowhere / "weir.toml").write_text('application_id = "file"\n', encoding="utf-8")
    monkeypatch.setenv("WEIR_APPLICATION_ID", "environment")
    monkeypatch.setenv("WEIR_STREAM__GATHER_MS", "40")
    settings = load_settings(application_id="argument", stream={"max_unit_events": 9})
    assert settings.application_id == "argument"
    assert settings.stream.max_unit_events == 9
    assert settings.stream.gather_ms == 40


def test_a_named_file_is_read_instead_of_the_one_in_the_folder(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--config and WEIR_CONFIG choose between files."""
    (nowhere / "weir.toml").write_text('application_id = "here"\n', encoding="utf-8")
    other = nowhere / "other.toml"
    other.write_text('application_id = "other"\n', encoding="utf-8")
    monkeypatch.setenv("WEIR_CONFIG", str(other))
    assert load_settings().application_id == "other"


def test_a_named_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped path does not fall back to the defaults."""
    monkeypatch.setenv("WEIR_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigError, match=r"nowhere\.toml .* is not there"):
        load_settings()


def test_a_file_that_is_no_toml_is_refused_by_name(nowhere: Path) -> None:
    """The message says which file to mend."""
    (nowhere / "weir.toml").write_text("[stream\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"weir\.toml"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("gather_ms = 5\n", "gather_ms"),
        ("[stream]\ngathr_ms = 5\n", r"stream\.gathr_ms"),
        ("[learner.sera]\nrr = 5\n", r"learner\.sera\.rr"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused(nowhere: Path, text: str, named: str) -> None:
    """A misspelt setting is noticed, on every level."""
    (nowhere / "weir.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"{named}: there is no such setting"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("WEIR_STREM__GATHER_MS", "WEIR_STREM__GATHER_MS"),
        ("WEIR_DATADIR", "WEIR_DATADIR"),
        ("WEIR_STREAM__GATHR_MS", r"stream\.gathr_ms"),
        ("WEIR_LEARNER__SERA__RR", r"learner\.sera\.rr"),
    ],
)
def test_an_unknown_name_in_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, named: str
) -> None:
    """The same for variables, the first part of their name included."""
    monkeypatch.setenv(variable, "5")
    with pytest.raises(ConfigError, match=named):
        load_settings()


@pytest.mark.parametrize(
    "variable",
    [
        "WEIR_SECRET_AUDIT_SIGNING_V1",
        "WEIR_SERVICE_HOST",
        "WEIR_SERVICE_PORT_METRICS",
        "WEIR_PORT",
        "WEIR_PORT_8088_TCP_ADDR",
    ],
)
def test_variables_that_are_no_settings_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Secrets, and what Kubernetes tells of a Service named weir, stop no worker."""
    monkeypatch.setenv(variable, "tcp://10.0.0.1:8088")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"stream": {"watchdog_s": 5}}, r"stream\.transaction_timeout_s"),
        ({"broker": {"security_protocol": "SASL_SSL"}}, r"set broker\.sasl_username"),
        ({"broker": {"ssl_ca_file": "nowhere.pem"}}, r"ssl_ca_file: .*nowhere\.pem is not a file"),
        ({"learner": {"sera": {"r": 13}}}, "r=13: must be a multiple of 4"),
        ({"learner": {"fusion": {"lambda_max": 0.0}}}, r"fusion\.lambda_max"),
        ({"application_id": "a/b"}, "application_id"),
        ({"stream": {"max_unit_events": 0}}, r"stream\.max_unit_events"),
    ],
)
def test_what_cannot_be_or_contradicts_is_refused_with_its_name(
    arguments: dict[str, object], told: str
) -> None:
    """Nothing starts with settings that cannot work, and the message says which."""
    with pytest.raises(ConfigError, match=told):
        load_settings(**arguments)


def test_all_faults_are_told_at_once() -> None:
    """Who mends a file mends it once."""
    with pytest.raises(ConfigError) as caught:
        load_settings(stream={"gather_ms": -1, "max_tenants": 0}, application_id="")
    assert all(
        name in str(caught.value)
        for name in ("stream.gather_ms", "stream.max_tenants", "application_id")
    )


def test_a_password_is_never_shown() -> None:
    """Neither repr nor an error about a neighbouring setting shows it."""
    broker = {
        "security_protocol": "SASL_SSL",
        "sasl_username": "u",
        "sasl_password": "hunter2",
    }
    assert "hunter2" not in repr(load_settings(broker=broker))
    with pytest.raises(ConfigError) as caught:
        load_settings(broker=broker | {"sasl_mechanism": "NONE"})
    assert "hunter2" not in str(caught.value)
