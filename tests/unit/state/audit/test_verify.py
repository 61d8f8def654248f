from __future__ import annotations

import dataclasses
import itertools
import math
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from operators.fusion import kernels
from state.audit.cell_verifier import CellVerifier, RecordBlock
from state.audit.chain import NO_PREV, Chain
from state.audit.leaf import LEAF_BYTES, RECORD_BYTES
from state.audit.merkle import EMPTY_ROOT
from state.audit.report import Locator, Outcome, Reason
from state.audit.rj_policy import P_MIN, RjPolicy
from state.audit.verify import in_blocks, verify_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.audit.checkpoint import CheckpointNote
    from state.audit.note import Signer
    from tests.unit.state.audit.conftest import Log

    Rows = np.ndarray[Any, np.dtype[Any]]
    MakeRows = Callable[[int], Rows]
    MakeSigner = Callable[[str, int], Signer]


def test_an_honest_log_holds(log: Log) -> None:
    """Whoever verifies an untouched log reads OK, and to what it commits."""
    report = log.verify()
    assert report.outcome is Outcome.OK
    assert not report.failures
    assert (report.records, report.steps) == (10, (1, 10))
    assert (report.checkpoints, report.signed_size, report.unsigned_tail) == (3, 10, 0)
    assert (report.root, report.head) == (log.notes[-1].root, log.values[-1][LEAF_BYTES:])


def test_records_after_the_last_checkpoint_are_reported(log: Log) -> None:
    """Records that no signature covers prove nothing, and the report counts them."""
    log.notes.pop()
    report = log.verify()
    assert report.outcome is Outcome.INCOMPLETE
    assert (report.signed_size, report.unsigned_tail) == (7, 3)


def test_a_log_without_checkpoints_proves_nothing(log: Log) -> None:
    """Anyone can write a chain of hashes; only the signed checkpoints say who did."""
    log.notes.clear()
    assert log.verify().outcome is Outcome.INCOMPLETE


def test_a_log_that_has_not_begun_holds(empty_log: Log) -> None:
    """A cell without events has a signed empty log, and that is fine."""
    empty_log.notes.append(Chain(empty_log.origin).checkpoint(empty_log.signer))
    report = empty_log.verify()
    assert report.outcome is Outcome.OK
    assert (report.records, report.steps) == (0, None)
    assert (report.root, report.head) == (EMPTY_ROOT, NO_PREV)


def test_a_checkpoint_may_repeat(log: Log) -> None:
    """A unit of work that adds no record signs the same size once more."""
    log.notes.insert(1, log.notes[0])
    report = log.verify()
    assert (report.outcome, report.checkpoints) == (Outcome.OK, 4)


@pytest.mark.parametrize("reaction", [4, 5])
def test_an_alarm_with_its_reaction_is_not_tampering(
    empty_log: Log, rows_of: MakeRows, reaction: int
) -> None:
    """A true alarm in an honest log is told apart from a log that was changed."""
    rows = rows_of(10)
    rows["margin"][4] = -0.25
    rows["actions"][reaction] = 5.0
    empty_log.extend(rows, [5, 5])
    report = empty_log.verify()
    assert report.outcome is Outcome.ALARM
    assert report.alarm_count == 1
    assert [(alarm.step, alarm.margin) for alarm in report.alarms] == [(5, -0.25)]
    assert report.alarms[0].locator.offset == 4


@pytest.mark.parametrize("step", [1, 5, 9])
def test_an_alarm_without_a_reaction_is_not_honest(
    empty_log: Log, rows_of: MakeRows, step: int
) -> None:
    """A controller that was switched off, or whose actions were erased, is found."""
    rows = rows_of(10)
    rows["margin"][step - 1] = -1.0
    rows["actions"][(step + 1) % 10] = 2.0  # too late
    empty_log.extend(rows, [5, 5])
    report = empty_log.verify()
    assert report.failure_counts == {Reason.NO_REACTION: 1}
    assert (report.failures[0].step, report.failures[0].locator.offset) == (step + 1, step)


def test_each_alarm_needs_its_own_reaction(empty_log: Log, rows_of: MakeRows) -> None:
    """One action does not excuse a later alarm."""
    rows = rows_of(8)
    rows["margin"][1:5] = -1.0
    rows["actions"][2] = 2.0
    empty_log.extend(rows, [8])
    report = empty_log.verify()
    assert [failure.step for failure in report.failures] == [5, 6]
    assert report.alarm_count == 4


