"""The secrets of the cells: feature hashers, seeds, and the audit signer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import quote

from operators.seeds import Seeds
from schemas.hashing import FeatureHasher
from state.audit.note import Signer
from state.encryption.key_store import KeyStore
from state.encryption.places import open_place
from state.secrets import (
    FEATURE_HASH,
    HASH_SALT,
    PRF_SEED,
    EnvSecrets,
    FileSecrets,
    SecretProvider,
    audit_signing_key,
    feature_key,
    hash_salt,
    prf_seed,
)

if TYPE_CHECKING:
    from streams.settings import Settings

FIRST_GENERATION = 0


class KeyVersions(NamedTuple):
    """Versions of the secrets that a cell began with; part of its state, as the secrets are not."""

    prf: int
    hash: int
    feature: int


def open_secrets(settings: Settings) -> SecretProvider:
    """Return the secret provider that the settings name.

    Raises:
        SecretError: its folder is missing or may be read by others.
    """
    if settings.secrets.provider == "environment":
        return EnvSecrets()
    return FileSecrets(settings.secrets_dir)


def open_data_keys(settings: Settings, provider: SecretProvider) -> KeyStore | None:
    """Return the store of the tenants' data keys; None where encryption is off.

    Raises:
        SecretError: it is no key store, or does not answer.
        ConfigError: the settings name no such kind of store.
    """
    if settings.encryption.mode == "off":
        return None
    assert settings.encryption.keys is not None
    return KeyStore(open_place(settings.encryption.keys), provider)


class CellKeys:
    """Keys by tenant and shard, derived from the provider's secrets.

    Args:
        provider: where the secrets come from.
        application_id: name under which audit checkpoints are signed.
        data_keys: the keys that state is encrypted with; None: it is not.
        accept_clear: read state that is not encrypted all the same.

    Attributes:
        data_keys: as given.
        accept_clear: as given.

    Raises:
        SecretError: a secret is missing, malformed or may not be read.
    """

    def __init__(
        self,
        provider: SecretProvider,
        application_id: str,
        data_keys: KeyStore | None = None,
        *,
        accept_clear: bool = False,
    ) -> None:
        self._provider = provider
        self.data_keys = data_keys
        self.accept_clear = accept_clear
        self.current = KeyVersions(
            prf=provider.get(PRF_SEED).version,
            hash=provider.get(HASH_SALT).version,
            feature=provider.get(FEATURE_HASH).version,
        )
        self.signer = Signer(quote(application_id, safe=""), audit_signing_key(provider))

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the provider that the settings name.

        Raises:
            SecretError: see above.
        """
        provider = open_secrets(settings)
        return cls(
            provider,
            settings.application_id,
            open_data_keys(settings, provider),
            accept_clear=settings.encryption.mode == "migrate",
        )

    def feature_hasher(self, tenant: str, versions: KeyVersions) -> FeatureHasher:
        """Return the hasher of the tenant's feature names."""
        return FeatureHasher(feature_key(self._provider, tenant, versions.feature))

    def seeds(self, tenant: str, shard: int, versions: KeyVersions) -> Seeds:
        """Return the cell's seeds and their versions."""
        prf = prf_seed(self._provider, tenant, shard, FIRST_GENERATION, versions.prf)
        salt = hash_salt(self._provider, tenant, shard, FIRST_GENERATION, versions.hash)
        return Seeds(
            prf=prf.value,
            prf_version=prf.version,
            hash_salt=salt.value,
            hash_version=salt.version,
        )
