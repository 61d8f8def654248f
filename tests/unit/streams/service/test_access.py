"""Who may do what: tokens, certificates, scopes, tenants, and what is refused at the start."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from schemas.errors import ConfigError, SecretError
from state.secrets import EnvSecrets, Secret
from streams.cli.keys import make_secrets
from streams.dlp.service import build_service
from streams.keys import open_secrets
from streams.service.access import Access, Caller, is_loopback
from streams.service.app import build_app
from streams.service.guard import certificate_names
from streams.service.settings import HttpSettings, TokenSettings
from streams.settings import load_settings
from tests.unit.streams.service.test_api import UPDATE, WHO

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.unit.streams.service.under_test import WorkerUnderTest

READER, WRITER, ACME, SCRAPER = (bytes([number]) * 32 for number in range(1, 5))
PEER = "CN=worker-1,O=Acme"
APP = "spiffe://acme/app"


def bearer(value: bytes) -> dict[str, str]:
    """Return the header that shows a token."""
    return {"Authorization": f"Bearer {base64.b64encode(value).decode()}"}


def secrets(**more: str) -> EnvSecrets:
    """Return a provider with the tokens of this file."""
    tokens = {"READER_V1": READER, "WRITER_V1": WRITER, "ACME_V1": ACME, "SCRAPER_V1": SCRAPER}
    return EnvSecrets(
        {f"WEIR_SECRET_API_TOKEN_{name}": value.hex() for name, value in tokens.items()} | more
    )


TOKENS = (
    TokenSettings(name="reader", scopes=frozenset({"read"})),
    TokenSettings(name="writer", scopes=frozenset({"read", "write"})),
    TokenSettings(name="acme", scopes=frozenset({"read", "write"}), tenant="acme"),
    TokenSettings(name="scraper", scopes=frozenset({"metrics"})),
)
EVERYWHERE = "0.0.0.0"  # noqa: S104 - refused is what it is to be


def access(**more: str) -> Access:
    """Return the access of these tokens."""
    return Access.open(HttpSettings(tokens=TOKENS), secrets(**more))


@pytest.mark.parametrize(
    ("headers", "path", "body", "status"),
    [
        ({}, "/Hlm.Predict", WHO, 401),
        ({"Authorization": "Bearer"}, "/Hlm.Predict", WHO, 401),
        ({"Authorization": "Bearer nonsense"}, "/Hlm.Predict", WHO, 401),
        ({"Authorization": "Basic dTpw"}, "/Hlm.Predict", WHO, 401),
        (bearer(b"\0" * 32), "/Hlm.Predict", WHO, 401),
        (bearer(READER), "/Hlm.Predict", WHO, 200),
        ({"Authorization": f"bearer {READER.hex()}"}, "/Hlm.Predict", WHO, 200),
        (bearer(READER), "/Hlm.Update", UPDATE, 403),
        (bearer(WRITER), "/Hlm.Update", UPDATE, 202),
        (bearer(WRITER), "/Hlm.Predict", WHO, 200),
        (bearer(ACME), "/Hlm.Predict", WHO, 200),
        (bearer(ACME), "/Hlm.Predict", WHO | {"tenant": "globex"}, 403),
        (bearer(ACME), "/Hlm.Update", UPDATE | {"tenant": "globex"}, 403),
        (bearer(SCRAPER), "/Hlm.Predict", WHO, 403),
    ],
)
def test_a_caller_may_do_what_its_scopes_say(
    worker: WorkerUnderTest, headers: dict[str, str], path: str, body: dict[str, Any], status: int
) -> None:
    """Wrong or no token: 401. Right token, wrong scope or tenant: 403, and nothing is sent."""
    with worker.client(access(), "http://weir.example.com") as client:
        answer = client.post(path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if status in {401, 403}:
        assert answer.headers["content-type"] == "application/problem+json"
        assert worker.producer.sent == []


def test_who_is_not_known_is_told_nothing(worker: WorkerUnderTest) -> None:
    """Not whether a path or tenant exists, nor what a request must look like; probes are open."""
    with worker.client(access()) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        for path in ("/docs", "/openapi.json", "/no-such-path", "/healthz/"):
            assert client.get(path).status_code == 401, path
        assert client.post("/Fuse.Predict", content=b"{").status_code == 401
        assert client.get("/openapi.json", headers=bearer(SCRAPER)).status_code == 200


def test_all_versions_of_a_token_that_are_there_are_taken() -> None:
    """A token is rotated without a moment at which its callers are locked out."""
    newer = b"\x09" * 32
    both = access(WEIR_SECRET_API_TOKEN_READER_V2=newer.hex())
    for value in (READER, newer):
        caller = both.caller(bearer(value)["Authorization"], ())
        assert caller is not None
        assert caller.name == "reader"
    gone = Access.open(
        HttpSettings(tokens=TOKENS[:1]),
        EnvSecrets({"WEIR_SECRET_API_TOKEN_READER_V2": newer.hex()}),
    )
    assert gone.caller(bearer(READER)["Authorization"], ()) is None


def test_a_token_that_lacks_ends_the_start() -> None:
    """A worker whose callers would all be refused does not start, and says which secret lacks."""
    with pytest.raises(SecretError, match="WEIR_SECRET_API_TOKEN_READER_V1"):
        Access.open(HttpSettings(tokens=TOKENS), EnvSecrets({}))


def test_certificates_are_known_by_their_names() -> None:
    """Subject or alternative name; a wrong token is not made good by a certificate."""
    known = Access(
        [
            (
                Secret("api-token-reader", 1, READER),
                Caller("reader", frozenset(), None, by_token=True),
            )
        ],
        [
            (PEER, Caller(PEER, frozenset({"worker"}), None, by_token=False)),
            (APP, Caller(APP, frozenset({"read"}), "acme", by_token=False)),
        ],
    )
    peer = known.caller(None, (PEER, "worker-1.acme"))
    assert peer is not None
    assert peer.may("write")
    assert peer.may("scan")
    app = known.caller(None, ("CN=whoever", APP))
    assert app is not None
    assert not app.may("write")
    assert app.may_touch("acme")
    assert not app.may_touch("globex")
    assert known.caller(None, ("CN=stranger",)) is None
    assert known.caller("Bearer wrong", (PEER,)) is None


def test_a_certificate_is_that_of_the_connection(worker: WorkerUnderTest) -> None:
    """What the server saw in the handshake counts, whatever headers say."""
    known = Access(
        certificates=[(APP, Caller(APP, frozenset({"read"}), None, by_token=False))],
    )
    parts = worker.parts()
    api = build_app("Weir", "under test", parts, largest=9_999, access=known)
    forged = {"X-Client-Cert": APP, "Weir-Hops": "1"}
    with TestClient(api) as client:
        assert client.post("/Hlm.Predict", json=WHO, headers=forged).status_code == 401
    with TestClient(_connected_with(api, (APP,))) as client:
        assert client.post("/Hlm.Predict", json=WHO).status_code == 200
        assert client.post("/Hlm.Update", json=UPDATE).status_code == 403


def _connected_with(api: ASGIApp, names: tuple[str, ...]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["extensions"] = {**scope.get("extensions", {}), "tls": {"client_names": names}}
            assert certificate_names(scope) == names
        await api(scope, receive, send)

    return app


def test_without_authentication_only_this_machine_is_answered(worker: WorkerUnderTest) -> None:
    """A web page whose name resolves to 127.0.0.1 cannot use the browser to ask."""
    for host, status in (("127.0.0.1", 200), ("localhost", 200), ("evil.example", 403)):
        with worker.client(base_url=f"http://{host}:8088") as client:
            assert client.post("/Hlm.Predict", json=WHO).status_code == status
            assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "10.1.2.3", "weir.example.com"])
def test_an_open_server_is_bound_to_this_machine_only(host: str) -> None:
    """Refused at the start, with what to do; the probes alone may be open."""
    with pytest.raises(ConfigError, match=r"http\.tokens"):
        Access.open(HttpSettings(host=host), EnvSecrets({}))
    assert Access.open(HttpSettings(host=host, service=False), EnvSecrets({})).is_open
    assert not Access.open(HttpSettings(host=host, tokens=TOKENS), secrets()).is_open


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_addresses_need_no_authentication(host: str) -> None:
    """A newcomer's worker answers without a token."""
    assert is_loopback(host)
    assert Access.open(HttpSettings(host=host), EnvSecrets({})).is_open


