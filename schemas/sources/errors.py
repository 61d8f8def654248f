"""A source that cannot be read on, as opposed to a row of it that cannot be used."""

from __future__ import annotations

from schemas.errors import WeirError


class UnreadableSource(WeirError):  # noqa: N818 - it names a condition, as BrokerUnavailable does
    """A file or standard input is not there, not of its format, or damaged from some point on."""

    exit_code = 66
