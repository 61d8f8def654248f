"""The kernels that read and write Avro agree with fastavro on every byte."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operators.fusion.outputs import STEP_DTYPE
from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.hashing import FeatureHasher
from streams.kafka.reader import Record
from streams.messages import PlainReader
from streams.shard import known_names
from streams.shard.columns import Decoder, Text
from streams.shard.event_spans import ABSENT, SPAN_DTYPE, WORD, find_spans
from streams.shard.normal_form import OPTIONAL, normal_form
from streams.shard.prediction_rows import NUMBERS, avro_string, encode_predictions
from tests.property.schemas.records import records
from tests.property.streams.raw_events import long, raw_event, text

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

    def serves(self, _: str) -> bool:
        """Serve everyone."""
        return True


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

FEW = [
    *("", "a", "b", "c", "amount", "seven b", "eight by", "nine byte", "sixteen bytes, 16", "a=b"),
    *("=", "größe", "名前", "🦉" * 3, "x" * 1_020, "x" * 1_021),
]
FEW_NAMES = st.sampled_from(FEW).map(str.encode)
FEW_VALUES = st.sampled_from(["", "b", "web"]).map(str.encode)
NAMES = st.one_of(
    FEW_NAMES,
    st.text(max_size=12).map(str.encode),
    st.sampled_from([b"x" * 1_022, b"x" * 1_023, b"x" * 1_024, b"x" * 1_025]),
)
TEACHING = [
    raw_event(
        {"tenant": tenant, "id": "", "event_id": "", "time_us": 0},
        [([(name.encode(), bytes(WORD)) for name in FEW], False, 0)],
        [([(name.encode(), text(value)) for name in FEW], False, 0)],
    )
    for tenant in ("acme", "globex", "a" * 200)
    for value in (b"", b"b", b"web")
]
"""Events after which all of ``KNOWN`` can be looked up."""

NO_UTF8 = st.sampled_from(
    [
        *(b"\x80", b"\xc3", b"\xff", b"a\xe2\x82", b"\xe2\x82a"),  # broken off
        *(b"\xc0\x80", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf"),  # overlong
        *(b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80"),  # surrogate, too large
    ]
)


def maps(names: st.SearchStrategy[bytes], values: st.SearchStrategy[bytes]) -> Any:
    """Return a strategy for a field that is a map or null; a name comes twice in a few."""
    lies = st.sampled_from([0, 0, 0, 1, -1, -(2**40), 2**61, 2**62])
    entries = st.tuples(names, values)
    flat = st.lists(entries, max_size=9, unique_by=lambda entry: entry[0]) | st.lists(
        entries, max_size=4
    )
    return st.none() | st.builds(
        lambda whole, size, heads: [
            (whole[at : at + size], *head)
            for at, head in zip(range(0, len(whole), size), heads, strict=False)
        ],
        flat,
        st.integers(1, 5),
        st.lists(st.tuples(st.booleans(), lies), min_size=9, max_size=9),
    )


NAMED = st.builds(
    raw_event, COMMON, maps(NAMES, words(1)), maps(NAMES, (NAMES | st.binary(max_size=3)).map(text))
)
KNOWN = st.builds(
    raw_event, COMMON, maps(FEW_NAMES, words(1)), maps(FEW_NAMES, FEW_VALUES.map(text))
)
BROKEN_NAMES = st.builds(
    raw_event,
    COMMON,
    maps(NAMES | NO_UTF8 | st.binary(max_size=4), words(1)),
    maps(NAMES, (NAMES | NO_UTF8 | st.binary(max_size=4)).map(text)),
)
HOSTILE_COUNT = st.builds(
    lambda event, count, tail: raw_event(event, [], None)[:-7] + count + tail,
    COMMON.map(
        lambda event: event | dict.fromkeys(("feature_ids", "feature_values", "key", "query"))
    ).map(lambda event: event | {"value": None}),
    st.integers(-(2**63), 2**63 - 1).map(long) | st.just(b"\xff" * 9 + b"\1"),
    st.binary(max_size=40),
)
"""Blocks that claim more entries than there are bytes, by any integer."""


def mangled(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy for bytes that are nearly right.

    One is changed, some are cut off, some put behind.
    """
    return st.builds(
        lambda value, at, byte, cut, tail: (
            (data := bytearray(value)).__setitem__(at % len(data), byte)
            or bytes(data[: len(data) - cut]) + tail
        ),
        values,
        st.integers(0, 10**6),
        st.integers(0, 255),
        st.integers(0, 3),
        st.binary(max_size=2),
    )


