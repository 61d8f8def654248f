"""Why a demonstration ends before its end."""

from __future__ import annotations

from schemas.errors import WeirError


class DemoFailed(WeirError):  # noqa: N818 - it names what happened
    """Something did not happen that should have; the message names the log to look into."""
