from __future__ import annotations

from operators.dlp.rules.find import find
from streams.demo.conversations import conversations
from streams.demo.keyboard import strokes

SECONDS = 20.0


def test_pieces_are_the_text_in_order_and_an_end() -> None:
    """Put together, the pieces of a conversation are its text; the last one is empty."""
    made = strokes(conversations(), SECONDS)
    assert [stroke.at_s for stroke in made] == sorted(stroke.at_s for stroke in made)
    for one in conversations():
        own = [stroke for stroke in made if stroke.conversation.name == one.name]
        assert "".join(stroke.text for stroke in own) == one.text
        assert [stroke.position for stroke in own[1:]] == [stroke.end for stroke in own[:-1]]
        assert all(stroke.text for stroke in own[:-1])
        assert not own[-1].text


def test_typing_takes_as_long_as_is_said_and_all_type_at_once() -> None:
    """From the first piece to the last; nobody waits for another to have done."""
    made = strokes(conversations(), SECONDS)
    assert made[0].at_s == 0.0
    assert abs(made[-1].at_s - SECONDS) < 1e-9
    names = {one.name for one in conversations()}
    middle = {s.conversation.name for s in made if 0.4 * SECONDS < s.at_s < 0.6 * SECONDS}
    assert middle == names


def test_people_type_some_characters_and_paste_whole_values() -> None:
    """A typed piece is a word at most; what is pasted comes at once."""
    pasted = {part.text for one in conversations() for part in one.parts if part.is_pasted}
    texts = {stroke.text for stroke in strokes(conversations(), SECONDS)}
    assert pasted <= texts
    assert all(len(text.split()) <= 1 for text in texts - pasted)


def test_every_run_types_the_same() -> None:
    """Texts, pieces and rhythm repeat."""
    assert strokes(conversations(), SECONDS) == strokes(conversations(), SECONDS)


def test_secrets_are_valid_in_form() -> None:
    """A card number with its check digit, an address, a connection string: by the rules alone."""
    found = {
        one.name: {span.type for span in find(one.text) if span.validated}
        for one in conversations()
    }
    assert {"PAN", "EMAIL"} <= found["support"]
    assert {span.type for span in find(conversations()[1].text)} == {"DBURI"}
    assert not found["lunch"]
