"""No single byte of an exported log can change unnoticed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from state.audit.chain import Chain
from state.audit.errors import BadAuditFile
from state.audit.files import write_checkpoints, write_records
from state.audit.leaf import RECORD_BYTES, blank_rows
from state.audit.note import Signer
from state.audit.report import Outcome
from state.audit.verify import verify_files

if TYPE_CHECKING:
    from pathlib import Path

SIGNER = Signer("weir/acme/0", Ed25519PrivateKey.from_private_bytes(bytes(32)))
ORIGIN = "weir/acme/0"
COUNT = 5


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Five records with distinct contents, and three checkpoints."""
    folder = tmp_path_factory.mktemp("exported")
    rows = blank_rows(COUNT)
    rows["step"] = np.arange(1, COUNT + 1)
    rows["y_hat"] = np.linspace(0.1, 0.9, COUNT)
    chain = Chain(ORIGIN)
    values, notes = [], []
    for unit in (rows[:2], rows[2:4], rows[4:]):
        values += chain.append(unit)
        notes.append(chain.checkpoint(SIGNER))
    write_records(folder / "records", chain.origin, values)
    write_checkpoints(folder / "checkpoints", "acme", 0, notes)
    return folder / "records", folder / "checkpoints"


def outcome_with(path: Path, data: bytes, exported: tuple[Path, Path]) -> Outcome:
    damaged = path.with_name("damaged")
    damaged.write_bytes(data)
    records, checkpoints = (damaged if one == path else one for one in exported)
    return verify_files(records, checkpoints, [SIGNER.verifier], origin=ORIGIN).outcome


def data_start(path: Path) -> int:
    """Where the container's header ends: after the first sync marker, which also ends the file."""
    data = path.read_bytes()
    return data.index(data[-16:]) + 16


def committed_places(path: Path) -> list[int]:
    """All places after the container's header whose bytes the log commits to.

    A checkpoint's plain fields ``tenant`` and ``shard`` only route it, for its origin names both:
    they are left out.
    """
    data = path.read_bytes()
    routing = {
        found.start() + step for found in re.finditer(b"acme\x00", data) for step in range(5)
    }
    return [at for at in range(data_start(path), len(data)) if at not in routing]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_found(exported: tuple[Path, Path], data: st.DataObject) -> None:
    """Whatever byte of records or checkpoints is changed, the log is not accepted."""
    path = data.draw(st.sampled_from(exported), label="file")
    original = path.read_bytes()
    at = data.draw(st.sampled_from(committed_places(path)), label="at")
    change = data.draw(st.integers(1, 255), label="xor")
    changed = original[:at] + bytes([original[at] ^ change]) + original[at + 1 :]
    assert outcome_with(path, changed, exported) is Outcome.TAMPERED


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_cut_is_found(exported: tuple[Path, Path], data: st.DataObject) -> None:
    """A log cut short at any byte is not accepted as whole."""
    path = data.draw(st.sampled_from(exported), label="file")
    original = path.read_bytes()
    at = data.draw(st.integers(0, len(original) - 1), label="at")
    if at >= data_start(path):
        outcome = outcome_with(path, original[:at], exported)
        assert outcome in {Outcome.TAMPERED, Outcome.INCOMPLETE}
    else:
        with pytest.raises(BadAuditFile, match="not an Avro object container"):
            outcome_with(path, original[:at], exported)


def test_the_untouched_log_holds(exported: tuple[Path, Path]) -> None:
    """The other tests of this file start from a log that is accepted."""
    assert outcome_with(exported[0], exported[0].read_bytes(), exported) is Outcome.OK
    assert exported[0].stat().st_size > COUNT * RECORD_BYTES
