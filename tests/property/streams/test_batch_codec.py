"""The kernels that read and write Avro agree with fastavro on every byte."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operators.fusion.outputs import STEP_DTYPE
from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.hashing import FeatureHasher
from streams.kafka.reader import Record
from streams.messages import PlainReader
from streams.shard.columns import Decoder, Text
from streams.shard.event_spans import ABSENT, SPAN_DTYPE, WORD, find_spans
from streams.shard.normal_form import normal_form
from streams.shard.prediction_rows import NUMBERS, avro_string, encode_predictions
from tests.property.schemas.records import records

DIMENSION, VALUE_DIMENSION = 2, 1
HASHER = FeatureHasher(b"k" * 32)
EVENT, PREDICTION = Codec("event"), Codec("prediction")


class Anyone:
    """Admits every tenant, with the same key."""

    def hasher(self, _: str) -> FeatureHasher:
        """Return the hasher."""
        return HASHER

    def admit(self, _: str, __: FeatureHasher) -> None:
        """Take no notice."""


def words(count: int) -> st.SearchStrategy[bytes]:
    """Return a strategy for packed words."""
    return st.binary(min_size=WORD * count, max_size=WORD * count)


ASCII = st.text(st.characters(max_codepoint=127), max_size=12)
PACKED = st.integers(0, 5).flatmap(
    lambda n: st.one_of(st.just((None, None)), st.tuples(words(n), words(n)))
)
COMMON = st.builds(
    lambda packed, **fields: {
        **fields,
        "kind": "OBSERVATION",
        "features": None,
        "context": None,
        "feature_ids": packed[0],
        "feature_values": packed[1],
    },
    PACKED,
    tenant=st.sampled_from(["acme", "globex", "a" * 200]),
    id=ASCII,
    event_id=ASCII,
    time_us=st.integers(0, 2**53 - 1),
    label=st.none() | st.floats(),
    key=st.none() | words(DIMENSION),
    value=st.none() | words(VALUE_DIMENSION),
    query=st.none() | words(DIMENSION),
)
"""Events as the kernel reads them."""

BYTES = st.one_of(
    COMMON.map(EVENT.encode),
    records("event").map(EVENT.encode),
    st.binary(max_size=60),
    # One byte changed, some cut off, some put behind: nearly right.
    st.builds(
        lambda event, at, byte, cut, tail: (
            (data := bytearray(EVENT.encode(event))).__setitem__(at % len(data), byte)
            or bytes(data[: len(data) - cut]) + tail
        ),
        COMMON,
        st.integers(0, 10**6),
        st.integers(0, 255),
        st.integers(0, 3),
        st.binary(max_size=2),
    ),
)


def expected(value: bytes) -> tuple[str, Any]:
    """Return what fastavro and the checks make of one event: tenant and parts, or the reason."""
    try:
        if not value:
            return "", "EMPTY_VALUE"
        event = EVENT.decode(value)
        if event["kind"] != "OBSERVATION":
            return "", "LATE_LABEL_UNMATCHED"
        if not 1 <= len(event["tenant"].encode()) <= 200:
            return "", "BAD_FIELD"
        parts = normal_form(event, HASHER, WORD * DIMENSION, WORD * VALUE_DIMENSION)
    except BadMessage as error:
        return "", error.reason
    return event["tenant"], parts


@given(values=st.lists(BYTES, max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_batch_is_read_as_fastavro_reads_each_of_its_events(values: list[bytes]) -> None:
    """Whatever the kernel takes, the codec would have taken as the same; the rest it explains."""
    decoder = Decoder(
        PlainReader(),
        0,
        Anyone(),
        dimension=DIMENSION,
        value_dimension=VALUE_DIMENSION,
        max_bytes=10**6,
    )
    columns, rejected = decoder([Record(n, 0, None, value) for n, value in enumerate(values)])
    wanted = [expected(value) for value in values]
    assert [(item.position, item.error.reason) for item in rejected] == [
        (n, parts) for n, (tenant, parts) in enumerate(wanted) if not tenant
    ]
    tenants = [tenant for tenant, _ in wanted if tenant]
    assert list(columns) == list(dict.fromkeys(tenants))
    for name, at in columns.items():
        mine = [(n, parts) for n, (tenant, parts) in enumerate(wanted) if tenant == name]
        assert at.positions.tolist() == [n for n, _ in mine]
        assert at.ids.parts() == [parts.id for _, parts in mine]
        assert at.event_ids.parts() == [parts.event_id for _, parts in mine]
        batch = at.batch
        assert batch.time_us.tolist() == [parts.time_us for _, parts in mine]
        assert batch.ids.tobytes() == b"".join(parts.features for _, parts in mine)
        assert batch.values.tobytes() == b"".join(parts.values for _, parts in mine)
        assert batch.indptr.tolist() == pointers(parts.features for _, parts in mine)
        assert batch.ctx_ids.tobytes() == b"".join(parts.context for _, parts in mine)
        assert batch.ctx_indptr.tolist() == pointers(parts.context for _, parts in mine)
        sizes = {"label": 1, "key": DIMENSION, "value": VALUE_DIMENSION, "query": DIMENSION}
        for field, size in sizes.items():
            there = [getattr(parts, field) for _, parts in mine]
            column, has = getattr(batch, field), getattr(batch, f"has_{field}")
            assert has.tolist() == [int(part is not None) for part in there], field
            assert column.tobytes() == b"".join(part or bytes(WORD * size) for part in there), field


def pointers(parts: Any) -> list[int]:
    """Return where each row's words begin."""
    found = [0]
    for part in parts:
        found.append(found[-1] + len(part) // WORD)
    return found


@given(event=COMMON)
@settings(deadline=None)
def test_the_kernel_reads_what_most_events_are(event: dict[str, Any]) -> None:
    """The fast way is taken: an event in ASCII with packed features needs no codec."""
    value = EVENT.encode(event)
    spans = np.zeros(1, SPAN_DTYPE)
    blob = np.frombuffer(value, np.uint8)
    find_spans(blob, np.array([len(value)]), WORD * DIMENSION, WORD * VALUE_DIMENSION, spans)
    assert spans["parsed"][0] == 1
    assert (spans["label"][0] == ABSENT) == (event["label"] is None)


LONGS = st.integers(-(2**63), 2**63 - 1)
ROW = st.fixed_dictionaries(
    {
        "id": st.text(max_size=10),
        "event_id": st.text(max_size=80),
        "time_us": LONGS,
        "step": st.integers(1, 2**53),
        "label": st.none() | st.floats(),
        "leaf": st.binary(min_size=32, max_size=32),
        **dict.fromkeys(NUMBERS, st.floats()),
    }
)


@given(tenant=st.text(max_size=20), header=st.binary(max_size=5), batch=st.lists(ROW, min_size=1))
@settings(max_examples=200, deadline=None)
@example(
    tenant="acme",
    header=b"",
    batch=[
        {
            "id": "i" * 64,
            "event_id": "e" * 9_000,
            "time_us": -(2**63),
            "step": 2**53,
            "label": float("nan"),
            "leaf": bytes(32),
            **dict.fromkeys(NUMBERS, 0.0),
        }
    ],
)
def test_predictions_are_written_as_fastavro_writes_each(
    tenant: str, header: bytes, batch: list[dict[str, Any]]
) -> None:
    """A consumer sees no difference, for any text, number or sign."""
    rows = np.zeros(len(batch), STEP_DTYPE)
    for name in (*NUMBERS, "step"):
        rows[name] = [row[name] for row in batch]
    encoded = encode_predictions(
        header + avro_string(tenant),
        *texts([row["id"] for row in batch], [row["event_id"] for row in batch]),
        time_us=np.array([row["time_us"] for row in batch], np.int64),
        label=np.array([0.0 if row["label"] is None else row["label"] for row in batch]),
        has_label=np.array([row["label"] is not None for row in batch], np.uint8),
        rows=rows,
        leaf_hashes=b"".join(row["leaf"] for row in batch),
    )
    assert encoded == [header + PREDICTION.encode({**row, "tenant": tenant}) for row in batch]


def texts(ids: list[str], event_ids: list[str]) -> tuple[Text, Text]:
    """Return two columns of text over the same bytes."""
    parts = [text.encode() for text in (*ids, *event_ids)]
    lengths = np.array([len(part) for part in parts], np.int64)
    starts = np.cumsum(lengths) - lengths
    blob = np.frombuffer(b"".join(parts), np.uint8)
    n = len(ids)
    return Text(blob, starts[:n], lengths[:n]), Text(blob, starts[n:], lengths[n:])