@pytest.mark.parametrize("cut", range(1, 8))
def test_how_a_log_is_read_changes_nothing(empty_log: Log, rows_of: MakeRows, cut: int) -> None:
    """The verdict does not depend on how many records a reader fetches at a time."""
    rows = rows_of(8)
    rows["margin"][[1, 3, 5]] = -1.0
    rows["actions"][2] = 2.0
    rows["step"][6] = 9.0
    empty_log.extend(rows, [5, 3])
    values = list(empty_log.values)
    values[4] = values[4][:-1] + bytes([values[4][-1] ^ 1])
    reports = []
    for edges in ([0, 8], [0, cut, 8], range(9)):
        blocks = [
            RecordBlock(
                b"".join(values[start:stop]),
                [Locator("audit", 0, at) for at in range(start, stop)].__getitem__,
            )
            for start, stop in itertools.pairwise(edges)
        ]
        checkpoints = zip(places("checkpoints"), empty_log.notes, strict=False)
        key = empty_log.signer.verifier
        report = verify_log(empty_log.origin, blocks, checkpoints, [key])
        reports.append(dataclasses.replace(report, failures=tuple(sorted(report.failures))))
    assert reports[0] == reports[1] == reports[2]
    assert reports[0].failure_counts == {
        Reason.LEAF_HASH: 1,
        Reason.CHAIN: 1,
        Reason.STEP: 2,
        Reason.NO_REACTION: 2,
    }


def test_an_alarm_at_the_very_end_may_still_be_answered(empty_log: Log, rows_of: MakeRows) -> None:
    """The last record of a log can alarm before its reaction is recorded."""
    rows = rows_of(3)
    rows["margin"][2] = -1.0
    empty_log.extend(rows, [3])
    assert empty_log.verify().outcome is Outcome.ALARM


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("format", 9.0, Reason.FORMAT),
        ("format", math.nan, Reason.FORMAT),
        ("step", 7.0, Reason.STEP),
        ("step", math.nan, Reason.STEP),
        ("y_hat", math.nan, Reason.NON_FINITE),
        ("gate", math.inf, Reason.NON_FINITE),
        ("margin", -math.inf, Reason.NON_FINITE),
        ("label", math.inf, Reason.NON_FINITE),
        ("error", -math.inf, Reason.NON_FINITE),
        ("c_lookup", 18.0, Reason.PROBE_BOUND),
        ("c_insert", 26.0, Reason.PROBE_BOUND),
        ("c_lookup_max", 14.0, Reason.PROBE_BOUND),
        ("rj_level", 3.0, Reason.RJ_POLICY),
        ("rj_level", 0.5, Reason.RJ_POLICY),
        ("rj_gap", -0.1, Reason.RJ_POLICY),
        ("half_diff", -0.1, Reason.RJ_POLICY),
    ],
)
def test_a_record_that_no_honest_cell_writes_is_found(
    empty_log: Log, rows_of: MakeRows, name: str, value: float, reason: Reason
) -> None:
    """Contents are checked too: a log that hashes well can still say impossible things."""
    rows = rows_of(6)
    rows[name][3] = value
    empty_log.extend(rows, [6])
    report = empty_log.verify()
    assert report.outcome is Outcome.TAMPERED
    assert (report.failures[0].reason, report.failures[0].locator.offset) == (reason, 3)
    assert report.checkpoints == 1


POLICY = RjPolicy(c_yellow=1.0, c_red=2.0, delta=0.05, epsilon=1e-6)


def policy_rows(make: MakeRows) -> Rows:
    """Eight records whose levels are right by POLICY; bound(t) is some 0.1 to 0.15."""
    rows = make(8)
    rows["r"], rows["r_v"], rows["y_sera"] = 256.0, 1.0, -0.5
    rows["ver_sera"] = np.arange(8)
    bound = np.sqrt(np.log(np.maximum(rows["ver_sera"], math.e) / 0.05) / 256.0)
    ratio = np.array([0.95, 0.99, 1.01, 1.5, 1.9, 1.99, 2.01, 2.5])
    rows["half_diff"] = ratio * bound * (0.5 + 1e-6)
    rows["rj_level"] = [0, 0, 1, 1, 1, 1, 2, 2]
    return rows


def test_levels_that_follow_from_the_policy_hold(empty_log: Log, rows_of: MakeRows) -> None:
    """A reader who knows the configured constants can recompute every level."""
    empty_log.extend(policy_rows(rows_of), [8])
    assert empty_log.verify(policy=POLICY).outcome is Outcome.OK


@pytest.mark.parametrize(("step", "level"), [(2, 1), (4, 0), (4, 2), (8, 1)])
def test_a_level_painted_over_is_found(
    empty_log: Log, rows_of: MakeRows, step: int, level: int
) -> None:
    """Red that was recorded as yellow does not pass a reader who knows the constants."""
    rows = policy_rows(rows_of)
    rows["rj_level"][step - 1] = level
    empty_log.extend(rows, [8])
    report = empty_log.verify(policy=POLICY)
    assert report.failure_counts == {Reason.RJ_POLICY: 1}
    assert report.failures[0].step == step


