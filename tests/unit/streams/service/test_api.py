"""The service API over a real shard: answers, updates through the log, refusals."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute

from schemas.codec import Codec
from streams.replay.compare import read_prediction
from streams.service import answers, bodies
from streams.service.examples import ANSWERS, REQUESTS
from streams.service.forwarding import HOPS
from streams.service.routes import READS, WRITES
from tests.unit.streams.service.under_test import WorkerUnderTest, a_worker
from tests.unit.streams.test_shard_life import PATIENCE_S

if TYPE_CHECKING:
    from tests.unit.streams.test_shard_life import Lab

WHO = {"tenant": "acme", "id": "id-1"}
FUSE: dict[str, Any] = WHO | {
    "features": {"amount": 3.25},
    "feature_ids": [1, 2, 2**64 - 2**48 - 1],
    "feature_values": [0.5, -1.0, 2.0],
    "query": [0.1, 0.7],
    "context": {"channel": "web"},
}
UPDATE: dict[str, Any] = WHO | {
    "event_id": "e-1",
    "feature_ids": [1, 5],
    "feature_values": [1.0, 2.0],
    "label": 1.0,
}
INGEST: dict[str, Any] = WHO | {
    "event_id": "e-2",
    "key": [0.3, 0.4],
    "value": [0.5],
    "time_us": 5_000_000,
}
PROBLEM = "application/problem+json"


# -- questions ------------------------------------------------------------------------------------


def test_fuse_predict_is_what_the_next_event_is_predicted(worker: WorkerUnderTest) -> None:
    """Over HTTP and back through JSON not a bit is lost."""
    with worker.client() as client:
        answer = client.post("/Fuse.Predict", json=FUSE).json()
    event = bodies.FusePredict(**FUSE).event() | {"event_id": "next", "time_us": 9}
    worker.run(worker.producer.send(b"id-1", Codec("event").encode(event), 0))
    worker.settle()
    step = read_prediction(worker.lab.kafka.outputs[-1])
    assert step["event_id"] == "next"
    for name in ("y_hat", "y_sera", "y_hlm", "y_gate", "y_meta", "y_feature", "gate"):
        assert answer[name] == step[name], name
    assert answer["diagnostics"]["rj_gap"] == step["rj_gap"]
    assert answer["as_of"]["step"] + 1 == step["step"]


def test_the_halves_answer_alike_by_themselves(worker: WorkerUnderTest) -> None:
    """Hlm.Predict and Sera.Query give the numbers that are part of the fused answer."""
    with worker.client() as client:
        fused = client.post("/Fuse.Predict", json=FUSE).json()
        linear = {name: FUSE[name] for name in (*WHO, "features", "feature_ids", "feature_values")}
        hlm = client.post("/Hlm.Predict", json=linear).json()
        sera = client.post("/Sera.Query", json=WHO | {"query": FUSE["query"]}).json()
    assert hlm["y_hlm"] == fused["y_hlm"]
    assert sera["y_sera"] == fused["y_sera"]
    assert sera["den"] == fused["diagnostics"]["den"]
    assert sera["ver_sera"] == fused["versions"]["ver_sera"]
    assert len(sera["readout"]) == 1
    assert hlm["as_of"] == sera["as_of"] == fused["as_of"]


def test_an_answer_says_of_which_state_it_is(worker: WorkerUnderTest) -> None:
    """Offset, step, epoch and chain head are those of the last commit."""
    shard = worker.shards.get(0)
    assert shard is not None
    with worker.client() as client:
        as_of = client.post("/Hlm.Predict", json=WHO).json()["as_of"]
    chain = shard.engine.chain("acme")
    assert as_of == {
        "topic": "events",
        "shard": 0,
        "offset": 40,
        "step": 40,
        "epoch": 0,
        "tree_size": chain.size,
        "chain_head": chain.head.hex(),
    }


def test_a_tenant_without_a_cell_is_not_found_and_gets_none(worker: WorkerUnderTest) -> None:
    """A question must not take one of the shard's places."""
    shard = worker.shards.get(0)
    assert shard is not None
    with worker.client() as client:
        for number in range(4):
            answer = client.post("/Hlm.Predict", json=WHO | {"tenant": f"nobody-{number}"})
            assert answer.status_code == 404
            assert answer.headers["content-type"] == PROBLEM
    assert list(shard.engine.tenants) == ["acme"]
    worker.step(1)  # and the shard's bound of two tenants was not used up
    assert shard.engine.hasher("globex") is not None


