"""The schemas that the application ships, by name.

They are package resources (``schemas/avsc/*.avsc``), read and parsed once a process.
fastavro's parsed form serves the hot path; Apache ``avro`` gives the Parsing Canonical Form and the
fingerprints, as the Avro specification defines them ("Parsing Canonical Form for Schemas").
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final, Literal, cast, get_args

import avro.schema
import fastavro

from schemas.errors import Bug

SchemaName = Literal[
    "event",
    "message",
    "token",
    "prediction",
    "verdict",
    "audit_record",
    "audit_checkpoint",
    "quarantine",
]

SCHEMA_NAMES: Final[tuple[SchemaName, ...]] = get_args(SchemaName)

ParsedSchema = dict[str, Any]


@dataclass(frozen=True)
class Schema:
    """One schema as shipped.

    Attributes:
        name: name of the resource, without ``.avsc``.
        text: the JSON text, docs included; this is what a schema registry is given.
        parsed: fastavro's parsed form. Shared: do not change it.
    """

    name: SchemaName
    text: str = field(repr=False)
    parsed: ParsedSchema = field(repr=False)

    @property
    def fullname(self) -> str:
        """Name with namespace, such as ``weir.Event``."""
        return str(self.parsed["name"])

    @cached_property
    def canonical_form(self) -> str:
        """Parsing Canonical Form: equal for schemas that read the same bytes the same way."""
        return canonical_form(self.text)

    @cached_property
    def crc64(self) -> bytes:
        """CRC-64-AVRO fingerprint, 8 bytes, little-endian as in Avro's single-object encoding."""
        return bytes(avro.schema.parse(self.text).fingerprint("CRC-64-AVRO"))

    @cached_property
    def sha256(self) -> bytes:
        """SHA-256 fingerprint of the canonical form, 32 bytes."""
        return bytes(avro.schema.parse(self.text).fingerprint("sha256"))


@cache
def load(name: SchemaName) -> Schema:
    """Return the shipped schema of this name, parsed once a process.

    Raises:
        Bug: there is no such schema.
    """
    if name not in SCHEMA_NAMES:
        raise Bug(f"no schema is named {name!r}; there are {', '.join(SCHEMA_NAMES)}")
    text = files("schemas").joinpath("avsc", f"{name}.avsc").read_text(encoding="utf-8")
    parsed = cast("ParsedSchema", fastavro.parse_schema(json.loads(text)))
    return Schema(name=name, text=text, parsed=parsed)


def canonical_form(text: str) -> str:
    """Return the Parsing Canonical Form of a schema in JSON.

    Raises:
        avro.errors.AvroException: the text is not a schema. Callers that take schemas from outside
            wrap it.
    """
    return str(avro.schema.parse(text).canonical_form)
