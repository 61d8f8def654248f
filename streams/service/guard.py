"""Asks every request who sends it, before anything else of it is read."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from streams.service.access import ANYONE, Access, Caller, is_loopback
from streams.service.paths import route_of
from streams.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from streams.service import settings

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="weir"'}


class Guard:
    """Lets those through that may do what a path needs.

    What a path needs stands in a table; a path that does not stand there needs a caller that is
    known, whoever it is. Without authentication a request must name this machine, so that no web
    page that a browser here has open can have its own name resolve to this server.

    Args:
        app: takes who may pass; the ``Caller`` is ``request.state.caller``.
        access: the callers.
        needs: path → scope; None: nobody is asked.
    """

    def __init__(
        self, app: ASGIApp, access: Access, needs: Mapping[str, settings.Scope | None]
    ) -> None:
        self._app = app
        self._access = access
        self._needs = needs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope.setdefault("state", {})["caller"] = self._admitted(scope)
        except Problem as problem:
            await problem.response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _admitted(self, scope: Scope) -> Caller:
        route = route_of(scope["path"], self._needs)
        if route is not None and self._needs[route] is None:
            return ANYONE
        connection = HTTPConnection(scope)
        if self._access.is_open:
            if not is_loopback(connection.url.hostname or ""):
                raise Problem(
                    HTTPStatus.FORBIDDEN,
                    "without authentication this server answers to localhost and 127.0.0.1 only",
                )
            return ANYONE
        caller = self._access.caller(
            connection.headers.get("authorization"), certificate_names(scope)
        )
        if caller is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "send a bearer token, or a client certificate, that this server knows",
                headers=CHALLENGE,
            )
        needed = self._needs[route] if route is not None else None
        if needed is not None and not caller.may(needed):
            raise Problem(
                HTTPStatus.FORBIDDEN, f"{caller.name} has not the scope {needed}, which this takes"
            )
        return caller


def certificate_names(scope: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in the certificate that a connection was made with."""
    found: tuple[str, ...] = scope.get("extensions", {}).get("tls", {}).get("client_names", ())
    return found
