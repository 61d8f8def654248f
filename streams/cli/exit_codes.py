"""Exit codes of commands; docs/commands.md has the table, and errors bring their own."""

from __future__ import annotations

from schemas.errors import StateError, VerificationError, WeirError

INCOMPLETE_INPUT = 1  # rows were refused, or samples do not fit
ALARM = 3
TAMPERED = VerificationError.exit_code
INCOMPLETE = 5
BUG = WeirError.exit_code
STATE = StateError.exit_code
REVIEWED = 10
BLOCKED = 11
INTERRUPTED = 130
