"""What a worker's settings make of its HTTP server, with a real one where that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.testclient import TestClient

from schemas.errors import ConfigError
from streams.dlp.requests import EXAMPLE
from streams.metrics import Metrics
from streams.service.gateway import NO_SERVER, Gateway
from streams.service.server import advertised_url
from streams.service.serving import Serving
from streams.service.settings import HttpSettings
from streams.settings import load_settings
from streams.shards import Shards
from tests.unit.streams.service.under_test import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

ANY = "0.0.0.0"  # noqa: S104 - nothing is bound to it here
API = {"/Sera.Query", "/Hlm.Predict", "/Fuse.Predict", "/Sera.Ingest", "/Hlm.Update"}


def no_shard(*_: Any) -> Any:
    """Refuse to make one."""
    raise AssertionError


def shards(folder: Path) -> Shards:
    """Return the shards of a worker that owns none."""
    return Shards(folder, no_shard, no_shard, threads=1)


def client(folder: Path, **settings: Any) -> TestClient:
    """Return a client of a worker's application."""
    read = load_settings(broker={"bootstrap": "127.0.0.1:1"}, **settings)
    serving = Serving(read, Metrics())
    own = shards(folder)
    return TestClient(serving.app(Gateway(own, "events", 4)), base_url=LOCAL)


def test_the_scanner_is_there_when_it_is_switched_on(tmp_path: Path) -> None:
    """One server for all of it; without the setting there is no such path."""
    with client(tmp_path, scanner={"enabled": True}) as found:
        paths = set(found.get("/openapi.json").json()["paths"])
        assert paths >= API | {"/scan", "/warmup", "/healthz", "/readyz", "/metrics"}
        answer = found.post("/scan", json=EXAMPLE)
        assert answer.json()["decision"] == "BLOCK"
        assert found.get("/warmup").json()["status"] == "warm"
    with client(tmp_path) as found:
        assert found.post("/scan", json=EXAMPLE).status_code == 404


def test_a_scan_may_be_larger_than_a_question(tmp_path: Path) -> None:
    """Each route has its own bound."""
    text = "a" * 60_000
    with client(tmp_path, scanner={"enabled": True}, http={"max_request_bytes": 50_000}) as found:
        assert found.post("/scan", json={"body": text}).status_code == 200
        body = {"tenant": "acme", "id": "x", "features": {text: 1.0}}
        assert found.post("/Fuse.Predict", json=body).status_code == 413


def test_without_the_service_there_are_probes_and_metrics(tmp_path: Path) -> None:
    """That much may be bound anywhere; metrics, which name tenants, only where that is said."""
    http = {"service": False, "host": ANY}
    with client(tmp_path, http=http | {"open_metrics": True}) as found:
        assert found.get("/healthz").status_code == 200
        assert found.get("/metrics").status_code == 200
        assert found.post("/Fuse.Predict", json={}).status_code == 404
    with client(tmp_path, http=http) as found:
        assert found.get("/metrics", headers={"host": "worker:8088"}).status_code == 403


def test_an_open_worker_does_not_start_where_others_reach_it() -> None:
    """The error names the settings that help, before anything is bound or read."""
    with pytest.raises(ConfigError, match=r"http\.host is .*http\.tokens"):
        Serving(load_settings(http={"host": ANY}), Metrics())


def test_a_worker_without_server_says_that_it_has_none(tmp_path: Path) -> None:
    """Others are not sent to a port on which nothing listens."""
    serving = Serving(load_settings(http={"enabled": False, "host": ANY}), Metrics())
    assert serving.start(shards(tmp_path), 4) == NO_SERVER


def test_a_server_answers_where_it_says(tmp_path: Path) -> None:
    """Any free port, told to the others; before the stream runs, questions are turned away."""
    settings = load_settings(broker={"bootstrap": "127.0.0.1:1"}, http={"port": 0})
    serving = Serving(settings, Metrics())
    url = serving.start(shards(tmp_path), 4)
    try:
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/readyz").status_code == 503
        answer = httpx.post(f"{url}/Hlm.Predict", json={"tenant": "acme", "id": "x"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "server" not in answer.headers
        taken = load_settings(
            broker={"bootstrap": "127.0.0.1:1"}, http={"port": int(url.rsplit(":", 1)[1])}
        )
        with pytest.raises(ConfigError, match=r"http\.port"):
            Serving(taken, Metrics()).start(shards(tmp_path), 4)
    finally:
        serving.stop()


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    """With the group of settings they belong to, not with a library's words alone."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    http = {"certificate_file": broken, "key_file": broken}
    settings = load_settings(broker={"bootstrap": "127.0.0.1:1"}, http=http)
    with pytest.raises(ConfigError, match="TLS files of http"):
        Serving(settings, Metrics()).start(shards(tmp_path), 4)


@pytest.mark.parametrize(
    ("http", "url"),
    [
        ({}, "http://127.0.0.1:5"),
        ({"host": "::1"}, "http://[::1]:5"),
        ({"host": "10.0.0.7"}, "http://10.0.0.7:5"),
        ({"host": "fd00::7"}, "http://[fd00::7]:5"),
        ({"host": ANY, "advertised": "https://w-0.weir:443"}, "https://w-0.weir:443"),
    ],
)
def test_others_are_told_an_address_that_they_can_reach(http: dict[str, Any], url: str) -> None:
    """The one that is bound, or the one that is said."""
    assert advertised_url(HttpSettings(**http), 5) == url
    assert ANY not in advertised_url(HttpSettings(host=ANY), 5)
