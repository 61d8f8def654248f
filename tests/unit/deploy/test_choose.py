from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.broker import choose, docker
from deploy.broker.choose import choose_broker, stop_broker
from deploy.broker.docker import ComposeBroker
from deploy.broker.errors import BrokerNotAvailable, ToolError

if TYPE_CHECKING:
    from pathlib import Path


class _Client:
    """A docker client whose answers a test decides; it writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked = folder / "asked"
        folder.mkdir()

    def install(self, script: str) -> None:
        program = self._folder / "docker"
        program.write_text(f'#!/bin/sh\necho "$@" >> {self._asked}\n{script}\n', encoding="utf-8")
        program.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        compose = f"compose --file {docker.COMPOSE_FILE} "
        lines = self._asked.read_text(encoding="utf-8").splitlines()
        return [line.removeprefix(compose) for line in lines]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Client:
    """Leave nothing on the PATH but what the test installs there."""
    made = _Client(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return made


def test_an_address_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped address is said with its cause; no other broker is quietly used in its place."""
    monkeypatch.setattr(choose, "_ANSWER_TIMEOUT_S", 0.5)

    with pytest.raises(
        BrokerNotAvailable,
        match=r"No broker answers at 127\.0\.0\.1:1: Connect .* refused\. .* correct the address",
    ):
        choose_broker("127.0.0.1:1", tmp_path / "home")

    assert not (tmp_path / "home").exists()


def test_a_host_that_has_no_name_is_told_from_one_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names what is wrong with the address: here its host cannot be found."""
    monkeypatch.setattr(choose, "_ANSWER_TIMEOUT_S", 2.0)

    with pytest.raises(BrokerNotAvailable, match=r"Failed to resolve 'no-such-host\.invalid:9092'"):
        choose_broker("no-such-host.invalid:9092", tmp_path)


def test_security_settings_reach_the_client(tmp_path: Path) -> None:
    """A misspelt TLS or SASL setting is refused by name rather than ignored."""
    with pytest.raises(BrokerNotAvailable, match=r"refused: .*securty\.protocol"):
        choose_broker("127.0.0.1:1", tmp_path, client={"securty.protocol": "SSL"})


@pytest.mark.usefixtures("client")
def test_with_nothing_installed_both_ways_out_are_named(tmp_path: Path) -> None:
    """A newcomer reads once what can be installed, and that an address would do as well."""
    with pytest.raises(BrokerNotAvailable) as caught:
        choose_broker(None, tmp_path / "home", base_port=0)

    said = str(caught.value)
    assert "Give the address of one that runs" in said
    assert "\n- docker: it is not installed" in said
    assert "\n- local broker: There is no java on the PATH" in said
    assert "apt-get install openjdk-17-jre-headless maven" in said


def test_docker_is_used_where_its_engine_answers(tmp_path: Path, client: _Client) -> None:
    """The Kafka service of the compose file is started, awaited, and stopped again."""
    client.install('case "$*" in *port*) echo 0.0.0.0:19092;; esac')

    handle = choose_broker(None, tmp_path / "home")

    assert (handle.kind, handle.bootstrap, handle.notes) == ("docker", "localhost:19092", ())
    assert "up --detach --wait kafka" in client.asked
    handle.stop()
    assert client.asked[-1] == "stop kafka"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("script", "note"),
    [
        (
            '[ "$1" != info ] || { echo "no daemon" >&2; exit 1; }',
            "engine does not answer.*no daemon",
        ),
        ('[ "$1 $2" != "compose version" ] || exit 1', "no compose plugin"),
        ('case "$*" in *" up "*) echo "pull denied" >&2; exit 1;; esac', "up failed: pull denied"),
    ],
)
def test_a_docker_that_fails_is_passed_over_aloud(
    tmp_path: Path, client: _Client, script: str, note: str
) -> None:
    """Whatever is wrong with docker is told, and the local broker is tried next."""
    client.install(script)

    with pytest.raises(BrokerNotAvailable, match=rf"- docker: .*{note}.*\n- local broker: "):
        choose_broker(None, tmp_path, base_port=0)


def test_a_container_that_does_not_come_up_is_removed(client: _Client) -> None:
    """A half-started container does not keep the port from the broker that is tried next."""
    client.install('case "$*" in *" up "*) exit 1;; esac')

    with pytest.raises(ToolError):
        ComposeBroker().start()

    assert client.asked[-1] == "rm --stop --force kafka"


@pytest.mark.usefixtures("client")
def test_docker_that_was_asked_for_is_not_replaced(tmp_path: Path) -> None:
    """Who asks for docker gets docker or an error."""
    with pytest.raises(BrokerNotAvailable) as caught:
        choose_broker(None, tmp_path, "docker")

    assert "local broker" not in str(caught.value)


def test_who_prefers_a_local_broker_never_waits_for_docker(tmp_path: Path, client: _Client) -> None:
    """An engine that answers is not even asked."""
    client.install("")

    with pytest.raises(BrokerNotAvailable, match="- local broker: There is no java"):
        choose_broker(None, tmp_path, "local", base_port=0)

    with pytest.raises(FileNotFoundError):
        _ = client.asked


def test_three_brokers_are_not_had_from_docker(tmp_path: Path, client: _Client) -> None:
    """A cluster that was asked for is not replaced by a single broker."""
    client.install("")

    with pytest.raises(BrokerNotAvailable, match=r"- docker: docker-compose\.yml has one broker"):
        choose_broker(None, tmp_path, brokers=3, base_port=0)


def test_stopping_finds_the_container_that_another_process_started(
    tmp_path: Path, client: _Client
) -> None:
    """`weir down` stops the compose service if it runs, and says so."""
    client.install('case "$*" in *" ps "*) echo 0f3a;; esac')

    assert stop_broker(tmp_path) == "docker"
    assert client.asked[-1] == "stop kafka"


@pytest.mark.usefixtures("client")
def test_stopping_nothing_is_no_error(tmp_path: Path) -> None:
    """`weir down` twice, or before any `up`, does nothing and makes no folder."""
    assert stop_broker(tmp_path / "home") is None
    assert not (tmp_path / "home").exists()
