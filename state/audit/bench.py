"""What the audit trail costs: appending, and verifying from files, beside SHA-256 alone.

``python -m state.audit.bench`` prints one JSON object a line, in the form of ``weir bench``. Times
are processor time of one thread: nothing here waits, and other load on the machine counts less.
Rounds of all measurements alternate, so that they meet the same machine.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import Bug
from state.audit.chain import Chain
from state.audit.files import write_checkpoints, write_records
from state.audit.leaf import LEAF_BYTES, blank_rows
from state.audit.note import Signer
from state.audit.report import Outcome
from state.audit.verify import verify_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.audit.checkpoint import CheckpointNote

    Rows = np.ndarray[Any, np.dtype[Any]]

ORIGIN: Final = "bench/acme/0"
RECORDS: Final = 100_000
UNIT: Final = 1_000  # records a unit of work: 40 ms of a stream of 25,000 events a second
REPEATS: Final = 7


def measure(records: int = RECORDS, repeats: int = REPEATS) -> Iterator[dict[str, Any]]:
    """Give the results one by one.

    Args:
        records: length of the log, a multiple of ``UNIT``.
        repeats: rounds of which the median counts.
    """
    signer = Signer(ORIGIN, Ed25519PrivateKey.generate())
    rows = _rows(records)
    values, notes = _append(rows, signer)
    with tempfile.TemporaryDirectory() as folder:
        log, signed = Path(folder, "records.avro"), Path(folder, "checkpoints.avro")
        write_records(log, ORIGIN, values)
        write_checkpoints(signed, "acme", 0, notes)

        def verify() -> None:
            if verify_files(log, signed, [signer.verifier]).outcome is not Outcome.OK:
                raise Bug("the log that was just written does not verify")

        seconds = _rounds(
            repeats,
            append=lambda: _append(rows, signer),
            verify=verify,
            sha256=lambda: _hash_alone(values),
        )
        peak = _peak_mb(verify)
    params = {"records": records, "leaf_bytes": LEAF_BYTES, "records_per_checkpoint": UNIT}
    floor = statistics.median(seconds["sha256"]) / records
    for metric, name, per_second in (
        ("append_ns_per_record", "append", False),
        ("verify_records_per_s", "verify", True),
    ):
        each = statistics.median(seconds[name]) / records
        figures = [
            round(records / taken if per_second else taken / records * 1e9)
            for taken in seconds[name]
        ]
        spread = {"repeats": repeats, "min": min(figures), "max": max(figures)}
        yield {
            "bench": "durable",
            "metric": metric,
            "params": {**params, **spread},
            "value": round(1 / each if per_second else each * 1e9),
            "unit": "records/s" if per_second else "ns",
            "against": "sha256",
            "against_value": round(1 / floor if per_second else floor * 1e9),
            "ratio": round(floor / each, 3),
        }
    yield {
        "bench": "durable",
        "metric": "verify_peak_mb",
        "params": {**params, "repeats": 1, "min": round(peak, 2), "max": round(peak, 2)},
        "value": round(peak, 2),
        "unit": "MB",
    }


def _rows(count: int) -> Rows:
    rows = blank_rows(count)
    rows["step"] = np.arange(1, count + 1)
    rows["y_hat"] = np.random.default_rng(0).random(count)
    return rows


def _append(rows: Rows, signer: Signer) -> tuple[list[bytes], list[CheckpointNote]]:
    chain = Chain(ORIGIN)
    values, notes = [], []
    for start in range(0, len(rows), UNIT):
        values += chain.append(rows[start : start + UNIT])
        notes.append(chain.checkpoint(signer))
    return values, notes


def _hash_alone(values: list[bytes]) -> None:
    """Compute SHA-256 of each record: what no append and no verifier can do without."""
    sha256 = hashlib.sha256
    for value in values:
        sha256(value).digest()


def _rounds(repeats: int, **work: Callable[[], object]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for run in range(repeats + 1):
        for name, do in work.items():
            start = time.process_time()
            do()
            if run:  # the first warms up
                seconds[name].append(time.process_time() - start)
    return seconds


def _peak_mb(work: Callable[[], None]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    for result in measure():
        sys.stdout.write(f"{json.dumps(result)}\n")
