"""Batches made by other processes ahead of the step that needs them, in the order of the steps."""

from __future__ import annotations

import multiprocessing
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TYPE_CHECKING

from operators.dlp.generator.rows import Batch, Source, batch_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.train.settings import TrainSettings

_source: Source


def batches(source: Source, settings: TrainSettings, first: int, workers: int) -> Iterator[Batch]:
    """The batches of steps `first` and on. What comes does not depend on the number of workers."""
    if workers == 0:
        for step in range(first, settings.steps):
            yield _make(source, settings, step)
        return
    global _source  # noqa: PLW0603 - workers are forked and find it there
    _source = source
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: deque[Future[Batch]] = deque()
        for step in range(first, settings.steps):
            while len(waiting) < 4 * workers and step + len(waiting) < settings.steps:
                waiting.append(pool.submit(_work, settings, step + len(waiting)))
            yield waiting.popleft().result()


def _work(settings: TrainSettings, step: int) -> Batch:
    return _make(_source, settings, step)


def _make(source: Source, settings: TrainSettings, step: int) -> Batch:
    easy = step < settings.easy * settings.steps
    seed = batch_seed(settings.seed, step)
    return source.batch(seed, settings.long, settings.short, easy=easy)
