from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.broker import docker
from deploy.broker.config import Node, server_properties
from deploy.broker.jars import KAFKA_VERSION
from streams.cli.keys import make_secrets
from streams.keys import open_secrets
from streams.service.access import Access
from streams.settings import load_settings

_ROOT = docker.COMPOSE_FILE.parent
_DOCKERFILE = _ROOT / "deploy" / "docker" / "Dockerfile"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(docker.COMPOSE_FILE.read_text("utf-8"))["services"]
    return services


def _listeners(addresses: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+)://([^,]*)", addresses))


def test_kafka_runs_without_zookeeper(services: dict[str, Any]) -> None:
    """The broker is its own controller, and no service is called ZooKeeper."""
    assert "zookeeper" not in docker.COMPOSE_FILE.read_text("utf-8").lower()
    assert services["kafka"]["environment"]["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert sorted(services) == ["grafana", "kafka", "prometheus", "setup", "worker"]


def test_kafka_in_docker_is_the_kafka_that_runs_locally(services: dict[str, Any]) -> None:
    """Version and settings are the same, so what works with one broker works with the other."""
    environment = services["kafka"]["environment"]
    text = server_properties(Node(1, 9092, 9093), [Node(1, 9092, 9093)], Path("/data"))
    local = dict(line.split("=", 1) for line in text.splitlines())
    of_the_place = {
        "log.dirs",
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "inter.broker.listener.name",
        "controller.quorum.voters",
    }

    assert services["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    for key in local.keys() - of_the_place:
        assert environment[f"KAFKA_{key.upper().replace('.', '_')}"] == local[key], key


def test_programs_on_the_machine_and_containers_are_both_told_the_right_address(
    services: dict[str, Any],
) -> None:
    """A client gets back the address that it can reach: localhost outside, the service inside."""
    kafka = services["kafka"]
    bound = _listeners(kafka["environment"]["KAFKA_LISTENERS"])
    advertised = _listeners(kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"])

    port = "${KAFKA_HOST_PORT:-9092}"
    assert advertised["HOST"] == f"localhost:{port}"
    assert kafka["ports"] == [f"127.0.0.1:{port}:{docker.HOST_LISTENER}"]
    assert bound["HOST"] == f":{docker.HOST_LISTENER}"
    assert advertised["INTERNAL"] == f"kafka{bound['INTERNAL']}"
    assert services["worker"]["environment"]["WEIR_BROKER__BOOTSTRAP"] == advertised["INTERNAL"]


def test_every_service_is_bounded_checked_and_private(services: dict[str, Any]) -> None:
    """No service can eat the machine, hang unnoticed, or be reached from the network."""
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert float(limits["cpus"]) <= 2, name
        assert re.fullmatch(r"\d+[MG]", limits["memory"]), name
        if name != "setup":  # it ends, and what waits for it sees how
            assert service["healthcheck"]["test"][0] == "CMD", name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert not re.search(r":(latest)?$", service["image"]), name
        assert ":" in service["image"], f"{name} has no version"


def test_what_is_mounted_is_there(services: dict[str, Any]) -> None:
    """No mounted file is missing: docker would quietly put an empty folder in its place."""
    volumes = set(yaml.safe_load(docker.COMPOSE_FILE.read_text("utf-8"))["volumes"])
    mounts = [mount for service in services.values() for mount in service.get("volumes", [])]
    sources = [mount.split(":")[0] for mount in mounts]
    used = {source for source in sources if not source.startswith(".")}

    assert used == volumes
    assert all((_ROOT / source).is_dir() for source in sources if source.startswith("."))


def test_services_wait_for_what_they_need(services: dict[str, Any]) -> None:
    """The worker starts when Kafka answers and topic and secrets are made, not before."""
    for name, needed, when in (
        ("setup", "kafka", "service_healthy"),
        ("worker", "setup", "service_completed_successfully"),
        ("grafana", "prometheus", "service_healthy"),
    ):
        assert services[name]["depends_on"] == {needed: {"condition": when}}


def test_setup_prepares_what_the_worker_uses(services: dict[str, Any]) -> None:
    """Secrets and topic are made for the same volume and broker that the worker has."""
    setup, worker = services["setup"], services["worker"]

    assert setup["command"] == ["up"]
    for shared in ("image", "environment", "volumes"):
        assert setup[shared] == worker[shared]


def test_the_worker_answers_outside_its_container_and_asks_for_a_token(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Image and compose file together give settings that a worker accepts; Prometheus may look."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)
    text = _DOCKERFILE.read_text("utf-8")
    image = dict(re.findall(r"(WEIR_\w+)=(\S+)", text.split("ENV PATH")[1].split("USER")[0]))
    for name, value in image.items():
        monkeypatch.setenv(name, value)
    alone = load_settings(data_dir=tmp_path)
    make_secrets(alone)
    assert not alone.http.service
    assert Access.open(alone.http, open_secrets(alone)).is_open

    for name, value in services["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data_dir=tmp_path)
    make_secrets(settings)
    assert settings.http.service
    assert settings.http.open_metrics
    assert not Access.open(settings.http, open_secrets(settings)).is_open


def test_prometheus_and_grafana_are_pointed_at_each_other(services: dict[str, Any]) -> None:
    """The dashboard shows the worker's metrics without a click."""
    prometheus = yaml.safe_load((_ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
    (target,) = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]
    name, port = target.split(":")
    assert services[name]["ports"][0].endswith(f":{port}")
    assert all((_ROOT / "deploy/prometheus" / file).exists() for file in prometheus["rule_files"])

    provisioning = _ROOT / "deploy/grafana/provisioning"
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text("utf-8"))
    host = re.match(r"http://(\w+):(\d+)", sources["datasources"][0]["url"])
    assert host is not None
    assert services[host[1]]["ports"][0].endswith(f":{host[2]}")

    boards = yaml.safe_load((provisioning / "dashboards/weir.yml").read_text("utf-8"))
    folder = boards["providers"][0]["options"]["path"]
    assert f"./deploy/grafana/dashboards:{folder}:ro" in services["grafana"]["volumes"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (_ROOT / "deploy/grafana/dashboards" / Path(home).name).exists()
    assert Path(home).parent == Path(folder)


def test_the_image_installs_nothing_that_is_not_pinned() -> None:
    """Every package comes from a lock with hashes, and every copied path is there."""
    text = _DOCKERFILE.read_text("utf-8")
    instructions = "\n".join(
        line for line in text.splitlines() if not line.lstrip().startswith("#")
    )

    for install in re.findall(r"pip install ([^\\\n]*)", instructions):
        assert "--require-hashes" in install or "--no-deps /wheel/" in install
    for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", instructions, re.MULTILINE):
        assert all((_ROOT / path).exists() for path in copied.split())
    ignored = (_DOCKERFILE.parent / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", instructions, re.MULTILINE):
        assert all(path.split("/")[0] in kept for path in copied.split())


def test_the_image_s_build_tools_are_those_of_the_lock() -> None:
    """The wheel in the image is built by the versions that the project is developed with."""
    pin = re.compile(r"^[a-z0-9-]+==\S+", re.MULTILINE)
    developed = set(pin.findall((_ROOT / "deploy/locks/dev.txt").read_text("utf-8")))
    built = pin.findall((_ROOT / "deploy/docker/build.txt").read_text("utf-8"))

    assert any(line.startswith("hatchling==") for line in built)
    assert set(built) <= developed


def test_the_worker_is_not_root_and_owns_only_its_data(services: dict[str, Any]) -> None:
    """A worker that is broken into can write nothing but its own volume."""
    instructions = _DOCKERFILE.read_text("utf-8").splitlines()
    worker = services["worker"]

    users = [line.split()[1] for line in instructions if line.startswith("USER ")]
    assert users[-1] == "weir"
    assert worker["read_only"] is True
    assert worker["cap_drop"] == ["ALL"]
    assert worker["volumes"] == ["worker-data:/var/lib/weir"]
    assert "VOLUME /var/lib/weir" in instructions