@pytest.mark.parametrize(("level", "outcome"), [(2.0, Outcome.OK), (1.0, Outcome.TAMPERED)])
def test_levels_of_the_gap_are_recomputed_from_it(
    empty_log: Log, rows_of: MakeRows, level: float, outcome: Outcome
) -> None:
    """Where the settings name the seed's gap, it decides, for values of any length."""
    rows = policy_rows(rows_of)
    rows["rj_gap"] = rows["half_diff"] / (0.5 + 1e-6)
    rows["half_diff"] = 0.0
    rows["r_v"] = 5.0
    rows["rj_level"][7] = level
    empty_log.extend(rows, [8])
    assert empty_log.verify(policy=POLICY._replace(policy="rj_gap")).outcome is outcome


@pytest.mark.parametrize(
    ("name", "value"), [("r_v", 2.0), ("y_sera", P_MIN), ("y_sera", 1.0 - P_MIN)]
)
def test_levels_that_cannot_be_recomputed_are_left_alone(
    empty_log: Log, rows_of: MakeRows, name: str, value: float
) -> None:
    """What a record does not let one recompute is not called tampering."""
    rows = policy_rows(rows_of)
    rows["rj_level"] = [2, 2, 2, 2, 0, 0, 0, 0]
    rows[name] = value
    empty_log.extend(rows, [8])
    assert empty_log.verify(policy=POLICY).outcome is Outcome.OK


def test_the_verifier_knows_the_clamp_of_the_step() -> None:
    """Step and verifier, which share no code, agree on which readouts are clamped."""
    assert P_MIN == kernels.P_MIN


def test_a_log_of_another_cell_is_not_taken_for_this_one(log: Log) -> None:
    """A whole honest log put in the place of another's is found by its name."""
    report = log.verify(origin="weir/other/0")
    assert report.failure_counts == {Reason.CHECKPOINT_ORIGIN: 3}


def test_fields_beside_the_note_must_repeat_it(log: Log) -> None:
    """Those who read only the plain fields are not misled without it showing."""
    log.notes[1] = log.notes[1]._replace(tree_size=6)
    assert log.verify().failure_counts == {Reason.CHECKPOINT_FIELDS: 1}


def test_a_note_that_is_no_note_is_found(log: Log) -> None:
    """A damaged checkpoint is named; the others still count."""
    log.notes[1] = log.notes[1]._replace(note="nothing")
    report = log.verify()
    assert report.failure_counts == {Reason.CHECKPOINT_NOTE: 1}
    assert (report.checkpoints, report.signed_size) == (2, 10)


def test_checkpoints_out_of_order_are_found(log: Log) -> None:
    """The signer's history goes one way."""
    log.notes.reverse()
    assert log.verify().failure_counts == {Reason.CHECKPOINT_ORDER: 2}


def test_keys_can_rotate(empty_log: Log, rows_of: MakeRows, signer_of: MakeSigner) -> None:
    """A log signed by an old key and then by a new one verifies with both pinned."""
    old, new = empty_log.signer, signer_of("weir/acme/0", 2)
    chain, rows = Chain(empty_log.origin), rows_of(4)
    values = chain.append(rows[:2])
    notes = [chain.checkpoint(old)]
    values += chain.append(rows[2:])
    notes.append(chain.checkpoint(new))
    report = verify_log(
        empty_log.origin,
        in_blocks(located(values)),
        zip(places("checkpoints"), notes, strict=False),
        [old.verifier, new.verifier],
    )
    assert (report.outcome, report.checkpoints) == (Outcome.OK, 2)


def places(topic: str) -> Iterator[Locator]:
    offset = 0
    while True:
        yield Locator(topic, 3, offset)
        offset += 2  # transaction markers take offsets too


def located(values: list[bytes]) -> Iterator[tuple[Locator, bytes]]:
    return zip(places("audit"), values, strict=False)


def test_failures_name_topic_partition_and_offset(log: Log) -> None:
    """A failure in a topic can be looked up with any Kafka tool."""
    log.values[4] = log.values[4][:80] + bytes(8) + log.values[4][88:]
    checkpoints = zip(places("checkpoints"), log.notes, strict=False)
    report = verify_log(
        log.origin, in_blocks(located(log.values)), checkpoints, [log.signer.verifier]
    )
    assert str(report.failures[0]).startswith("LEAF_HASH at audit[3]@8 (step 5): ")
    assert {str(failure.locator) for failure in report.failures[1:]} == {
        "checkpoints[3]@2",
        "checkpoints[3]@4",
    }