@pytest.mark.parametrize(
    ("path", "change", "word"),
    [
        ("/Fuse.Predict", {"query": [1.0]}, "query has 8 bytes"),
        ("/Sera.Query", {"query": [1.0, 2.0, 3.0]}, "query has 24 bytes"),
        ("/Sera.Query", {"query": [0.0, 0.0], "lowrank": True}, "r_v"),
        ("/Fuse.Predict", {"feature_ids": [1], "feature_values": []}, "one value for each id"),
        ("/Fuse.Predict", {"feature_ids": [2**64 - 1], "feature_values": [1.0]}, "feature_ids"),
        ("/Fuse.Predict", {"features": {"a": 1e101}}, "features.a"),
        ("/Fuse.Predict", {"features": {"a": "a lot"}}, "features.a"),
        ("/Fuse.Predict", {"colour": "red"}, "colour"),
        ("/Hlm.Predict", {"tenant": ""}, "tenant"),
        ("/Hlm.Predict", {"tenant": "é" * 101}, "200 bytes"),
        ("/Hlm.Predict", {"id": "a" * 1_001}, "id"),
        ("/Hlm.Update", UPDATE | {"label": 1.5}, "[0, 1]"),
        ("/Hlm.Update", UPDATE | {"lr": 0.123}, "learner.hlm.lr"),
        ("/Hlm.Update", UPDATE | {"l2": 0.123}, "learner.hlm.l2"),
        ("/Hlm.Update", UPDATE | {"event_id": ""}, "event_id"),
        ("/Hlm.Update", UPDATE | {"time_us": 2**53}, "time_us"),
        ("/Sera.Ingest", INGEST | {"key": [1.0]}, "key has 1 numbers"),
        ("/Sera.Ingest", INGEST | {"value": [1.0, 2.0]}, "value has 2 numbers"),
        ("/Auditor.Append", {"event_id": "e", "entry": "text"}, "entry"),
    ],
)
def test_bad_requests_say_what_is_wrong(
    worker: WorkerUnderTest, path: str, change: dict[str, Any], word: str
) -> None:
    """422 as problem details, and nothing is sent."""
    with worker.client() as client:
        answer = client.post(path, json=WHO | change)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert word in answer.json()["detail"]
    assert answer.json()["title"] == "Unprocessable Entity"
    assert worker.producer.sent == []


def test_what_json_cannot_carry_is_refused(worker: WorkerUnderTest) -> None:
    """NaN, and lone surrogates, which would break the encoding of the event."""
    with worker.client() as client:
        for text in (
            '{"tenant": "acme", "id": "x", "features": {"a": NaN}}',
            '{"tenant": "acme", "id": "\\ud800"}',
            '{"tenant": "acme", "id": "x", "features": {"\\udfff": 1}}',
            "{",
        ):
            headers = {"content-type": "application/json"}
            answer = client.post("/Fuse.Predict", content=text, headers=headers)
            assert answer.status_code == 422, text


# -- updates --------------------------------------------------------------------------------------


def test_an_update_goes_through_the_log(worker: WorkerUnderTest) -> None:
    """202 with its place; the event is what a producer would have sent, under the same key."""
    with worker.client() as client:
        answer = client.post("/Hlm.Update", json=UPDATE)
    assert answer.status_code == 202
    ack = answer.json()
    assert (ack["topic"], ack["partition"], ack["offset"]) == ("events", 0, 40)
    assert not ack["committed"]
    assert ack["merkle_curr"] is None
    [(key, value, _)] = worker.producer.sent
    event = Codec("event").decode(value)
    assert key == b"id-1"
    assert (event["kind"], event["event_id"], event["label"]) == ("OBSERVATION", "e-1", 1.0)
    assert event["time_us"] == 77  # of the clock: the request had none


@pytest.mark.parametrize(("path", "body"), [("/Hlm.Update", UPDATE), ("/Sera.Ingest", INGEST)])
def test_a_waiting_update_is_answered_after_its_commit(
    worker: WorkerUnderTest, path: str, body: dict[str, Any]
) -> None:
    """200 with prediction and leaf hash: those that were published."""
    with worker.client() as client:
        answer = client.post(f"{path}?wait=true", json=body)
    assert answer.status_code == 200, answer.text
    ack = answer.json()
    shard = worker.shards.get(0)
    assert shard is not None
    assert ack["committed"]
    assert ack["merkle_curr"] == shard.engine.chain("acme").head.hex()
    step = read_prediction(worker.lab.kafka.outputs[-1])
    assert ack["step"] == ack["prediction"]["step"] == step["step"] == 41
    assert ack["prediction"]["y_hat"] == step["y_hat"]
    assert ack["ver_sera"] == 40
    assert ack["c_lookup_p100"] > 0
    if path == "/Sera.Ingest":
        assert shard.engine.tenants["acme"].sera.health().ingested == 41


