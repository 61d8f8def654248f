"""The events of one batch as bytes, with the places of their parts."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from streams.shard.event_spans import ABSENT, SPAN_DTYPE, WORD, Spans, find_spans
from streams.shard.normal_form import NormalForm

if TYPE_CHECKING:
    import numpy.typing as npt

DIGEST_BYTES: Final = hashlib.sha256().digest_size
PARTS: Final = tuple(name for name in NormalForm._fields if name != "time_us")
MEASURED: Final = frozenset(name for name in PARTS if f"{name}_bytes" in (SPAN_DTYPE.names or ()))
"""Parts whose length is noted beside their place."""


class EventTable:
    """The events of a batch that could be read, and where their parts stand.

    Attributes:
        positions: where each stood in the batch.
        values: in our own schema.
        digests: of what is audited.
        notes: bool[n], whether the codec found a note.
        spans: SPAN_DTYPE[n].
        events: uint8[bytes], the values one after the other.
        late: bool[n], whether the codec found a late label.
        map_words: int64[n], how many words the maps of a parsed row take once their names are
            looked up, and the packed features that then stand behind them; 0 without maps.
        looked_up: uint64[sum of map_words], where they are put.
        next_word: the first that is still free.
    """

    def __init__(
        self,
        positions: list[int],
        values: list[bytes],
        digests: list[bytes],
        vector_bytes: int,
        value_bytes: int,
    ) -> None:
        self.positions = np.array(positions, dtype=np.int64)
        self.values = values
        self.digests = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
        self.notes = np.zeros(len(values), bool)
        ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        self.spans: Spans = np.empty(len(values), SPAN_DTYPE)
        self._bytes = b"".join(values)
        self.events = np.frombuffer(self._bytes, np.uint8)
        find_spans(self.events, ends, vector_bytes, value_bytes, self.spans)
        self.late = np.zeros(len(values), bool)
        self.map_words = _map_words(self.spans)
        self.looked_up = np.empty(int(self.map_words.sum()), np.uint64)
        self.next_word = 0
        self._extra = bytearray()

    def runs(self) -> list[tuple[int, int]]:
        """Return ranges of rows that belong to one tenant, an unparsed row by itself."""
        starts = np.flatnonzero(self.spans["tenant_goes_on"] == 0).tolist()
        return list(pairwise([*starts, len(self.spans)]))

    def tenant(self, row: int) -> str:
        """Return the tenant of a parsed row."""
        start, length = self.spans[["tenant", "tenant_bytes"]][row]
        return self._bytes[start : start + length].decode("ascii")

    def set_parts(self, row: int, parts: NormalForm) -> None:
        """Give a row the parts that the codec found; they stand behind the values."""
        span = self.spans[row]
        span["time_us"] = parts.time_us
        for name in PARTS:
            part: bytes | None = getattr(parts, name)
            span[name] = ABSENT if part is None else len(self._bytes) + len(self._extra)
            if name in MEASURED:
                span[f"{name}_bytes"] = len(part or b"")
            self._extra += part or b""

    def all_bytes(self) -> bytes:
        """Return the bytes of all parts that were not looked up."""
        return self._bytes + self._extra if self._extra else self._bytes


def _map_words(spans: Spans) -> npt.NDArray[np.int64]:
    """See ``EventTable.map_words``."""
    named = spans["feature_entries"]
    features = np.where(named > 0, named + spans["features_bytes"] // WORD, 0)
    words = np.where(spans["parsed"] == 1, 2 * features + spans["context_entries"], 0)
    return words.astype(np.int64)