@pytest.mark.parametrize(
    ("http", "word"),
    [
        ({"tokens": [{"name": "a", "scopes": []}]}, "scopes"),
        ({"tokens": [{"name": "a", "scopes": ["fly"]}]}, "scopes"),
        ({"tokens": [{"name": "A b", "scopes": ["read"]}]}, "name"),
        ({"tokens": [{"name": "a", "scopes": ["read"]}] * 2}, "more than once"),
        ({"certificates": [{"subject": "CN=a", "scopes": ["read"]}]}, "client_ca_file"),
        ({"certificate_file": __file__}, "key_file"),
        ({"client_ca_file": __file__}, "certificate_file"),
        ({"key_file": "nowhere.pem", "certificate_file": __file__}, "not a file"),
        ({"advertised": "worker-1:8088"}, "advertised"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(http: dict[str, Any], word: str) -> None:
    """Before anything is bound."""
    with pytest.raises(ConfigError, match=word):
        load_settings(http=http)


def test_the_scanner_alone_asks_for_its_scope() -> None:
    """`weir serve` has the same guard; who may ask the learners may not scan."""

    def never() -> Any:
        pytest.fail("the scanner was loaded for a caller that may not scan")

    with TestClient(build_service(never, access=access())) as client:
        assert client.post("/scan", json={"body": "x"}).status_code == 401
        assert client.post("/scan", json={"body": "x"}, headers=bearer(READER)).status_code == 403
        assert client.get("/healthz").status_code == 200


def test_tokens_are_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the callers' representation nor an error shows one."""
    known = access()
    shown = f"{known!r} {vars(known)} {known.caller(bearer(READER)['Authorization'], ())}"
    for value in (READER.hex(), base64.b64encode(READER).decode()):
        assert value not in shown + caplog.text


def test_the_shape_of_a_token_file_is_that_of_every_secret(tmp_path: Path) -> None:
    """What `weir up` writes is what a caller sends."""
    settings = load_settings(data_dir=tmp_path, http={"tokens": TOKENS[:1]})
    make_secrets(settings)
    text = (tmp_path / "secrets" / "api-token-reader.v1").read_text().strip()
    known = Access.open(settings.http, open_secrets(settings))
    caller = known.caller(f"Bearer {text}", ())
    assert caller is not None
    assert caller.name == "reader"
    assert (tmp_path / "secrets" / "api-token-reader.v1").stat().st_mode & 0o777 == 0o600
