"""One attempt at what happens to streams, together: what fails of it is told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from streams.hierarchy import states
from streams.hierarchy.observer import (
    BoundaryType,
    Encoded,
    Ended,
    FailureType,
    StreamObserver,
    Taken,
    Updated,
)
from streams.hierarchy.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from operators.hierarchy.buffer import Token
    from state.stream_keys import StreamKey
    from streams.hierarchy.encoder import Reading
    from streams.hierarchy.model import StreamModel


_AROUND: Final = 40
"""Code points before and after a boundary that are told with it."""


class Failure(NamedTuple):
    """Why a stream's attempt failed.

    Attributes:
        error: the exception.
        during: what was being done.
        alone: whether it is sure to be the stream's own.
    """

    error: Exception
    during: FailureType
    alone: bool


class Attempt:
    """Steps of streams, taken side by side.

    Args:
        model: reads streams.
        observer: told of tokens that are encoded.
        clock: seconds that never go back.

    Attributes:
        failed: streams that failed. Of those only the memory has changed, and is to be thrown away.
    """

    def __init__(
        self, model: StreamModel, observer: StreamObserver, clock: Callable[[], float]
    ) -> None:
        self._model = model
        self._observer = observer
        self._clock = clock
        self._steps: dict[StreamKey, Step] = {}
        self.failed: dict[StreamKey, Failure] = {}

    @property
    def done(self) -> dict[StreamKey, Step]:
        """Streams that did not fail."""
        return {key: step for key, step in self._steps.items() if key not in self.failed}

    def add(self, key: StreamKey, make: Callable[[], Step]) -> None:
        """Add a stream's step, if it can be made."""
        try:
            self._steps[key] = make()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this stream's
            self.failed[key] = Failure(error, FailureType.RESTORE, alone=True)

    def run(self) -> None:
        """Read, encode, judge and tell, until every step has failed or come to its end."""
        active = list(self._steps)
        while active:
            self._each(active, FailureType.TOKENISE, Step.read)
            readings = self._encoded([key for key in active if key not in self.failed])
            self._each(active, FailureType.FINAL, Step.judge)
            self._each(readings, FailureType.PREDICT, lambda step: step.tell(readings[step.key]))  # noqa: B023 - called at once
            ended = [key for key in active if not self._steps[key].left]
            self._each(ended, FailureType.FINAL, Step.finish)
            active = [key for key in active if key not in self.failed and key not in ended]

    def _each(
        self, keys: Iterable[StreamKey], during: FailureType, do: Callable[[Step], None]
    ) -> None:
        """Do something with each stream that has not failed."""
        for key in keys:
            if key in self.failed:
                continue
            try:
                do(self._steps[key])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this stream's
                self.failed[key] = Failure(error, during, alone=True)

    def _encoded(self, keys: Sequence[StreamKey]) -> dict[StreamKey, Reading]:
        """Encode what waits; what segments say of which a partial verdict is due."""
        steps = [self._steps[key] for key in keys]
        try:
            self.encode(steps)
            due = [step for step in steps if step.due and not step.ending]
            found = self._model.steps.read([step.live.cache for step in due]) if due else []
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one of these streams'
            alone = len(keys) == 1
            self.failed |= {key: Failure(error, FailureType.ENCODE, alone) for key in keys}
            return {}
        return {step.key: reading for step, reading in zip(due, found, strict=True)}

    def encode(self, steps: Sequence[Step]) -> None:
        """Encode all tokens that wait, segment by segment."""
        left = [step for step in steps if not step.ending]
        started = self._clock()
        while left:
            waiting = [(step, step.live.waiting()) for step in left]
            for step in left:
                if step.live.updates:
                    self._note_updates(step, self._clock() - started)
            waiting = [(step, tokens) for step, tokens in waiting if tokens]
            left = [step for step, _ in waiting]
            ids = [np.array([token.id for token in tokens], np.int64) for _, tokens in waiting]
            begun = self._clock()
            wanted = [self._note(step, tokens) for step, tokens in waiting]
            pairs = [(step.live.cache, new) for step, new in zip(left, ids, strict=True)]
            early = [
                (step, pair) for step, tokens in waiting if (pair := step.live.early(len(tokens)))
            ]
            pairs += [pair for _, pair in early]
            found = self._model.steps.encode(pairs, [*wanted, *[()] * len(early)])
            found, ahead = found[: len(left)], found[len(left) :]
            for (step, (_, new)), made in zip(early, ahead, strict=True):
                step.live.take_early(new, made)
            ended = self._clock()
            for (step, tokens), encoded, new in zip(waiting, found, ids, strict=True):
                step.live.encoded(tokens, encoded)
                name, position = step.key.name, step.live.tokens
                self._observer.encoded(
                    Encoded(name, position, len(new), ended - started, ended - begun)
                )
            for step, encoded, rows in zip(left, found, wanted, strict=True):
                for state in states.of_tokens(step, encoded, rows):
                    self._observer.state(state)
        for step in steps:
            self._note_boundaries(step)

    def _note(self, step: Step, tokens: Sequence[Token]) -> Sequence[int]:
        """Tell of new tokens; gives which of the tokens, from 0, are to be watched."""
        live = step.live
        first, new = live.unnoted(tokens)
        if not new:
            return ()
        texts = [live.text_at(token.start, token.end) for token in new]
        ids = [token.id for token in new]
        buffered = live.cache.count + len(tokens)
        self._observer.taken(Taken(step.key.name, first, ids, texts, buffered))
        wanted = self._observer.wanted_states(step.key.name, range(first, first + len(new)))
        return [position - live.tokens for position in wanted]

    def _note_updates(self, step: Step, seconds: float) -> None:
        """Tell of levels that have been updated, and of those that are wanted what they are."""
        live, name = step.live, step.key.name
        position, highest = live.updates[-1].position, max(one.level for one in live.updates)
        self._observer.updated(Updated(name, position, states.LEVELS[highest], seconds))
        for one in live.updates:
            if self._observer.wanted_states(name, range(one.position, one.position + 1)):
                self._observer.state(states.of_level(step, one))
        live.updates.clear()

    def _note_boundaries(self, step: Step) -> None:
        """Tell of sentences and paragraphs that have ended."""
        live = step.live
        places = live.session.places
        for turn in live.turns:
            end = turn.place
            before, after = live.text_at(end - _AROUND, end), live.text_at(end, end + _AROUND)
            kind, place = BoundaryType.TOPIC, places.end(end)
            self._observer.ended(Ended(step.key.name, kind, place, turn.chance, before, after))
        live.turns.clear()
        for one in live.boundaries:
            before = live.text_at(one.end - _AROUND, one.end)
            after = live.text_at(one.end, one.end + _AROUND)
            kind = BoundaryType(one.level.value)
            end = places.end(one.end)
            self._observer.ended(Ended(step.key.name, kind, end, None, before, after))
        live.boundaries.clear()
