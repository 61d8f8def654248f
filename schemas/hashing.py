"""Feature names to 64-bit ids, under a key.

A keyed hash keeps an outsider from choosing names that collide and from finding names by hashing
guesses (seed section 9.1). BLAKE2b (RFC 7693) with an 8-byte digest, read little-endian. Ids whose
upper 16 bits are all set are the learners' own: where a name would hash to one, its top bit is
cleared.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from schemas.errors import BadMessage, SecretError
from schemas.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

_DIGEST_BYTES: Final = 8
_RESERVED_END: Final = b"\xff\xff"
_CLEARED_END: Final = b"\x7f"
# The features of a stream are few and hot, and a stream of ever new names (ids used as names) must
# not grow memory: 2^16 names of some 20 characters take about 12 MB.
_CACHED_NAMES: Final = 1 << 16


class FeatureHasher:
    """Hashes names under one key. One a tenant; not for use by several threads at once.

    Args:
        key: 1 to 64 secret bytes, derived by the caller from the tenant's secret.

    Raises:
        SecretError: the key is empty or longer than BLAKE2b takes.
    """

    def __init__(self, key: bytes) -> None:
        if not 1 <= len(key) <= blake2b.MAX_KEY_SIZE:
            raise SecretError(
                f"a feature hash key has 1 to {blake2b.MAX_KEY_SIZE} bytes, not {len(key)}; "
                "derive one from the tenant's secret"
            )
        self._digests = _Digests(key)

    def __repr__(self) -> str:
        return "FeatureHasher(key=...)"

    def hash(self, name: str) -> int:
        """Return the id of a name: an unsigned 64-bit integer.

        Raises:
            BadMessage: ``BAD_FIELD``: the name has lone surrogates, which UTF-8 cannot carry.
        """
        return int.from_bytes(self._digests[name], "little")

    def hash_many(self, names: Iterable[str]) -> npt.NDArray[np.uint64]:
        """Return the ids of names in their order, as a read-only array.

        Raises:
            BadMessage: as ``hash``.
        """
        return np.frombuffer(b"".join(map(self._digests.__getitem__, names)), dtype="<u8")

    def secret(self, purpose: bytes) -> int:
        """Return an unsigned 64-bit secret for a purpose, which the ids of names do not tell."""
        return int.from_bytes(self._digests.of_no_name(purpose), "little")


class _Digests(dict[str, bytes]):
    """Digest by name, computed on first use; forgets everything when full, for the least cost."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._keyed = blake2b(digest_size=_DIGEST_BYTES, key=key)

    def of_no_name(self, text: bytes) -> bytes:
        """Return the digest of bytes behind one that no UTF-8 has."""
        state = self._keyed.copy()
        state.update(b"\xff" + text)
        return state.digest()

    def __missing__(self, name: str) -> bytes:
        state = self._keyed.copy()
        try:
            state.update(name.encode())
        except UnicodeEncodeError as error:
            raise BadMessage(
                Reason.BAD_FIELD, f"feature name {name!a} has lone surrogates, which are no text"
            ) from error
        if len(self) >= _CACHED_NAMES:
            self.clear()
        digest = state.digest()
        if digest.endswith(_RESERVED_END):
            digest = digest[:-1] + _CLEARED_END
        self[name] = digest
        return digest
