"""Exit codes, and which error ends in which; docs/commands.md has the table.

From 64 on they are those of BSD's sysexits.h. ``streams.worker`` has the same for the errors that
it knows; it is not imported here because that takes a second.
"""

from __future__ import annotations

from schemas.errors import (
    BadMessage,
    BrokerUnavailable,
    ConfigError,
    SecretError,
    StateError,
    TopologyError,
    VerificationError,
    WeirError,
)

INCOMPLETE_INPUT = 1  # rows were refused, or samples do not fit
ALARM = 3
TAMPERED = 4
INCOMPLETE = 5
BUG = 70
STATE = 73
INTERRUPTED = 130

# The first class that matches decides.
_OF_ERRORS: tuple[tuple[type[WeirError], int], ...] = (
    (VerificationError, TAMPERED),
    (BadMessage, 65),
    (BrokerUnavailable, 69),
    (StateError, STATE),
    (ConfigError, 78),
    (SecretError, 78),
    (TopologyError, 78),
)


def exit_code(error: WeirError) -> int:
    """Return the exit code of a command that ends with this error."""
    from schemas.sources.errors import UnreadableSource  # noqa: PLC0415 - brings the mapping along

    if isinstance(error, UnreadableSource):
        return 66
    return next((code for kind, code in _OF_ERRORS if isinstance(error, kind)), BUG)
