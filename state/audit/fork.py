"""The proof of a fork: two checkpoints, signed by one key, of which no log can hold both.

Of one size they say different roots. Of different sizes, a consistency proof shows with which root
the larger one begins at the smaller one's size: another than was signed. Whoever has the log's
public key can check either alone, without the records and without trusting who found it.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from state.audit.checkpoint import Checkpoint
from state.audit.errors import BadProof, MalformedNote
from state.audit.note import Note, decode_base64
from state.audit.proof import verify_consistency

if TYPE_CHECKING:
    from collections.abc import Collection

    from state.audit.note import Verifier

KIND: Final = "fork"


class ForkProof(NamedTuple):
    """Two signed checkpoints that contradict each other.

    Attributes:
        first: note of the smaller checkpoint, or of the one that was seen first.
        second: note of the larger, or later seen.
        begins_with: root of the second's tree at the first's size, 32 bytes.
        hashes: consistency proof from there to the second's root; none for equal sizes.
    """

    first: str
    second: str
    begins_with: bytes
    hashes: tuple[bytes, ...] = ()

    def to_json(self) -> str:
        """Write it as one JSON object with a newline; hashes are base64."""
        return (
            json.dumps(
                {
                    "kind": KIND,
                    "first": self.first,
                    "second": self.second,
                    "begins_with": base64.b64encode(self.begins_with).decode(),
                    "hashes": [base64.b64encode(one).decode() for one in self.hashes],
                },
                ensure_ascii=False,
                indent=1,
            )
            + "\n"
        )

    @classmethod
    def from_json(cls, text: str) -> ForkProof:
        """Read what ``to_json`` wrote.

        Raises:
            BadProof: it is something else.
        """
        try:
            read: dict[str, Any] = json.loads(text)
            if read["kind"] != KIND:
                raise BadProof(f"this is a proof of kind {read['kind']!r}, not of a fork")
            return cls(
                str(read["first"]),
                str(read["second"]),
                decode_base64(read["begins_with"]),
                tuple(decode_base64(one) for one in read["hashes"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadProof("this is no proof of a fork as a witness writes it") from error

    def check(self, keys: Collection[Verifier]) -> tuple[Checkpoint, Checkpoint]:
        """Check that it proves a fork; gives the two checkpoints.

        Args:
            keys: public keys of the log.

        Raises:
            AuditError: a checkpoint is not signed by a key, or there is no contradiction.
        """
        first, second = (_opened(note, keys) for note in (self.first, self.second))
        if first.origin != second.origin:
            raise BadProof(f"{first.origin} and {second.origin} are two logs, not a fork of one")
        if first.size == second.size:
            if first.root == second.root and first.head == second.head:
                raise BadProof(f"both checkpoints of {first.origin} say the same")
            return first, second
        verify_consistency(
            first.size, second.size, self.begins_with, second.root, list(self.hashes)
        )
        if self.begins_with == first.root:
            raise BadProof(f"the larger checkpoint of {first.origin} begins with the smaller")
        return first, second


def _opened(note: str, keys: Collection[Verifier]) -> Checkpoint:
    try:
        parsed = Note.parse(note)
    except MalformedNote as error:
        raise BadProof(f"a checkpoint of the proof is none: {error}") from error
    parsed.verify(keys)
    return Checkpoint.parse(parsed.text)
