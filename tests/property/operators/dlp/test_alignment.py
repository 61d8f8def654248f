"""Spans survive the way into the model's text and back, whatever the sender wrote."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from operators.dlp.dsl import Attachment, FieldSpan, Message, align_spans, serialize, spans_of
from operators.dlp.markers import FIRST, LAST, Mark
from operators.dlp.normalise import normalise
from operators.dlp.tags import TYPES

CHARACTERS = st.sampled_from(
    [*"abcXYZ019 .-@/:", "\r\n", "\t", "\n", "😀", "👩🏽", "𝒜", "e\u0301", "ﬁ", "ｗ", "½", "а", "о"]
    + ["שלום", "مرحبا", "日", "ß", "İ", "\ue000", "\ufffd", "a\u200bb", "&amp;", "%41", "𐍈", "ñ"]
)
FIELDS = [("subject", 0), ("body", 0), ("attachment", 0), ("attachment", 1), ("link", 0)]


@st.composite
def messages(draw: st.DrawFn) -> tuple[Message, list[FieldSpan]]:
    """A message, and spans on the boundaries of its characters that do not overlap."""
    texts, spans = {}, []
    for name, index in FIELDS:
        characters = draw(st.lists(CHARACTERS, min_size=1, max_size=20))
        places = [0, *itertools.accumulate(map(len, characters))]
        cuts = sorted(draw(st.lists(st.sampled_from(places), max_size=6, unique=True)))
        texts[name, index] = "".join(characters)
        for start, end in zip(cuts[::2], cuts[1::2], strict=False):
            spans.append(FieldSpan(name, index, start, end, draw(st.sampled_from(TYPES))))
    message = Message(
        texts["body", 0],
        subject=texts["subject", 0],
        attachments=(
            Attachment("a.txt", texts["attachment", 0]),
            Attachment("b.txt", texts["attachment", 1]),
        ),
        links=(texts["link", 0],),
    )
    return message, spans


@given(messages())
def test_spans_come_back_as_they_were_given(case: tuple[Message, list[FieldSpan]]) -> None:
    """A span that lies on character boundaries of its field is found again, to the code point."""
    message, spans = case
    serialized = serialize(message)
    assert sorted(spans_of(serialized, align_spans(serialized, spans))) == sorted(spans)


@given(st.text(max_size=80))
def test_no_text_can_forge_a_mark(body: str) -> None:
    """However the body is encoded, only the serialiser's own marks of structure are in the text."""
    text = serialize(Message(body)).text
    structure = {mark.value for mark in Mark if ord(mark.value) < FIRST + 32}
    assert [char for char in text if char in structure] == [
        Mark.UPLOAD.value,
        Mark.BODY.value,
        Mark.END.value,
    ]
    known = {mark.value for mark in Mark}
    assert all(char in known for char in text if FIRST <= ord(char) <= LAST)


@given(st.text(max_size=120))
def test_every_code_point_knows_where_it_came_from(text: str) -> None:
    """Offsets never run backwards and never leave the original."""
    traced = normalise(text)
    assert len(traced.starts) == len(traced.ends) == len(traced.text)
    places = [*traced.starts.tolist()]
    assert places == sorted(places)
    assert all(
        0 <= start <= end <= len(text)
        for start, end in zip(traced.starts, traced.ends, strict=True)
    )
