"""Compares the new log with the old one, part by part, in memory that does not grow with them.

For each partition of the old log the digests of its records are added up, once as they are read
there and once as they are read from the copies, which name the place that they came from. Equal
sums, modulo 2^256, and equal counts mean the same records, whatever order they come in (the
additive multiset hash of Bellare and Micciancio, EUROCRYPT 1997; it is there to find mistakes, not
forgers: the audit trail is for those). That the order is right as well, and nothing twice, is seen
in the places: for each pair of a new and an old partition the offsets must rise.

What was compared is remembered in a file, so that at the cut-over only what came last is left.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from schemas.errors import VerificationError
from state.files import write_whole
from streams.feed import murmur2_partition
from streams.kafka.topics import admin, topic_ids
from streams.reshard.copy import time_of
from streams.reshard.plan import PLACE_HEADER, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from streams.kafka.reader import PartitionReader, Record
    from streams.reshard.plan import Resharding
    from streams.reshard.redriven import Redriven

_MODULUS: Final = 1 << 256
_PLACE: Final = struct.Struct("<qqq")
_LENGTH: Final = struct.Struct("<q")
_NONE: Final = _LENGTH.pack(-1)


@dataclass
class Checked:
    """How far the logs were compared, and what was seen.

    Attributes:
        topics: ids that the cluster gave the two logs.
        old: offset of each partition of the old log up to which they were.
        new: the same of the new log.
        last: "new/old" partition → offset in the old log of the last copy seen.
        copies: records in each partition of the new log.
        records: records of the old log that are in the new one.
        left_out: records that are not, because they were sent again from quarantine.
        gone: records of the new log that the old one had deleted before they were compared.
        elsewhere: records that lie in another partition of the old log than murmur2 of their key
            says; their producers must be told how to partition.
        keyless: records without a key.
        digest: sum over the records compared, in hexadecimal.
    """

    topics: str
    old: dict[int, int]
    new: dict[int, int]
    last: dict[str, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    records: int = 0
    left_out: int = 0
    gone: int = 0
    elsewhere: int = 0
    keyless: int = 0
    digest: str = "0"

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all."""
        write_whole(path, json.dumps(asdict(self)))


