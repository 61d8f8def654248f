"""What of a stream's contents may stand in a log.

Contents are texts, token ids (they can be read back with the vocabulary), representations (so can
they, with the model), messages of exceptions, and who wrote: nothing of these leaves unless the
setting says raw. In their place stand

    text             lengths and types of spans: ``[TEXT:12][SSN:11]``
    token id         -1
    representation   a sketch: 32 random sums of its items, by a matrix that only this process knows
    exception        its class and the length of its message; of the trace files, lines, functions
    user             keyed hash, by a key that only this process knows
"""

from __future__ import annotations

import hashlib
import hmac
import os
import traceback
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

SKETCH: Final = 32
REDACTED_ID: Final = -1
_KEY_BYTES: Final = 32
_DIGITS: Final = 4
_HASH: Final = 16
_CHAIN: Final = 8


class Typed(NamedTuple):
    """A span of a text that is known to hold a value of some type.

    Attributes:
        start: first code point.
        end: code point after the last one.
        type: its type.
    """

    start: int
    end: int
    type: str


class Redactor:
    """Turns contents into what is logged of them.

    Args:
        raw: contents are logged as they are.
        key: of hashes and sketches; by default made here and kept nowhere else.
    """

    def __init__(self, *, raw: bool = False, key: bytes | None = None) -> None:
        self.raw = raw
        self._key = os.urandom(_KEY_BYTES) if key is None else key
        self._sketches: dict[int, NDArray[np.float64]] = {}

    def text(self, text: str, spans: Iterable[Typed] = ()) -> str:
        """A text, or how long its parts are.

        Args:
            text: any.
            spans: of the text; what they cover more than once is counted once.
        """
        if self.raw:
            return text
        parts, done = [], 0
        for span in sorted(spans):
            start, end = max(span.start, done), min(span.end, len(text))
            if start >= end:
                continue
            parts += [_length("TEXT", start - done), _length(span.type, end - start)]
            done = end
        return "".join([*parts, _length("TEXT", len(text) - done)])

    def token_id(self, token: int) -> int:
        """The id of a token, or -1."""
        return int(token) if self.raw else REDACTED_ID

    def identity(self, name: str) -> str:
        """A name, or its hash: the same for the same name within the session."""
        if self.raw or not name:
            return name
        digest = hmac.digest(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"[ID:{digest.hex()[:_HASH]}]"

    def vector(self, vector: NDArray[np.floating]) -> list[float]:
        """A representation [width], or its sketch [32]; distances are about those of the vectors.

        Four digits of each number; linear in width.
        """
        flat = np.asarray(vector, np.float64).ravel()
        return rounded(flat if self.raw else flat @ self._sketch(flat.size))

    def exception(self, error: BaseException) -> str:
        """Class and message of an exception, or the length of the message."""
        return f"{_name(error)}: {self.text(str(error))}"

    def trace(self, error: BaseException) -> str:
        """Where an exception came from, with those that led to it, the first one first.

        The program's lines are shown, no values and, unless raw, no messages.
        """
        parts: list[str] = []
        cause: BaseException | None = error
        while cause is not None and len(parts) < _CHAIN:
            frames = "".join(traceback.extract_tb(cause.__traceback__).format())
            parts.append(f"{frames}{self.exception(cause)}\n")
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        return "\n".join(reversed(parts))

    def _sketch(self, width: int) -> NDArray[np.float64]:
        if width not in self._sketches:
            digest = hashlib.sha256(self._key + width.to_bytes(8)).digest()
            draws = np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16])))
            self._sketches[width] = draws.standard_normal((width, SKETCH)) / np.sqrt(SKETCH)
        return self._sketches[width]


def rounded(values: NDArray[Any]) -> list[float]:
    """Four digits of each number; what is not finite becomes 0."""
    finite = np.nan_to_num(np.asarray(values, np.float64).ravel(), nan=0.0, posinf=0.0, neginf=0.0)
    return [float(f"{value:.{_DIGITS}g}") for value in finite.tolist()]


def _length(kind: str, count: int) -> str:
    return f"[{kind}:{count}]" if count else ""


def _name(error: BaseException) -> str:
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}"
