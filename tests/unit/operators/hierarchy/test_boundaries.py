"""Sentences and paragraphs are found where people see them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from operators.hierarchy.boundaries import Boundary, BoundaryState, Level, advance

MARK = "‖"


class Sample(NamedTuple):
    """A text with its sentences' ends, as labelled by hand.

    Line ends are not among them: that a newline ends a sentence is true by definition, and so is
    the end of the text.
    """

    side: str
    text: str
    ends: set[int]


def samples() -> list[Sample]:
    """What sentences.txt holds."""
    found = []
    whole = Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8")
    for block in whole.split("@@ ")[1:]:
        head, _, body = block.partition("\n")
        parts = body.rstrip("\n").split(MARK)
        ends, length = set(), 0
        for part in parts[:-1]:
            length += len(part)
            ends.add(length)
        found.append(Sample(head.split()[0], "".join(parts), ends))
    return found


def ended(text: str, level: Level = Level.SENTENCE) -> list[str]:
    """The sentences or paragraphs of a whole text."""
    return [
        text[one.start : one.end]
        for one in advance(BoundaryState(), text, complete=True)[1]
        if one.level is level
    ]


def scored(side: str) -> float:
    """F1 of the ends of sentences within lines."""
    hits = found = wanted = 0
    for sample in samples():
        if sample.side != side:
            continue
        _, boundaries = advance(BoundaryState(), sample.text, complete=True)
        ends = {one.end for one in boundaries if one.level is Level.SENTENCE}
        inner = {end for end in ends if sample.text[end:].lstrip(" ")[:1] not in {"", "\n"}}
        hits += len(inner & sample.ends)
        found += len(inner)
        wanted += len(sample.ends)
    return 2 * hits / (found + wanted)


def test_labelled_set_is_large_enough() -> None:
    """At least 300 ends of sentences that are not simply ends of lines, in both halves."""
    counts = dict.fromkeys(("dev", "held"), 0)
    for sample in samples():
        counts[sample.side] += len(sample.ends)
    assert sum(counts.values()) >= 300
    assert min(counts.values()) >= 150


@pytest.mark.parametrize(("side", "least"), [("dev", 0.99), ("held", 0.97)])
def test_sentences_are_found_as_labelled(side: str, least: float) -> None:
    """The detector was tuned on one half, and holds on the other."""
    assert scored(side) >= least


@pytest.mark.parametrize(
    "text",
    [
        "Write to first.last@mail.example.com, or see https://example.org/a.b/c?d=e.f for more",
        "It rose from 3.14 to v2.0.1 at 10.0.0.7 on e.g. Linux",
        "Ask Dr. J. R. Miller at approx. 5 p.m. tomorrow",
        "well... maybe not",
        '"Go!" he said',
        "(see above.) and so on",
        "Fig. 3 and no. 7",
        "3. a list's item",
        "Is that Yahoo! mail",
    ],
)
def test_stops_inside_sentences_end_none(text: str) -> None:
    """Addresses, numbers, abbreviations, initials, quotations that go on."""
    assert ended(text) == [text]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('He said "No." Then he left. (Really.) Yes!', 4),
        ("Wait... What?! Oh.", 3),
        ("你好。你是谁？「好。」と言った。", 3),
        ("Stop.\r\nGo\rOn\u2028and on", 4),
        ("« Non ! » Il part.", 2),
        ("One.  Two.\tThree.", 3),
        ("ok" + " " * 200 + "\n\n" + " " * 200 + "Next." + "!" * 200, 5),
    ],
)
def test_stops_end_sentences(text: str, count: int) -> None:
    """Quotes and brackets after a stop belong to what it ends; a run of marks is bounded."""
    assert len(ended(text)) == count


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("\n\n \n", []),
        ("one\ntwo\n\nthree", ["one\ntwo", "three"]),
        ("one\r\ntwo\r\n\r\nthree\r\n", ["one\r\ntwo", "three"]),
        ("one\rtwo\r\rthree", ["one\rtwo", "three"]),
        ("\n\n one \n \t\n\n\n two ", ["one", "two"]),
        ("one\r\n \r\ntwo\n\rthree", ["one", "two", "three"]),
        ("one\u2029two\u2028three", ["one", "two\u2028three"]),
        ("a. b.\nc\n\nd", ["a. b.\nc", "d"]),
    ],
)
def test_paragraphs_end_at_blank_lines(text: str, wanted: list[str]) -> None:
    """Exactly there, whatever the line ends and the spaces on the blank line."""
    assert ended(text, Level.PARAGRAPH) == wanted


def test_labelled_texts_have_their_paragraphs() -> None:
    """Those of the labelled set, with either kind of line end."""
    count = 0
    for sample in samples():
        wanted = [part.strip("\n") for part in sample.text.split("\n\n")]
        assert ended(sample.text, Level.PARAGRAPH) == wanted
        crlf = sample.text.replace("\n", "\r\n")
        assert [one.replace("\r", "") for one in ended(crlf, Level.PARAGRAPH)] == wanted
        count += len(wanted)
    assert count > 100


def test_boundary_is_known_with_the_first_word_after_it() -> None:
    """A plain stop needs the next letter; an abbreviation that may end one the next word."""
    _, found = advance(BoundaryState(), "It is so. We know. See Acme Inc. The end", complete=False)
    assert [(one.end, one.certain) for one in found] == [(9, 11), (18, 20), (32, 37)]


def test_state_is_plain_and_small() -> None:
    """A state survives JSON, and does not grow with a text that has no end of a sentence."""
    state, _ = advance(BoundaryState(), "word " * 10_000)
    assert len(state.window) <= 128
    assert BoundaryState.from_json(state.to_json()) == state
    _, found = advance(BoundaryState.from_json(state.to_json()), "end.", complete=True)
    assert found[0] == Boundary(Level.SENTENCE, 0, 50_004, 50_004)
