"""Questions to a shard, answered from memory between two units of work.

A unit changes the cells' arrays and commits before the next thing happens to the shard. So what a
question sees is what the last transaction committed, whole: neither half a step, nor steps that a
failed commit would take back. All questions that wait are answered in one go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from schemas.errors import WeirError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from streams.shard.engine import Engine
    from streams.shard.settling import Settling

T = TypeVar("T")

Question = Callable[["Engine"], T]
"""Looks at the cells of a shard and changes nothing."""

AT_ONCE: Final = 256
"""Questions that are answered before the next unit of work has its turn."""


class NotServing(WeirError):  # noqa: N818 - it names the condition
    """The shard is being restored, or is about to move to another worker."""

    exit_code = 69


class _Asked(NamedTuple):
    question: Question[Any]
    answer: asyncio.Future[Any]


class Questions:
    """Takes turns with the units of work; everything but the answering is on the event loop.

    Args:
        engine: the shard's.
        executor: where units run.
        turn: held by whoever may look at the cells or change them.
        serving: tells whether the cells are what the last transaction committed.
    """

    def __init__(
        self,
        engine: Settling[Any],
        executor: Executor,
        turn: asyncio.Lock,
        serving: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._turn = turn
        self._serving = serving
        self._waiting: list[_Asked] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Question[T]) -> T:
        """Return the answer, once it is the questions' turn.

        Args:
            question: what it raises is raised here.

        Raises:
            NotServing: the shard serves nobody at present.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(question, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._answer(), name=f"questions-{self._engine.shard}")
        return await answer

    async def _answer(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                async with self._turn:
                    asked, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                    # Whoever has given up by now is not worth the shard's time.
                    asked = [one for one in asked if not one.answer.done()]
                    if self._serving():
                        found = await loop.run_in_executor(self._executor, self._all, asked)
                    else:
                        found = [self._refusal() for _ in asked]
                for one, result in zip(asked, found, strict=True):
                    _settle(one.answer, result)
        finally:
            self._task = None

    def _all(self, asked: list[_Asked]) -> list[Any]:
        # Only shards of events are asked.
        engine = cast("Engine", self._engine)
        return [_attempt(one.question, engine) for one in asked]

    def _refusal(self) -> NotServing:
        return NotServing(f"shard {self._engine.shard} is being restored or moved: ask again")


def _attempt(question: Question[T], engine: Engine) -> T | Exception:
    try:
        return question(engine)
    except Exception as error:  # noqa: BLE001 - it is the asker's to handle
        return error


def _settle(answer: asyncio.Future[Any], result: Any) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
