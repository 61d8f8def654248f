"""What can be wrong with an audit log or a signed note when it is read.

VerificationError
└── AuditError          an audit log, or a piece of one, cannot be accepted
    ├── MalformedNote   the text is not a signed note or not a checkpoint: find the original
    ├── UnknownKey      no signature by a key that the reader trusts: check which key you pin
    ├── BadSignature    a trusted key's signature does not fit the text: the text was changed
    ├── BadProof        a proof does not prove what it says, or cannot be made: ask for it again
    └── BadAuditFile    an exported file cannot be read as one: export it again
"""

from __future__ import annotations

from schemas.errors import VerificationError


class AuditError(VerificationError):
    """An audit log, or a piece of one, cannot be accepted."""


class MalformedNote(AuditError):  # noqa: N818 - it names what it is about
    """The text is not a signed note, or its body is not a checkpoint."""


class UnknownKey(AuditError):  # noqa: N818 - it names what it is about
    """The note carries no signature by a key that the reader trusts."""


class BadSignature(AuditError):  # noqa: N818 - it names what it is about
    """A signature by a trusted key does not verify over the text."""


class BadProof(AuditError):  # noqa: N818 - it names what it is about
    """A proof does not prove what it says, or there is none to be made."""


class BadAuditFile(AuditError):  # noqa: N818 - it names what it is about
    """A file is not an exported audit log, or it breaks off.

    Args:
        message: what is wrong and what to do.
        path: the file.
        record: number of the first record that cannot be read, from 0.
    """

    def __init__(self, message: str, path: str, record: int = 0) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.record = record
