"""The audit trail of a real stream: verified, proved, witnessed, exported, and tampered with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from state.audit.chain import Chain
from state.audit.checkpoint import origin_of
from state.audit.leaf import RECORD_DTYPE
from streams.audit_reader import leaf_of, read_checkpoint
from streams.cli.keys import own_verifiers
from streams.cli.main import app
from streams.kafka.clients import client_config
from streams.kafka.topics import admin, create_topics
from streams.keys import CellKeys
from streams.messages import build_codecs
from tests.integration.streams.under_test import SHARDS, Stream, make_events, open_stream
from tests.s3_server import running_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typer.testing import Result

    from deploy.broker.handle import CrashableBroker
    from state.audit.note import Verifier

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RUN = CliRunner()
Pairs = list[list[tuple[bytes, bytes]]]


def weir(
    stream: Stream, *arguments: str, code: int = 0, where: dict[str, str] | None = None
) -> Result:
    """Run a command with the stream's settings."""
    result = RUN.invoke(app, list(arguments), env=stream.environment | (where or {}))
    assert result.exit_code == code, result.output + result.stderr
    return result


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def run(broker: CrashableBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """Two tenants, three shards, and a worker that has stopped."""
    with open_stream(broker, tmp_path_factory.mktemp("trail")) as stream:
        stream.produce(make_events(1_200, tenants=("acme", "globex")))
        worker = stream.start()
        stream.wait_committed()
        assert worker.terminate() == 0
        yield stream


@pytest.fixture(scope="module")
def key(run: Stream) -> Verifier:
    return own_verifiers(run.settings)[0]


def pairs(stream: Stream, role: str) -> Pairs:
    """Key and value of everything on a topic, by partition."""
    return [
        [(record.key or b"", record.value or b"") for record in part]
        for part in stream.records(role)
    ]


def published(stream: Stream, audit: Pairs, checkpoints: Pairs) -> dict[str, str]:
    """Write a trail to topics of its own; gives the environment that points to them."""
    prefix = f"forged-{uuid4().hex[:8]}."
    names = {role: f"{prefix}{role}" for role in ("audit", "audit-checkpoints")}
    create_topics(admin(stream.settings.broker), {n: (SHARDS, 1, {}) for n in names.values()})
    producer = Producer(client_config(stream.settings.broker))
    for role, parts in (("audit", audit), ("audit-checkpoints", checkpoints)):
        for partition, part in enumerate(parts):
            for record_key, value in part:
                producer.produce(names[role], value, key=record_key, partition=partition)
    assert producer.flush(60) == 0
    return {"WEIR_TOPICS__PREFIX": prefix}


def test_an_honest_trail_verifies_with_its_shard_roots(run: Stream) -> None:
    """Every cell's log and every shard's root hold, as the worker wrote them."""
    reports = objects(weir(run, "verify", "--json"))
    assert {report["outcome"] for report in reports} == {"OK"}
    assert len(reports) == 2 * SHARDS


def test_a_tenant_verifies_its_own_chain_with_the_public_key(run: Stream, key: Verifier) -> None:
    """One tenant's log, the operator's public key, and no secret."""
    nowhere = {"WEIR_SECRETS__DIRECTORY": "/nowhere"}
    result = weir(run, "verify", "--tenant", "acme", "--key", str(key), "--json", where=nowhere)
    assert {report["origin"].split("/")[1] for report in objects(result)} == {"acme"}


@pytest.mark.parametrize("kind", ["inclusion", "consistency", "head"])
def test_a_proof_made_from_the_topics_holds(
    run: Stream, key: Verifier, tmp_path: Path, kind: str
) -> None:
    """What is proved on the operator's machine is checked elsewhere with the public key."""
    sizes = [
        read_checkpoint(value).tree_size
        for tenant, value in pairs(run, "audit-checkpoints")[1]
        if tenant == b"globex"
    ]
    proof = tmp_path / "proof.json"
    options = {
        "inclusion": ["--step", "7"],
        "consistency": ["--first", str(sizes[0])],
        "head": [],
    }[kind]
    weir(
        run,
        *("prove", kind, "--tenant", "globex", "--shard", "1", "--out", str(proof), *options),
    )
    checked = weir(run, "prove", "check", str(proof), "--key", str(key), "--json")
    assert objects(checked)[0]["origin"].endswith("/globex/1")
    assert objects(checked)[0]["size"] == sizes[-1]
    proof.write_text(proof.read_text(encoding="utf-8").replace("globex/1", "acme/1"))
    weir(run, "prove", "check", str(proof), "--key", str(key), code=4)


def edit(values: list[bytes]) -> list[bytes]:
    value = values[5]
    return [*values[:5], value[:16] + bytes(8) + value[24:], *values[6:]]


def rehash(values: list[bytes]) -> list[bytes]:
    """Edit a record, and link and hash all records after it anew, as the program would."""
    leaves = np.frombuffer(b"".join(values), RECORD_DTYPE)["leaf"].copy()
    leaves["y_hat"][5] += 1.0
    return Chain("any").append(leaves)


@pytest.mark.parametrize(
    ("tamper", "reasons"),
    [
        (edit, {"LEAF_HASH"}),
        (lambda values: [*values[:5], *values[6:]], {"CHAIN", "STEP"}),
        (lambda values: [*values[:5], values[6], values[5], *values[7:]], {"CHAIN", "STEP"}),
        (lambda values: values[:-3], {"TRUNCATED"}),
        (rehash, {"CHECKPOINT_ROOT", "CHECKPOINT_HEAD"}),
    ],
    ids=["interior edit", "drop", "reorder", "tail truncation", "re-hash of a suffix"],
)
def test_a_trail_that_was_tampered_with_on_its_topics_is_found(
    run: Stream, tamper: Callable[[list[bytes]], list[bytes]], reasons: set[str]
) -> None:
    """Each kind of tampering is carried out on the topics of one cell, and named by its code."""
    audit = pairs(run, "audit")
    mine = [leaf_of(value) for tenant, value in audit[0] if tenant == b"acme"]
    others = [item for item in audit[0] if item[0] != b"acme"]
    audit[0] = [*((b"acme", value) for value in tamper(mine)), *others]
    forged = published(run, audit, pairs(run, "audit-checkpoints"))
    result = weir(run, "verify", "--json", code=4, where=forged)
    outcomes = {report["origin"]: report for report in objects(result)}
    tampered = [report for report in outcomes.values() if report["outcome"] == "TAMPERED"]
    assert [report["origin"].split("/")[1:] for report in tampered] == [["acme", "0"]]
    assert reasons <= set(tampered[0]["failures"])


def test_a_fork_is_proved_by_a_witness_and_found_by_who_kept_its_note(
    run: Stream, key: Verifier, tmp_path: Path
) -> None:
    """A history rewritten as a whole with the operator's own key is consistent, and convicted."""
    folder = tmp_path / "witness"
    watch = ("witness", "--dir", str(folder), "--key", str(key), "--once", "--json")
    seen = objects(weir(run, *watch))
    assert {finding["verdict"] for finding in seen} == {"COSIGNED"}
    assert len(seen) == 2 * SHARDS

    # The operator rewrites the trail: another history, one record longer, rightly signed.
    keys, codecs = CellKeys.open(run.settings), build_codecs(run.settings)
    audit, checkpoints = pairs(run, "audit"), pairs(run, "audit-checkpoints")
    mine = [leaf_of(value) for tenant, value in audit[0] if tenant == b"acme"]
    leaves = np.frombuffer(b"".join([*mine, mine[-1]]), RECORD_DTYPE)["leaf"].copy()
    leaves["y_hat"][5] += 1.0
    leaves["step"][-1] += 1.0
    chain = Chain(origin_of(run.settings.application_id, "acme", 0))
    values = chain.append(leaves)
    note = codecs.checkpoint("acme", 0, chain.checkpoint(keys.signer))
    audit[0] = [*(item for item in audit[0] if item[0] != b"acme"), *((b"acme", v) for v in values)]
    checkpoints[0].append((b"acme", note["value"]))
    alone = [[i for i in part if i[0] == b"acme"] for part in checkpoints]
    alone[0] = alone[0][-1:]
    forged = published(run, audit, alone)
    clean = weir(run, "verify", "--tenant", "acme", "--shard", "0", "--json", where=forged)
    assert objects(clean)[0]["outcome"] == "OK"  # consistent in itself

    kept = next(f["path"] for f in seen if f["origin"].endswith("/acme/0"))
    kept_options = ("verify", "--tenant", "acme", "--shard", "0", "--json", "--kept", kept)
    refused = weir(run, *kept_options, code=4, where=forged)
    assert objects(refused)[0]["failures"] == {"WITNESSED": 1}

    found = weir(run, *watch, code=4, where=published(run, audit, checkpoints))
    fork = next(finding for finding in objects(found) if finding["verdict"] == "FORK")
    assert fork["origin"].endswith("/acme/0")
    proved = weir(run, "prove", "check", fork["path"], "--key", str(key), "--json")
    assert objects(proved)[0]["kind"] == "fork"


def test_an_export_to_s3_is_locked_and_verifies_where_it_lies(run: Stream, key: Verifier) -> None:
    """Objects that nobody may change carry the whole trail, for who has the public key."""
    with running_s3() as server:
        server.make_bucket("worm")
        where = server.environment
        url = "s3://worm/weir"
        written = objects(weir(run, "export", url, "--retain-days", "2", "--json", where=where))
        assert len(written) == 2 * SHARDS
        assert sum(log["records"] for log in written) == 1_200
        listed = server.client().list_objects_v2(Bucket="worm")["Contents"]
        assert len(listed) == 4 * SHARDS
        head = server.client().head_object(Bucket="worm", Key=listed[0]["Key"])
        assert head["ObjectLockMode"] == "COMPLIANCE"
        reports = objects(weir(run, "verify", url, "--key", str(key), "--json", where=where))
        assert {report["outcome"] for report in reports} == {"OK"}
        again = objects(weir(run, "export", url, "--retain-days", "2", "--json", where=where))
        assert sum(log["records"] for log in again) == 0