def test_an_entry_stands_in_the_audit_trail(worker: WorkerUnderTest) -> None:
    """Its mark holds the digest of the event; nothing is predicted, learnt or counted as a step."""
    entry = {"reviewer": "j.doe", "note": "grün", "case": [1, 2.5, None]}
    with worker.client() as client:
        ack = client.post(
            "/Auditor.Append?wait=true", json=WHO | {"event_id": "n", "entry": entry}
        ).json()
        after = client.post("/Hlm.Predict", json=WHO).json()["as_of"]
    assert ack["ok"]
    assert ack["committed"]
    assert ack["merkle_curr"] == after["chain_head"]
    assert ack["prediction"] is ack["ver_sera"] is None
    assert (ack["step"], after["step"]) == (40, 40)
    assert (after["tree_size"], after["offset"]) == (41, 41)
    event = Codec("event").decode(worker.producer.sent[0][1])
    assert json.loads(event["context"]["entry"]) == entry
    assert len(worker.lab.kafka.outputs) == 40


def test_a_wait_that_is_too_long_ends_with_the_place(worker: WorkerUnderTest) -> None:
    """The event is safe and not committed yet: 202, not an error."""
    worker.lab.kafka.commits.clear()
    with worker.client() as client:
        answer = client.post("/Hlm.Update?wait=true&timeout_ms=100", json=UPDATE)
    assert answer.status_code == 202
    assert answer.json()["offset"] == 40


def test_brokers_that_do_not_answer_are_said_so(worker: WorkerUnderTest) -> None:
    """504: it may have arrived, and may be sent again under its name."""
    worker.producer.delivers = False
    with worker.client() as client:
        answer = client.post("/Hlm.Update?timeout_ms=50", json=UPDATE)
    assert answer.status_code == 504
    assert "same event_id" in answer.json()["detail"]


def test_a_quarantined_update_is_told_so(worker: WorkerUnderTest) -> None:
    """What this version lets pass and the shard does not: 422 with the reason, after the commit."""
    with worker.client() as client:
        first = client.post(
            "/Hlm.Update?wait=true", json=UPDATE | {"tenant": "globex", "event_id": "a"}
        )
        assert first.status_code == 200
        answer = client.post(
            "/Hlm.Update?wait=true", json=UPDATE | {"tenant": "initech", "event_id": "b"}
        )
    assert answer.status_code == 422
    assert answer.json()["reason"] == "UNKNOWN_TENANT"
    assert "quarantine" in answer.json()["detail"]


