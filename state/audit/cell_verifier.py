"""Checks the audit log of one cell as it comes in, in memory that does not grow with the log.

What must hold (seed, section 8): every record's hash, the chain of hashes, the conditions on its
contents (``conditions``), and every signed checkpoint: signature by a pinned key, origin, root,
chain head. A signed checkpoint of more records than there are says that the end was cut off.

After a failure the pass goes on, with the record as it stands, so that one edit shows as one
failure where it was made and as a root that does not fit, not as a failure of every record after.

Records and checkpoints travel on separate topics. ``verify.verify_log`` draws from both; a reader
that follows many cells at once gives each record to its cell's ``CellVerifier``, and each
checkpoint before the records that pass its size.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from state.audit.chain import NO_PREV
from state.audit.conditions import Conditions
from state.audit.errors import BadSignature, MalformedNote, UnknownKey
from state.audit.leaf import (
    COLUMN,
    LEAF_BYTES,
    RECORD_BYTES,
    RECORD_DTYPE,
    SNAPSHOT,
    record_numbers,
)
from state.audit.merkle import HASH_BYTES, CompactRange, leaf_hashes
from state.audit.report import Alarm, Failure, Locator, Reason, VerifyReport

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from state.audit.checkpoint import Checkpoint, CheckpointNote
    from state.audit.note import Verifier
    from state.audit.rj_policy import RjPolicy

    Rows = np.ndarray[Any, np.dtype[Any]]

KEPT: Final = 100
"""Failures and alarms that a report keeps; the others are counted."""


class RecordBlock(NamedTuple):
    """Consecutive records of one log.

    Args:
        buffer: the records, ``RECORD_BYTES`` each, without wire headers.
        locate: gives the place of the record with this number in the block.
    """

    buffer: bytes
    locate: Callable[[int], Locator]


class CellVerifier:
    """Checks the log of one cell as its records and checkpoints come in.

    Args:
        origin: name of the log, as its checkpoints must say it.
        keys: the public keys that may sign its checkpoints; one signature suffices.
        policy: constants of the half-split policy, where they are known.
    """

    def __init__(
        self, origin: str, keys: Collection[Verifier], policy: RjPolicy | None = None
    ) -> None:
        self.origin = origin
        self._keys = keys
        self._range = CompactRange()
        self._head = NO_PREV  # as recomputed
        self._curr = NO_PREV  # as the last record states it
        self._conditions = Conditions(policy)
        self._expected: deque[tuple[Locator, Checkpoint]] = deque()
        self._kept: list[tuple[Locator, Checkpoint]] = []
        self.snapshots: list[bytes] = []
        self._newest = 0
        self._first_step: int | None = None
        self._last_step: int | None = None
        self._checkpoints = 0
        self._signed_size = 0
        self._alarms: list[Alarm] = []
        self._alarm_count = 0
        self._failures: list[Failure] = []
        self._failure_counts: Counter[Reason] = Counter()

    def recall(self, locator: Locator, signed: CheckpointNote) -> None:
        """Take a checkpoint that was kept elsewhere, by a witness say; before any record.

        It says nothing of where this log's own checkpoints stand, and must fit the records all the
        same: the key that signed it spoke of this history or there are two.
        """
        checkpoint = self._opened(locator, signed)
        if checkpoint is not None and checkpoint.size:  # an empty log is the start of any
            self._kept.append((locator, checkpoint))
            self._kept.sort(key=lambda one: -one[1].size)

    @property
    def size(self) -> int:
        """Records taken so far."""
        return self._range.size

    @property
    def newest(self) -> int:
        """Size of the largest checkpoint that was given so far."""
        return self._newest

    def fail(self, reason: Reason, locator: Locator, step: int | None, detail: str) -> None:
        """Put down something that does not hold."""
        self._failure_counts[reason] += 1
        if len(self._failures) < KEPT:
            self._failures.append(Failure(reason, locator, step, detail))

    def expect(self, locator: Locator, signed: CheckpointNote) -> None:
        """Take a checkpoint, to be compared when the log reaches its size.

        Checkpoints come in order of their size, each before the records beyond it.
        """
        checkpoint = self._opened(locator, signed)
        if checkpoint is None:
            return
        size = checkpoint.size
        if size < max(self._newest, self.size):
            detail = f"size {size} after {max(self._newest, self.size)}"
            self.fail(Reason.CHECKPOINT_ORDER, locator, size, detail)
        else:
            self._newest = size
            self._expected.append((locator, checkpoint))
            self._compare()

    def _opened(self, locator: Locator, signed: CheckpointNote) -> Checkpoint | None:
        """Give what a checkpoint says of this log, if it may say it."""
        size: int = signed.tree_size
        try:
            checkpoint = signed.open(self._keys)
        except MalformedNote as error:
            self.fail(Reason.CHECKPOINT_NOTE, locator, size, str(error))
            return None
        except UnknownKey as error:
            self.fail(Reason.CHECKPOINT_KEY, locator, size, str(error))
            return None
        except BadSignature as error:
            self.fail(Reason.CHECKPOINT_SIGNATURE, locator, size, str(error))
            return None
        if not signed.repeats(checkpoint):
            detail = "the fields beside the note say something else than the note"
            self.fail(Reason.CHECKPOINT_FIELDS, locator, size, detail)
        if checkpoint.origin != self.origin:
            detail = f"signed for {checkpoint.origin}, this is the log of {self.origin}"
            self.fail(Reason.CHECKPOINT_ORIGIN, locator, checkpoint.size, detail)
            return None
        return checkpoint

    def feed(self, block: RecordBlock) -> None:
        """Take the next records; about a microsecond each."""
        buffer, locate = block
        if not buffer or len(buffer) % RECORD_BYTES:
            detail = f"{len(buffer)} bytes, not the {RECORD_BYTES} of a record"
            self.fail(Reason.UNREADABLE, locate(0), None, detail)
            return
        numbers = record_numbers(buffer)
        steps = numbers[:, COLUMN["step"]]
        hashes = leaf_hashes(buffer, RECORD_BYTES, LEAF_BYTES)
        self._check_links(np.frombuffer(buffer, RECORD_DTYPE), hashes, steps, locate)
        for index, reason, detail in self._conditions.check(numbers):
            self.fail(reason, locate(index), _whole(steps[index]), detail)
        self._take_alarms(numbers, locate)
        self._take_snapshots(numbers, buffer)
        if not self.size:
            self._first_step = _whole(steps[0])
        self._last_step = _whole(steps[-1])
        self._grow(hashes)

    def finish(self) -> VerifyReport:
        """Close the log: checkpoints beyond it show that its end is missing."""
        for locator, checkpoint in self._expected:
            detail = f"signed for {checkpoint.size} records, the log has {self.size}"
            self.fail(Reason.TRUNCATED, locator, checkpoint.size, detail)
        self._expected.clear()
        for locator, checkpoint in self._kept:
            detail = f"kept: signed for {checkpoint.size} records, the log has {self.size}"
            self.fail(Reason.TRUNCATED, locator, checkpoint.size, detail)
        self._kept.clear()
        steps = None
        if self._first_step is not None and self._last_step is not None:
            steps = self._first_step, self._last_step
        return VerifyReport(
            origin=self.origin,
            records=self.size,
            steps=steps,
            root=self._range.root(),
            head=self._head,
            checkpoints=self._checkpoints,
            signed_size=self._signed_size,
            alarms=tuple(self._alarms),
            alarm_count=self._alarm_count,
            failures=tuple(self._failures),
            failure_counts=dict(self._failure_counts),
        )

    def _check_links(
        self, records: Rows, hashes: list[bytes], steps: Rows, locate: Callable[[int], Locator]
    ) -> None:
        stated = records["curr"].tobytes()
        for index in _unequal(stated, b"".join(hashes)):
            detail = f"curr is not the leaf's hash, {hashes[index].hex()}"
            self.fail(Reason.LEAF_HASH, locate(index), _whole(steps[index]), detail)
        due = self._curr + stated[:-HASH_BYTES]
        for index in _unequal(records["leaf"]["prev"].tobytes(), due):
            at = index * HASH_BYTES
            detail = f"prev is not curr of the record before, {due[at : at + HASH_BYTES].hex()}"
            self.fail(Reason.CHAIN, locate(index), _whole(steps[index]), detail)
        self._curr = stated[-HASH_BYTES:]

    def _take_alarms(self, numbers: Rows, locate: Callable[[int], Locator]) -> None:
        margins = numbers[:, COLUMN["margin"]]
        below = margins < 0.0
        if below.any():
            places = np.flatnonzero(below).tolist()
            self._alarm_count += len(places)
            for index in places[: KEPT - len(self._alarms)]:
                step = _whole(numbers[index, COLUMN["step"]])
                self._alarms.append(Alarm(locate(index), step, float(margins[index])))

    def _take_snapshots(self, numbers: Rows, buffer: bytes) -> None:
        marks = numbers[:, COLUMN["format"]] == SNAPSHOT
        if marks.any():
            digests = np.frombuffer(buffer, RECORD_DTYPE)["leaf"]["event_digest"]
            self.snapshots += [digests[row].tobytes() for row in np.flatnonzero(marks)]

    def _grow(self, hashes: list[bytes]) -> None:
        """Append to the tree, stopping at each size that a checkpoint speaks of."""
        start = 0
        while start < len(hashes):
            stop = len(hashes)
            if self._expected:
                stop = min(stop, start + self._expected[0][1].size - self.size)
            if self._kept:
                stop = min(stop, start + self._kept[-1][1].size - self.size)
            self._range.extend(hashes[start:stop])
            self._head = hashes[stop - 1]
            self._compare()
            start = stop

    def _compare(self) -> None:
        """Compare the log with the checkpoints of its present size."""
        while self._expected and self._expected[0][1].size == self.size:
            locator, checkpoint = self._expected.popleft()
            root, size = self._range.root(), self.size
            if root != checkpoint.root:
                detail = f"signed {checkpoint.root.hex()}, the records give {root.hex()}"
                self.fail(Reason.CHECKPOINT_ROOT, locator, size, detail)
            if self._head != checkpoint.head:
                detail = f"signed {checkpoint.head.hex()}, the last record is {self._head.hex()}"
                self.fail(Reason.CHECKPOINT_HEAD, locator, size, detail)
            if root == checkpoint.root and self._head == checkpoint.head:
                self._checkpoints += 1
                self._signed_size = size
        while self._kept and self._kept[-1][1].size <= self.size:
            locator, checkpoint = self._kept.pop()
            if (checkpoint.root, checkpoint.head) != (self._range.root(), self._head):
                detail = (
                    f"kept: signed {checkpoint.root.hex()} for {checkpoint.size} records, these "
                    f"give {self._range.root().hex()}: the key signed two histories"
                )
                self.fail(Reason.WITNESSED, locator, checkpoint.size, detail)


def _whole(number: float) -> int | None:
    return int(number) if np.isfinite(number) else None


def _unequal(these: bytes, those: bytes) -> list[int]:
    """Give the numbers of the hashes in which two rows of hashes differ."""
    if these == those:
        return []
    pairs = [np.frombuffer(one, np.uint8).reshape(-1, HASH_BYTES) for one in (these, those)]
    differ: list[int] = np.flatnonzero((pairs[0] != pairs[1]).any(axis=1)).tolist()
    return differ