BYTES = st.one_of(
    COMMON.map(EVENT.encode),
    records("event").map(EVENT.encode),
    st.binary(max_size=60),
    NAMED,
    BROKEN_NAMES,
    HOSTILE_COUNT,
    st.builds(lambda value, at: value[: at % len(value)], NAMED, st.integers(0, 10**6)),
    mangled(COMMON.map(EVENT.encode)),
    mangled(NAMED),
)


def expected(value: bytes) -> tuple[str, Any]:
    """Return what fastavro and the checks make of one event: tenant and parts, or the reason."""
    try:
        if not value:
            return "", "EMPTY_VALUE"
        event = EVENT.decode(value)
        if event["kind"] == "NOTE":
            event |= dict.fromkeys(OPTIONAL)
        if not 1 <= len(event["tenant"].encode()) <= 200:
            return "", "BAD_FIELD"
        if event["kind"] == "LABEL":
            if event["label"] is None:
                return "", "BAD_FIELD"
            named = ("tenant", "id", "event_id", "time_us", "label", "kind")
            event = {name: event[name] if name in named else None for name in event}
        parts = normal_form(event, HASHER, WORD * DIMENSION, WORD * VALUE_DIMENSION)
    except BadMessage as error:
        return "", error.reason
    return event["tenant"], parts


def new_decoder() -> Decoder:
    """Return a decoder that knows no names yet."""
    return Decoder(
        PlainReader(),
        0,
        Anyone(),
        dimension=DIMENSION,
        value_dimension=VALUE_DIMENSION,
        max_bytes=10**6,
    )


@given(values=st.lists(BYTES, max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_batch_is_read_as_fastavro_reads_each_of_its_events(values: list[bytes]) -> None:
    """Whatever the kernel takes, the codec would have taken as the same; the rest it explains."""
    check(new_decoder(), values)


@given(batches=st.lists(st.lists(KNOWN | NAMED | BYTES, max_size=5), min_size=2, max_size=5))
@settings(max_examples=300, deadline=None)
def test_names_that_are_known_change_nothing(batches: list[list[bytes]]) -> None:
    """A name's id, a name that comes twice and a bad one are the same whatever was read before."""
    decoder = new_decoder()
    for values in (*batches, TEACHING, *batches):
        check(decoder, values)


@given(batches=st.lists(st.lists(KNOWN | NAMED | BYTES, max_size=5), min_size=2, max_size=5))
@settings(max_examples=150, deadline=None)
def test_names_that_were_forgotten_change_nothing(batches: list[list[bytes]]) -> None:
    """A table too small for one event's names grows, fills and forgets between any two events."""
    with mock.patch.multiple(known_names, FIRST_SLOTS=2, MOST_SLOTS=8):
        decoder = new_decoder()
        for values in (*batches, *batches):
            check(decoder, values)


def check(decoder: Decoder, values: list[bytes]) -> None:
    """Hold what the decoder makes of a batch to what fastavro makes of each of its events."""
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
        kinds = [EVENT.decode(values[n])["kind"] for n, _ in mine]
        assert at.late.tolist() == [kind == "LABEL" for kind in kinds]
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
    blob = b"".join(parts)
    n = len(ids)
    return Text(blob, starts[:n], lengths[:n]), Text(blob, starts[n:], lengths[n:])
