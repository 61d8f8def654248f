from __future__ import annotations

import io
import math
from typing import Any

import fastavro
import numpy as np
import pytest

from schemas.errors import Bug
from schemas.registry import load
from state.audit.leaf import (
    FORMAT,
    LEAF_BYTES,
    LEAF_DTYPE,
    NUMBERS,
    RECORD_BYTES,
    RECORD_DTYPE,
    blank_rows,
    packed_dtype,
)

SCHEMA = load("audit_record").parsed


def random_record(seed: int) -> np.ndarray[Any, np.dtype[Any]]:
    data = np.random.default_rng(seed).bytes(RECORD_BYTES)
    return np.frombuffer(data, RECORD_DTYPE).copy()


@pytest.mark.parametrize("seed", range(5))
def test_avro_reads_a_row_of_the_packed_struct(seed: int) -> None:
    """Any Avro reader with the published schema reads the bytes that the kernel filled in."""
    record = random_record(seed)
    stream = io.BytesIO(record.tobytes())
    decoded: Any = fastavro.schemaless_reader(stream, SCHEMA, None)
    assert stream.read() == b""
    assert decoded["curr"] == record["curr"].tobytes()
    assert list(decoded["leaf"]) == list(LEAF_DTYPE.names or ())
    for name, value in decoded["leaf"].items():
        expected = record["leaf"][name][0]
        if name in NUMBERS:
            assert value == expected or (math.isnan(value) and math.isnan(expected))
        else:
            assert value == expected.tobytes()


def test_avro_writes_the_bytes_of_the_packed_struct() -> None:
    """A record that another tool encodes from values hashes to the same leaf."""
    record = random_record(7)
    fields = {
        name: float(record["leaf"][name][0]) if name in NUMBERS else record["leaf"][name].tobytes()
        for name in LEAF_DTYPE.names or ()
    }
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, SCHEMA, {"leaf": fields, "curr": record["curr"].tobytes()})
    assert stream.getvalue() == record.tobytes()


def test_blank_rows_carry_their_format() -> None:
    """A record says by which layout it is to be read, whoever fills it in."""
    rows = blank_rows(3)
    assert rows.dtype == LEAF_DTYPE
    assert rows.nbytes == 3 * LEAF_BYTES
    assert rows["format"].tolist() == [FORMAT] * 3
    assert not rows["step"].any()


@pytest.mark.parametrize("kind", ["long", "string", ["null", "double"], {"type": "int"}])
def test_a_field_without_fixed_width_is_refused(kind: Any) -> None:
    """A change of the schema that would break the packed layout stops at import, not in a log."""
    schema = {"type": "record", "name": "R", "fields": [{"name": "x", "type": kind}]}
    with pytest.raises(Bug, match="no fixed width"):
        packed_dtype(fastavro.parse_schema(schema))
