"""SentencePiece pieces with offsets in Unicode code points.

The model is a unigram model of 16,000 pieces with byte fallback and identity normalisation: every
code point of a text belongs to exactly one token (a code point that is spelled in bytes belongs to
the first of them), so offsets are a running sum of lengths.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import sentencepiece

from operators.dlp.tags import OUTSIDE, TypedSpan, from_tags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

PAD: Final = 0
UNKNOWN: Final = 1
MASK: Final = 2
_SPACE: Final = "\u2581"
_FIRST_CONTINUATION: Final = 0x80
_FIRST_LEAD: Final = 0xC0


@dataclass(frozen=True, slots=True)
class Encoding:
    """Tokens of a text.

    Attributes:
        ids: int32 [tokens].
        starts: int32 [tokens], first code point of each token; a leading space is not counted in.
        ends: int32 [tokens], code point after the last one.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]


class Tokenizer:
    """A trained SentencePiece model.

    Args:
        model: the bytes of the model file.
    """

    def __init__(self, model: bytes) -> None:
        self._pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size: int = self._pieces.get_piece_size()
        self._lengths = np.zeros(self.size, np.int32)
        self._spaces = np.zeros(self.size, np.int32)
        for index in range(self.size):
            piece = self._pieces.id_to_piece(index)
            if self._pieces.is_byte(index):
                byte = int(piece[3:5], 16)
                self._lengths[index] = not _FIRST_CONTINUATION <= byte < _FIRST_LEAD
            elif not self._pieces.is_control(index):
                self._lengths[index] = len(piece)
                stripped = piece.lstrip(_SPACE)
                self._spaces[index] = len(piece) - len(stripped) if stripped else 0
        self._lengths[UNKNOWN] = 1

    @cached_property
    def neighbours(self) -> frozenset[str]:
        """Every two code points that stand next to each other in some piece.

        Between any others a token ends, whatever comes before and after.
        """
        found: set[str] = set()
        for index in range(self.size):
            if not (self._pieces.is_byte(index) or self._pieces.is_control(index)):
                piece = self._pieces.id_to_piece(index).replace(_SPACE, " ")
                found.update(map("".join, pairwise(piece)))
        return frozenset(found)

    def encode(self, text: str) -> Encoding:
        """Tokens of a text; linear in its length."""
        ids = np.array(self._pieces.encode(text), np.int32)
        ends = np.cumsum(self._lengths[ids], dtype=np.int32)
        starts = ends - self._lengths[ids] + self._spaces[ids]
        return Encoding(ids, starts, ends)

    def spell(self, ids: Iterable[int], held: bytes = b"") -> tuple[str, bytes]:
        """The text of tokens that go on, and the bytes of a code point that is not complete.

        Args:
            ids: of the vocabulary, each in [0, size).
            held: bytes that the tokens before left.

        What is no UTF-8, and what stands for no text, is U+FFFD, as in `bytes.decode`.
        """
        spelled = bytearray(held)
        for number in ids:
            if self._pieces.is_byte(number):
                spelled.append(int(self._pieces.id_to_piece(number)[3:5], 16))
            elif number == UNKNOWN or self._pieces.is_control(number):
                spelled += b"\xff"
            else:
                spelled += self._pieces.id_to_piece(number).replace(_SPACE, " ").encode()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(bytes(spelled))
        return text, decoder.getstate()[0]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of tokens."""
        text: str = self._pieces.decode(list(ids))
        return text


def token_tags(encoding: Encoding, tags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tags of tokens from tags of code points: a token has the type of its middle.

    A span's first token is its B, also where the token began before the span did.
    """
    if not len(encoding.ids):
        return np.zeros(0, np.uint8)
    middles = np.minimum((encoding.starts + encoding.ends) // 2, len(tags) - 1)
    found: NDArray[np.uint8] = tags[middles].copy()
    begins = np.flatnonzero((tags % 2 == 0) & (tags != OUTSIDE))
    identity = np.searchsorted(begins, middles, side="right")
    inside = found != OUTSIDE
    first = inside.copy()
    first[1:] &= ~(inside[:-1] & (identity[1:] == identity[:-1]))
    found[inside] |= 1
    found[first] &= 0xFE
    return found


def text_spans(encoding: Encoding, tags: NDArray[np.integer]) -> list[TypedSpan]:
    """Spans of the text that tags of tokens spell."""
    return [
        TypedSpan(int(encoding.starts[start]), int(encoding.ends[end - 1]), kind)
        for start, end, kind in from_tags(tags)
    ]
