"""What a snapshot holds: its manifest, which is written last and names itself by its hash.

    <application>/shard-<n>/<id>/shard-<k>.blob            records of the shard itself
    <application>/shard-<n>/<id>/cell-<i>-<k>.blob         records of one cell, part by part
    <application>/shard-<n>/<id>/manifest-<sha256>.json    all of the above, with their checksums

A manifest whose bytes do not give the hash in its name was cut off while it was written, and a
folder without a good manifest is none: at every moment the snapshot before is still the newest good
one. The id is ``<shard>-<source offset>-<microseconds since the epoch, hexadecimal>``.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from schemas.errors import StateError

FORMAT: Final = 1
_ID: Final = re.compile(r"(\d+)-(\d+)-([0-9a-f]+)")


class SnapshotId(NamedTuple):
    """Name of a snapshot.

    Attributes:
        shard: partition number.
        source_offset: where the state stands: the next offset of the source it has not seen.
        created_us: when it was begun, microseconds since the epoch.
    """

    shard: int
    source_offset: int
    created_us: int

    def __str__(self) -> str:
        return f"{self.shard}-{self.source_offset}-{self.created_us:x}"

    @classmethod
    def parse(cls, text: str) -> SnapshotId | None:
        """Read an id; None if it is none."""
        found = _ID.fullmatch(text)
        if found is None:
            return None
        return cls(int(found[1]), int(found[2]), int(found[3], 16))


@dataclass(frozen=True)
class Part:
    """One object of records.

    Attributes:
        name: within the snapshot's folder.
        bytes: its length.
        records: how many records it holds.
        sha256: of its bytes, hexadecimal.
    """

    name: str
    bytes: int
    records: int
    sha256: str


@dataclass(frozen=True)
class CellEntry:
    """One cell.

    Attributes:
        tenant: whose.
        origin: name of its audit log.
        records: audit records, as of the snapshot.
        root: RFC 6962 root of its audit log, hexadecimal.
        head: head of its audit chain, hexadecimal.
        key_versions: versions of the secrets that it was learnt with; never the secrets.
        parts: its objects.
    """

    tenant: str
    origin: str
    records: int
    root: str
    head: str
    key_versions: dict[str, int]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Manifest:
    """A snapshot of one shard.

    Attributes:
        id: its name.
        application_id: whose.
        source_topic: the topic that the offset is of.
        source_offset: see ``SnapshotId``.
        created_us: see ``SnapshotId``.
        cell_format: version of the layout of the cells' arrays.
        schemas: schema → SHA-256 of its canonical form, of the messages that led here.
        snapshots: how many snapshots the shard had before.
        shard_parts: objects of the shard's own records.
        cells: in the order of the tenants' UTF-8.
    """

    id: str
    application_id: str
    source_topic: str
    source_offset: int
    created_us: int
    cell_format: int
    schemas: dict[str, str]
    snapshots: int
    shard_parts: tuple[Part, ...]
    cells: tuple[CellEntry, ...]

    @property
    def shard(self) -> int:
        """Partition number."""
        parsed = SnapshotId.parse(self.id)
        assert parsed is not None
        return parsed.shard

    @property
    def parts(self) -> tuple[Part, ...]:
        """All objects."""
        return self.shard_parts + tuple(part for cell in self.cells for part in cell.parts)

    def to_bytes(self) -> bytes:
        """Write it as canonical JSON: sorted keys, no spaces, UTF-8."""
        plain = {"format": FORMAT, **asdict(self)}
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Manifest:
        """Read a manifest.

        Args:
            data: its bytes.
            where: for the message of an error.

        Raises:
            StateError: it is none, or of another version.
        """
        try:
            plain = json.loads(data)
            if plain.pop("format") != FORMAT:
                raise StateError(
                    f"{where} is of another format than {FORMAT}, which this version reads: run "
                    "the version that wrote it"
                )
            plain["shard_parts"] = tuple(Part(**part) for part in plain["shard_parts"])
            plain["cells"] = tuple(_cell(cell) for cell in plain["cells"])
            read = cls(**plain)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"{where} is no manifest of a snapshot: {error!r}") from error
        if SnapshotId.parse(read.id) is None:
            raise StateError(f"{where} names itself {read.id!r}, which is no id of a snapshot")
        return read


def _cell(plain: dict[str, Any]) -> CellEntry:
    parts = tuple(Part(**part) for part in plain.pop("parts"))
    return CellEntry(**plain, parts=parts)


def manifest_name(data: bytes) -> str:
    """Give the name of the object that holds a manifest."""
    return f"manifest-{hashlib.sha256(data).hexdigest()}.json"


def manifest_hash(name: str) -> bytes | None:
    """Give the hash that the name of an object states; None if it is no manifest's."""
    base = name.rpartition("/")[2]
    found = re.fullmatch(r"manifest-([0-9a-f]{64})\.json", base)
    return bytes.fromhex(found[1]) if found else None


def shard_folder(application_id: str, shard: int) -> str:
    """Give the folder of a shard's snapshots in a store."""
    return f"{application_id}/shard-{shard:05d}"
