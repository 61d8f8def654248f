"""Handing a request on to the worker that owns its shard: once, never further."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from starlette.responses import Response

from schemas.errors import ConfigError
from streams.service.problems import Problem, unavailable

if TYPE_CHECKING:
    from fastapi import Request

    from streams.service.access import Caller
    from streams.service.settings import HttpSettings

HOPS = "Weir-Hops"
"""Header of a request that was handed on."""

GRACE_S = 0.5
"""Longer than the other worker takes: its own answer says more than that there was none."""

_PASSED_BACK = ("content-type", "retry-after")
_PASSED_ON = ("content-type", "authorization")
_DENIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Forwarder:
    """Sends requests to other workers.

    A caller's token travels with its request, so the owner of the shard checks it too. A caller
    that showed a certificate was checked here; this worker shows its own, which the others must
    know by the scope ``worker``.

    Args:
        http: certificates, and who signed those of the others.

    Raises:
        ConfigError: a certificate cannot be used.
    """

    def __init__(self, http: HttpSettings) -> None:
        self._client = httpx.AsyncClient(
            verify=_context(http),
            trust_env=False,  # no proxy of the environment is to see a token
            follow_redirects=False,
            limits=httpx.Limits(max_connections=http.max_requests),
        )

    async def send(self, request: Request, caller: Caller, url: str, seconds: float) -> Response:
        """Send a request on, and its answer back.

        Args:
            request: whose body has been read.
            caller: who sent it.
            url: of the worker.
            seconds: how long it may take over its answer.

        Raises:
            Problem: 502: the worker does not know this one. 503: it cannot be reached. 504: it did
                not answer in time.
        """
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        # As it came: a name in it that holds a % or ? would be another one, decoded once more.
        target = url + request.scope["raw_path"].decode("ascii")
        if request.url.query:
            target += f"?{request.url.query}"
        try:
            answer = await self._client.request(
                request.method,
                target,
                content=await request.body(),
                headers={**headers, HOPS: "1"},
                timeout=seconds + GRACE_S,
            )
        except httpx.ReadTimeout as error:
            raise Problem(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"the worker that owns the shard did not answer within {seconds:g} s. An event may "
                "have arrived: send it again under the same event_id",
            ) from error
        except httpx.HTTPError as error:
            raise unavailable(
                f"the worker that owns the shard does not answer ({type(error).__name__}): ask "
                "again"
            ) from error
        if answer.status_code in _DENIED and not caller.by_token:
            raise Problem(
                HTTPStatus.BAD_GATEWAY,
                "the worker that owns the shard does not know the certificate of the one that was "
                "asked: name it in http.certificates with the scope worker",
            )
        kept = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        return Response(answer.content, answer.status_code, kept)

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()


def _context(http: HttpSettings) -> ssl.SSLContext:
    try:
        authorities = str(http.client_ca_file) if http.client_ca_file is not None else None
        context = ssl.create_default_context(cafile=authorities)
        if http.certificate_file is not None and http.key_file is not None:
            context.load_cert_chain(http.certificate_file, http.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"TLS files of http cannot be used: {error}") from error
    return context
