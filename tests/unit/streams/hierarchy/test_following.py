"""A text read piece by piece: what is found does not depend on the pieces."""

from __future__ import annotations

import numpy as np
import pytest

from operators.dlp.dsl import Message, Recipient
from operators.hierarchy.buffer import BufferConfig
from streams.dlp.inference import Engine
from streams.dlp.package import Package
from streams.hierarchy.following import Reader, Seen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KNOWN = Message("", kind="CHAT", recipients=(Recipient("ann@else.example", external=True),))
PLAIN = "We met on the second floor and went through the plan for next quarter. " * 45
TEXT = (
    f"Hi Mr. Mehmet Yildirim, my card is 4539 1488 0343 6467.\n\n{PLAIN}\n"
    "Call me at (517) 555-0144, or write to priyanka.k@mailhost.org tomorrow."
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    """The shipped model."""
    package = Package.open()
    return Reader(package, Engine(package.folder), BufferConfig())


def last(reader: Reader, places: list[int]) -> Seen:
    """What is found in the end."""
    return list(reader.follow(KNOWN, TEXT, [*places, len(TEXT)]))[-1]


def test_pieces_change_nothing_of_the_end(reader: Reader) -> None:
    """Scores to the bit, spans and topics, over two segments, however the text was cut."""
    one = last(reader, [])
    many = last(reader, sorted(set(np.random.default_rng(1).integers(1, len(TEXT), 60).tolist())))
    assert one.read > 512
    assert np.array_equal(one.logits, many.logits)
    assert np.array_equal(one.segments, many.segments)
    assert one.spans == many.spans
    assert one.turns == many.turns


def test_values_are_found_once_they_have_come(reader: Reader) -> None:
    """A card number is there soon after its last digit, what stands at the end is not yet."""
    early, end = reader.follow(KNOWN, TEXT, [400, len(TEXT)])
    assert "PAN" in {span.type for span in early.spans}
    assert {"PAN", "NAME", "EMAIL", "PHONE"} <= {span.type for span in end.spans}
    assert all(span.end <= early.place for span in early.spans)
    assert early.logits[0] > 0
