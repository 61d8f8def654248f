"""Secrets, as commands need them: made where missing, and the public keys to verify with."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from schemas.errors import SecretError
from state.audit.note import Signer, Verifier
from state.encryption.key_store import KeyStore
from state.encryption.places import open_place
from state.secrets import AUDIT_SIGNING, SECRET_NAMES, FileSecrets, audit_signing_key
from streams.keys import open_secrets
from streams.service.access import TOKEN_PREFIX

if TYPE_CHECKING:
    from streams.settings import Settings


def make_secrets(settings: Settings) -> None:
    """Make the secrets that are missing, where they are files, and the key store if there is none.

    Raises:
        SecretError: they cannot be written.
    """
    if settings.secrets.provider == "file":
        tokens = [TOKEN_PREFIX + token.name for token in settings.http.tokens]
        FileSecrets.initialise(settings.secrets_dir, [*SECRET_NAMES, *tokens])
    if settings.encryption.mode != "off" and settings.encryption.keys is not None:
        KeyStore.initialise(open_place(settings.encryption.keys))


def own_verifiers(settings: Settings) -> list[Verifier]:
    """Return the public keys of the audit signing secrets that are here, the current one first.

    Earlier versions signed earlier parts of the trail.

    Raises:
        SecretError: there is none.
    """
    provider = open_secrets(settings)
    name = quote(settings.application_id, safe="")
    current = provider.get(AUDIT_SIGNING).version
    keys = [Signer(name, audit_signing_key(provider, current)).verifier]
    for version in range(current - 1, 0, -1):
        try:
            key = audit_signing_key(provider, version)
        except SecretError:
            continue  # put away, as a rotated key may be
        keys.append(Signer(name, key).verifier)
    return keys
