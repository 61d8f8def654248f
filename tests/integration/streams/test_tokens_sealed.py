"""Streams of text under encryption, on a real broker: killed, restored, erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.codec import Codec
from state import stream_keys
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.encryption.sealing import FORMAT
from streams.feed import FedEvent
from streams.kafka.topics import TOKENS_TABLE_NAME, changelog_name, prepare_topics
from streams.settings import EncryptionSettings
from tests.integration.streams.test_encryption import weir
from tests.integration.streams.test_tokens import (
    assert_audited,
    assert_undisturbed,
    wait_for_finals,
)
from tests.integration.streams.token_streams import WORDS, finals, interleaved, pieces, verdicts

if TYPE_CHECKING:
    from tests.integration.streams.under_test import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ENCODE = Codec("token").encode
STREAMS, WORDS_EACH = 12, 40
ERASED = "globex"


@pytest.fixture
def sealed(stream: Stream) -> Stream:
    """A stream whose workers read tokens and encrypt their state."""
    keys = stream.folder / "keys"
    KeyStore.initialise(KeyFolder(keys))
    enabled = stream.settings.hierarchy.model_copy(update={"enabled": True})
    encryption = EncryptionSettings(mode="on", keys=str(keys), refresh_s=1)
    stream.settings = stream.settings.model_copy(
        update={"hierarchy": enabled, "encryption": encryption}
    )
    stream.environment |= {
        "WEIR_HIERARCHY__ENABLED": "true",
        "WEIR_ENCRYPTION__MODE": "on",
        "WEIR_ENCRYPTION__KEYS": str(keys),
        "WEIR_ENCRYPTION__REFRESH_S": "1",
        "WEIR_STREAM__MAX_UNIT_EVENTS": "30",
        "WEIR_STREAM__STATIC_MEMBER": "w0",
    }
    prepare_topics(stream.settings)
    return stream


def changelog(stream: Stream) -> list[tuple[bytes, bytes | None]]:
    """All records of the changelog of streams, in order, shard by shard."""
    topic = changelog_name(stream.settings.application_id, TOKENS_TABLE_NAME)
    return [
        (record.key or b"", record.value)
        for shard in range(stream.shards)
        for record in stream.read(topic, shard)
    ]


def left(stream: Stream, tenant: str) -> int:
    """How many records of a tenant's streams there are."""
    prefixes = stream_keys.tenant_prefixes(tenant)
    latest = {key: value for key, value in changelog(stream) if key.startswith(prefixes)}
    return sum(value is not None for value in latest.values())


def send(stream: Stream, records: list[dict[str, Any]], tenant: str) -> None:
    """Send pieces of a stream of a tenant."""
    own = [{**record, "tenant": tenant} for record in records]
    stream.produce([FedEvent(one["stream_id"].encode(), ENCODE(one)) for one in own], role="tokens")


def refused(stream: Stream) -> list[dict[str, Any]]:
    """What is in quarantine."""
    decode = Codec("quarantine").decode
    return [dict(decode(value)) for part in stream.values("quarantine") for value in part]


def test_sealed_streams_survive_kills_and_an_erased_tenant_is_gone(sealed: Stream) -> None:
    """Verdicts are those of a run in the clear; nothing lies in the clear; others go on."""
    sealed.produce(interleaved(STREAMS, WORDS_EACH), role="tokens")
    for stage in ("open-transaction", "committed"):
        assert sealed.start(crash=stage).process.wait(600) == -9
    worker = sealed.start()
    wait_for_finals(sealed, STREAMS)
    assert_undisturbed(sealed, STREAMS)
    assert_audited(sealed)

    theirs, ours = pieces(100, WORDS_EACH), pieces(200, WORDS_EACH)
    send(sealed, theirs[:-1], ERASED)
    send(sealed, ours[:-1], "acme")
    sealed.until(lambda: left(sealed, ERASED) > 0, "a stream to be erased", 300)
    written = changelog(sealed)
    prefixes = stream_keys.tenant_prefixes("acme") + stream_keys.tenant_prefixes(ERASED)
    values = [value for key, value in written if key.startswith(prefixes) and value]
    assert {value[0] for value in values} == {FORMAT}
    everything = b"\n".join(key + (value or b"") for key, value in written)
    for word in {word for word in WORDS if len(word) > 5}:
        assert word.encode() not in everything
    assert b"stream-1" not in everything

    weir(sealed, "keys", "destroy", "--tenant", ERASED, "--yes")
    sealed.until(lambda: left(sealed, ERASED) == 0, "erasure")
    send(sealed, theirs[-1:], ERASED)
    send(sealed, ours[-1:], "acme")
    wait_for_finals(sealed, STREAMS + 1)
    sealed.until(lambda: len(refused(sealed)) == 1, "what is refused")
    [record] = refused(sealed)
    assert (record["reason"], record["value"], record["key"]) == ("TENANT_ERASED", None, None)

    worker.kill()
    another = sealed.start("w1")
    send(sealed, pieces(300, WORDS_EACH), "acme")
    send(sealed, pieces(101, WORDS_EACH)[:1], ERASED)
    wait_for_finals(sealed, STREAMS + 2)
    sealed.until(lambda: len(refused(sealed)) == 2, "what is refused")
    assert another.terminate() == 0
    found = verdicts(sealed)
    assert not finals(found.get("stream-100", []))
    assert "stream-101" not in found
    assert left(sealed, ERASED) == 0
    reports = weir_verify(sealed)
    assert {one["outcome"] for one in reports} == {"OK"}
    assert any(f"-tokens/{ERASED}/" in one["origin"] for one in reports)


def weir_verify(stream: Stream) -> list[dict[str, Any]]:
    """The reports of the trails of streams."""
    return [one for one in weir(stream, "verify", "--json") if "-tokens/" in one["origin"]]
