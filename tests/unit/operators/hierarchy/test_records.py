"""What is kept of streams, as bytes, and what streams are called by."""

from __future__ import annotations

import pytest

from operators.dlp.fuse import Origin, Span
from operators.errors import StateMismatch
from operators.hierarchy.calendar import Calendar
from operators.hierarchy.packed import packed, unpacked
from operators.hierarchy.places import Places
from operators.hierarchy.spans import Names, Part, part, united
from operators.hierarchy.told import PartialConfig, Told


def span(start: int, end: int, kind: str = "PAN", confidence: float = 0.9) -> Span:
    """A span that the model found."""
    return Span(start, end, kind, confidence, Origin.MODEL, validated=False, rule="")


def test_record_that_is_not_whole_is_refused() -> None:
    """Cut anywhere, made longer, or of another format."""
    record = packed({"name": "é"}, (b"abc", b""))
    assert unpacked(record) == ({"name": "é"}, [b"abc", b""])
    for damaged in (*(record[:end] for end in range(len(record))), record + b"x"):
        with pytest.raises(StateMismatch):
            unpacked(damaged)
    with pytest.raises(StateMismatch, match="format 9"):
        unpacked(b"\x09" + record[1:])


def test_spans_of_neighbouring_segments_become_one() -> None:
    """One that reaches over is made longer; what a segment finds before its part does not count."""
    first = part([span(0, 5), span(90, 100), span(100, 104)], 0, 100)
    assert [one[:2] for one in first.spans] == [(0, 5), (90, 100)]
    second = part([span(80, 85), span(95, 120), span(130, 140)], 100, None)
    assert [one[:2] for one in second.spans] == [(95, 120), (130, 140)]
    assert [one[:2] for one in united([first, second])] == [(0, 5), (90, 120), (130, 140)]
    lonely = Part(100, (span(95, 120),))
    assert united([lonely]) == []


def test_surer_of_two_types_stays() -> None:
    """Where neighbouring segments disagree."""
    found = united([Part(0, (span(0, 9, "SSN", 0.6),)), Part(5, (span(5, 12, "PAN", 0.8),))])
    assert [one.type for one in found] == ["PAN"]


def test_span_is_called_by_its_name_until_it_is_taken_back() -> None:
    """Grown, or of another type: the same name, told otherwise; gone: withdrawn."""
    names, called = Names().call([span(0, 5), span(10, 15)])
    assert called == [0, 1]
    names, called = names.call([span(0, 8), span(10, 15, "SSN"), span(20, 25)])
    assert called == [0, 1, 2]
    assert (names.revised, names.withdrawn) == (2, 0)
    names, called = names.call([span(20, 25), span(40, 45)])
    assert called == [2, 3]
    assert (names.revised, names.withdrawn) == (2, 2)


def test_partial_verdict_is_given_when_it_says_something_new() -> None:
    """Not too often, not unsure, and not twice the same."""
    config = PartialConfig(every_us=500, confidence=0.7)
    told = Told()
    assert told.is_due(config, 0)
    told, called = told.partial(config, 0, [], "ALLOW", 0.6)
    assert called is None
    assert not told.is_due(config, 499)
    told, called = told.partial(config, 500, [], "ALLOW", 0.9)
    assert called == []
    told, called = told.partial(config, 1_000, [span(0, 5, confidence=0.5)], "ALLOW", 0.9)
    assert called is None
    told, called = told.partial(config, 1_500, [span(0, 5)], "REVIEW", 0.9)
    assert called is not None
    assert [one.name for one in called] == [0]
    assert (told.verdicts, told.decisions) == (2, 1)
    assert Told.from_json(told.to_json()) == told


def test_places_know_what_is_missing() -> None:
    """Forth and back, across gaps; places in a gap are those of what follows."""
    places = Places().after_gap(6, 100).after_gap(11, 50 + 100)
    assert [places.position(at) for at in (0, 5, 6, 10, 11)] == [0, 5, 100, 104, 150]
    assert [places.place(at) for at in (0, 5, 60, 100, 104, 120, 150)] == [0, 5, 6, 6, 10, 11, 11]
    assert places.end(6) == 6
    assert places.end(7) == 101
    assert [places.since(8).position(at) for at in (8, 11)] == [102, 150]


def test_idle_streams_are_told_in_the_order_of_their_deadlines() -> None:
    """A piece moves the deadline; an end takes it away; marks expire."""
    calendar: Calendar[str] = Calendar(idle_us=10, keep_us=100)
    for stream, time in (("a", 1), ("b", 2), ("c", 3), ("a", 5)):
        assert calendar.advance(time) == []
        calendar.touch(stream, time)
    calendar.end("c", 4)
    assert calendar.advance(12) == ["b"]
    assert calendar.advance(15) == ["a"]
    assert calendar.has_ended("b")
    assert calendar.expired() == []
    calendar.advance(104)
    assert calendar.expired() == ["c"]
    assert not calendar.has_ended("c")
    assert len(calendar) == 0
