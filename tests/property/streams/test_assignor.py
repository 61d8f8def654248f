"""Shards are shared out evenly, stay where they can, and move to where a copy is."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.assignor import Share, share_out

SHARDS = st.integers(1, 24)
REPLICAS = st.integers(0, 3)
CLAIMS = st.dictionaries(
    st.sampled_from("abcdefg"),
    st.builds(
        Share,
        st.frozensets(st.integers(0, 30), max_size=12),
        st.frozensets(st.integers(0, 30), max_size=12),
    ),
    min_size=1,
)


def grown(workers: int, shards: int, replicas: int) -> dict[str, Share]:
    """Return the shares after so many workers have joined one after the other."""
    shares: dict[str, Share] = {}
    for number in range(workers):
        shares = share_out({**shares, f"w{number}": Share()}, shards, replicas)
    return shares


@given(CLAIMS, SHARDS, REPLICAS)
def test_whatever_is_claimed_every_shard_has_one_owner_and_its_standbys(
    had: dict[str, Share], shards: int, replicas: int
) -> None:
    """Zombies, strangers and shards that do not exist change nothing about it."""
    shares = share_out(had, shards, replicas)
    assert shares.keys() == had.keys()
    owned = [shard for share in shares.values() for shard in share.shards]
    assert sorted(owned) == list(range(shards))
    counts = [len(share.shards) for share in shares.values()]
    assert max(counts) - min(counts) <= 1
    kept = Counter(shard for share in shares.values() for shard in share.standbys)
    wanted = min(replicas, len(had) - 1)
    assert kept == Counter({shard: wanted for shard in range(shards) if wanted})
    for share in shares.values():
        assert not share.shards & share.standbys


@given(st.integers(1, 7), SHARDS, REPLICAS)
def test_a_rebalance_without_a_reason_moves_nothing(
    workers: int, shards: int, replicas: int
) -> None:
    """Who was given a share keeps it for as long as nobody comes or goes."""
    shares = grown(workers, shards, replicas)
    assert share_out(shares, shards, replicas) == shares


@given(st.integers(2, 7), SHARDS, REPLICAS, st.data())
def test_a_worker_that_goes_moves_its_own_shards_only(
    workers: int, shards: int, replicas: int, data: st.DataObject
) -> None:
    """The others keep theirs; with one standby each, and room, the standbys take over."""
    shares = grown(workers, shards, replicas)
    gone = data.draw(st.sampled_from(sorted(shares)))
    left = {worker: share for worker, share in shares.items() if worker != gone}
    after = share_out(left, shards, replicas)
    for worker, share in left.items():
        assert share.shards <= after[worker].shards


@given(st.integers(1, 6), SHARDS, REPLICAS)
def test_a_worker_that_comes_takes_its_part_and_nothing_moves_besides(
    workers: int, shards: int, replicas: int
) -> None:
    """A shard moves to the newcomer or not at all."""
    before = grown(workers, shards, replicas)
    after = share_out({**before, "new": Share()}, shards, replicas)
    for worker, share in before.items():
        assert after[worker].shards <= share.shards
    assert len(after["new"].shards) == shards // (workers + 1)


def test_a_fifth_worker_is_not_left_idle() -> None:
    """What Faust's rule does not manage: 16 shards, five workers, one standby each."""
    counts = sorted(len(share.shards) for share in grown(5, 16, 1).values())
    assert counts == [3, 3, 3, 3, 4]


def test_a_dead_workers_shards_go_to_their_standbys() -> None:
    """Three workers of six shards: each shard of the one that dies is warm where it goes."""
    shares = grown(3, 6, 1)
    dead = shares.pop("w1")
    after = share_out(shares, 6, 1)
    warm = sum(
        shard in shares[worker].standbys
        for worker, share in after.items()
        for shard in share.shards & dead.shards
    )
    assert warm == len(dead.shards)


def test_of_two_that_claim_a_shard_the_one_that_claims_more_keeps_it() -> None:
    """A worker that slept through a takeover comes back with old claims."""
    slept = Share(frozenset({0, 1}), frozenset())
    took_over = Share(frozenset({0, 1, 2, 3}), frozenset())
    after = share_out({"a": slept, "b": took_over}, 4, 0)
    assert after["b"].shards <= took_over.shards
    assert len(after["a"].shards) == 2
