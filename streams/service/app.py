"""The HTTP application: probes and metrics, the service API, the scanner."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Response, status
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from streams.service import problems
from streams.service.guard import Guard
from streams.service.limits import SizeLimit
from streams.service.measured import Measured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from streams.metrics import Metrics
    from streams.service.access import Access
    from streams.service.settings import Scope

HEALTH, READY, METRICS = "/healthz", "/readyz", "/metrics"

# Shows in the description how one signs in; the guard decides.
SIGN_IN = Depends(
    HTTPBearer(auto_error=False, description="a token of the settings; or a client certificate")
)
DENIALS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Part:
    """Some routes, and what they need.

    Args:
        router: the routes.
        needs: path → scope; None: nobody is asked.
        largest: path → bytes of a request, where they are not those of the application.
        close: called at the end.
    """

    def __init__(
        self,
        router: APIRouter,
        needs: Mapping[str, Scope | None],
        *,
        largest: Mapping[str, int] = MappingProxyType({}),
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.router = router
        self.needs = needs
        self.largest = largest
        self.close = close


def build_app(
    title: str,
    summary: str,
    parts: Sequence[Part],
    *,
    largest: int,
    access: Access | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """Return the application of some parts.

    Args:
        title: of its description.
        summary: the same.
        parts: what it has.
        largest: bytes of a request, at most.
        access: who may do what; None: everybody everything, to embed it behind a guard of its own.
        metrics: counts requests.
    """

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                if part.close is not None:
                    stack.push_async_callback(part.close)
            yield

    api = FastAPI(title=title, summary=summary, lifespan=life)
    problems.install(api)
    needs: dict[str, Scope | None] = {}
    sizes: dict[str, int] = {}
    for part in parts:
        api.include_router(part.router)
        needs |= part.needs
        sizes |= part.largest
    # The last one added is the first one to see a request.
    api.add_middleware(SizeLimit, largest=largest, paths=sizes)
    if access is not None:
        api.add_middleware(Guard, access=access, needs=needs)
    if metrics is not None:
        api.add_middleware(Measured, metrics=metrics, paths=frozenset(needs))
    return api


def probes(ready: Callable[[], bool]) -> Part:
    """Return /healthz and /readyz; they tell nothing and are open.

    Args:
        ready: tells whether every assigned shard is restored and serving.
    """
    router = APIRouter(tags=["probes"])

    @router.get(HEALTH, summary="The process answers", responses=_example({"status": "ok"}))
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        READY,
        summary="All assigned shards are restored and serving",
        responses=_example({"status": "ready"})
        | {503: {"content": {"application/json": {"example": {"status": "restoring"}}}}},
    )
    def readyz(response: Response) -> dict[str, str]:
        if ready():
            return {"status": "ready"}
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return {"status": "restoring"}

    return Part(router, {HEALTH: None, READY: None})


def measurements(registry: CollectorRegistry, *, is_open: bool) -> Part:
    """Return /metrics.

    Args:
        registry: what it shows.
        is_open: whether nobody is asked who they are.
    """
    router = APIRouter(tags=["probes"], dependencies=[] if is_open else [SIGN_IN])
    example = {"text/plain": {"example": 'weir_events_total{shard="0"} 31415.0\n'}}

    @router.get(METRICS, summary="Prometheus metrics", responses={200: {"content": example}})
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Part(router, {METRICS: None if is_open else "metrics"})


def _example(body: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": body}}}}
