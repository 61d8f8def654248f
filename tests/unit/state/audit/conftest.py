"""An honest audit log, written to files by the code that writes it in production."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from state.audit.chain import Chain
from state.audit.files import write_checkpoints, write_records
from state.audit.leaf import blank_rows
from state.audit.note import Signer, Verifier
from state.audit.verify import verify_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from state.audit.checkpoint import CheckpointNote
    from state.audit.report import VerifyReport

Rows = np.ndarray[Any, np.dtype[Any]]

ORIGIN = "weir/acme/0"


def honest_rows(count: int, seed: int = 0) -> Rows:
    """Leaves such as a healthy cell fills in, with every number different from zero."""
    random = np.random.default_rng(seed)
    rows = blank_rows(count)
    for name in rows.dtype.names or ():
        if rows.dtype[name] == np.dtype("<f8") and name != "format":
            rows[name] = random.uniform(0.1, 1.0, count)
    rows["step"] = np.arange(1, count + 1)
    rows["time_us"] = 1_700_000_000_000_000 + rows["step"] * 1000
    rows["rj_level"] = random.integers(0, 3, count)
    rows["c_lookup"], rows["c_lookup_max"] = 15, 17
    rows["c_insert"], rows["c_insert_max"] = 25, 25
    rows["actions"] = 0
    rows["label"][::3] = rows["error"][::3] = np.nan
    rows["event_digest"] = random.integers(0, 256, (count, 32))
    return rows


@dataclass
class Log:
    """A log in memory, to be written out, tampered with and verified."""

    folder: Path
    signer: Signer
    values: list[bytes] = field(default_factory=list)
    notes: list[CheckpointNote] = field(default_factory=list)
    origin: str = ORIGIN

    def extend(self, rows: Rows, units: Sequence[int], signer: Signer | None = None) -> None:
        """Append rows in units of work of these sizes, each closed by a signed checkpoint."""
        chain = Chain(self.origin)
        start = 0
        for size in units:
            self.values += chain.append(rows[start : start + size])
            self.notes.append(chain.checkpoint(signer or self.signer))
            start += size

    def export(self) -> tuple[Path, Path]:
        """Write the log to files."""
        records, checkpoints = self.folder / "records.avro", self.folder / "checkpoints.avro"
        write_records(records, self.origin, self.values)
        write_checkpoints(checkpoints, "acme", 0, self.notes)
        return records, checkpoints

    def verify(self, key: Verifier | None = None, **options: Any) -> VerifyReport:
        """Export the log and verify the files with the pinned key."""
        return verify_files(*self.export(), [key or self.signer.verifier], **options)


def make_signer(name: str = ORIGIN, seed: int = 1) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


@pytest.fixture
def signer_of() -> Callable[[str, int], Signer]:
    return make_signer


@pytest.fixture
def rows_of() -> Callable[[int], Rows]:
    return honest_rows


@pytest.fixture
def empty_log(tmp_path: Path) -> Log:
    return Log(tmp_path, make_signer())


@pytest.fixture
def log(empty_log: Log) -> Log:
    """Ten records in three units of work."""
    empty_log.extend(honest_rows(10), [3, 4, 3])
    return empty_log
