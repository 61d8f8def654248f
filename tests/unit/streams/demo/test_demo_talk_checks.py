from __future__ import annotations

from typing import Any

import pytest

from streams.demo.checks import NOT_EXACTLY_ONCE
from streams.demo.talk_checks import (
    by_stream,
    check_undisturbed,
    check_verdicts,
    is_once,
    result_of,
)
from tests.unit.streams.demo.talk_cases import conversation, course, span, verdict

EMAIL = span("s0", "EMAIL", 11, 26)


@pytest.mark.parametrize(
    "verdicts",
    [
        pytest.param([], id="none"),
        pytest.param(course()[:3], id="no final one"),
        pytest.param([*course(), verdict(4, final=True)], id="two final ones"),
        pytest.param([*course(), course()[3]], id="the final one twice"),
        pytest.param([*course()[:2], course()[1], *course()[2:]], id="a partial one twice"),
        pytest.param([course()[0], *course()[2:]], id="one lost"),
        pytest.param(course()[1:], id="the first one lost"),
        pytest.param([course()[1], course()[0], *course()[2:]], id="out of order"),
        pytest.param([*course(), verdict(4)], id="something after the final one"),
    ],
)
def test_what_is_not_exactly_once_is_found(verdicts: list[dict[str, Any]]) -> None:
    """Lost, repeated and late verdicts of one conversation fail the run, though others are well."""
    both = [conversation("support"), conversation("lunch")]
    well = [one | {"target_id": "lunch"} for one in course()]
    check = check_verdicts(both, by_stream([*verdicts, *well]))
    assert not is_once(verdicts)
    assert not check.holds
    assert check.code == NOT_EXACTLY_ONCE
    assert check.text.endswith("in support")


def test_one_final_verdict_after_all_others_holds() -> None:
    """Counts are told."""
    check = check_verdicts([conversation()], by_stream(course()))
    assert check.holds
    assert check.text == (
        "1 conversations, 4 verdicts: one final each, no number left out and none twice"
    )


def test_verdicts_on_what_nobody_typed_are_found() -> None:
    """They are no conversation's, and no run is well that has them."""
    check = check_verdicts([conversation()], by_stream([*course(), verdict(0, name="stranger")]))
    assert not check.holds
    assert "1 streams that nobody typed" in check.text


def test_the_final_verdict_must_be_that_of_the_undisturbed_text() -> None:
    """Names of spans and numbers may differ; a place, a type, a score or a decision may not."""
    same = verdict(0, EMAIL | {"span_id": "s9"}, final=True, decision="REVIEW")
    result = result_of(conversation(), course(), same)
    assert result.same
    assert check_undisturbed([result]).holds
    for other in (
        None,
        same | {"decision": "BLOCK"},
        same | {"spans": [EMAIL | {"end": 25}]},
        same | {"spans": []},
        same | {"scores": same["scores"] | {"context": 0.5}},
    ):
        different = result_of(conversation(), course(), other)
        assert not different.same
        check = check_undisturbed([result, different])
        assert not check.holds
        assert check.code == NOT_EXACTLY_ONCE
        assert "other final verdicts in support" in check.text


def test_each_of_two_final_verdicts_must_be_that_of_the_undisturbed_text() -> None:
    """A wrong one is not covered by a right one after it."""
    wrong = verdict(3, final=True, decision="BLOCK")
    right = verdict(4, EMAIL, final=True, decision="REVIEW")
    assert not result_of(conversation(), [*course()[:3], wrong, right], right).same


def test_a_result_tells_what_was_found_and_shows_none_of_it() -> None:
    """Type and stars, white space as in the text."""
    result = result_of(conversation(), course(), None)
    assert result.decision == "REVIEW"
    assert result.spans == (("EMAIL", "*" * len("tilda@brook.alt")),)
    assert result.verdicts == 4
    assert result.once
    assert "tilda" not in str(result)


def test_a_conversation_without_a_final_verdict_has_a_result() -> None:
    """It says that there is none, and fails both checks."""
    result = result_of(conversation(), course()[:2], verdict(0, final=True))
    assert (result.decision, result.verdicts, result.once, result.same) == ("", 2, False, False)
