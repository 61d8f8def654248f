"""Messages as JSON: what POST /scan takes and what lines of JSONL files hold."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from operators.dlp.dsl import Attachment, Message, Recipient

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY_WIDTH = 256
_FLOAT = 4

EXAMPLE: dict[str, Any] = {
    "kind": "EMAIL",
    "role": "support",
    "sender": "ana@northwind-freight.com",
    "recipients": [{"address": "buyer@gmail.com", "external": True}],
    "subject": "Your refund",
    "body": "We refund 41.20 EUR to card 4539 1488 0343 6467 today.",
    "metadata": {"matter": "2024-0117"},
    "thread_position": 0,
}

Text = Annotated[str, Field(max_length=4_000_000)]
Line = Annotated[str, Field(max_length=4_000)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecipientBody(_Model):
    """One reader."""

    address: Line
    external: bool | None = Field(default=None, description="null: not known")


class AttachmentBody(_Model):
    """A file, with its text where that was extracted."""

    name: Line
    text: Text = ""


class MessageBody(_Model):
    """What is about to leave. Only `body` is needed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    body: Text
    kind: Literal["EMAIL", "CHAT", "PULL_REQUEST", "UPLOAD"] = "UPLOAD"
    role: Line = ""
    sender: Line = ""
    recipients: list[RecipientBody] = Field(default=[], max_length=1_000)
    subject: Line = ""
    metadata: dict[Line, Line] = Field(default={}, max_length=100)
    thread_position: int | None = Field(default=None, ge=0)
    attachments: list[AttachmentBody] = Field(default=[], max_length=100)
    links: list[Line] = Field(default=[], max_length=1_000)
    memory: str | None = Field(
        default=None, description="`memory.vec` of the answer to the message before in its thread"
    )

    @field_validator("memory")
    @classmethod
    def _is_memory(cls, value: str | None) -> str | None:
        if value is not None:
            unpacked(value)
        return value

    def message(self) -> Message:
        """The message itself."""
        return Message(
            self.body, self.kind, self.role, self.sender,
            tuple(Recipient(one.address, one.external) for one in self.recipients),
            self.subject, self.metadata, self.thread_position,
            tuple(Attachment(one.name, one.text) for one in self.attachments), tuple(self.links),
        )  # fmt: skip

    def vector(self) -> NDArray[np.float32] | None:
        """The thread's memory."""
        return None if self.memory is None else unpacked(self.memory)


def unpacked(vec: str) -> NDArray[np.float32]:
    """The memory vector of an answer, float32 [256], from base64.

    Raises:
        ValueError: it is no such vector.
    """
    try:
        data = base64.b64decode(vec, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    if len(data) != _FLOAT * MEMORY_WIDTH:
        raise ValueError(f"{len(data)} bytes: a memory has {_FLOAT * MEMORY_WIDTH}")
    vector = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.isfinite(vector).all():
        raise ValueError("a memory holds finite numbers only")
    return vector
