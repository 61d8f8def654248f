from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from deploy.broker import record
from deploy.broker.config import Node
from deploy.broker.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

_NODES = (Node(1, 9092, 9192), Node(2, 9093, 9193))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Another process sees the same ports, identity and process ids."""
    saved = record.new_record("4.3.1", _NODES).with_pid(1, 77).with_pid(2, 78).with_pid(1, None)
    record.save(tmp_path, saved)

    assert record.load(tmp_path) == saved
    assert saved.pids == {2: 78}
    assert [path.name for path in tmp_path.iterdir()] == ["broker.json"]


def test_a_folder_without_a_record_has_none(tmp_path: Path) -> None:
    """A folder that was never used is no error."""
    assert record.load(tmp_path) is None
    assert record.load(tmp_path / "missing") is None


@pytest.mark.parametrize("text", ["", "[]", '{"nodes": []}', "\x00"])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    """A record that was cut short says where it is and what to do, and is not overwritten."""
    (tmp_path / "broker.json").write_text(text, encoding="utf-8")

    with pytest.raises(StorageError, match=r"broker\.json cannot be read .* move .* away"):
        record.load(tmp_path)


def test_a_full_disk_is_an_error_of_ours(tmp_path: Path) -> None:
    """A record that cannot be written says so with its path."""
    with pytest.raises(StorageError, match=r"broker\.json cannot be written"):
        record.save(tmp_path / "missing", record.new_record("4.3.1", _NODES))


def test_cluster_ids_are_such_as_kafka_accepts_and_differ() -> None:
    """Two projects on one machine can never be taken for the same cluster."""
    made = {record.new_record("4.3.1", _NODES).cluster_id for _ in range(500)}

    assert len(made) == 500
    assert all(len(base64.urlsafe_b64decode(f"{text}==")) == 16 for text in made)
    assert not any("-" in text for text in made)
