"""A folder of objects behaves the same on disk and on S3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from schemas.errors import ConfigError, StateError
from state.objects import ObjectFile, ObjectStore, Retention

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3_server import S3


def test_an_object_reads_back_and_is_listed(store_url: str) -> None:
    """What was written is there, whole, under its name."""
    store = ObjectStore(store_url)
    assert store.names() == []
    store.put("a/one", b"1" * 100_000)
    store.put("a/b/two", b"")
    assert store.get("a/one") == b"1" * 100_000
    assert store.names() == ["a/b/two", "a/one"]
    assert store.names("a/b") == ["a/b/two"]
    with ObjectFile(store, "a/one").open("rb") as file:
        assert file.read(3) == b"111"


def test_an_object_is_never_changed(store_url: str) -> None:
    """A second writer of the same name is refused, and the first one's bytes stay."""
    store = ObjectStore(store_url)
    store.put("one", b"first")
    with pytest.raises(StateError):
        store.put("one", b"second")
    assert store.get("one") == b"first"


def test_deleting_twice_is_fine(store_url: str) -> None:
    """Retention that was interrupted can be repeated."""
    store = ObjectStore(store_url)
    store.put("one", b"1")
    store.delete("one")
    store.delete("one")
    assert store.names() == []
    with pytest.raises(StateError, match="one cannot be read"):
        store.get("one")


def test_a_locked_object_carries_its_headers(s3: S3, s3_url: str) -> None:
    """S3 is told until when nobody may change or delete the object, and holds to it."""
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    store = ObjectStore(s3_url)
    store.put("one", b"1", Retention(until))
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    client = s3.client()
    head = client.head_object(Bucket=bucket, Key=f"{prefix}/one")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] == until
    with pytest.raises(client.exceptions.ClientError):
        client.delete_object(Bucket=bucket, Key=f"{prefix}/one", VersionId=head["VersionId"])


def test_a_folder_cannot_lock(tmp_path: Path) -> None:
    """A promise that the store cannot keep is refused, not forgotten."""
    with pytest.raises(ConfigError, match="Object Lock"):
        ObjectStore(str(tmp_path)).put("one", b"1", Retention(datetime.now(UTC)))


def test_a_store_that_is_none_is_refused() -> None:
    """A misspelt scheme is a setting to be corrected."""
    with pytest.raises(ConfigError, match="no store"):
        ObjectStore("nowhere://bucket")
