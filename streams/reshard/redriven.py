"""Which copy of a message counts that was sent again from quarantine.

The old log then has it twice: where it was refused, and where it was sent again. A new application
might accept the first, for what was wrong is mended, and would learn it twice. So one of the two is
copied:

- the second, if the message was sent again before the copy began: that is where it was learnt;
- the first, if it was sent again later, for it has been copied already. What is still wrong with it
  puts it into the new quarantine, from where it can be sent again.

Where the copy began is kept with its offsets, so that the choice follows from the topics alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.quarantine import HEADER, NOTES_ROLE, quarantined_at, read_quarantine
from streams.reshard.plan import PLACE_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.kafka.reader import PartitionReader, Record
    from streams.settings import Settings


class Redriven:
    """Says of each record of the old log whether it is to be copied.

    Memory: some hundred bytes for each message that was sent again.

    Args:
        settings: of the old application.
        reader: reads its topics.
        starts: first offset of each partition of the log that is copied.
        notes: how far the notes of what was sent again reached when the copy began, by partition.

    Raises:
        BrokerUnavailable: the topics cannot be read.
        StateError: a record of the quarantine is none.
    """

    def __init__(
        self,
        settings: Settings,
        reader: PartitionReader,
        starts: Mapping[int, int],
        notes: Mapping[int, int],
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._starts = starts
        self._before = self._noted(notes)
        log = settings.topics.name("events")
        self._refused = {
            (one.source_partition, one.source_offset)
            for one in (read_quarantine(settings, reader) if self._before else ())
            if one.place in self._before and one.topic == log
        }
        self._sources: dict[str, tuple[int, int]] = {}

    def _noted(self, notes: Mapping[int, int]) -> set[str]:
        topic = self._settings.topics.name(NOTES_ROLE)
        return {
            (record.key or b"").decode()
            for partition, end in notes.items()
            if end
            for batch in self._reader.read(topic, partition, None, end)
            for record in batch
        }

    def keeps(self, partition: int, record: Record) -> bool:
        """Tell whether a record is to be copied.

        Raises:
            StateError: it was sent again from a quarantine record that is not there.
        """
        if (partition, record.offset) in self._refused:
            return False
        place = redriven_from(record)
        if place is None or place in self._before:
            return True
        first_partition, first_offset = self._source(place)
        return first_offset < self._starts[first_partition]  # the first is gone

    def _source(self, place: str) -> tuple[int, int]:
        found = self._sources.get(place)
        if found is None:
            one = quarantined_at(self._settings, self._reader, place)
            found = self._sources[place] = (one.source_partition, one.source_offset)
        return found


def redriven_from(record: Record) -> str | None:
    """Return the place of the quarantine record that a record was sent again from.

    None where it was not, or where that was in an application that this log was copied from.
    """
    names = dict(record.headers)
    if not names or PLACE_HEADER in names:
        return None
    place = names.get(HEADER)
    return None if place is None else place.decode("utf-8", "replace")
