"""The comparison that the second act rests on, with the shipped model and without Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.codec import Codec
from streams.demo.conversations import conversations
from streams.demo.keyboard import strokes, token
from streams.demo.talk_checks import by_stream, check_undisturbed, check_verdicts, result_of
from streams.demo.undisturbed import undisturbed
from streams.hierarchy.in_memory import MemoryTable, ShardInMemory
from streams.settings import Settings
from tests.unit.streams.demo.talk_cases import START_US
from tests.unit.streams.hierarchy.under_test import model

if TYPE_CHECKING:
    from streams.demo.conversations import Conversation

PIECES_A_UNIT = 40


def typed(settings: Settings, texts: list[Conversation]) -> list[dict[str, Any]]:
    """The verdicts on texts that are typed, by a shard that loses its memory after each unit."""
    encode, decode = Codec("token").encode, Codec("verdict").decode
    values = []
    for stroke in strokes(texts, 24.0):
        time_us = START_US + int(stroke.at_s * 1e6)
        piece = token(
            stroke.conversation, stroke.position, stroke.text, time_us, is_last=not stroke.text
        )
        values.append(encode(piece))
    table, verdicts = MemoryTable(), []
    for start in range(0, len(values), PIECES_A_UNIT):
        shard = ShardInMemory(settings, model(), table=table)
        unit = shard.take(values[start : start + PIECES_A_UNIT])
        verdicts += [decode(message["value"]) for message in unit.outputs["verdicts"]]
    return verdicts


def test_what_is_typed_is_judged_as_what_comes_whole() -> None:
    """Both checks hold; with one other word in the text the second one does not."""
    texts, settings = conversations(), Settings()
    verdicts = by_stream(typed(settings, texts))
    assert check_verdicts(texts, verdicts).holds
    whole = undisturbed(settings, texts)
    results = [result_of(one, verdicts[one.name], whole[one.name]) for one in texts]
    assert check_undisturbed(results).holds
    assert all(result.once and result.same for result in results)
    assert [result.decision for result in results] == ["BLOCK", "REVIEW", "REVIEW", "ALLOW"]

    last = texts[-1]
    other = last._replace(parts=(last.parts[0]._replace(text=last.text.replace("Jo", "Jim")),))
    judged = undisturbed(settings, [other])[last.name]
    assert not result_of(last, verdicts[last.name], judged).same
