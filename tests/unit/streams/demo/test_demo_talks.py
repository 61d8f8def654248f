from __future__ import annotations

import pytest

from streams.demo.talks import Revisions, first_given, judgement, revisions
from tests.unit.streams.demo.talk_cases import START_US, TEXT, course, span, talks_of, verdict


def test_what_verdicts_take_back_is_counted() -> None:
    """A span that moves is revised, one that is missing withdrawn, and decisions may change."""
    assert revisions(course()) == Revisions(revised=1, withdrawn=1, decisions=3)
    assert revisions(course()[:1]) == Revisions(0, 0, 0)


def test_a_decision_was_first_given_when_so_much_had_been_read() -> None:
    """The share of the text at the first verdict that decided as the last one does."""
    assert first_given(course(), len(TEXT)) == pytest.approx(20 / len(TEXT))
    assert first_given([verdict(0, final=True)], len(TEXT)) == 1.0


def test_a_judgement_is_what_is_said_of_the_text() -> None:
    """How many verdicts came before, when, and the names of spans are no part of it; places are."""
    early = verdict(3, span("s7", "EMAIL", 11, 26), final=True)
    late = verdict(9, span("s0", "EMAIL", 11, 26), final=True)
    assert judgement(early) == judgement(late)
    for other in (
        verdict(3, span("s7", "EMAIL", 11, 25), final=True),
        verdict(3, span("s7", "PHONE", 11, 26), final=True),
        verdict(3, span("s7", "EMAIL", 11, 26), final=True, decision="BLOCK"),
        early | {"scores": early["scores"] | {"exposure": 0.1000001}},
        early | {"position": 1},
    ):
        assert judgement(other) != judgement(early)


def test_times_are_those_from_the_newest_piece_to_the_reader() -> None:
    """The median is over all verdicts of all conversations."""
    talks = talks_of("support", "lunch")
    assert talks.half_within_s is None
    for name, number, milliseconds in (("support", 0, 30), ("lunch", 1, 90), ("support", 2, 40)):
        made = verdict(number, name=name)
        talks.take(made, made["time_us"] / 1e6 + milliseconds / 1e3)
    assert talks.half_within_s == pytest.approx(0.04, abs=1e-5)
    assert talks.last_s["support"] == pytest.approx(0.04, abs=1e-5)
    assert talks.verdicts == 3


def test_conversations_are_judged_when_each_has_a_final_verdict() -> None:
    """Not before, and not by a verdict on what nobody typed."""
    talks = talks_of("support", "lunch")
    talks.take(verdict(0, final=True), START_US / 1e6)
    talks.take(verdict(0, final=True, name="somebody-else"), START_US / 1e6)
    judged = [talks.are_judged]
    for number, final in ((0, False), (1, True)):
        talks.take(verdict(number, name="lunch", final=final), START_US / 1e6)
        judged.append(talks.are_judged)
    assert judged == [False, False, True]
    assert talks.verdicts == 3
