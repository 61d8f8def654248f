"""Ends streams whose shard has heard nothing for so long that its own time stands still.

Streams time out by the time of their shard's pieces. Where none comes at all, a worker sends an END
for each open stream through the log, so that what happens still follows from the log alone. It
carries the time of the stream's newest piece: if another has come meanwhile, it means nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from schemas.errors import WeirError
from streams.service.problems import Problem
from streams.service.updates import UpdateProducer
from streams.shard.questions import NotServing
from streams.watchdog import Clocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.stream_keys import StreamKey
    from streams.hierarchy.codecs import TokenCodecs
    from streams.hierarchy.engine import TokenEngine
    from streams.settings import BrokerSettings
    from streams.shard.shard import Shard
    from streams.shards import Shards

log = structlog.get_logger(__name__)

MOST_PERIOD_S: Final = 30.0
_SEND_S: Final = 30.0


class Silence:
    """Watches the shards of tokens of a worker; on the event loop.

    Args:
        shards: of the worker.
        codecs: encodes the end of a stream.
        broker: where and how to connect.
        topic: of the tokens.
        idle_s: without a piece of any stream after which a shard is silent.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        shards: Shards,
        codecs: TokenCodecs,
        broker: BrokerSettings,
        topic: str,
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shards = shards
        self._codecs = codecs
        self._producer = UpdateProducer(broker, topic, _SEND_S)
        self._idle_s = idle_s
        self._clock = clock
        self._clocks = Clocks()

    async def watch(self) -> None:
        """Look now and then, until cancelled."""
        try:
            while True:
                await asyncio.sleep(min(MOST_PERIOD_S, self._idle_s / 4))
                for shard in self._shards.active:
                    with contextlib.suppress(NotServing):
                        await self.look(shard)
        finally:
            await asyncio.get_running_loop().run_in_executor(None, self._producer.close)

    async def look(self, shard: Shard) -> None:
        """Look at a shard once.

        Raises:
            NotServing: it is being restored or moved.
        """
        number, reached, now = shard.number, shard.next_offset, self._clock()
        silent = not shard.queued
        if self._clocks.standing_s(number, reached, has_work=silent, now=now) < self._idle_s:
            return
        self._clocks.standing_s(number, reached, has_work=False, now=now)
        open_ = await shard.ask(lambda engine: _open(cast("Any", engine)))
        for key, time_us in open_.items():
            try:
                value = self._codecs.idle_end(key, time_us)
                await self._producer.send(key.stream_id.encode(), value, shard.number)
            except (Problem, WeirError) as error:
                log.warning("an idle stream could not be ended", why=str(error))
                return


def _open(engine: TokenEngine) -> dict[StreamKey, int]:
    return engine.open_streams()
