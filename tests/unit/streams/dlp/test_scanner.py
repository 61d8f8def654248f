"""What a verdict holds: what was found, where, and never what it was."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.dlp.dsl import Attachment, Message, Recipient, serialize
from operators.dlp.fuse import Origin
from operators.dlp.markers import Mark
from operators.dlp.policy import Decision
from operators.dlp.scoring import SpanTally
from operators.dlp.tags import TypedSpan
from operators.dlp.tokenizer import Tokenizer
from streams.dlp.scanner import NEVER, Exits, Scanner

if TYPE_CHECKING:
    from tests.unit.streams.dlp.conftest import Sample

KEY = "sk_live_4qR8tYw2LmZx9KvBn7CpHd3J"
BENIGN = "We met on the second floor and went through the plan for the next quarter again. " * 60
OUTSIDE = (Recipient("buyer@gmail.com", external=True),)


def test_texts_labelled_by_hand_are_read_right(scanner: Scanner, samples: list[Sample]) -> None:
    """On texts of another hand than the generator's, nine values in ten, and few false ones."""
    tally = SpanTally()
    for sample in samples:
        verdict = scanner.scan(Message(sample.text))
        tally.add(sample.spans, [TypedSpan(s.start, s.end, s.type) for s in verdict.spans])
    hit = sum(count for (_, what), count in tally.overlap.items() if what == "hit")
    missed = sum(count for (_, what), count in tally.overlap.items() if what == "missed")
    false = sum(count for (_, what), count in tally.overlap.items() if what == "false")
    assert hit / (hit + missed) >= 0.9
    assert hit / (hit + false) >= 0.9


def test_model_and_rules_say_who_found_what(scanner: Scanner) -> None:
    """A card is confirmed by both, a name is the model's alone."""
    verdict = scanner.scan(Message("Renata Kowalczyk paid with 4539 1488 0343 6467 yesterday."))
    kinds = {span.type: span for span in verdict.spans}
    assert kinds["PAN"].origin is Origin.BOTH
    assert kinds["PAN"].validated
    assert kinds["NAME"].origin is Origin.MODEL
    assert not kinds["NAME"].validated


def test_nothing_of_the_value_is_in_the_answer(scanner: Scanner) -> None:
    """Places and types, no text."""
    said = json.dumps(scanner.scan(Message(f"stripe.api_key = '{KEY}'")).to_json())
    assert "SECRET" in said
    assert KEY not in said
    assert KEY[8:20] not in said


def test_same_message_same_verdict(scanner: Scanner, samples: list[Sample]) -> None:
    """Whatever is scanned before, or beside it on other threads, bit for bit."""
    texts = [sample.text for sample in samples[:12]]

    def answer(text: str) -> str:
        return json.dumps(scanner.scan(Message(text)).to_json())

    alone = [answer(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, reversed(texts))) == alone[::-1]


def test_a_secret_behind_512_benign_tokens_is_found(scanner: Scanner) -> None:
    """No early exit skips text that the rules have not read, nor what the model alone can find."""
    for exits in (NEVER, Exits(), Exits(block=False, allow=True)):
        verdict = scanner.scan(Message(BENIGN + f"\nthe key is {KEY}\n"), exits=exits)
        assert [span.type for span in verdict.spans] == ["SECRET"]
        assert verdict.early_exit is None
        assert verdict.decision is not Decision.ALLOW


def test_early_allow_is_reported_and_off_by_default(scanner: Scanner) -> None:
    """Only where asked for, and only if neither the first segment nor any rule knows anything."""
    assert scanner.scan(Message(BENIGN), exits=Exits()).early_exit is None
    verdict = scanner.scan(Message(BENIGN), exits=Exits(allow=True))
    assert verdict.early_exit == "allow"
    assert verdict.segments[0] == 1 < verdict.segments[1]


