"""Object stores that are real: a folder, and an S3 server in a process of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.s3_server import running_s3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3_server import S3


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """One server for the whole run."""
    with running_s3() as server:
        yield server


@pytest.fixture
def s3_url(s3: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket with Object Lock; the environment points to it."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid4().hex[:8]}"
    s3.make_bucket(bucket)
    return f"s3://{bucket}/trail"


@pytest.fixture(params=["folder", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of store in turn."""
    if request.param == "folder":
        return str(tmp_path / "objects")
    url: str = request.getfixturevalue("s3_url")
    assert os.environ["AWS_ENDPOINT_URL"]
    return url
