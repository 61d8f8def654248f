r"""Hides names that stand in keys of records: what a name is, only who has the data key can tell.

    name    BLAKE2b-128 of the name, keyed with HKDF-SHA256(data key, "weir/hidden-names/v1\0" …)

The rest of what is derived from is as for sealed values (``state.encryption.sealing``). The same
name gives the same hash for as long as a record of it may be looked for, so the version of the data
key is chosen once for a tenant and kept with its state; versions stay until the tenant is erased.
Two of a tenant's n names have one hash with a chance of n² / 2^129.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from state.encryption.sealing import derived

if TYPE_CHECKING:
    from state.encryption.sealing import SealPlace
    from state.secrets import Secret

NAME_BYTES: Final = 16
_LABEL: Final = b"weir/hidden-names/v1\0"


class Names:
    """Hashes of names of one tenant in one shard.

    Args:
        key: the tenant's data key.
        tenant: whose names.
        place: where they are used.

    Attributes:
        version: of the data key.
    """

    __slots__ = ("_key", "version")

    def __init__(self, key: Secret, tenant: str, place: SealPlace) -> None:
        self.version = key.version
        self._key = derived(key, tenant, place, _LABEL)

    def hidden(self, name: bytes) -> bytes:
        """Return what stands for a name."""
        return hashlib.blake2b(name, digest_size=NAME_BYTES, key=self._key).digest()
