"""POST /scan and GET /warmup over HTTP."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from operators.dlp.fuse import Origin
from operators.dlp.policy import Decision
from streams.dlp.requests import EXAMPLE, MessageBody

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send
    from starlette.types import Message as Event

    from streams.dlp.live import LiveScanner

LARGEST = 8 << 20
"""Bytes of a request."""
_SHOWN_ERRORS = 8


class SpanBody(BaseModel):
    """A place, in code points of a field; never the text that stands there."""

    type: str
    start: int
    end: int
    field: str
    index: int
    confidence: float
    origin: Origin
    validated: bool
    rule: str


class MemoryBody(BaseModel):
    """For the next message of the thread."""

    vec: str = Field(description="256 little-endian float32 in base64")
    flags: dict[str, bool]


class SegmentsBody(BaseModel):
    """How many segments of 512 tokens the model read."""

    read: int
    all: int


class VerdictBody(BaseModel):
    """The answer."""

    scores: dict[str, float]
    spans: list[SpanBody]
    memory: MemoryBody
    decision: Decision
    rationale: list[str]
    early_exit: str | None
    segments: SegmentsBody
    model_version: str
    policy_version: str


class Fault(BaseModel):
    """Why a request was not answered."""

    detail: str


class SizeLimit:
    """Refuses bodies over a limit with 413, whether or not they say how long they are."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self._largest:
            await self._refuse(scope, receive, send)
            return
        events: list[Event] = []
        taken, more = 0, True
        while more:
            event = await receive()
            events.append(event)
            taken += len(event.get("body", b""))
            more = event.get("more_body", False)
            if taken > self._largest:
                await self._refuse(scope, receive, send)
                return
        events.reverse()

        async def replayed() -> Event:
            return events.pop() if events else await receive()

        await self._app(scope, replayed, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = JSONResponse(
            {"detail": f"the request has more than {self._largest} bytes: send parts of it"},
            status.HTTP_413_CONTENT_TOO_LARGE,
        )
        await answer(scope, receive, send)


def build_service(
    scanner: LiveScanner, *, workers: int = 1, waiting: int = 16, largest: int = LARGEST
) -> FastAPI:
    """The application.

    Args:
        scanner: scans.
        workers: messages that are scanned at a time, one core each.
        waiting: messages that may wait for a worker; one more is refused with 429.
        largest: bytes of a request, at most.
    """
    pool = ThreadPoolExecutor(workers, "scan")
    taken = 0

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        pool.shutdown()

    api = FastAPI(title="Weir DLP", summary="Scans messages for what must not leak", lifespan=life)
    api.add_middleware(SizeLimit, largest=largest)

    async def work(call: Any, *arguments: Any) -> Any:
        nonlocal taken
        if taken >= workers + waiting:
            raise HTTPException(
                status.HTTP_429_TOO_MANY_REQUESTS,
                f"{taken} messages are being scanned or wait: try again",
                {"Retry-After": "1"},
            )
        taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)
        finally:
            taken -= 1

    _routes(api, scanner, work)
    return api


def _routes(api: FastAPI, scanner: LiveScanner, work: Any) -> None:
    faults: dict[int | str, dict[str, Any]] = {
        413: {"model": Fault, "description": "The request is too large"},
        422: {"model": Fault, "description": "The request is no message"},
        429: {"model": Fault, "description": "Too many messages wait"},
    }

    @api.post("/scan", response_model=VerdictBody, responses=faults, summary="Scan a message")
    async def scan(
        message: Annotated[MessageBody, Body(openapi_examples={"refund": {"value": EXAMPLE}})],
    ) -> JSONResponse:
        verdict = await work(scanner.scan, message.message(), message.vector())
        return JSONResponse(verdict.to_json())

    @api.get("/warmup", summary="Load every graph and say what serves")
    async def warmup() -> dict[str, Any]:
        await work(scanner.scanner.warm)
        return {
            "status": "warm",
            "model_version": scanner.scanner.package.version,
            "policy_version": scanner.scanner.policy.version,
            "shadow": {"messages": scanner.shadowed, "disagreements": dict(scanner.disagreements)},
        }

    @api.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        """Say what is wrong and where, without the value: it may be what must not be logged."""
        return JSONResponse({"detail": _said(error.errors())}, 422)


def _said(errors: Sequence[Any]) -> str:
    return "; ".join(
        f"{'.'.join(map(str, error['loc'][1:])) or 'body'}: {error['msg']}"
        for error in errors[:_SHOWN_ERRORS]
    )
