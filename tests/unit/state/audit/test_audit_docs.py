from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from state.audit.leaf import LEAF_BYTES, LEAF_DTYPE
from state.audit.report import Outcome, Reason

if TYPE_CHECKING:
    from tests.unit.state.audit.conftest import Log

DOCS = Path(__file__).parents[4] / "docs" / "audit.md"
TEXT = DOCS.read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
BY_HAND = next(program for program in PROGRAMS if "hashlib" in program)
WITH_US = next(program for program in PROGRAMS if "verify_files" in program)


def run(program: str, log: Log, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", program, *arguments],
        cwd=log.folder,
        env={"PYTHONPATH": str(DOCS.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )


def by_hand(log: Log) -> subprocess.CompletedProcess[str]:
    records, checkpoints = log.export()
    return run(BY_HAND, log, str(records), str(checkpoints), str(log.signer.verifier))


def test_an_honest_log_verifies_by_hand(log: Log) -> None:
    """The program in the docs accepts an honest log, using nothing of ours."""
    done = by_hand(log)
    assert (done.returncode, done.stdout) == (0, "weir/acme/0: 10 records hold\n"), done.stderr
    assert "state" not in BY_HAND


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        ("edit", "record 5 was edited"),
        ("drop", "the chain breaks before record 5"),
        ("cut", "records are missing: a checkpoint covers 10"),
        ("key", "InvalidSignature"),
    ],
)
def test_tampering_is_found_by_hand(log: Log, tamper: str, message: str) -> None:
    """The program in the docs finds what the verifier finds."""
    if tamper == "edit":
        log.values[4] = log.values[4][:16] + bytes(8) + log.values[4][24:]
    elif tamper == "drop":
        del log.values[4]
    elif tamper == "cut":
        del log.values[8:]
    else:
        log.notes[0] = log.notes[0]._replace(note=log.notes[0].note.replace("\n3\n", "\n4\n"))
    done = by_hand(log)
    assert done.returncode == 1
    assert message in done.stderr


def test_the_example_with_our_verifier_runs(log: Log) -> None:
    """What the docs tell people to type works as it stands there."""
    log.export()
    (log.folder / "acme.vkey").write_text(f"{log.signer.verifier}\n")
    done = run(WITH_US, log)
    assert (done.returncode, done.stdout) == (0, "OK 10 records, 3 checkpoints\n"), done.stderr


def test_the_docs_name_every_field_and_code() -> None:
    """Nothing that is recorded or reported is missing from the docs, and nothing is made up."""
    tables = set(re.findall(r"`(\w+)`", TEXT))
    assert set(LEAF_DTYPE.names or ()) <= tables
    assert {str(code) for code in (*Reason, *Outcome)} == {
        name for name in tables if name.isupper()
    }
    assert f"{LEAF_BYTES} bytes" in TEXT
