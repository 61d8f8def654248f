import hashlib

import numpy as np
import pytest

from schemas import hashing
from schemas.errors import BadMessage, SecretError
from schemas.hashing import FeatureHasher

KEY = b"k" * 32


def test_id_is_keyed_blake2b() -> None:
    """Anyone with the key can compute the id of a name in any language."""
    digest = hashlib.blake2b("Größe".encode(), digest_size=8, key=KEY).digest()
    assert FeatureHasher(KEY).hash("Größe") == int.from_bytes(digest, "little")


def test_many_are_as_one_by_one() -> None:
    """Hashing many names gives their ids in order, repetitions included."""
    hasher = FeatureHasher(KEY)
    names = ["a", "b", "", "a"]
    ids = hasher.hash_many(names)
    assert ids.dtype == np.uint64
    assert ids.tolist() == [hasher.hash(name) for name in names]
    assert hasher.hash_many(iter(())).size == 0


def test_another_key_gives_other_ids() -> None:
    """Tenants with their own keys share no ids."""
    assert FeatureHasher(KEY).hash("a") != FeatureHasher(b"other").hash("a")


def test_memory_stays_bounded_and_ids_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of ever new names does not grow memory, and no id changes when names are dropped."""
    monkeypatch.setattr(hashing, "_CACHED_NAMES", 8)
    hasher = FeatureHasher(KEY)
    before = hasher.hash_many(map(str, range(100)))
    assert len(hasher._digests) <= 8  # noqa: SLF001 - the bound itself is what is tested
    assert hasher.hash_many(map(str, range(100))).tolist() == before.tolist()


@pytest.mark.parametrize("key", [b"", b"k" * 65])
def test_unusable_key_is_refused(key: bytes) -> None:
    """A missing or overlong key is refused; the message does not show it."""
    with pytest.raises(SecretError, match=f"not {len(key)};") as caught:
        FeatureHasher(key)
    assert "kkk" not in str(caught.value)


def test_key_is_not_shown() -> None:
    """The key does not get into logs through a repr."""
    assert "k" * 8 not in repr(FeatureHasher(KEY))


def test_lone_surrogates_are_no_name() -> None:
    """A name that no UTF-8 can carry is the message's fault, not a crash."""
    with pytest.raises(BadMessage, match="surrogates"):
        FeatureHasher(KEY).hash("a\ud800")


def test_no_name_hashes_to_an_id_that_the_learners_keep_for_themselves() -> None:
    """One name in 65,536 would, and every event that has it would be refused."""
    hasher = FeatureHasher(b"key")
    names = [f"feature-{number}" for number in range(300_000)]
    ids = hasher.hash_many(names)
    assert (ids >> np.uint64(48)).max() < 0xFFFF
    raw = [hashlib.blake2b(name.encode(), digest_size=8, key=b"key").digest() for name in names]
    touched = [i for i, digest in enumerate(raw) if digest.endswith(b"\xff\xff")]
    assert touched
    assert all(int(ids[i]) == int.from_bytes(raw[i], "little") & ~(1 << 63) for i in touched)


def test_secrets_are_told_apart_by_purpose_and_key() -> None:
    """What else is keyed from the hasher gives away no id, not even of a name like the purpose."""
    hasher = FeatureHasher(KEY)
    secrets = [hasher.secret(b"a"), hasher.secret(b"b"), FeatureHasher(b"other").secret(b"a")]
    assert len({*secrets, hasher.hash("a"), hasher.hash("ÿa")}) == 5
    assert FeatureHasher(KEY).secret(b"a") == secrets[0]