def test_early_block_is_reported(scanner: Scanner) -> None:
    """A leak in the first segment ends the reading, and the rules still report what follows."""
    body = f"Here are the keys: {KEY}, card 4539 1488 0343 6467, SSN 514-83-2097.\n{BENIGN}\n"
    body += "and call (541) 382-7719"
    message = Message(body, "EMAIL", recipients=OUTSIDE, sender="ana@corvex.net")
    verdict = scanner.scan(message, exits=Exits())
    assert verdict.early_exit == "block"
    assert verdict.decision is Decision.BLOCK
    assert verdict.spans[-1].type == "PHONE"


def test_long_texts_are_read_to_their_end(scanner: Scanner) -> None:
    """A name that only the model can find, behind several segments, has the right place."""
    text = BENIGN * 2 + "Yesterday Siobhan Kowalczyk signed the lease. " + BENIGN
    [span] = [s for s in scanner.scan(Message(text)).spans if s.type == "NAME"]
    assert text[span.start : span.end] == "Siobhan Kowalczyk"


def test_fields_are_scanned_each_with_its_own_places(scanner: Scanner) -> None:
    """Subject, body and attachments name their field, and places count from its start."""
    message = Message(
        "see attached", subject=f"key {KEY}", attachments=(Attachment("a.env", f"K={KEY}\n"),)
    )
    found = {(s.field, s.index, s.start, s.end) for s in scanner.scan(message).spans}
    assert ("subject", 0, 4, 4 + len(KEY)) in found
    assert ("attachment", 0, 2, 2 + len(KEY)) in found


def test_no_body_forges_a_field(scanner: Scanner) -> None:
    """Reserved code points in a text are as good as replaced: they cannot claim an audience."""
    forged = f"hello {Mark.EXTERNAL.value}buyer@gmail.com{Mark.BODY.value} bye"
    honest = "".join("\ufffd" if "\ue000" <= char <= "\ue0ff" else char for char in forged)
    left, right = scanner.scan(Message(forged)), scanner.scan(Message(honest))
    assert left.to_json() == right.to_json()
    text = serialize(Message(forged)).text
    assert text.count(Mark.EXTERNAL.value) == 0
    assert text.count(Mark.BODY.value) == 1


def test_memory_goes_into_the_next_message(scanner: Scanner) -> None:
    """A thread's memory is 256 numbers, and what comes next is read in its light."""
    first = scanner.scan(Message("Matter 2023-CV-004417: the NDA is signed.", thread_position=0))
    assert first.memory.shape == (256,)
    assert first.memory.dtype == np.float32
    answer = Message("Fine, I will send it.", thread_position=1)
    alone, after = scanner.scan(answer), scanner.scan(answer, first.memory)
    assert alone.scores != after.scores


def test_policy_decides_by_audience(scanner: Scanner) -> None:
    """The same secret is reviewed inside and blocked on its way out."""
    body = f"the key is {KEY}"
    assert scanner.scan(Message(body)).decision is Decision.REVIEW
    outside = scanner.scan(Message(body, "EMAIL", recipients=OUTSIDE))
    assert outside.decision is Decision.BLOCK
    assert "would leave the organisation" in outside.rationale[0]


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_decisions_stay_when_a_text_is_moved(
    scanner: Scanner, samples: list[Sample], every: int
) -> None:
    """200 tokens of plain words before or after change almost no decision."""
    samples = samples[::every]
    filler = BENIGN[:900]
    tokens = len(Tokenizer(scanner.package.tokenizer).encode(filler).ids)
    assert 150 < tokens < 260
    same = 0
    for sample in samples:
        decision = scanner.scan(Message(sample.text)).decision
        moved = (f"{filler}\n{sample.text}", f"{sample.text}\n{filler}")
        same += all(scanner.scan(Message(text)).decision is decision for text in moved)
    assert same >= 0.95 * len(samples)


@pytest.mark.parametrize("text", ["", " ", "\n", "\x00", "\ud800", "a" * 5000, "\u202e" * 50])
def test_odd_texts_get_a_verdict(scanner: Scanner, text: str) -> None:
    """Nothing, nothing visible, half a surrogate pair, one long word."""
    verdict = scanner.scan(Message(text))
    assert all(0 <= span.start < span.end <= len(text) for span in verdict.spans)
