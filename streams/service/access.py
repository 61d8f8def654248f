"""Who may do what: bearer tokens and client certificates.

A token is a secret of 32 bytes like all others (``state.secrets``): ``api-token-<name>``, with
versions. Every version that is there is taken, so that a token is rotated by adding the next one,
handing it out, and taking the old one away.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import ConfigError, SecretError
from state.secrets.secret import parse_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state.secrets import Secret, SecretProvider
    from streams.service.settings import HttpSettings, Scope

TOKEN_PREFIX = "api-token-"  # noqa: S105 - first part of the secrets' names
_SCHEME = "bearer "


class Caller(NamedTuple):
    """Who sent a request.

    Attributes:
        name: as the settings have it.
        scopes: what it may do.
        tenant: the only one it may touch; None: any.
        by_token: it showed a token, which another worker takes as well.
    """

    name: str
    scopes: frozenset[Scope]
    tenant: str | None
    by_token: bool

    def may(self, scope: Scope) -> bool:
        """Tell whether it may do something."""
        return scope in self.scopes or "worker" in self.scopes

    def may_touch(self, tenant: str) -> bool:
        """Tell whether a tenant is its own."""
        return self.tenant is None or self.tenant == tenant


ANYONE = Caller("anyone", frozenset({"worker"}), None, by_token=False)
"""Whoever reaches a server without authentication: programs of the same machine."""


def is_loopback(host: str) -> bool:
    """Tell whether only programs of this machine reach a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """The callers that are known.

    Args:
        tokens: versions of each caller's token.
        certificates: callers by the names in their certificates.
    """

    def __init__(
        self,
        tokens: Iterable[tuple[Secret, Caller]] = (),
        certificates: Iterable[tuple[str, Caller]] = (),
    ) -> None:
        self._tokens = tuple(tokens)
        self._certificates = dict(certificates)

    @classmethod
    def open(cls, http: HttpSettings, provider: SecretProvider) -> Access:
        """Read the tokens that the settings name.

        Raises:
            ConfigError: nobody would be asked who they are, on a server that others can reach.
            SecretError: a token is missing or malformed.
        """
        if http.service and not (http.tokens or http.certificates) and not is_loopback(http.host):
            raise ConfigError(
                f"http.host is {http.host}, which other machines can reach, and nobody would be "
                "asked who they are: set http.tokens, or http.client_ca_file and "
                "http.certificates (docs/service.md); or http.service = false for probes and "
                "metrics alone; or bind to 127.0.0.1"
            )
        return cls(
            (
                (secret, Caller(token.name, token.scopes, token.tenant, by_token=True))
                for token in http.tokens
                for secret in _versions(provider, TOKEN_PREFIX + token.name)
            ),
            (
                (one.subject, Caller(one.subject, one.scopes, one.tenant, by_token=False))
                for one in http.certificates
            ),
        )

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return not self._tokens and not self._certificates

    def caller(self, authorization: str | None, certificate: Iterable[str]) -> Caller | None:
        """Return who shows a token, or a certificate; None: nobody that is known.

        Args:
            authorization: the header; a token that is wrong is not made good by a certificate.
            certificate: the names in the certificate that the connection was made with.
        """
        if authorization is not None:
            return self._by_token(authorization)
        for name in certificate:
            if name in self._certificates:
                return self._certificates[name]
        return None

    def _by_token(self, authorization: str) -> Caller | None:
        scheme, shown = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :]
        value = parse_secret(shown) if scheme.lower() == _SCHEME else None
        found = None
        # All are compared, so that the time tells nothing of which one is nearly right.
        for secret, caller in self._tokens:
            if hmac.compare_digest(value or b"", secret.reveal()):
                found = caller
        return found


def _versions(provider: SecretProvider, name: str) -> list[Secret]:
    current = provider.get(name)
    secrets = [current]
    for version in range(current.version - 1, 0, -1):
        try:
            secrets.append(provider.get(name, version))
        except SecretError:
            continue  # put away: that is how a token ends
    return secrets
