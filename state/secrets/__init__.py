"""Salts, signing keys and tenant keys: where they come from and what is made of them.

See docs/secrets.md for what exists, where it lies and how it rotates.
"""

from state.secrets.environment import EnvSecrets
from state.secrets.files import FileSecrets
from state.secrets.keys import (
    Seed,
    audit_signing_key,
    derive,
    feature_key,
    hash_salt,
    prf_seed,
)
from state.secrets.secret import (
    AUDIT_SIGNING,
    FEATURE_HASH,
    HASH_SALT,
    KEY_ENCRYPTION,
    PRF_SEED,
    SECRET_BYTES,
    SECRET_NAMES,
    Secret,
    SecretProvider,
)

__all__ = [
    "AUDIT_SIGNING",
    "FEATURE_HASH",
    "HASH_SALT",
    "KEY_ENCRYPTION",
    "PRF_SEED",
    "SECRET_BYTES",
    "SECRET_NAMES",
    "EnvSecrets",
    "FileSecrets",
    "Secret",
    "SecretProvider",
    "Seed",
    "audit_signing_key",
    "derive",
    "feature_key",
    "hash_salt",
    "prf_seed",
]
