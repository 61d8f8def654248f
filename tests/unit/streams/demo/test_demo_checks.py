from __future__ import annotations

from dataclasses import replace

from state.audit.report import Failure, Locator, Reason, VerifyReport
from streams.demo.checks import (
    LogEnd,
    check_offline,
    check_predictions,
    check_quarantine,
    check_trail,
)

NAMES = {("phishing", "1#1"), ("phishing", "2#1"), ("bananas", "1#1")}
ROOT = bytes(range(32))
GOOD = VerifyReport(
    origin="demo/phishing/0",
    records=3,
    steps=(1, 3),
    root=ROOT,
    head=ROOT,
    checkpoints=2,
    signed_size=3,
    alarms=(),
    alarm_count=0,
    failures=(),
    failure_counts={},
)


def test_one_prediction_an_event_holds() -> None:
    """Each event predicted once, and nothing else: that is exactly once."""
    check = check_predictions(NAMES, dict.fromkeys(NAMES, 1))
    assert check.holds
    assert check.text == "3 events, 3 predictions: none lost, none repeated"


def test_a_lost_a_repeated_and_a_foreign_prediction_are_counted() -> None:
    """What is wrong is said in numbers."""
    seen = {("phishing", "1#1"): 2, ("phishing", "2#1"): 1, ("phishing", "9#9"): 1}
    check = check_predictions(NAMES, seen)
    assert not check.holds
    assert "1 lost, 1 repeated, 1 of unknown events" in check.text


def test_quarantine_holds_the_broken_messages_and_no_others() -> None:
    """A broken message must be kept once, byte for byte; a good one must not be there."""
    assert check_quarantine({b"a", b"b"}, {b"a": 1, b"b": 1}).holds
    for wrong in ({b"a": 1}, {b"a": 1, b"b": 2}, {b"a": 1, b"b": 1, b"c": 1}, {b"a": 1, b"B": 1}):
        assert not check_quarantine({b"a", b"b"}, wrong).holds


def test_a_trail_that_verifies_holds() -> None:
    """Logs, records and checkpoints are told."""
    check = check_trail([GOOD, GOOD], 6)
    assert check.holds
    assert check.text == "2 audit logs, 6 records, 4 signed checkpoints: everything holds"


def test_alarms_in_a_log_do_not_break_it() -> None:
    """An alarm is told, and the log that tells it verifies."""
    check = check_trail([replace(GOOD, alarm_count=2)], 3)
    assert check.holds
    assert "margin below 0 at 2 of them" in check.text


def test_a_tampered_log_fails_with_the_place() -> None:
    """The first failure is named, and the exit code is that of tampering."""
    failure = Failure(Reason.CHAIN, Locator("audit", 0, 7), 2, "prev is not curr")
    bad = replace(GOOD, failures=(failure,), failure_counts={Reason.CHAIN: 1})
    check = check_trail([GOOD, bad], 6)
    assert not check.holds
    assert "TAMPERED" in check.text
    assert "audit[0]@7" in check.text
    assert check.code == 4


def test_a_log_whose_end_is_not_signed_fails() -> None:
    """Records behind the last checkpoint could be cut off unseen."""
    check = check_trail([replace(GOOD, signed_size=2)], 3)
    assert not check.holds
    assert "not signed" in check.text


def test_predictions_without_a_record_fail() -> None:
    """Each prediction has its audit record, or the trail is not of this run."""
    assert not check_trail([GOOD], 4).holds


def test_an_offline_run_with_the_same_roots_holds() -> None:
    """Same records, same root: the crash has left no trace."""
    check = check_offline([GOOD], {"demo/phishing/0": LogEnd(3, ROOT)})
    assert check.holds
    assert "the same 1 audit roots" in check.text


def test_an_offline_run_with_another_root_or_log_fails() -> None:
    """A log that differs, is missing or is one too many shows."""
    other = LogEnd(3, bytes(32))
    assert not check_offline([GOOD], {"demo/phishing/0": other}).holds
    assert not check_offline([GOOD], {}).holds
    two = {"demo/phishing/0": LogEnd(3, ROOT), "demo/phishing/1": LogEnd(3, ROOT)}
    check = check_offline([GOOD], two)
    assert not check.holds
    assert "1 of 2 audit roots" in check.text
