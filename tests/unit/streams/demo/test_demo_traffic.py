from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from schemas.codec import Codec
from schemas.errors import BadMessage
from state.secrets import FileSecrets
from streams.backtest import run_backtest
from streams.demo.problems import DIMENSION, Dataset, load_problems
from streams.demo.stage import LEARNER
from streams.demo.traffic import POISON_SHARE, ROUND_ROWS, Traffic, make_traffic
from streams.settings import load_settings
from tests.unit.streams.demo.demo_cases import PROBLEM

if TYPE_CHECKING:
    from pathlib import Path

START_US = 1_700_000_000_000_000


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return make_traffic(load_problems(Dataset.BOTH), 1, 7, START_US, 3_000)


def test_all_of_phishing_and_as_many_bananas_make_a_round(traffic: Traffic) -> None:
    """A round sends each row of Phishing once, and as many of Bananas, each once."""
    tenants = Counter(tenant for tenant, _ in traffic.names)
    assert tenants == {"phishing": ROUND_ROWS, "bananas": ROUND_ROWS}
    assert traffic.first_time == traffic.names


def test_later_passes_are_told_from_the_first() -> None:
    """Rows that come again are other events, and are not counted as new."""
    made = make_traffic([PROBLEM], 1, 7, START_US, 1)
    assert len(made.names) == ROUND_ROWS
    assert len(made.first_time) == len(PROBLEM.rows)


def test_each_pass_has_an_order_of_its_own() -> None:
    """Rows do not come in the same order again, so that nothing learns their order."""
    decode = Codec("event").decode
    messages = make_traffic([PROBLEM], 1, 7, START_US, 1).messages[:20]
    ids = [decode(message.value)["id"] for message in messages]
    assert sorted(ids[:10]) == sorted(ids[10:])
    assert ids[:10] != ids[10:]


def test_the_same_seed_gives_the_same_bytes(traffic: Traffic) -> None:
    """Runs can be compared: traffic follows from its arguments alone."""
    again = make_traffic(load_problems(Dataset.BOTH), 1, 7, START_US, 3_000)
    assert again.messages == traffic.messages
    other = make_traffic(load_problems(Dataset.BOTH), 1, 8, START_US, 3_000)
    assert other.messages != traffic.messages


def test_event_time_goes_on(traffic: Traffic) -> None:
    """Events are stamped in the order in which they are sent."""
    decode = Codec("event").decode
    times = []
    for message in traffic.messages:
        try:
            event = decode(message.value)
        except BadMessage:
            continue
        if message.value not in traffic.broken:
            times.append(event["time_us"])
    assert times == [START_US + 3_000 * number for number in range(2 * ROUND_ROWS)]


def test_keys_have_the_learners_dimension() -> None:
    """Every key fits the learner of the demonstration, whatever the number of features."""
    assert LEARNER.sera.d == DIMENSION
    for problem in load_problems(Dataset.BOTH):
        assert {len(problem.key(row)) for row in problem.rows} == {DIMENSION}


def test_every_event_is_predicted_and_every_broken_message_refused(
    traffic: Traffic, tmp_path: Path
) -> None:
    """The learner takes all events as they are sent, and none of the broken messages."""
    FileSecrets.initialise(tmp_path)
    settings = load_settings(learner=LEARNER, secrets={"directory": tmp_path})
    report = run_backtest(settings, traffic.messages)
    assert report.predictions == len(traffic.names)
    assert report.quarantined == len(traffic.broken) == 6
    assert len(traffic.messages) == len(traffic.names) + 6


def test_broken_messages_come_before_the_crash(traffic: Traffic) -> None:
    """They are spread over the first half, one far from the other."""
    places = [n for n, message in enumerate(traffic.messages) if message.value in traffic.broken]
    low, high = (share * len(traffic.messages) for share in POISON_SHARE)
    assert low - 10 < places[0] < places[-1] < high + 10
    gaps = [after - before for before, after in pairwise(places)]
    assert min(gaps) > 50
