"""``GET /streams/{stream_id}`` of two workers: whichever is asked, the shard's owner answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from schemas.codec import Codec
from state.stream_keys import StreamKey
from streams.feed import FedEvent, murmur2_partition
from streams.service.streams import ROUTE, answer_of
from tests.integration.streams.groups import answered, open_group
from tests.integration.streams.token_streams import (
    START_US,
    of_partition,
    read_tokens,
    undisturbed_engine,
    verdicts,
)
from tests.integration.streams.under_test import SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from deploy.broker.handle import CrashableBroker
    from tests.integration.streams.groups import Group

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ENDED = "ended"
NAMES = [
    *(f"chat-{number}" for number in range(6)),
    "with/slash", "what?", "100%", "50%25", "a b&c=d#e", "Gespräch über 合同", ENDED,
]  # fmt: skip
TEXT = "Hi Anna, my card is 4111 1111 1111 1111, call +49 30 1234567. "


def record(name: str, operation: str, position: int, text: str | None) -> FedEvent:
    """A piece, or an end."""
    piece = {
        "tenant": "acme", "stream_id": name, "operation": operation, "position": position,
        "text": text, "time_us": START_US + position * 50_000,
    }  # fmt: skip
    return FedEvent(name.encode(), Codec("token").encode(piece))


def text_of(name: str) -> str:
    """What a stream says; all end in the middle of a word."""
    return TEXT * (1 + NAMES.index(name) % 3) + f"and this is {name}"


@pytest.fixture(scope="module")
def group(broker: CrashableBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Two workers that read tokens, and streams behind them that go on, but for one."""
    with open_group(broker, tmp_path_factory.mktemp("route")) as made:
        read_tokens(made.stream)
        made.start()
        sent = []
        for name in NAMES:
            text = text_of(name)
            sent += [
                record(name, "APPEND", at, text[at : at + 20]) for at in range(0, len(text), 20)
            ]
        sent.append(record(ENDED, "END", len(text_of(ENDED)), None))
        made.stream.produce(sent, role="tokens")
        with made.client(token=made.tokens["api-token-app"]) as client:

            def all_read() -> bool:
                found = {name: ask(made, client, name)[0] for name in NAMES}
                gone = found.pop(ENDED).status_code == HTTPStatus.GONE
                return gone and all(
                    one.is_success and one.json()["position"] == len(text_of(name))
                    for name, one in found.items()
                )

            made.stream.until(all_read, "every piece to be read")
        # Word that it was judged comes in the log as well, and moves the offset of its shard.
        made.stream.until(lambda: ENDED in verdicts(made.stream), "the verdict of what has ended")
        yield made


def ask(
    group: Group, client: httpx.Client, name: str, tenant: str = "acme"
) -> list[httpx.Response]:
    """Ask each worker about a stream."""
    path = f"/streams/{quote(name, safe='/')}?tenant={tenant}"
    return [client.get(url) for url in group.urls(path)]


def rounded(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the last bits of numbers, which depend on the calls tokens came in."""
    spans = [{**one, "confidence": round(one["confidence"], 3)} for one in answer["spans"]]
    scores = {name: round(score, 3) for name, score in answer["scores"].items()}
    confidence = round(answer["confidence"], 3)
    return {**answer, "spans": spans, "scores": scores, "confidence": confidence}


def test_whichever_worker_is_asked_the_owner_answers(group: Group) -> None:
    """Both say what a shard that nothing happened to would; handed on once where need be."""
    engines = {}
    for partition in range(SHARDS):
        if records := of_partition(group.stream, partition):
            engines[partition] = undisturbed_engine(group.stream.settings, partition, records)[0]
    before = sum(answered(worker, group, ROUTE) for worker in group.workers)
    with group.client(token=group.tokens["api-token-app"]) as client:
        for name in NAMES[:-1]:
            first, second = ask(group, client, name)
            assert first.status_code == second.status_code == HTTPStatus.OK, first.text
            assert first.json() == second.json()
            key = StreamKey("acme", name)
            engine = engines[murmur2_partition(name.encode(), SHARDS)]
            said = engine.seen(key)
            assert said is not None
            expected = answer_of(key, said, engine.next_offset or 0).model_dump()
            assert rounded(first.json()) == rounded(expected)
            found = {span["type"]: (span["start"], span["end"]) for span in first.json()["spans"]}
            assert found["PAN"][1] - found["PAN"][0] == len("4111 1111 1111 1111")
    after = sum(answered(worker, group, ROUTE) for worker in group.workers)
    # Each was asked for all; of each pair one was handed on, and so answered twice.
    assert after - before == 3 * (len(NAMES) - 1)


def test_streams_that_are_not_open_are_told_apart(group: Group) -> None:
    """Never begun: 404; ended: 410; by either worker."""
    with group.client(token=group.tokens["api-token-app"]) as client:
        for number in range(4):
            statuses = [one.status_code for one in ask(group, client, f"nobody-{number}")]
            assert statuses == [HTTPStatus.NOT_FOUND] * 2
        assert [one.status_code for one in ask(group, client, ENDED)] == [HTTPStatus.GONE] * 2
        other = [one.status_code for one in ask(group, client, NAMES[0], tenant="initech")]
        assert other == [HTTPStatus.NOT_FOUND] * 2


def test_who_may_not_ask_is_refused_by_both(group: Group) -> None:
    """No token, a wrong one, and one of another tenant; a reader's certificate opens."""
    for token, status in (
        (None, HTTPStatus.UNAUTHORIZED),
        ("0" * 64, HTTPStatus.UNAUTHORIZED),
        (group.tokens["api-token-globex"], HTTPStatus.FORBIDDEN),
    ):
        with group.client(token=token) as client:
            for answer in ask(group, client, NAMES[0]):
                assert answer.status_code == status
                assert answer.headers["content-type"] == "application/problem+json"
    with group.client(certificate=group.authority.issue("reader")) as client:
        for name in NAMES[:6]:
            for answer in ask(group, client, name):
                assert answer.status_code == HTTPStatus.OK, answer.text
