"""Word of streams that had ended and have been judged, sent into the log that they come from.

The final verdict of a stream takes a scan of its last segment, a tenth of a second in which others
of its shard would wait. So it is scanned meanwhile, and the verdict is given where the log says
that it has been: in the same place in every replay, whatever a processor's speed.

Word may be sent twice, after a restart say; what comes second says nothing. Until it has arrived,
the stream's record in the table says that it waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from schemas.errors import WeirError
from streams.service.problems import Problem

if TYPE_CHECKING:
    from state.stream_keys import StreamKey
    from streams.hierarchy.codecs import TokenCodecs
    from streams.service.updates import UpdateProducer

log = structlog.get_logger(__name__)

_AGAIN_S: Final = 1.0


class _Word(NamedTuple):
    shard: int
    key: StreamKey


class Announcer:
    """Sends word.

    Args:
        codecs: encodes it.
        producer: sends to ``tokens``.
    """

    def __init__(self, codecs: TokenCodecs, producer: UpdateProducer) -> None:
        self._codecs = codecs
        self._producer = producer
        self._words: deque[_Word] = deque()
        self._came = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def judged(self, shard: int, key: StreamKey) -> None:
        """A stream has been judged; on any thread, before the loop runs and after it has ended."""
        self._words.append(_Word(shard, key))
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: whoever serves next tells
                loop.call_soon_threadsafe(self._came.set)

    async def run(self) -> None:
        """Send what there is and what comes, until cancelled; on the event loop of the stream."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as sending:  # none waits for one that cannot be sent
            while True:
                self._came.clear()
                while self._words:
                    sending.create_task(self._send(self._words.popleft()))
                await self._came.wait()

    async def _send(self, word: _Word) -> None:
        """Send one until it has arrived: the verdict waits for it."""
        key = word.key
        while True:
            try:
                await self._producer.send(
                    key.stream_id.encode(), self._codecs.judged(key), word.shard
                )
            except (Problem, WeirError) as error:
                log.warning("word of a judged stream could not be sent yet", why=str(error))
                await asyncio.sleep(_AGAIN_S)
            else:
                return