@pytest.mark.parametrize("value", [b"", b"\x00" * 5, b"\x00" * (RECORD_BYTES + 5)])
def test_a_message_that_is_no_record_is_named(log: Log, value: bytes) -> None:
    """Something foreign on the audit topic is reported where it stands; the rest still holds."""
    log.values.insert(4, value)
    checkpoints = zip(places("checkpoints"), log.notes, strict=False)
    report = verify_log(
        log.origin, in_blocks(located(log.values)), checkpoints, [log.signer.verifier]
    )
    assert report.failure_counts == {Reason.UNREADABLE: 1}
    assert report.failures[0].locator == Locator("audit", 3, 8)
    assert report.checkpoints == 3


def test_a_reader_of_many_cells_can_push(log: Log) -> None:
    """Checkpoints may be given long before or just before their records."""
    verifier = CellVerifier(log.origin, [log.signer.verifier])
    spot = Locator("any", 0, 0)
    for note in log.notes[:2]:
        verifier.expect(spot, note)
    for value in log.values[:7]:
        verifier.feed(RecordBlock(value, [spot].__getitem__))
    verifier.expect(spot, log.notes[2])
    verifier.feed(RecordBlock(b"".join(log.values[7:]), ([spot] * 3).__getitem__))
    report = verifier.finish()
    assert (report.outcome, report.checkpoints) == (Outcome.OK, 3)


def test_a_checkpoint_given_after_its_records_passed_is_refused(log: Log) -> None:
    """Nothing is called verified that was not compared."""
    verifier = CellVerifier(log.origin, [log.signer.verifier])
    verifier.feed(RecordBlock(b"".join(log.values), lambda at: Locator("audit", 0, at)))
    verifier.expect(Locator("checkpoints", 0, 0), log.notes[0])
    verifier.expect(Locator("checkpoints", 0, 1), log.notes[2])
    report = verifier.finish()
    assert report.failure_counts == {Reason.CHECKPOINT_ORDER: 1}
    assert (report.checkpoints, report.signed_size) == (1, 10)


def test_the_report_of_a_ruined_log_stays_small(log: Log) -> None:
    """A million failures are counted, and the first hundred are shown."""
    log.values = [bytes(RECORD_BYTES)] * 5000
    report = log.verify()
    assert len(report.failures) == 100
    assert report.failure_counts[Reason.LEAF_HASH] == 5000


def honest_stream(
    rows: Rows, units: int, signer: Signer
) -> tuple[Iterator[RecordBlock], Iterator[tuple[Locator, CheckpointNote]]]:
    """A log that is made while it is read: two chains, one for records, one for checkpoints."""

    def renumbered(unit: int) -> Rows:
        rows["step"] = np.arange(1, len(rows) + 1) + unit * len(rows)
        return rows

    def records() -> Iterator[RecordBlock]:
        chain = Chain("o")
        for unit in range(units):
            values = chain.append(renumbered(unit))
            yield RecordBlock(b"".join(values), lambda at: Locator("audit", 0, at))

    def checkpoints() -> Iterator[tuple[Locator, CheckpointNote]]:
        chain = Chain("o")
        for unit in range(units):
            chain.append(renumbered(unit))
            yield Locator("checkpoints", 0, unit), chain.checkpoint(signer)

    return records(), checkpoints()


def test_memory_does_not_grow_with_the_log(rows_of: MakeRows, signer_of: MakeSigner) -> None:
    """A log twenty times as long is verified in the same memory."""
    signer = signer_of("o", 1)
    peaks = []
    for units in (16, 16, 320):  # the first round pays for caches
        records, checkpoints = honest_stream(rows_of(64), units, signer)
        tracemalloc.start()
        report = verify_log("o", records, checkpoints, [signer.verifier])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (report.outcome, report.records) == (Outcome.OK, units * 64)
    assert peaks[2] < peaks[1] + 64 * 1024


def test_the_verifier_needs_neither_kernels_nor_kafka() -> None:
    """A tenant can verify with a small installation: no numba, no Faust, no Kafka client."""
    program = (
        "import sys, pkgutil, importlib, state.audit\n"
        "for module in pkgutil.iter_modules(state.audit.__path__):\n"
        "    importlib.import_module(f'state.audit.{module.name}')\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert "fastavro" in loaded
    assert not loaded & {"numba", "faust", "mode", "confluent_kafka", "aiokafka", "rocksdict"}
    assert not loaded & {"operators", "streams", "deploy"}
