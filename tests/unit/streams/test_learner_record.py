"""State is refused under other settings than those it was learnt with."""

from __future__ import annotations

import json

import pytest

from operators.fusion.cell import CellConfig, FusionConfig
from operators.hlm.config import HlmConfig
from operators.sera.config import SeraConfig
from schemas.errors import ConfigError, StateError
from streams.shard.learner_record import check_learner, encode_learner

CONFIG = CellConfig(sera=SeraConfig(d=8, r=64, prior=0.5))


def test_the_same_settings_are_accepted() -> None:
    """A restart without changes goes on."""
    check_learner(encode_learner(CONFIG), CellConfig(sera=SeraConfig(d=8, r=64, prior=0.5)), "s")


def test_equal_settings_give_equal_bytes() -> None:
    """The record of an unchanged configuration is an unchanged value in the changelog."""
    again = CellConfig(fusion=FusionConfig(), sera=SeraConfig(r=64, d=8, prior=0.5))
    assert encode_learner(CONFIG) == encode_learner(again)
    assert encode_learner(CONFIG) != encode_learner(CellConfig())


def test_each_difference_is_named_with_both_values() -> None:
    """Who changed two settings reads which two, and what they were."""
    other = CellConfig(
        hlm=HlmConfig(link="logistic", lr=0.25), sera=SeraConfig(d=8, r=128, prior=0.5)
    )
    with pytest.raises(ConfigError) as caught:
        check_learner(encode_learner(CONFIG), other, "shard 3")
    said = str(caught.value)
    assert "the state of shard 3 was learnt with other settings" in said
    assert "learner.hlm.lr was 0.05 and is 0.25" in said
    assert "learner.sera.r was 64 and is 128" in said
    assert "learner.sera.d " not in said
    assert "application_id" in said


def test_a_setting_that_came_later_counts_with_its_default() -> None:
    """A new version with a new setting reads the state of the old one; changing it is noticed."""
    record = json.loads(encode_learner(CONFIG))
    del record["hlm"]["lr"]
    old = json.dumps(record).encode()
    check_learner(old, CONFIG, "s")
    other = CellConfig(hlm=HlmConfig(link="logistic", lr=0.25), sera=CONFIG.sera)
    with pytest.raises(ConfigError, match=r"learner\.hlm\.lr was 0\.05 and is 0\.25"):
        check_learner(old, other, "s")


def test_a_setting_of_a_newer_version_is_refused() -> None:
    """An older program does not go on with state that it cannot understand."""
    record = json.loads(encode_learner(CONFIG))
    record["sera"]["novelty"] = 1
    with pytest.raises(ConfigError, match=r"learner\.sera\.novelty is not known to this version"):
        check_learner(json.dumps(record).encode(), CONFIG, "s")


@pytest.mark.parametrize("record", [None, b"", b"{", b"\xff"])
def test_a_missing_or_damaged_record_is_refused(record: bytes | None) -> None:
    """Nothing is taken for equal that cannot be read; the message says what to do."""
    with pytest.raises(StateError, match="delete the state folder"):
        check_learner(record, CONFIG, "s")
