"""Streams on the session's broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.streams.under_test import Stream, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.broker.handle import CrashableBroker


@pytest.fixture
def stream(broker: CrashableBroker, tmp_path: Path) -> Iterator[Stream]:
    """Topics of its own on the session's broker."""
    with open_stream(broker, tmp_path) as made:
        yield made
