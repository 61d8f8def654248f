"""Tells the application with which certificate a connection was made; uvicorn does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography import x509
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp, Receive, Scope, Send


class PeerProtocol(H11Protocol):
    """HTTP/1.1, with the names of the client's certificate in the scope of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the names once a connection: the handshake is done, and the certificate checked."""
        super().connection_made(transport)
        session = transport.get_extra_info("ssl_object")
        certificate = session.getpeercert(binary_form=True) if session is not None else None
        if certificate is not None:
            self.app = _Named(self.app, names_in(certificate))


class _Named:
    """An application that is told who its peer is."""

    def __init__(self, app: Any, names: tuple[str, ...]) -> None:
        self._app: ASGIApp = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tls = {"client_cert_name": self._names[0], "client_names": self._names}
        scope.setdefault("extensions", {})["tls"] = tls
        await self._app(scope, receive, send)


def names_in(der: bytes) -> tuple[str, ...]:
    """Return the subject of a certificate as RFC 4514 writes it, then its DNS names and URIs."""
    certificate = x509.load_der_x509_certificate(der)
    names = [certificate.subject.rfc4514_string()]
    try:
        other = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return tuple(names)
    names += other.get_values_for_type(x509.DNSName)
    names += other.get_values_for_type(x509.UniformResourceIdentifier)
    return tuple(names)
