from typing import Any

import numpy as np
import pytest

from schemas.errors import BadMessage
from schemas.packed import (
    pack_f64,
    pack_u64,
    unpack_f64,
    unpack_features,
    unpack_u64,
    unpack_vector,
)
from schemas.reasons import Reason


def test_bytes_are_little_endian_on_every_machine() -> None:
    """Producers in other languages can rely on the byte order."""
    ids = b"\x01" + bytes(7) + b"\xff" * 8
    assert pack_u64([1, 2**64 - 1]) == ids
    assert pack_u64(np.array([1, 2**64 - 1], dtype=">u8")) == ids
    assert pack_f64([1.0]) == bytes(6) + b"\xf0\x3f"
    assert pack_f64(np.array([1.0], dtype=">f8")) == bytes(6) + b"\xf0\x3f"


def test_nothing_packs_into_nothing() -> None:
    """An event without features has empty bytes."""
    assert pack_u64([]) == pack_f64([]) == b""
    assert unpack_u64(b"").size == 0


@pytest.mark.parametrize(
    "ids",
    [[-1], [1.5], ["a"], [2**64], [[1]], np.array([-1]), np.array([1.5]), np.array([[1]])],
)
def test_ids_that_are_no_ids_are_refused(ids: Any) -> None:
    """No id is wrapped, cut or rounded into another one."""
    with pytest.raises(BadMessage, match="integers from 0 to") as caught:
        pack_u64(ids)
    assert caught.value.reason == Reason.BAD_FIELD


@pytest.mark.parametrize("values", [["1.5"], [[1.0]], [None], [1j]])
def test_values_that_are_no_numbers_are_refused(values: Any) -> None:
    """No value is parsed or cut into a number."""
    with pytest.raises(BadMessage) as caught:
        pack_f64(values)
    assert caught.value.reason == Reason.BAD_FIELD


@pytest.mark.parametrize("unpack", [unpack_u64, unpack_f64])
def test_broken_length_is_refused(unpack: Any) -> None:
    """Packed numbers whose length is no multiple of eight are refused."""
    with pytest.raises(BadMessage, match="9 bytes") as caught:
        unpack(bytes(9))
    assert caught.value.reason == Reason.LENGTH_MISMATCH


def test_ids_and_values_must_pair_up() -> None:
    """An id without value, or a value without id, is refused."""
    with pytest.raises(BadMessage, match="feature_ids has 8 bytes and feature_values 16"):
        unpack_features(bytes(8), bytes(16))
    ids, values = unpack_features(pack_u64([7, 9]), pack_f64([0.5, np.nan]))
    assert ids.tolist() == [7, 9]
    assert values[0] == 0.5
    assert np.isnan(values[1])


def test_vector_of_another_dimension_is_refused_by_name() -> None:
    """A vector of the wrong dimension is refused with its field and both dimensions."""
    with pytest.raises(BadMessage, match="query has 2 numbers, the configuration says 3") as caught:
        unpack_vector(pack_f64([1, 2]), 3, "query")
    assert caught.value.reason == Reason.DIMENSION_MISMATCH
    assert unpack_vector(pack_f64([1, 2]), 2, "query").tolist() == [1.0, 2.0]


def test_unpacking_copies_nothing() -> None:
    """Unpacked arrays share the message's bytes, and cannot change them."""
    packed = pack_f64([1.0, 2.0])
    array = unpack_f64(packed)
    assert np.shares_memory(array, np.frombuffer(packed, dtype=np.uint8))
    assert not array.flags.writeable
