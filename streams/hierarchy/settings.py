"""Settings of the token stream and of its logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from streams.section import Positive, Section

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class LogShares(Section):
    """How much of what happens is logged; failures always are."""

    input_stream: Share = Field(default=1.0, description="tokens")
    model_state: Share = Field(default=0.1, description="representations and attention")
    predictions: Share = Field(default=1.0, description="verdicts")
    performance: Share = Field(default=1.0, description="measurements of single streams")
    boundaries: Share = Field(default=1.0, description="sentences, paragraphs, topics")


class StreamLogSettings(Section):
    """The six logs of the token stream."""

    enabled: bool = Field(default=True, description="off: nothing is written, metrics stay")
    directory: Path | None = Field(default=None, description="default data_dir/stream-logs")
    contents: Literal["redacted", "raw"] = Field(
        default="redacted",
        description="raw: texts, token ids, representations, users, messages of exceptions as they "
        "are; what the scanner is there to hold back then stands in these files",
    )
    file_mode: Literal["0600", "0640", "0644"] = Field(
        default="0600", description="who may read the files: the owner, the group, everybody"
    )
    shares: LogShares = LogShares()
    queue_records: Positive = Field(
        default=20_000, description="records that may wait for the disk; more are dropped, counted"
    )
    rotate_bytes: Positive = Field(default=64_000_000, description="size at which a file is closed")
    keep_bytes: Positive = Field(
        default=4_000_000_000, description="of all files in the folder; the oldest are deleted"
    )

    @field_validator("file_mode", mode="before")
    @classmethod
    def _written_as_octal(cls, mode: object) -> object:
        return f"{mode:04o}" if isinstance(mode, int) else mode

    @model_validator(mode="after")
    def _keeps_what_it_writes(self) -> StreamLogSettings:
        if self.keep_bytes < 12 * self.rotate_bytes:
            raise ValueError(
                f"stream_logs.keep_bytes is {self.keep_bytes} and stream_logs.rotate_bytes "
                f"{self.rotate_bytes}: keep at least two files of each of the six logs, twelve "
                "times rotate_bytes"
            )
        return self


class HierarchySettings(Section):
    """The token stream: streams of text that are read while they arrive."""

    enabled: bool = Field(
        default=False,
        description="read the topic tokens, made if it is missing with the partitions of the "
        "events; takes some 200 MB for the model, and all workers of an application must agree",
    )
    link: bool = Field(
        default=False,
        description="let each final verdict be an event of the tenant, which the learner predicts "
        "and analysts' labels teach",
    )
    model: Path | None = Field(default=None, description="folder; default: the model shipped")
    policy: Path | None = Field(default=None, description="file; default: the policy shipped")
    memory_mb: Positive = Field(
        default=512, description="of all streams in memory; the others are read from the table"
    )
    batching: Literal["continuous", "single"] = Field(
        default="continuous",
        description="continuous: new tokens of all streams of a unit of work go through the model "
        "together; single: one stream at a time",
    )
    flush: Literal["sentence_boundary", "fixed_size", "time_based"] = Field(
        default="sentence_boundary",
        description="where a full segment of 512 tokens is cut; time_based: also after "
        "flush_seconds, and then verdicts depend on the times of the pieces",
    )
    flush_seconds: float = Field(default=10.0, gt=0, description="of time_based, in stream time")
    confidence: Share = Field(
        default=0.7, description="least confidence of what a partial verdict says"
    )
    idle_seconds: Positive = Field(
        default=300, description="a stream without a piece for this long ends, in event time"
    )
    remember_seconds: Positive = Field(
        default=86_400,
        description="for this long it is known that a stream has ended, in event time; a piece "
        "that comes later begins a new stream",
    )
    edit_checkpoints: Positive = Field(
        default=16,
        description="checkpoints (one some 300 tokens) that an edit may go back to; earlier edits "
        "are quarantined",
    )
