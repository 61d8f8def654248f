"""A library's repetitions do not bury what the application says."""

from __future__ import annotations

import logging

from streams.kafka.quiet import OncePerPeriod


def record(text: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("aiokafka", logging.ERROR, __file__, 1, text, args, None)


def test_a_message_passes_once_a_period_whatever_its_arguments() -> None:
    """A hundred failed connections a second are one line a minute."""
    now = 0.0
    quiet = OncePerPeriod(60, lambda: now)
    passed = []
    for second in range(150):
        now = float(second)
        passed.append(quiet.filter(record("cannot connect to node %s", second)))
    assert [second for second, let in enumerate(passed) if let] == [0, 60, 120]


def test_what_was_held_back_is_counted() -> None:
    """The next line that passes tells how many did not."""
    now = 0.0
    quiet = OncePerPeriod(60, lambda: now)
    assert quiet.filter(record("no %s", "answer"))
    assert not quiet.filter(record("no %s", "answer"))
    assert not quiet.filter(record("no %s", "luck"))
    now = 61.0
    again = record("no %s", "answer")
    assert quiet.filter(again)
    assert again.getMessage() == "no answer (2 more like this were held back)"


def test_different_messages_do_not_hold_each_other_back() -> None:
    """A new kind of trouble is told at once."""
    quiet = OncePerPeriod(60, lambda: 0.0)
    assert quiet.filter(record("one"))
    assert quiet.filter(record("two"))
