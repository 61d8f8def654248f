"""The verifier alone: what a tenant runs with the files and a public key."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from state.audit.__main__ import main
from state.audit.bundle import (
    check_bundle,
    consistency_bundle,
    head_bundle,
    inclusion_bundle,
)
from state.audit.errors import AuditError
from state.audit.leaf import LEAF_BYTES
from state.audit.merkle import leaf_hash
from state.audit.proof import consistency_spans, inclusion_spans, span_roots
from state.audit.shard_root import ShardRoot

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.audit.note import Signer
    from tests.unit.state.audit.conftest import Log

HEAVY = ("numba", "llvmlite", "faust", "confluent_kafka", "aiokafka", "rocksdict", "operators")


def test_the_verifier_imports_no_kernel_and_no_stream() -> None:
    """Whoever verifies installs neither numba nor Faust: importing all of it loads neither."""
    program = (
        "import pkgutil, sys, importlib, state.audit\n"
        "for module in pkgutil.iter_modules(state.audit.__path__):\n"
        "    if module.name != 'bench': importlib.import_module(f'state.audit.{module.name}')\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_tenant_verifies_its_own_log_with_the_public_key_alone(log: Log) -> None:
    """No settings, no secrets, no broker: files, a key, and an exit code."""
    files = [str(path) for path in log.export()]
    done = subprocess.run(
        [sys.executable, "-m", "state.audit", "log", *files, "--key", str(log.signer.verifier)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
        cwd=log.folder,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "OK"


@pytest.mark.parametrize(
    ("damage", "code"),
    [("edit", 4), ("cut", 4), ("unsigned", 5), ("alarm", 3)],
)
def test_exit_codes_tell_tampering_from_alarms(
    log: Log,
    rows_of: Callable[[int], Any],
    capsys: pytest.CaptureFixture[str],
    damage: str,
    code: int,
) -> None:
    """Scripts can tell a log that was changed from one that tells of an alarm."""
    if damage == "edit":
        log.values[5] = log.values[5][:16] + bytes(8) + log.values[5][24:]
    elif damage == "cut":
        del log.values[8:]
    elif damage == "unsigned":
        del log.notes[-1]
    else:
        rows = rows_of(4)
        rows["margin"][2], rows["actions"][2] = -1.0, 2.0
        log.values.clear()
        log.notes.clear()
        log.extend(rows, [4])
    files = [str(path) for path in log.export()]
    assert main(["log", *files, "--key", str(log.signer.verifier)]) == code
    assert json.loads(capsys.readouterr().out)["origin"] == log.origin


@pytest.fixture
def proofs(log: Log) -> dict[str, str]:
    """A proof of each kind about the same log."""
    leaves = [leaf_hash(value[:LEAF_BYTES]) for value in log.values]
    first, *_, last = log.notes
    root = ShardRoot()
    checkpoint = last.open([log.signer.verifier])
    root.put(checkpoint)
    sharded = type(last).sign(checkpoint._replace(shard=root.commitment()), log.signer)
    return {
        "inclusion": inclusion_bundle(
            last.note, log.values[6], 6, span_roots(leaves, inclusion_spans(6, 10))
        ),
        "consistency": consistency_bundle(
            first.note, last.note, span_roots(leaves, consistency_spans(3, 10))
        ),
        "head": head_bundle(sharded.note, *root.prove(log.origin)),
    }


@pytest.mark.parametrize("kind", ["inclusion", "consistency", "head"])
def test_a_proof_holds_with_the_key_alone(
    log: Log, proofs: dict[str, str], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bundle carries all that is needed but the key, which the reader pins."""
    path = log.folder / "proof.json"
    path.write_text(proofs[kind], encoding="utf-8")
    assert main(["proof", str(path), "--key", str(log.signer.verifier)]) == 0
    proved = json.loads(capsys.readouterr().out)
    assert (proved["kind"], proved["origin"], proved["size"]) == (kind, log.origin, 10)


@pytest.mark.parametrize("kind", ["inclusion", "consistency", "head"])
def test_a_proof_by_another_key_or_of_something_else_is_refused(
    log: Log, proofs: dict[str, str], kind: str, signer_of: Callable[[str, int], Signer]
) -> None:
    """No part of a bundle can be changed, left out or emptied."""
    key = [log.signer.verifier]
    check_bundle(proofs[kind], key)
    with pytest.raises(AuditError):
        check_bundle(proofs[kind], [signer_of(log.origin, 66).verifier])
    plain = json.loads(proofs[kind])
    changes: list[dict[str, Any]] = [
        {"hashes": [*plain["hashes"], ""]},
        {"hashes": [*plain["hashes"], "A" * 43 + "="]},
        {"hashes": None},
        {"checkpoint": plain["checkpoint"].replace("\n10\n", "\n11\n")},
        {"kind": "other"},
    ]
    if kind == "inclusion":
        changes += [{"index": 7}, {"index": -1}, {"index": 6.0}, {"record": ""}]
    if kind == "consistency":
        changes += [{"first": plain["checkpoint"]}, {"hashes": plain["hashes"][1:]}]
    if kind == "head":
        changes += [{"leaves": 3}, {"index": 1}, {"leaves": 0}]
    for change in changes:
        with pytest.raises(AuditError):
            check_bundle(json.dumps(plain | change), key)
    for missing in plain:
        with pytest.raises(AuditError):
            check_bundle(json.dumps({k: v for k, v in plain.items() if k != missing}), key)
