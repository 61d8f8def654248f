import hashlib
import json
import math
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.codec import Codec
from schemas.errors import Bug
from schemas.registry import SCHEMA_NAMES, SchemaName, load

ROOT = Path(__file__).parents[3]


def parts(schema: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every named type and every field of a schema, with where it stands."""
    if isinstance(schema, list):
        for branch in schema:
            yield from parts(branch, path)
    elif isinstance(schema, dict):
        if "name" in schema:
            path = f"{path}/{schema['name']}"
            yield path, schema
        for field in schema.get("fields", ()):
            yield f"{path}.{field['name']}", field
            yield from parts(field["type"], f"{path}.{field['name']}")
        for inner in ("items", "values"):
            yield from parts(schema.get(inner), path)


@pytest.fixture(params=SCHEMA_NAMES)
def name(request: pytest.FixtureRequest) -> SchemaName:
    chosen: SchemaName = request.param
    return chosen


def test_everything_is_documented(name: SchemaName) -> None:
    """Whoever opens a schema in a registry finds each record, field and fixed explained."""
    silent = [
        where for where, part in parts(json.loads(load(name).text), "") if not part.get("doc")
    ]
    assert silent == []


def test_every_enum_symbol_is_documented(name: SchemaName) -> None:
    """Avro has no docs on symbols: the enum's doc says of each what it means."""
    for where, part in parts(json.loads(load(name).text), ""):
        for symbol in part.get("symbols", ()):
            assert re.search(rf"\b{symbol}: \w+", part["doc"]), f"{where}: {symbol}"


def test_all_stand_in_one_namespace(name: SchemaName) -> None:
    """Consumers find all types as ``weir.*``, named after their file."""
    assert load(name).fullname == "weir." + name.title().replace("_", "")


def test_no_default_needs_converting(name: SchemaName) -> None:
    """A default is what a reader gets: fastavro would give text for bytes, so there are none."""
    for where, part in parts(json.loads(load(name).text), ""):
        default = part.get("default")
        assert default in (None, 0, "", False, [], {}), where


def test_audit_leaf_is_a_packed_struct() -> None:
    """The audit leaf holds doubles and fixed bytes alone, so its Avro bytes are a C struct."""
    leaf = load("audit_record").parsed["fields"][0]["type"]
    assert leaf["name"] == "weir.AuditLeaf"
    for field in leaf["fields"]:
        kind = field["type"]
        assert kind in ("double", "weir.Sha256") or kind["type"] == "fixed", field["name"]

    doubles = [f["name"] for f in leaf["fields"] if f["type"] == "double"]
    record = {
        "leaf": {field: float(i) for i, field in enumerate(doubles)}
        | {"event_digest": b"e" * 32, "prev": b"p" * 32},
        "curr": b"c" * 32,
    }
    expected = struct.pack(
        f"<{len(doubles)}d32s32s32s", *range(len(doubles)), b"e" * 32, b"p" * 32, b"c" * 32
    )
    assert Codec("audit_record").encode(record) == expected


def test_audit_leaf_carries_nan_where_there_is_no_label() -> None:
    """A step without label is audited too: its label and error come back as NaN."""
    leaf = load("audit_record").parsed["fields"][0]["type"]["fields"]
    blank = {f["name"]: math.nan if f["type"] == "double" else bytes(32) for f in leaf}
    codec = Codec("audit_record")
    back = codec.decode(codec.encode({"leaf": blank, "curr": bytes(32)}))
    assert math.isnan(back["leaf"]["label"])
    assert math.isnan(back["leaf"]["error"])


def test_canonical_form_is_the_specifications() -> None:
    """Docs and defaults are gone, names are full, and a named type is written out once only."""
    assert load("audit_checkpoint").canonical_form == (
        '{"name":"weir.AuditCheckpoint","type":"record","fields":['
        '{"name":"tenant","type":"string"},{"name":"shard","type":"int"},'
        '{"name":"origin","type":"string"},{"name":"tree_size","type":"long"},'
        '{"name":"root","type":{"name":"weir.Sha256","type":"fixed","size":32}},'
        '{"name":"chain_head","type":"weir.Sha256"},{"name":"note","type":"string"}]}'
    )


def test_fingerprints_are_the_specifications(name: SchemaName) -> None:
    """A fingerprint that we publish is the one that any other Avro library computes."""
    schema = load(name)
    canonical = schema.canonical_form.encode()
    assert schema.sha256 == hashlib.sha256(canonical).digest()
    crc = empty = 0xC15D213AA4D7A795
    for byte in canonical:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (empty if crc & 1 else 0)
    assert schema.crc64 == crc.to_bytes(8, "little")


def test_unknown_name_lists_the_known_ones() -> None:
    """A mistyped name is answered with the names there are."""
    with pytest.raises(Bug, match="there are event, message"):
        load(cast("SchemaName", "evnt"))


def test_installed_package_carries_the_schemas(tmp_path: Path) -> None:
    """Who installs the wheel gets every schema with it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = zipfile.ZipFile(wheel).namelist()
    assert {f"schemas/avsc/{name}.avsc" for name in SCHEMA_NAMES} <= set(packed)
