"""POST /scan and GET /warmup over HTTP."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from operators.dlp.fuse import Origin
from operators.dlp.policy import Decision
from streams.dlp.requests import EXAMPLE, MessageBody
from streams.service.app import DENIALS, SIGN_IN, Part, build_app, probes
from streams.service.limits import Places
from streams.service.problems import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from streams.dlp.live import LiveScanner
    from streams.service.access import Access

T = TypeVar("T")

LARGEST = 8 << 20
"""Bytes of a request."""

WARM: Final = {
    "status": "warm",
    "model_version": "1.0.0",
    "policy_version": "2024-06",
    "shadow": {"messages": 0, "disagreements": {}},
}
"""What /warmup says, for the API's description."""


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


def scan_routes(
    load: Callable[[], LiveScanner],
    *,
    workers: int = 1,
    waiting: int = 16,
    largest: int = LARGEST,
) -> Part:
    """Return POST /scan and GET /warmup.

    Args:
        load: gives the scanner; called once, by the first request, where scans run.
        workers: messages that are scanned at a time, one core each.
        waiting: messages that may wait for a worker; one more is refused with 429.
        largest: bytes of a request, at most.
    """
    pool = ThreadPoolExecutor(workers, "scan")
    places = Places(workers + waiting, "messages are being scanned or wait")
    scanner = _Once(load)

    async def work(call: Callable[[LiveScanner], T]) -> T:
        with places.taken():
            return await asyncio.get_running_loop().run_in_executor(
                pool, lambda: call(scanner.get())
            )

    async def close() -> None:
        pool.shutdown(wait=False, cancel_futures=True)

    router = APIRouter(tags=["scanner"], dependencies=[SIGN_IN])
    _add_routes(router, work)
    return Part(
        router, {"/scan": "scan", "/warmup": "scan"}, largest={"/scan": largest}, close=close
    )


class _Once:
    """Loads something when it is first wanted, once, whichever thread wants it."""

    def __init__(self, load: Callable[[], LiveScanner]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._scanner: LiveScanner | None = None

    def get(self) -> LiveScanner:
        with self._lock:
            if self._scanner is None:
                self._scanner = self._load()
            return self._scanner


def build_service(
    load: Callable[[], LiveScanner],
    *,
    workers: int = 1,
    waiting: int = 16,
    largest: int = LARGEST,
    access: Access | None = None,
) -> FastAPI:
    """Return the application that scans and does nothing else; arguments as for ``scan_routes``."""
    parts = [
        probes(lambda: True),
        scan_routes(load, workers=workers, waiting=waiting, largest=largest),
    ]
    summary = "Scans messages for what must not leak"
    return build_app("Weir DLP", summary, parts, largest=largest, access=access)


def _add_routes(router: APIRouter, work: Any) -> None:
    faults = answers(
        *DENIALS,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
    )

    @router.post("/scan", response_model=VerdictBody, responses=faults, summary="Scan a message")
    async def scan(
        message: Annotated[MessageBody, Body(openapi_examples={"refund": {"value": EXAMPLE}})],
    ) -> JSONResponse:
        verdict = await work(lambda scanner: scanner.scan(message.message(), message.vector()))
        return JSONResponse(verdict.to_json())

    @router.get(
        "/warmup",
        summary="Load every graph and say what serves",
        responses=answers(*DENIALS, HTTPStatus.TOO_MANY_REQUESTS)
        | {200: {"content": {"application/json": {"example": WARM}}}},
    )
    async def warmup() -> dict[str, Any]:
        live: LiveScanner = await work(_warmed)
        return {
            "status": "warm",
            "model_version": live.scanner.package.version,
            "policy_version": live.scanner.policy.version,
            "shadow": {"messages": live.shadowed, "disagreements": dict(live.disagreements)},
        }


def _warmed(live: LiveScanner) -> LiveScanner:
    live.scanner.warm()
    return live