def test_an_event_committed_before_its_acknowledgement_is_found(
    worker: WorkerUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shard may be faster than the broker's answer."""
    send = worker.producer.send

    async def slow(key: bytes, value: bytes, partition: int) -> Any:
        sent = await send(key, value, partition)
        while worker.shards.get(0).next_offset != sent.offset + 1:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return sent

    monkeypatch.setattr(worker.producer, "send", slow)
    with worker.client() as client:
        for body in (UPDATE, UPDATE | {"event_id": "again"}):
            answer = client.post("/Hlm.Update?wait=true", json=body)
            assert answer.json()["committed"]


def test_foreign_messages_are_not_mixed_with_events(lab: Lab) -> None:
    """Where workers read another form, an update says so instead of poisoning the topic."""
    with a_worker(lab) as worker:
        worker.settings = worker.settings.model_copy(update={"mapping": lab.folder / "m.yaml"})
        with worker.client() as client:
            answer = client.post("/Hlm.Update", json=UPDATE)
        assert answer.status_code == 501
        assert worker.producer.sent == []


# -- whose shard ----------------------------------------------------------------------------------


def test_a_shard_that_nobody_serves_is_asked_for_again(lab: Lab) -> None:
    """503 and when to come back: during a rebalance, and for a request that was handed on."""
    with a_worker(lab) as worker:
        worker.step(3)
        worker.run(worker.shards.assign(set(), set()))
        with worker.client() as client:
            answer = client.post("/Hlm.Predict", json=WHO)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            worker.owners = {"http://127.0.0.1:1": {"events": [0]}}
            handed_on = client.post("/Hlm.Predict", json=WHO, headers={HOPS: "1"})
            assert handed_on.status_code == 503
            assert "moved" in handed_on.json()["detail"]
            dead = client.post("/Hlm.Predict", json=WHO)
            assert dead.status_code == 503
            assert "does not answer" in dead.json()["detail"]
            worker.run(worker.shards.pause(set()))
            assert client.post("/Hlm.Predict", json=WHO).status_code == 503
            assert client.get("/readyz").status_code == 503
        assert worker.producer.sent == []


def test_an_update_that_is_not_waited_for_needs_no_owner(lab: Lab) -> None:
    """Kafka takes it while the shard moves; one that is waited for is not sent at all."""
    with a_worker(lab) as worker:
        worker.run(worker.shards.assign(set(), set()))
        with worker.client() as client:
            assert client.post("/Hlm.Update?wait=true", json=UPDATE).status_code == 503
            assert worker.producer.sent == []
            assert client.post("/Hlm.Update", json=UPDATE).status_code == 202


# -- bounds ---------------------------------------------------------------------------------------


def test_one_request_too_many_is_told_to_come_again(lab: Lab) -> None:
    """429, while those before are answered."""
    with a_worker(lab, max_requests=1) as worker:
        worker.step(3)
        worker.lab.kafka.commits.clear()
        with worker.client() as client:
            found: list[Any] = []
            body = UPDATE | {"event_id": "held"}

            def post() -> None:
                found.append(client.post("/Hlm.Update?wait=true", json=body))

            first = threading.Thread(target=post)
            first.start()
            waited = threading.Event()
            while not worker.producer.sent:
                waited.wait(0.001)
            second = client.post("/Hlm.Update", json=UPDATE)
            assert second.status_code == 429
            assert second.headers["retry-after"] == "1"
            worker.lab.kafka.commits.set()
            first.join(PATIENCE_S)
            assert [answer.status_code for answer in found] == [200]


def test_large_requests_are_refused_unread(lab: Lab) -> None:
    """413, whether or not the length is announced."""
    with a_worker(lab, max_request_bytes=2_000) as worker, worker.client() as client:
        large = b'{"tenant": "' + b"a" * 4_000 + b'"}'
        assert client.post("/Fuse.Predict", content=large).status_code == 413
        chunks = iter([large[:9], large[9:]])
        assert client.post("/Fuse.Predict", content=chunks).status_code == 413


def test_a_question_that_takes_too_long_is_given_up(worker: WorkerUnderTest) -> None:
    """504 while a unit of work hangs in its commit."""
    worker.lab.kafka.commits.clear()
    with worker.client() as client:
        client.post("/Hlm.Update", json=UPDATE)
        answer = client.post("/Hlm.Predict?timeout_ms=50", json=WHO)
    assert answer.status_code == 504


# -- description ----------------------------------------------------------------------------------


def test_every_route_needs_something_and_is_described(worker: WorkerUnderTest) -> None:
    """No route is forgotten by the guard, and each has an example of what it takes and gives."""
    parts = worker.parts()
    for part in parts:
        paths = {route.path for route in part.router.routes if isinstance(route, APIRoute)}
        assert paths == set(part.needs)
    with worker.client() as client:
        description = client.get("/openapi.json").json()
    for path in (*READS, *WRITES):
        post = description["paths"][path]["post"]
        body = post["requestBody"]["content"]["application/json"]
        assert body["examples"]["example"]["value"] == REQUESTS[path]
        assert post["responses"]["200"]["content"]["application/json"]["example"]
        assert {"401", "403", "413", "422", "429", "503", "504"} <= set(post["responses"])
        assert post["security"]
    for path in ("/healthz", "/readyz"):
        assert "example" in str(description["paths"][path]["get"]["responses"]["200"])


@pytest.mark.parametrize("path", [*READS, *WRITES])
def test_examples_are_what_the_models_take_and_give(path: str) -> None:
    """Whoever copies one is not turned away."""
    name = path.removeprefix("/").replace(".", "")
    getattr(bodies, name).model_validate(REQUESTS[path])
    kinds = {"SeraQuery": "SeraAnswer", "HlmPredict": "HlmAnswer", "FusePredict": "FuseAnswer"}
    model = getattr(answers, kinds.get(name, "Ack"))
    assert model.model_validate(ANSWERS[path]).model_dump() == ANSWERS[path]


def test_requests_are_counted_by_route_and_nothing_else(worker: WorkerUnderTest) -> None:
    """A path that somebody makes up is no label of its own."""
    with worker.client() as client:
        client.post("/Hlm.Predict", json=WHO)
        client.post("/Hlm.Predict", json={})
        client.get("/no-such/secret-path")
        text = client.get("/metrics").text
    assert 'weir_http_requests_total{route="/Hlm.Predict",status="200"} 1.0' in text
    assert 'weir_http_requests_total{route="/Hlm.Predict",status="422"} 1.0' in text
    assert 'weir_http_requests_total{route="other",status="404"} 1.0' in text
    assert "secret-path" not in text
