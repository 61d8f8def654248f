"""The schemas that the application ships, by name.

They are package resources (``schemas/avsc/*.avsc``), read and parsed once a process.
Canonical form and fingerprints are those of the Avro specification ("Parsing Canonical Form for
Schemas"), computed by fastavro: Apache ``avro`` 1.12 for Python writes a named type out again at
each use, so that its fingerprints differ from those of Java and of the specification.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final, Literal, cast, get_args

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

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
        return canonical_form(json.loads(self.text))

    @cached_property
    def crc64(self) -> bytes:
        """CRC-64-AVRO of the canonical form: 8 bytes, little-endian as in Avro's single objects."""
        return crc64_of(self.canonical_form)

    @cached_property
    def sha256(self) -> bytes:
        """SHA-256 of the canonical form, 32 bytes."""
        return bytes.fromhex(fingerprint(self.canonical_form, "sha256"))


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


@cache
def released(name: SchemaName) -> tuple[str, ...]:
    """Return the JSON texts of all released versions of a schema, oldest first.

    The last one reads the same bytes as ``load(name)``.
    """
    folder = files("schemas").joinpath("released", name)
    texts = {
        int(file.name.removeprefix("v").removesuffix(".avsc")): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
    }
    return tuple(texts[number] for number in sorted(texts))


def crc64_of(canonical: str) -> bytes:
    """Return CRC-64-AVRO of a canonical form: 8 bytes, little-endian as in Avro's single objects.

    fastavro gives the 8 bytes in that order already.
    """
    return bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))


def canonical_form(schema: Any) -> str:
    """Return the Parsing Canonical Form of a schema, given as loaded from JSON."""
    return str(to_parsing_canonical_form(schema))
