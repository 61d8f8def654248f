"""Generated messages: the same for the same seed, true to their labels, split without overlap."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

import operators.dlp
from operators.dlp.generator import numbers
from operators.dlp.generator.carrier import Carrier, in_dev
from operators.dlp.generator.library import Library, carrier_line
from operators.dlp.generator.messages import Labelled, generate
from operators.dlp.generator.named import Known
from operators.dlp.generator.pools import LocalePool, Pools
from operators.dlp.generator.reshape import reshaped
from operators.dlp.generator.rows import Source
from operators.dlp.generator.sentences import _PARTS
from operators.dlp.generator.slots import Cast
from operators.dlp.generator.values import Value
from operators.dlp.generator.writing import Draft
from operators.dlp.normalise import normalise
from operators.dlp.tags import TYPES
from operators.dlp.tokenizer import Tokenizer

PROSE = "The user asks the server for a page.\nIt answers, or it does not.\n" * 40
CODE = "def add(left, right):\n    # the sum\n    return left + right\n\nname = 'value'\n" * 30


def pool(locale: str, mark: str) -> LocalePool:
    """A locale whose values can be told from another's."""
    return LocalePool(
        locale,
        10,
        [f"Ann{mark}", f"Bo{mark}"],
        [f"Lee{mark}", f"Roy{mark}"],
        [f"Ann{mark} Lee{mark}"],
        [f"1 High St\n{mark}ton 12345"],
        ["+1 415-555-0199"],
        [f"{mark}ton"],
        [f"{mark} Ltd"],
        ["Clerk"],
        ["12345678901"],
        ["1 High St"],
    )


@pytest.fixture(scope="module")
def pools() -> Pools:
    """Two locales, of which one is for development."""
    return Pools([pool("de_DE", "a"), pool("fr_FR", "e"), pool("it_IT", "i"), pool("pl_PL", "o")])


@pytest.fixture(scope="module")
def library() -> Library:
    """A little of each kind of carrier."""
    kinds = {"prose": PROSE, "code": CODE, "config": "a: 1\nb: 2\n" * 90, "log": "ok\n" * 400}
    return Library(
        [Carrier("numpy", kind, text) for kind, text in kinds.items()], dev=in_dev("numpy")
    )


@pytest.fixture(scope="module")
def messages(pools: Pools, library: Library) -> list[Labelled]:
    """Some hundred messages."""
    return [generate(seed, pools, library, 600) for seed in range(300)]


def test_the_same_seed_gives_the_same_message(
    pools: Pools, library: Library, messages: list[Labelled]
) -> None:
    """Text, spans and labels follow from the seed alone."""
    again = [generate(seed, pools, library, 600) for seed in range(300)]
    assert [(one.serialized.text, one.spans, one.entities) for one in again] == [
        (one.serialized.text, one.spans, one.entities) for one in messages
    ]


def test_spans_hold_the_values_they_are_said_to(messages: list[Labelled]) -> None:
    """Where nothing is disguised, the text of a span is the value, normalised."""
    seen = 0
    for message in messages:
        for entity in message.entities:
            if not entity.disguised:
                text = message.serialized.text[entity.start : entity.end]
                assert text == normalise(entity.key).text
                seen += 1
    assert seen > 500


def test_every_type_and_many_harmless_messages_occur(messages: list[Labelled]) -> None:
    """All ten types are drawn, and a good share of messages holds nothing."""
    assert {entity.type for message in messages for entity in message.entities} == set(TYPES)
    assert sum(not message.entities for message in messages) > 30
    assert any(entity.disguised for message in messages for entity in message.entities)


def test_the_sides_share_no_wording() -> None:
    """Parts of sentences that could be learnt by heart are on one side only."""
    for train, dev in zip(_PARTS[False], _PARTS[True], strict=True):
        assert all(len(part) < 6 for part in set(train) & set(dev))
        assert dev


def test_batches_are_the_same_for_the_same_seed(pools: Pools, library: Library) -> None:
    """A run that is resumed sees the very rows that it would have seen."""
    path = Path(operators.dlp.__file__).parent / "model" / "tokenizer.model"
    source = Source(pools, library, Tokenizer(path.read_bytes()))
    first, second = source.batch(5, 3, 6), source.batch(5, 3, 6)
    for left, right in zip(first, second, strict=True):
        assert np.array_equal(np.asarray(left), np.asarray(right))
    assert first.long_ids.shape == (3, 2, 512)
    assert first.short_labels.shape == (6, 2)


def test_cards_pass_luhn_and_ibans_their_check() -> None:
    """Financial numbers have valid check digits, as real ones do."""
    rng = Random(3)
    for _ in range(200):
        digits = "".join(char for char in numbers.card(rng) if char.isdigit())
        assert numbers.luhn_digit(digits[:-1]) == digits[-1]
        text = "".join(char for char in numbers.iban(rng) if char.isalnum())
        assert int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def test_people_in_real_text_are_told_from_words(pools: Pools) -> None:
    """First names of the lists with a family name are people; notices, code and words are not."""
    known = Known(pools, ["the boi tree " * 5])
    thanks = "Thanks to Anna van Veen and Boi Marsh."
    assert [thanks[start:end] for start, end in known.find(thanks)] == ["Anna van Veen"]
    for line in ("Copyright 2001 Anna Veen", "1999 Anna Veen", "f(Anna Veen) = {}", "Anna Street"):
        assert list(known.find(line)) == []


def test_people_take_the_place_of_things(pools: Pools) -> None:
    """Who is put into a real line is tagged, and the rest of the line is as it was."""
    cast = Cast(Random(4), pools, company="corvex.net", words=["stone"])
    line = "First the server asks, and then the next client answers to it."
    seen = set()
    for _ in range(60):
        draft = Draft()
        carrier_line(draft, line, cast, people=0.0, swapped=0.9)
        assert draft.text.startswith("First ")
        assert draft.text.endswith(" to it.")
        seen |= {entity.type for entity in draft.entities}
    assert seen == {"NAME"}


@pytest.mark.parametrize("seed", range(40))
def test_another_shape_keeps_every_value_in_its_place(seed: int) -> None:
    """Lower case, capitals and wrapped lines are as long as before; secrets stay as they are."""
    draft = Draft()
    for number in range(20):
        draft.put(f"Line {number} was sent by ")
        draft.value(Value("Anna van Veen", "NAME", key="Anna van Veen"))
        draft.put(" with ")
        draft.value(Value("aB cD-9", "SECRET", key="aB cD-9"))
        draft.put(" in it. ")
    after = reshaped(draft, Random(seed))
    assert len(after.text) == draft.length == after.length
    for entity in after.entities:
        text = after.text[entity.start : entity.end]
        wanted = "aB cD-9" if entity.type == "SECRET" else "anna van veen"
        assert (text if entity.type == "SECRET" else text.lower().replace("\n", " ")) == wanted
    assert after.text.lower().replace("\n", " ") == draft.text.lower()
