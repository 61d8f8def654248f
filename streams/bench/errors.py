"""What can go wrong in a benchmark; being slow is not among it."""

from __future__ import annotations

from schemas.errors import WeirError


class BenchFailed(WeirError):  # noqa: N818 - it names what happened
    """A contender died, hung, or gave wrong output: its figures would mean nothing."""
