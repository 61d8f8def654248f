import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.packed import pack_f64, pack_u64, unpack_f64, unpack_features, unpack_u64


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_ids_come_back(ids: list[int]) -> None:
    """Every id of 64 bits survives packing, from a list or an array."""
    assert unpack_u64(pack_u64(ids)).tolist() == ids
    assert pack_u64(np.array(ids, dtype=np.uint64)) == pack_u64(ids)


@given(st.lists(st.floats(width=64)))
def test_values_come_back_bit_by_bit(values: list[float]) -> None:
    """Every double survives packing: NaN, infinities and negative zero too."""
    packed = pack_f64(values)
    assert pack_f64(unpack_f64(packed)) == packed
    assert repr(unpack_f64(packed).tolist()) == repr(values)


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.floats(allow_nan=False))))
def test_features_stay_paired(features: list[tuple[int, float]]) -> None:
    """Ids and values come back in the same order."""
    ids, values = unpack_features(
        pack_u64([i for i, _ in features]), pack_f64([value for _, value in features])
    )
    assert list(zip(ids.tolist(), values.tolist(), strict=True)) == features
