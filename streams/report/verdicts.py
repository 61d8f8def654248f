"""Partial verdicts against the final one that their stream came to.

While a stream is open, six bytes are kept of each of its partial verdicts, of at most `PARTIALS` of
them evenly over the stream; of streams at most `OPEN`, those heard of last. When the final verdict
comes, each partial is judged by it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.dlp.tags import SCORES
from streams.hierarchy.observer import PredictionType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.report.lines import Fields

OPEN: Final = 20_000
PARTIALS: Final = 256
BINS: Final = 10
FAILED: Final = "ERROR"
CONFIDENCE: Final = "confidence"
_BYTES: Final = len(SCORES) + 2
_UNIT: Final = 255
_DECISIONS: Final = 250
_SPANS: Final = 1_000
_TRUE: Final = 0.5
DECILES: Final = 10


class Reliability:
    """How often what was said with some chance came true.

    Attributes:
        counts: partial verdicts by tenth of the chance, int64 [10].
        chances: sum of their chances, float64 [10].
        came_true: how many were borne out, int64 [10].
    """

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.int64)
        self.chances = np.zeros(BINS)
        self.came_true = np.zeros(BINS, np.int64)

    def add(self, chances: NDArray[np.float64], came_true: NDArray[np.bool_]) -> None:
        """Take some of both, [n] each."""
        places = np.minimum((chances * BINS).astype(np.int64), BINS - 1)
        self.counts += np.bincount(places, minlength=BINS)
        self.chances += np.bincount(places, chances, BINS)
        self.came_true += np.bincount(places, came_true, BINS).astype(np.int64)

    @property
    def error(self) -> float:
        """Expected calibration error; nan of nothing."""
        if not self.counts.sum():
            return float("nan")
        return float(np.abs(self.chances - self.came_true).sum() / self.counts.sum())


@dataclass(slots=True)
class _Open:
    """A stream whose final verdict has not come.

    Attributes:
        partials: six bytes each: four scores, confidence, decision.
        places: characters of the stream at each of them.
        stride: of those that came, every how many-th is kept.
        count: that came.
        spans: ids that were shown.
        decision: in force.
        since: characters at which it was first given.
    """

    partials: bytearray = field(default_factory=bytearray)
    places: list[int] = field(default_factory=list)
    stride: int = 1
    count: int = 0
    spans: set[int] = field(default_factory=set)
    decision: str | None = None
    since: int = 0

    def keep(self, packed: bytes, place: int) -> None:
        if self.count % self.stride == 0:
            if len(self.places) == PARTIALS:
                kept = np.frombuffer(bytes(self.partials), np.uint8).reshape(-1, _BYTES)
                self.partials = bytearray(kept[::2].tobytes())
                self.places = self.places[::2]
                self.stride *= 2
            if self.count % self.stride == 0:
                self.partials += packed
                self.places.append(place)
        self.count += 1


class Verdicts:
    """Judges partial verdicts; one pass, in the order in which they were sent.

    Attributes:
        reliability: by score, and of the decision's confidence.
        earliness: streams by tenth of their text at which the final decision was first given and
            then kept, [11]; the last: not before the end.
        agreed: partial verdicts that have the final decision, by tenth of the text, [10].
        partials: all of them, by tenth of the text, [10].
        finals: streams by final decision.
        characters: of all streams that ended.
        shown: spans that a partial verdict has shown.
        taken_back: of revisions and withdrawals.
        without_final: streams forgotten before they ended; later ones of them are judged alone.
    """

    def __init__(self) -> None:
        self.reliability = {name: Reliability() for name in (*SCORES, CONFIDENCE)}
        self.earliness = np.zeros(DECILES + 1, np.int64)
        self.agreed = np.zeros(DECILES, np.int64)
        self.partials = np.zeros(DECILES, np.int64)
        self.finals: Counter[str] = Counter()
        self.characters = 0
        self.shown = 0
        self.taken_back: Counter[str] = Counter()
        self.without_final = 0
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._decisions: dict[str, int] = {}

    @property
    def still_open(self) -> int:
        """Streams whose final verdict has not come."""
        return len(self._open)

    def take(self, record: Fields) -> None:
        """Take the next verdict of a stream.

        Raises:
            Damaged: the record is not that of a verdict; nothing was taken.
        """
        _, name = record.stream
        kind = record.text("prediction_type")
        output, metadata = record.inner("output"), record.inner("metadata")
        decision = output.text("decision")
        scores = output.inner("scores")
        place = metadata.count("characters")
        said = [*(scores.number(score, 0.0) for score in SCORES), record.number("confidence")]
        ids = {span.count("id") for span in output.items("spans")[:_SPANS]}
        taken_back = {what: metadata.count(what, 0) for what in ("revised", "withdrawn")}
        self.taken_back.update(taken_back)
        if kind == PredictionType.FINAL:
            stream = self._open.pop(name) if name in self._open else _Open()
            self._final(stream, decision, scores, place)
            return
        stream = self._opened(name)
        if len(stream.spans) < _SPANS:
            self.shown += len(ids - stream.spans)
            stream.spans |= ids
        if decision != stream.decision:
            stream.decision, stream.since = decision, place
        bytes_ = [round(_UNIT * min(max(chance, 0.0), 1.0)) for chance in said]
        stream.keep(bytes([*bytes_, self._number(decision)]), place)

    def _opened(self, name: str) -> _Open:
        stream = self._open.setdefault(name, _Open())
        self._open.move_to_end(name)
        if len(self._open) > OPEN:
            self._open.popitem(last=False)
            self.without_final += 1
        return stream

    def _number(self, decision: str) -> int:
        """A byte for a decision; the same one for all beyond those that there are bytes for."""
        if decision not in self._decisions and len(self._decisions) < _DECISIONS:
            self._decisions[decision] = len(self._decisions)
        return self._decisions.get(decision, _DECISIONS)

    def _final(self, stream: _Open, decision: str, scores: Fields, place: int) -> None:
        number = self._number(decision)
        self.finals[decision if number < _DECISIONS else "(other)"] += 1
        self.characters += place
        if decision == FAILED or not place:
            return
        first = stream.since / place if stream.decision == decision else 1.0
        self.earliness[min(int(first * DECILES), DECILES)] += 1
        if not stream.places:
            return
        kept = np.frombuffer(bytes(stream.partials), np.uint8).reshape(-1, _BYTES)
        chances = kept[:, : len(SCORES) + 1] / _UNIT
        agrees = kept[:, -1] == number
        for column, score in enumerate(SCORES):
            true = scores.number(score, 0.0) >= _TRUE
            self.reliability[score].add(chances[:, column], np.full(len(kept), true))
        self.reliability[CONFIDENCE].add(chances[:, -1], agrees)
        shares = np.array(stream.places) / place
        tenth = np.minimum((shares * DECILES).astype(np.int64), DECILES - 1)
        self.partials += np.bincount(tenth, minlength=DECILES)
        self.agreed += np.bincount(tenth, agrees, DECILES).astype(np.int64)
