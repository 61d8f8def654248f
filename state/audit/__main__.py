"""``python -m state.audit``: verify exported logs and proofs with a public key alone.

A tenant or an auditor who has the files and the operator's verifier key needs nothing else: no
settings, no secrets, no broker, and neither the kernels nor the stream are imported.

    python -m state.audit log records.avro checkpoints.avro --key 'weir+8a4f02c1+AW9iXk…'
    python -m state.audit proof proof.json --key 'weir+8a4f02c1+AW9iXk…'

Prints one JSON object. Exit codes are those of ``weir verify``: 0 holds; 3 holds, with alarms;
4 tampered with, or a proof that proves nothing; 5 incomplete.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import WeirError
from state.audit.bundle import check_bundle
from state.audit.checkpoint import CheckpointNote
from state.audit.note import Verifier
from state.audit.report import Locator, Outcome
from state.audit.rj_policy import RjPolicy
from state.audit.verify import verify_files

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_CODES: Final = {Outcome.OK: 0, Outcome.ALARM: 3, Outcome.TAMPERED: 4, Outcome.INCOMPLETE: 5}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        keys = [Verifier.from_string(text) for text in options.key]
        if options.command == "proof":
            proved = check_bundle(options.file.read_text(encoding="utf-8"), keys)
            sys.stdout.write(json.dumps(proved._asdict(), ensure_ascii=False) + "\n")
            return 0
        policy = RjPolicy(*options.rj_policy) if options.rj_policy else None
        kept = [
            (Locator(str(path), None, 0), CheckpointNote.of_note(path.read_text(encoding="utf-8")))
            for path in options.kept
        ]
        report = verify_files(options.records, options.checkpoints, keys, None, policy, kept)
    except (WeirError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return getattr(error, "exit_code", 1)
    plain = {
        "origin": report.origin,
        "outcome": report.outcome,
        "records": report.records,
        "root": report.root.hex(),
        "head": report.head.hex(),
        "checkpoints": report.checkpoints,
        "signed_size": report.signed_size,
        "alarms": report.alarm_count,
        "failures": report.failure_counts,
        "first_failures": [str(failure) for failure in report.failures],
    }
    sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n")
    return EXIT_CODES[report.outcome]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m state.audit", description="Verify audit logs with a public key alone."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    log = commands.add_parser("log", help="verify an exported log")
    log.add_argument("records", type=Path)
    log.add_argument("checkpoints", type=Path)
    log.add_argument("--kept", type=Path, action="append", default=[], help="note kept elsewhere")
    log.add_argument(
        "--rj-policy", type=float, nargs=4, metavar=("C_YELLOW", "C_RED", "DELTA", "EPSILON")
    )
    proof = commands.add_parser("proof", help="check a proof")
    proof.add_argument("file", type=Path)
    for command in (log, proof):
        command.add_argument("--key", action="append", required=True, help="verifier key")
    return parser


if __name__ == "__main__":
    sys.exit(main())
