"""The scanner over HTTP: answers, refusals, and what they leave out."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from streams.dlp import policy_file
from streams.dlp.live import LiveScanner, Sources
from streams.dlp.package import SHIPPED
from streams.dlp.requests import EXAMPLE
from streams.dlp.service import build_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operators.dlp.verdict import Verdict

KEY = "sk_live_4qR8tYw2LmZx9KvBn7CpHd3J"


@pytest.fixture(scope="module")
def live() -> LiveScanner:
    """The shipped scanner."""
    return LiveScanner(Sources(SHIPPED, policy_file.SHIPPED))


@pytest.fixture(scope="module")
def client(live: LiveScanner) -> Iterator[TestClient]:
    """A client of the service."""
    with TestClient(build_service(lambda: live, largest=100_000)) as made:
        yield made


def test_scan_answers_with_the_fields_of_the_seed(client: TestClient) -> None:
    """Scores, spans, memory, decision, rationale, under these names."""
    answer = client.post("/scan", json=EXAMPLE)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body["scores"]) == {"sensitivity", "exposure", "context", "obfuscation"}
    assert {"type", "start", "end"} <= set(body["spans"][0])
    assert set(body["memory"]) == {"vec", "flags"}
    assert body["decision"] == "BLOCK"
    assert body["rationale"]
    assert "4539" not in answer.text


def test_memory_of_an_answer_is_taken_back(client: TestClient) -> None:
    """The vector of one message is what the next one of its thread sends along."""
    first = client.post("/scan", json={"body": "The NDA is signed."}).json()
    body = {"body": "Fine.", "thread_position": 1}
    after = client.post("/scan", json=body | {"memory": first["memory"]["vec"]})
    assert after.status_code == 200
    assert after.json()["scores"] != client.post("/scan", json=body).json()["scores"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "body"),
        ({"body": 5}, "body"),
        ({"body": "a", "kind": "FAX"}, "kind"),
        ({"body": "a", "memory": "AAAA"}, "memory"),
        ({"body": "a", "colour": "red"}, "colour"),
    ],
)
def test_bad_requests_say_what_is_wrong(client: TestClient, body: Any, word: str) -> None:
    """422 with the field's name."""
    answer = client.post("/scan", json=body)
    assert answer.status_code == 422
    assert word in answer.json()["detail"]


def test_a_refusal_does_not_repeat_the_secret(client: TestClient) -> None:
    """Not the value that was wrong, nor anything beside it."""
    answer = client.post("/scan", json={"body": {"text": KEY}, "kind": KEY})
    assert answer.status_code == 422
    assert KEY not in answer.text


def test_json_that_is_none_is_refused(client: TestClient) -> None:
    """422, not a crash."""
    answer = client.post("/scan", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_too_large_requests_are_refused(client: TestClient) -> None:
    """413, also where the client does not say how much is coming."""
    large = b'{"body": "' + b"a" * 200_000 + b'"}'
    assert client.post("/scan", content=large).status_code == 413
    assert client.post("/scan", content=iter([large[:9], large[9:]])).status_code == 413


def test_too_many_requests_are_refused_and_the_rest_served(live: LiveScanner) -> None:
    """One is scanned, one waits, the third is told to come again."""
    entered, leave = threading.Event(), threading.Event()

    class Slow(LiveScanner):
        def __init__(self) -> None:
            self.scanner = live.scanner

        def scan(self, *arguments: Any, **named: Any) -> Verdict:
            entered.set()
            assert leave.wait(30)
            return live.scan(*arguments, **named)

    answers: list[Any] = []
    with TestClient(build_service(Slow, workers=1, waiting=1)) as client:

        def post() -> None:
            answers.append(client.post("/scan", json={"body": "hello"}))

        threads = [threading.Thread(target=post) for _ in range(4)]
        threads[0].start()
        assert entered.wait(30)
        for thread in threads[1:]:
            thread.start()
        # Of the three one takes the place to wait in, whichever it is.
        deadline = time.monotonic() + 30
        while len(answers) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        leave.set()
        for thread in threads:
            thread.join(30)
    assert [answer.status_code for answer in answers] == [429, 429, 200, 200]
    assert answers[0].headers["retry-after"] == "1"


def test_warmup_says_what_serves(client: TestClient) -> None:
    """Versions of model and policy, and what a candidate would have done."""
    body = client.get("/warmup").json()
    assert body["status"] == "warm"
    assert body["model_version"]
    assert body["shadow"] == {"messages": 0, "disagreements": {}}


def test_api_is_described_with_examples(client: TestClient) -> None:
    """OpenAPI shows a message, the answer's shape, and the refusals."""
    scan = client.get("/openapi.json").json()["paths"]["/scan"]["post"]
    assert {"200", "413", "422", "429"} <= set(scan["responses"])
    assert "examples" in scan["requestBody"]["content"]["application/json"]
