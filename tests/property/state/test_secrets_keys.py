"""No two purposes share a key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from state.secrets import SECRET_NAMES, EnvSecrets, feature_key, hash_salt, prf_seed

# All secrets are the same here, so that only what is derived keeps the keys apart.
PROVIDER = EnvSecrets(
    {f"WEIR_SECRET_{name.upper().replace('-', '_')}_V1": "5a" * 32 for name in SECRET_NAMES}
)
PLACES = st.tuples(st.text(), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))


@given(st.sets(st.text(), min_size=2, max_size=10))
def test_tenants_have_keys_of_their_own(tenants: set[str]) -> None:
    """Tenants never share a key, however alike their names are."""
    keys = {feature_key(PROVIDER, tenant) for tenant in tenants}
    assert len(keys) == len(tenants)
    assert {len(key) for key in keys} == {32}


@given(st.sets(PLACES, min_size=2, max_size=10))
def test_cells_have_seeds_and_salts_of_their_own(places: set[tuple[str, int, int]]) -> None:
    """Tenants, shards and generations share no seed or salt, and keep theirs at every start."""
    seeds = [make(PROVIDER, *place).value for make in (prf_seed, hash_salt) for place in places]
    assert len(set(seeds)) == 2 * len(places)
    assert all(0 <= seed < 2**64 for seed in seeds)
    again = [make(PROVIDER, *place).value for make in (prf_seed, hash_salt) for place in places]
    assert again == seeds
