"""Names that were read before need no codec; whatever is read, the table stays small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.codec import Codec
from schemas.hashing import FeatureHasher
from streams.kafka.reader import Record
from streams.messages import PlainReader
from streams.shard import known_names
from streams.shard.columns import Decoder
from streams.shard.event_spans import is_utf8
from streams.shard.name_kernels import MAX_CONTEXT, MAX_NAME_BYTES, sip_hash
from tests.property.streams.raw_events import raw_event, text

if TYPE_CHECKING:
    from streams.shard.known_names import KnownNames

HASHER = FeatureHasher(b"k" * 32)
ENCODE = Codec("event").encode


class Guest:
    """Admits every tenant, with one hasher."""

    def __init__(self, given: FeatureHasher) -> None:
        self.given = given

    def hasher(self, _: str) -> FeatureHasher:
        """Return the hasher."""
        return self.given

    def admit(self, _: str, __: FeatureHasher) -> None:
        """Take no notice."""

    def serves(self, _: str) -> bool:
        """Serve everyone."""
        return True


class Counted(Decoder):
    """A decoder that counts the events that went through the codec."""

    def __init__(self, hasher: FeatureHasher = HASHER) -> None:
        reader = PlainReader()
        decode, self.decoded, self.guest = reader.event, 0, Guest(hasher)

        def event(data: bytes | None) -> dict[str, Any]:
            self.decoded += 1
            return decode(data)

        reader.event = event
        super().__init__(reader, 0, self.guest, dimension=1, value_dimension=1, max_bytes=10**6)

    def read(self, *values: bytes) -> int:
        """Read good events in one batch; return how many of them went through the codec."""
        before = self.decoded
        columns, rejected = self([Record(n, 0, None, value) for n, value in enumerate(values)])
        assert not rejected
        self.columns = columns
        return self.decoded - before

    @property
    def names(self) -> KnownNames:
        """The table of the tenant."""
        return self._names["acme"]


def event(features: Any = None, context: Any = None, **fields: Any) -> bytes:
    """Return an encoded event."""
    base = {"kind": "OBSERVATION", "tenant": "acme", "id": "a", "event_id": "e", "time_us": 5}
    return ENCODE(base | {"features": features, "context": context} | fields)


def test_names_are_learnt_within_a_batch() -> None:
    """The codec reads the first event that has a name, and none that follows with the same."""
    decoder = Counted()
    one, two = event({"a": 1.0, "größe": 2.0}), event({"größe": 3.0}, {"名": "web", "": ""})
    assert decoder.read(one, one, two, event({"a": 0.0}), two) == 2
    assert decoder.read(two, event(), one) == 0
    batch = decoder.columns["acme"].batch
    assert batch.ids.tolist() == [HASHER.hash(name) for name in ("größe", "a", "größe")]
    assert batch.values.tolist() == [3.0, 1.0, 2.0]
    assert batch.ctx_ids.tolist() == [HASHER.hash("名=web"), HASHER.hash("=")]


def test_each_tenant_has_names_of_its_own() -> None:
    """What one tenant's events taught is not used for another's, whose ids are others."""
    decoder = Counted()
    mine, other = event({"a": 1.0}), event({"a": 1.0}, tenant="globex")
    assert decoder.read(mine, other, mine, other) == 2


def test_a_tenant_that_gets_another_key_gets_other_ids() -> None:
    """Cells restored with an older version of the key hash as they did when they learnt."""
    decoder = Counted()
    decoder.read(event({"a": 1.0}))
    decoder.guest.given = FeatureHasher(b"older")
    assert decoder.read(event({"a": 1.0})) == 1
    assert decoder.columns["acme"].batch.ids.tolist() == [FeatureHasher(b"older").hash("a")]


BARE = {"tenant": "acme", "id": "a", "event_id": "e", "time_us": 5}


def doubles(*numbers: float) -> list[bytes]:
    """Return each number as Avro has it."""
    return [np.float64(number).tobytes() for number in numbers]


def test_a_name_that_comes_twice_keeps_its_first_place_and_its_last_value() -> None:
    """As in the dictionary that fastavro makes, whether or not the names are known."""
    entries = list(zip([b"b", b"a", b"b", b"c"], doubles(1, 2, 3, 4), strict=True))
    twice = raw_event(BARE, [(entries[:2], False, 0), (entries[2:], True, 0)], None)
    decoder = Counted()
    for _ in range(2):
        assert decoder.read(twice) == 1
        batch = decoder.columns["acme"].batch
        assert batch.ids.tolist() == [HASHER.hash(name) for name in "bac"]
        assert batch.values.tolist() == [3.0, 2.0, 4.0]
        decoder.read(event({"a": 1.0, "b": 1.0, "c": 5.0}))
        assert decoder.columns["acme"].batch.ids.tolist() == [HASHER.hash(name) for name in "abc"]


def test_a_context_that_comes_twice_keeps_its_first_place_and_its_last_value() -> None:
    """The name counts, not the value that it has; a feature of the same name is another thing."""
    entries = [(b"a", text(b"1")), (b"b", text(b"2")), (b"a", text(b"3"))]
    twice = raw_event(BARE, None, [(entries, False, 0)])
    decoder = Counted()
    decoder.read(event({"a": 1.0}, {"a": "1", "b": "2"}), event(None, {"a": "3"}))
    for _ in range(2):
        assert decoder.read(twice) == 1
        ctx_ids = decoder.columns["acme"].batch.ctx_ids
        assert ctx_ids.tolist() == [HASHER.hash("a=3"), HASHER.hash("b=2")]
    assert decoder.read(event({"a": 1.0}, {"a": "1"})) == 0


def test_blocks_of_either_kind_are_looked_up() -> None:
    """Encoders may write a map in several blocks, with or without their size in bytes."""
    names, numbers = [b"a", b"b", b"c", b"d", b"e"], doubles(1, 2, 3, 4, 5)
    entries = list(zip(names, numbers, strict=True))
    blocks = [(entries[:2], True, 0), (entries[2:3], False, 0), (entries[3:], True, 0)]
    context = [(name, text(b"v")) for name in names]
    halves = [(context[:1], True, 0), (context[1:], False, 0)]
    decoder = Counted()
    assert decoder.read(*[raw_event(BARE, blocks, halves)] * 3) == 1
    batch = decoder.columns["acme"].batch
    assert batch.ids.tolist() == [HASHER.hash(name.decode()) for name in names] * 3
    assert batch.values.tolist() == [1, 2, 3, 4, 5] * 3
    assert batch.ctx_ids.tolist() == [HASHER.hash(f"{name.decode()}=v") for name in names] * 3


def test_what_is_text_is_decided_as_python_does() -> None:
    """All pairs of first bytes, with every number of bytes behind them that could matter."""

    def decodes(data: bytes) -> bool:
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        return True

    tails = [b"", b"\x80", b"\xbf\x80", b"\x80\x80a", b"a", b"\x80\xc0"]
    cases = [
        bytes([first, second]) + tail
        for first in range(128, 256)
        for second in range(256)
        for tail in tails
    ]
    blob = np.frombuffer(b"".join(cases), np.uint8)
    at = 0
    for case in cases:
        assert is_utf8(blob, at, at + len(case)) == decodes(case), case
        at += len(case)


@pytest.mark.parametrize(
    ("value", "looked_up"),
    [
        (event({"x" * MAX_NAME_BYTES: 1.0}), True),
        (event({"x" * (MAX_NAME_BYTES + 1): 1.0}), False),
        (event(None, {"x": "y" * (MAX_NAME_BYTES - 2)}), True),
        (event(None, {"x": "y" * (MAX_NAME_BYTES - 1)}), False),
        (event(None, {str(n): "" for n in range(MAX_CONTEXT)}), True),
        (event(None, {str(n): "" for n in range(MAX_CONTEXT + 1)}), False),
        (event({str(n): 0.0 for n in range(5_000)}), True),
    ],
    ids=["name", "long name", "entry", "long entry", "context", "long context", "many names"],
)
def test_what_is_looked_up_is_bounded(value: bytes, looked_up: bool) -> None:
    """Beyond the bounds the codec reads every event, as it reads any."""
    decoder = Counted()
    assert decoder.read(value) == 1
    assert decoder.read(value) == (0 if looked_up else 1)


def test_a_table_that_is_full_forgets_and_learns_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ever new names take no more memory, and after them the usual ones are known again."""
    monkeypatch.setattr(known_names, "FIRST_SLOTS", 4)
    monkeypatch.setattr(known_names, "MOST_SLOTS", 32)
    decoder = Counted()
    sizes = set()
    for number in range(100):
        decoder.read(event({"usual": 1.0, f"new {number}": 1.0}))
        sizes.add(len(decoder.names._slots))  # noqa: SLF001 - the bound itself is what is tested
    assert sizes == {4, 8, 16, 32}
    decoder.read(event({"usual": 1.0}))
    assert decoder.read(event({"usual": 1.0})) == 0


