"""A worker with encrypted state on a real broker: rotated, erased, restored, replayed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from schemas.codec import Codec
from state import cell_keys
from state.audit.leaf import COLUMN, ERASURE, record_numbers
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.encryption.sealing import FORMAT
from streams.audit_reader import leaf_of
from streams.backtest import run_backtest
from streams.cli.main import app
from streams.kafka.topics import changelog_name
from streams.settings import EncryptionSettings
from tests.integration.streams.under_test import SHARDS, Stream, make_events, open_stream
from tests.unit.streams.test_encryption import known_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.broker.handle import CrashableBroker

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RUN = CliRunner()
TENANTS = ("acme", "globex", "initech")


@pytest.fixture
def sealed(broker: CrashableBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A stream whose state is encrypted, with snapshots."""
    with open_stream(broker, tmp_path_factory.mktemp("encryption")) as stream:
        keys = stream.folder / "keys"
        KeyStore.initialise(KeyFolder(keys))
        stream.settings = stream.settings.model_copy(
            update={"encryption": EncryptionSettings(mode="on", keys=str(keys), refresh_s=1)}
        )
        stream.environment |= {
            "WEIR_ENCRYPTION__MODE": "on",
            "WEIR_ENCRYPTION__KEYS": str(keys),
            "WEIR_ENCRYPTION__REFRESH_S": "1",
            "WEIR_SNAPSHOTS__URL": str(stream.folder / "snapshots"),
            "WEIR_SNAPSHOTS__EVERY_EVENTS": "200",
        }
        yield stream


def weir(stream: Stream, *arguments: str) -> list[dict[str, Any]]:
    """Run a command; return what it printed as JSON."""
    result = RUN.invoke(app, list(arguments), env=stream.environment)
    assert result.exit_code == 0, result.output + result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


def sealed_versions(stream: Stream, tenant: str) -> set[int | None]:
    """Return the key versions of a tenant's records in the changelog; None for clear ones."""
    changelog = changelog_name(stream.settings.application_id)
    prefixes = cell_keys.cell_prefixes(tenant)
    return {
        record.value[1] if record.value[0] == FORMAT else None
        for shard in range(SHARDS)
        for record in stream.read(changelog, shard)
        if record.value and record.key and record.key.startswith(prefixes)
    }


def weights(stream: Stream) -> dict[tuple[str, int], bytes]:
    """Restore every shard from the changelog; digests of what the cells hold."""
    return {place: found[3] for place, found in stream.cells().items()}


def weights_in_the_clear(stream: Stream, *erased: str) -> dict[tuple[str, int], bytes]:
    """Return what the same events teach without Kafka and encryption, of those not erased."""
    plain = stream.settings.model_copy(update={"encryption": EncryptionSettings()})
    cells = run_backtest(plain, stream.sent).cells
    return {
        (cell.tenant, cell.shard): cell.state_digest for cell in cells if cell.tenant not in erased
    }


def erasures(stream: Stream) -> int:
    """Count the marks of erasures in the audit trail."""
    values = [leaf_of(value) for part in stream.values("audit") for value in part]
    return sum(record_numbers(value)[0, COLUMN["format"]] == ERASURE for value in values)


def quarantined(stream: Stream) -> int:
    decode = Codec("quarantine").decode
    values = [value for part in stream.values("quarantine") for value in part]
    return sum(decode(value or b"")["reason"] == "TENANT_ERASED" for value in values)


def test_a_tenant_is_sealed_rotated_and_erased_while_others_go_on(sealed: Stream) -> None:
    """One worker through all of it, then others without its table."""
    worker = sealed.start()
    sealed.produce(make_events(600, tenants=TENANTS))
    sealed.wait_committed()
    weir(sealed, "keys", "rotate", "--tenant", "acme")
    sealed.until(lambda: "key store has changed" in worker.text(), "word of the new version")
    sealed.produce(make_events(1_500, start=600, tenants=TENANTS))
    sealed.wait_committed()
    assert sealed_versions(sealed, "acme") == {1, 2}
    assert sealed_versions(sealed, "globex") == {1}

    # Destroyed under a worker that runs and has nothing else to do.
    weir(sealed, "keys", "destroy", "--tenant", "initech", "--yes")
    sealed.until(lambda: worker.text().count("tenants erased") == SHARDS, "erasure")
    assert worker.terminate() == 0

    # What is restored from sealed records is what was never encrypted.
    assert weights(sealed) == weights_in_the_clear(sealed, "initech")
    clear = sealed.folder / "w0" / "state" / sealed.settings.application_id
    lying = b"".join(p.read_bytes() for p in clear.rglob("*") if p.is_file())
    lying += b"".join(p.read_bytes() for p in (sealed.folder / "snapshots").rglob("*.blob"))
    engine = sealed.engine(0)
    engine.process(sealed.read(sealed.topic("events"), 0))
    words = known_words(engine.tenants["acme"].to_state())
    assert len(words) > 100
    assert not [word for word in words if word in lying]
    [equal] = {one["equal"] for one in weir(sealed, "replay", "--verify", "--json")}
    assert equal

    # Destroyed while nobody serves; the next worker has neither table nor key.
    snapshots = weir(sealed, "snapshot", "list", "--json")
    assert snapshots
    weir(sealed, "keys", "destroy", "--tenant", "acme", "--yes")
    worker = sealed.start("w1")
    before = quarantined(sealed)
    sealed.produce(make_events(300, start=2_100, tenants=TENANTS))
    sealed.wait_committed()
    assert quarantined(sealed) - before == 200
    assert worker.terminate() == 0
    assert weights(sealed) == weights_in_the_clear(sealed, "initech", "acme")
    reports = weir(sealed, "verify", "--json")
    assert {(one["outcome"], one["origin"].split("/")[1]) for one in reports} == {
        ("OK", tenant) for tenant in TENANTS
    }
    replayed = weir(sealed, "replay", "--verify", "--json")
    assert [one["equal"] for one in replayed] == [True] * SHARDS
    checked = weir(sealed, "snapshot", "check", snapshots[-1]["id"], "--json")
    assert {cell["tenant"]: cell.get("erased", False) for cell in checked} == {
        "acme": True,
        "globex": False,
        "initech": True,
    }

    # Set back, the erased stay erased, and the others learn the same again.
    marks = erasures(sealed)
    assert marks == 2 * SHARDS
    weir(sealed, "rewind", "--shift-by", "-60", "--yes")
    worker = sealed.start("w1")
    sealed.wait_committed()
    assert worker.terminate() == 0
    assert weights(sealed) == weights_in_the_clear(sealed, "initech", "acme")
    assert erasures(sealed) == marks
    reports = weir(sealed, "verify", "--json")
    assert {one["outcome"] for one in reports} == {"OK"}
