"""The formats of messages, as a mapping file names them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, FilePath, ValidationInfo, model_validator

from schemas.mapping.model_part import Part


def _resolved(value: Any, info: ValidationInfo) -> Any:
    """File names in a mapping file are relative to the mapping file."""
    base = (info.context or {}).get("base")
    return base / value if base is not None and isinstance(value, str) else value


RelativeFile = Annotated[FilePath, BeforeValidator(_resolved)]
Framing = Literal["none", "confluent"]


class JsonSource(Part):
    """Messages are JSON objects, UTF-8."""

    format: Literal["json"]
    framing: Framing = "none"


class AvroSource(Part):
    """Messages are Avro records: plain with ``schema``, or framed, and the registry has it."""

    format: Literal["avro"]
    schema_file: RelativeFile | None = Field(default=None, alias="schema")
    framing: Framing = "none"

    @model_validator(mode="after")
    def _one_schema(self) -> Self:
        if (self.framing == "none") != (self.schema_file is not None):
            raise ValueError(
                "give `schema: file.avsc` for plain Avro, or `framing: confluent` without a schema "
                "for messages whose schema is in the registry"
            )
        return self


class ProtobufSource(Part):
    """Messages are Protobuf, described by a FileDescriptorSet."""

    format: Literal["protobuf"]
    descriptors: RelativeFile
    message: str
    framing: Framing = "none"


def _format_alone(value: Any) -> Any:
    return {"format": value} if isinstance(value, str) else value


Source = Annotated[
    JsonSource | AvroSource | ProtobufSource,
    Field(discriminator="format"),
    BeforeValidator(_format_alone),
]
