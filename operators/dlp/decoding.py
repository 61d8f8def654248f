"""From tag probabilities to spans of the text.

1. The likeliest sequence of tags in which an I follows its own B or I (Viterbi). In words with a
   capital, NAME is given some advantage: the network has seen fewer names than there are.
2. A span that begins or ends within a word is widened to the whole word: values don't end inside
   one, tokens do.
3. Spans of one type that then touch or overlap become one, and so do names with one space between;
   of two types, the surer one wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from operators.dlp.tags import OUTSIDE, TAGS, TYPES, from_tags

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.dlp.tokenizer import Encoding

_FORBIDDEN: Final = -1e9
_NAME: Final = 2 * TYPES.index("NAME")
EAGERNESS: Final = 1.5
"""NAME F1 on 180 development messages: 0.901, without 0.893; on texts by hand 0.84 and 0.79."""


class Found(NamedTuple):
    """A span of the text and how sure the model is of it.

    Attributes:
        start: first code point.
        end: code point after the last one.
        type: one of `operators.dlp.tags.TYPES`.
        confidence: mean probability of the type over the span's tokens.
    """

    start: int
    end: int
    type: str
    confidence: float


def _steps() -> NDArray[np.float64]:
    """What it costs to go from one tag (row) to the next (column)."""
    steps = np.zeros((len(TAGS), len(TAGS)))
    for kind in range(len(TYPES)):
        steps[:, 2 * kind + 1] = _FORBIDDEN
        steps[[2 * kind, 2 * kind + 1], 2 * kind + 1] = 0.0
    return steps


_STEPS: Final = _steps()


def likeliest(logits: NDArray[np.floating]) -> NDArray[np.int64]:
    """Tags of the likeliest allowed sequence for logits [tokens, 21]. Time is linear in tokens."""
    count = len(logits)
    tags = np.full(count, OUTSIDE, np.int64)
    if not count:
        return tags
    score = logits[0].astype(np.float64)
    score[1 : 2 * len(TYPES) : 2] += _FORBIDDEN
    came = np.zeros((count, len(TAGS)), np.int64)
    for place in range(1, count):
        ways = score[:, None] + _STEPS
        came[place] = ways.argmax(0)
        score = ways[came[place], np.arange(len(TAGS))] + logits[place]
    tags[-1] = int(score.argmax())
    for place in range(count - 1, 0, -1):
        tags[place - 1] = came[place, tags[place]]
    return tags


def spans(text: str, encoding: Encoding, logits: NDArray[np.floating]) -> list[Found]:
    """Spans of the text for its tokens' logits, in order, none overlapping another."""
    chances = np.exp(logits - logits.max(-1, keepdims=True))
    chances /= chances.sum(-1, keepdims=True)
    found: list[Found] = []
    for first, last, kind in from_tags(likeliest(_eager(text, encoding, logits))):
        number = TYPES.index(kind)
        sure = float(chances[first:last, 2 * number : 2 * number + 2].sum(-1).mean())
        start, end = _widened(text, int(encoding.starts[first]), int(encoding.ends[last - 1]))
        if start == end:
            continue
        span = Found(start, end, kind, sure)
        if found and _meet(text, found[-1], span):
            found[-1] = _joined(found[-1], span)
        else:
            found.append(span)
    return found


def _eager(text: str, encoding: Encoding, logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Logits with NAME lifted in words that begin with a capital."""
    lifted = logits.copy()
    starts, ends = encoding.starts.tolist(), encoding.ends.tolist()
    capital = False
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start == 0 or not text[start - 1].isalnum():
            capital = text[start:end].strip()[:1].isupper()
        if capital:
            lifted[place, _NAME : _NAME + 2] += EAGERNESS
    return lifted


def _meet(text: str, left: Found, right: Found) -> bool:
    """Whether two neighbours cannot stand beside each other."""
    alike = left.type == right.type
    split = alike and left.type == "NAME" and text[left.end : right.start] == " "
    return split or right.start < left.end + alike


def _joined(left: Found, right: Found) -> Found:
    if left.type == right.type:
        sure = max(left.confidence, right.confidence)
        return Found(left.start, max(left.end, right.end), left.type, sure)
    return left if left.confidence >= right.confidence else right


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return start, end
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    return start, end
