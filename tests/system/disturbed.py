"""Does to workers and brokers what a schedule says, as their supervisor would have to bear it."""

from __future__ import annotations

import heapq
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from tests.system.schedule import OF_BROKERS, WORKERS, Fault, Kind, first_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.broker.local import LocalBroker
    from streams.feed import FedEvent
    from tests.integration.streams.under_test import Stream, WorkerProcess
    from tests.system.schedule import Round

TICK_S = 0.05
PATIENCE_S = 300
PORTIONS = 40
"""A round's events are sent in so many portions, evenly over the round."""

MAY_END_WITH = frozenset({69, 75})
"""A worker may give up when a transaction failed or the brokers are gone; it is started again."""

STOPPED = frozenset({0, -signal.SIGTERM})
"""After SIGTERM; the signal itself where it came before the interpreter had begun."""

STATIC = "w1"
"""This worker is a static member, the others are not."""


@dataclass
class Slot:
    """One worker, as its supervisor knows it: what runs, and what should.

    A worker that has ended is started again while it is wanted, but not before ``not_before``.
    """

    name: str
    wanted: bool
    worker: WorkerProcess | None = None
    not_before: float = 0.0
    asked_to_end: bool = False
    killed: bool = False


@dataclass
class Disturbed:
    """A stream whose workers and brokers are disturbed.

    Attributes:
        stream: with its topics.
        cluster: three brokers.
        codes: exit codes of workers that ended without being told to.
        done: faults that were carried out, by kind.
    """

    stream: Stream
    cluster: LocalBroker
    codes: Counter[int] = field(default_factory=Counter)
    done: Counter[Kind] = field(default_factory=Counter)
    _slots: list[Slot] = field(default_factory=list)
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self._slots = [Slot(f"w{n}", wanted=n in first_workers()) for n in range(WORKERS)]

    def run(self, schedule: Sequence[Round], parts: Sequence[Sequence[FedEvent]]) -> None:
        """Send all parts while the schedule happens; return when all is committed and stopped."""
        with ThreadPoolExecutor(1) as on_brokers:
            for part, messages in zip(schedule, parts, strict=True):
                self._round(part, messages, on_brokers)
        for slot in self._slots:
            slot.wanted = True
        ends = self.stream.ends()
        self._wait(lambda: self.stream.committed() == ends, f"committed offsets {ends}")
        for slot in self._slots:
            self._end(slot)
        self._wait(lambda: all(slot.worker is None for slot in self._slots), "workers to stop")

    def _round(
        self, part: Round, messages: Sequence[FedEvent], on_brokers: ThreadPoolExecutor
    ) -> None:
        began = time.monotonic()
        sent = threading.Thread(target=self._send, args=(messages, part.length_s))
        sent.start()
        pending: list[Future[None]] = []
        for fault in part.faults:
            self._at(began + fault.at_s, partial(self._do, fault, on_brokers, pending))
        self._wait(
            lambda: (
                time.monotonic() >= began + part.length_s
                and not sent.is_alive()
                and all(future.done() for future in pending)
            ),
            "end of the round",
        )
        for future in pending:
            future.result()

    def _send(self, messages: Sequence[FedEvent], length_s: float) -> None:
        size = -(-len(messages) // PORTIONS)
        for start in range(0, len(messages), size):
            began = time.monotonic()
            self.stream.produce(messages[start : start + size])
            time.sleep(max(0.0, began + length_s / PORTIONS - time.monotonic()))

    # -- faults -----------------------------------------------------------------------------------

    def _do(
        self, fault: Fault, on_brokers: ThreadPoolExecutor, pending: list[Future[None]]
    ) -> None:
        self.done[fault.kind] += 1
        if fault.kind in OF_BROKERS:
            pending.append(on_brokers.submit(self._disturb_broker, fault))
        else:
            self._disturb_worker(fault, self._slots[fault.target])

    def _disturb_broker(self, fault: Fault) -> None:
        node = fault.target
        if fault.kind is Kind.BROKER_PAUSE:
            self.cluster.pause(node)
            time.sleep(fault.lasts_s)
            self.cluster.resume(node)
            return
        if fault.kind is Kind.BROKER_KILL:
            self.cluster.kill(node)
        else:
            self.cluster.terminate(node)
        time.sleep(fault.lasts_s)
        self.cluster.restart(node)

    def _disturb_worker(self, fault: Fault, slot: Slot) -> None:
        now = time.monotonic()
        if fault.kind is Kind.WORKER_JOIN:
            slot.wanted = True
            return
        if fault.kind is Kind.WORKER_LEAVE:
            slot.wanted = False
        slot.not_before = now + fault.lasts_s
        worker = slot.worker
        if worker is None:
            return
        if fault.kind is Kind.WORKER_KILL:
            slot.killed = True
            worker.process.kill()
        elif fault.kind is Kind.WORKER_PAUSE:
            worker.process.send_signal(signal.SIGSTOP)
            self._at(now + fault.lasts_s, lambda: worker.process.send_signal(signal.SIGCONT))
        else:
            slot.asked_to_end = True
            worker.process.terminate()

    # -- the supervisor ---------------------------------------------------------------------------

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._later, (when, next(self._number), what))

    def _end(self, slot: Slot) -> None:
        slot.wanted = False
        slot.asked_to_end = True
        if slot.worker is not None:
            slot.worker.process.terminate()

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        """Supervise until a condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for {what}\n{self.told()}"
            while self._later and self._later[0][0] <= time.monotonic():
                heapq.heappop(self._later)[2]()
            for slot in self._slots:
                self._supervise(slot)
            time.sleep(TICK_S)

    def _supervise(self, slot: Slot) -> None:
        worker = slot.worker
        if worker is not None and (code := worker.process.poll()) is not None:
            if not slot.killed:
                expected = MAY_END_WITH | (STOPPED if slot.asked_to_end else frozenset())
                assert code in expected, f"{slot.name} ended with {code}\n{worker.text()[-4000:]}"
                if code not in STOPPED:
                    self.codes[code] += 1
            slot.worker, slot.asked_to_end, slot.killed = None, False, False
        if slot.worker is None and slot.wanted and time.monotonic() >= slot.not_before:
            options = ("--member", slot.name) if slot.name == STATIC else ()
            slot.worker = self.stream.start(slot.name, options=options)

    def told(self) -> str:
        """Return the ends of the workers' logs."""
        return "\n".join(
            f"--- {worker.log.name}\n{worker.text()[-2000:]}" for worker in self.stream.workers[-6:]
        )