def test_more_names_in_one_event_than_the_table_takes_are_read_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such an event neither hangs the shard nor loses a name."""
    monkeypatch.setattr(known_names, "MOST_SLOTS", known_names.FIRST_SLOTS)
    decoder = Counted()
    names = [str(number) for number in range(known_names.FIRST_SLOTS)]
    for _ in range(2):
        assert decoder.read(event(dict.fromkeys(names, 1.0))) == 1
        assert decoder.columns["acme"].batch.ids.tolist() == HASHER.hash_many(names).tolist()


def test_long_names_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with free slots but no room for text forgets as well."""
    monkeypatch.setattr(known_names, "MOST_SLOTS", known_names.FIRST_SLOTS)
    decoder = Counted()
    room = known_names.FIRST_SLOTS * known_names.ARENA_BYTES_A_SLOT // MAX_NAME_BYTES
    values = [event({str(n).rjust(MAX_NAME_BYTES, "-"): 1.0}) for n in range(room + 1)]
    assert decoder.read(*values[:-1]) == room
    assert decoder.read(*values[:-1]) == 0
    assert decoder.read(values[-1], values[-1], values[0]) == 2


def sip(key: tuple[int, int], data: bytes, rounds: int, last: int) -> int:
    """SipHash as its paper defines it."""
    ones = 2**64 - 1
    v0, v1, v2, v3 = (
        half ^ int.from_bytes(b"somepseudorandomlygeneratedbytes"[8 * n :][:8], "big")
        for n, half in enumerate((*key, *key))
    )

    def mix(times: int) -> None:
        nonlocal v0, v1, v2, v3
        for _ in range(times):
            v0, v2 = v0 + v1 & ones, v2 + v3 & ones
            v1, v3 = (v1 << 13 | v1 >> 51) & ones ^ v0, (v3 << 16 | v3 >> 48) & ones ^ v2
            v0 = (v0 << 32 | v0 >> 32) & ones
            v2, v0 = v2 + v1 & ones, v0 + v3 & ones
            v1, v3 = (v1 << 17 | v1 >> 47) & ones ^ v2, (v3 << 21 | v3 >> 43) & ones ^ v0
            v2 = (v2 << 32 | v2 >> 32) & ones

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v3 ^= word
        mix(rounds)
        v0 ^= word
    v2 ^= 0xFF
    mix(last)
    return v0 ^ v1 ^ v2 ^ v3


def test_the_tables_hash_is_siphash() -> None:
    """Without its secret key nobody can choose names that make lookups slow."""
    assert sip((0x0706050403020100, 0x0F0E0D0C0B0A0908), bytes(range(15)), 2, 4) == (
        0xA129CA6149BE45E5  # the example of the paper, for SipHash-2-4
    )
    key = (0x0123456789ABCDEF, 2**64 - 7)
    data = bytes(range(200, 256)) * 6
    blob = np.frombuffer(data, np.uint8)
    for length in (*range(34), 255, 256, 300):
        hashed = int(sip_hash(np.array(key, np.uint64), blob, 3, length))
        assert hashed == sip(key, data[3 : 3 + length], 1, 3), length