class _Sums:
    """Counts and digests by partition of the old log."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.digests: dict[int, int] = {}

    def add(self, partition: int, offset: int, record: Record) -> None:
        self.counts[partition] = self.counts.get(partition, 0) + 1
        digest = self.digests.get(partition, 0) + digest_of(partition, offset, record)
        self.digests[partition] = digest % _MODULUS


def load_checked(
    path: Path, about: Resharding, starts: Mapping[int, int], reader: PartitionReader
) -> Checked:
    """Return what was compared before, as far as it was of these logs; else that nothing was.

    Args:
        path: file that ``Checked.save`` wrote; it need not be there.
        about: the two applications.
        starts: where the copy began in each partition of the old log.
        reader: of the topics.
    """
    topics = topic_ids(admin(about.old.broker), [about.old_log, about.new_log])
    try:
        found = Checked(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        found = None
    if found is not None and found.topics == topics:
        for name in ("old", "new", "copies"):
            setattr(found, name, {int(p): at for p, at in getattr(found, name).items()})
        return found
    lows = {shard: reader.bounds(about.new_log, shard)[0] for shard in range(about.new_shards)}
    return Checked(topics, dict(starts), lows, copies=dict.fromkeys(lows, 0))


class CopyCheck:
    """Compares the two logs.

    Args:
        about: the two applications.
        reader: of the topics, with headers.
        selection: says which records are copied.
        checked: where to go on; changed by ``run``.
    """

    def __init__(
        self, about: Resharding, reader: PartitionReader, selection: Redriven, checked: Checked
    ) -> None:
        self._about = about
        self._reader = reader
        self._selection = selection
        self.checked = checked

    def run(self, reached: Mapping[int, int], progress: Callable[[int], None]) -> None:
        """Compare up to where the copy stands. Nobody may be copying.

        Args:
            reached: offset of each partition of the old log up to which it was copied.
            progress: told how many records each batch had.

        Raises:
            VerificationError: something is missing, twice, changed, out of order, in another
                partition than its key says, or not from the old log.
            BrokerUnavailable: a topic cannot be read.
        """
        about, checked = self._about, self.checked
        ends = self._reader.stable_end(about.new_log, list(range(about.new_shards)))
        lows = {p: self._reader.bounds(about.old_log, p)[0] for p in reached}
        ours, theirs = _Sums(), _Sums()
        for shard, end in ends.items():
            for batch in self._reader.read(about.new_log, shard, checked.new[shard], end):
                for record in batch:
                    self._take(shard, record, lows, ours)
                progress(len(batch))
        for partition, end in reached.items():
            start = max(checked.old[partition], lows[partition])
            for batch in self._reader.read(about.old_log, partition, start, end):
                for record in batch:
                    self._expect(partition, record, theirs)
                progress(len(batch))
        for partition in reached:
            self._compare(partition, ours, theirs)
        checked.records += sum(ours.counts.values())
        total = int(checked.digest, 16) + sum(ours.digests.values())
        checked.digest = f"{total % _MODULUS:x}"
        checked.old, checked.new = dict(reached), dict(ends)

    def _take(self, shard: int, record: Record, lows: Mapping[int, int], ours: _Sums) -> None:
        about, checked = self._about, self.checked
        where = f"{about.new_log}[{shard}]@{record.offset}"
        place = place_of(record)
        if place is None or place[0] != about.old.application_id or place[1] not in lows:
            raise VerificationError(
                f"{where} was not copied from {about.old_log}: somebody writes to the new log "
                "before the cut-over, and what consumers would see of it is not known. Stop them, "
                "and begin anew under another --application and --prefix"
            )
        _, partition, offset = place
        if about.shard_of(partition, record.key) != shard:
            raise VerificationError(
                f"{where} belongs into partition {about.shard_of(partition, record.key)} by its key"
            )
        pair = f"{shard}/{partition}"
        if offset <= checked.last.get(pair, -1):
            raise VerificationError(
                f"{where} is the copy of {about.old_log}[{partition}]@{offset} and stands behind "
                f"that of offset {checked.last[pair]}: twice, or out of order"
            )
        checked.last[pair] = offset
        checked.copies[shard] += 1
        if offset < lows[partition]:
            checked.gone += 1
        else:
            ours.add(partition, offset, record)

    def _expect(self, partition: int, record: Record, theirs: _Sums) -> None:
        if not self._selection.keeps(partition, record):
            self.checked.left_out += 1
            return
        theirs.add(partition, record.offset, record)
        if record.key is None:
            self.checked.keyless += 1
        elif murmur2_partition(record.key, self._about.old_shards) != partition:
            self.checked.elsewhere += 1

    def _compare(self, partition: int, ours: _Sums, theirs: _Sums) -> None:
        old, new = theirs.counts.get(partition, 0), ours.counts.get(partition, 0)
        where = f"{self._about.old_log}[{partition}] from {self.checked.old[partition]} on"
        if old != new:
            raise VerificationError(f"{where}: {old} records, and {new} copies of them")
        if theirs.digests.get(partition) != ours.digests.get(partition):
            raise VerificationError(f"{where}: {old} records, and some copies differ from them")


def digest_of(partition: int, offset: int, record: Record) -> int:
    """Hash a record with the place that it has in the old log; O(its bytes)."""
    digest = hashlib.blake2b(digest_size=32)
    digest.update(_PLACE.pack(partition, offset, time_of(record)))
    parts: list[bytes | None] = [record.key, record.value]
    for name, value in record.headers:
        if name != PLACE_HEADER:
            parts += [name.encode(), value]
    for part in parts:
        digest.update(_NONE if part is None else _LENGTH.pack(len(part)) + part)
    return int.from_bytes(digest.digest(), "little")
