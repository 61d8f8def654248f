"""The routes of the service API."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Body, Query, Request, Response

from streams.service import queries
from streams.service.answers import Ack, FuseAnswer, HlmAnswer, SeraAnswer
from streams.service.app import DENIALS, SIGN_IN, Part
from streams.service.bodies import (
    AuditorAppend,
    FusePredict,
    HlmPredict,
    HlmUpdate,
    SeraIngest,
    SeraQuery,
)
from streams.service.examples import ANSWERS, REQUESTS
from streams.service.problems import answers

if TYPE_CHECKING:
    from pydantic import BaseModel

    from streams.service.service import Service
    from streams.service.settings import HttpSettings, Scope

DEFAULT_MS: Final = 5_000
READS: Final = ("/Sera.Query", "/Hlm.Predict", "/Fuse.Predict")
WRITES: Final = ("/Sera.Ingest", "/Hlm.Update", "/Auditor.Append")

_ALWAYS: Final = (
    *DENIALS,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


Timeout = Annotated[
    int, Query(ge=1, description="milliseconds that the answer may take; http.timeout_s at most")
]
Wait = Annotated[bool, Query(description="answer once the event has been stepped and committed")]


def _example(path: str) -> Any:
    return Body(openapi_examples={"example": {"value": REQUESTS[path]}})


SeraIngestBody = Annotated[SeraIngest, _example("/Sera.Ingest")]
SeraQueryBody = Annotated[SeraQuery, _example("/Sera.Query")]
HlmUpdateBody = Annotated[HlmUpdate, _example("/Hlm.Update")]
HlmPredictBody = Annotated[HlmPredict, _example("/Hlm.Predict")]
FusePredictBody = Annotated[FusePredict, _example("/Fuse.Predict")]
AuditorAppendBody = Annotated[AuditorAppend, _example("/Auditor.Append")]


def service_api(service: Service, http: HttpSettings) -> Part:
    """Return the routes of the seed's section 14.

    Args:
        service: answers.
        http: bounds.
    """
    router = APIRouter(dependencies=[SIGN_IN])
    _add_reads(router, service, http.timeout_s)
    _add_writes(router, service, http.timeout_s)
    needs: dict[str, Scope | None] = {
        **dict.fromkeys(READS, "read"),
        **dict.fromkeys(WRITES, "write"),
    }
    return Part(router, needs, close=service.close)


def _add_reads(router: APIRouter, service: Service, longest_s: float) -> None:
    @router.post("/Sera.Query", **_read("/Sera.Query", SeraAnswer, "Read the attention out"))
    async def sera_query(
        request: Request, body: SeraQueryBody, timeout_ms: Timeout = DEFAULT_MS
    ) -> Response:
        seconds = _seconds(timeout_ms, longest_s)
        return await service.answer(request, body, queries.sera_query, seconds)

    @router.post("/Hlm.Predict", **_read("/Hlm.Predict", HlmAnswer, "Ask the linear model"))
    async def hlm_predict(
        request: Request, body: HlmPredictBody, timeout_ms: Timeout = DEFAULT_MS
    ) -> Response:
        seconds = _seconds(timeout_ms, longest_s)
        return await service.answer(request, body, queries.hlm_predict, seconds)

    @router.post(
        "/Fuse.Predict",
        **_read("/Fuse.Predict", FuseAnswer, "Predict what the next such event would be"),
    )
    async def fuse_predict(
        request: Request, body: FusePredictBody, timeout_ms: Timeout = DEFAULT_MS
    ) -> Response:
        seconds = _seconds(timeout_ms, longest_s)
        return await service.answer(request, body, queries.fuse_predict, seconds)


def _add_writes(router: APIRouter, service: Service, longest_s: float) -> None:
    @router.post("/Sera.Ingest", **_write("/Sera.Ingest", "Let the attention learn a pair"))
    async def sera_ingest(
        request: Request,
        body: SeraIngestBody,
        wait: Wait = False,
        timeout_ms: Timeout = DEFAULT_MS,
    ) -> Response:
        return await service.update(request, body, _seconds(timeout_ms, longest_s), wait=wait)

    @router.post("/Hlm.Update", **_write("/Hlm.Update", "Let the cell learn a labelled event"))
    async def hlm_update(
        request: Request, body: HlmUpdateBody, wait: Wait = False, timeout_ms: Timeout = DEFAULT_MS
    ) -> Response:
        return await service.update(request, body, _seconds(timeout_ms, longest_s), wait=wait)

    @router.post(
        "/Auditor.Append", **_write("/Auditor.Append", "Put an entry into the audit trail")
    )
    async def auditor_append(
        request: Request,
        body: AuditorAppendBody,
        wait: Wait = False,
        timeout_ms: Timeout = DEFAULT_MS,
    ) -> Response:
        return await service.update(request, body, _seconds(timeout_ms, longest_s), wait=wait)


def _seconds(timeout_ms: int, longest_s: float) -> float:
    return min(timeout_ms / 1_000, longest_s)


def _read(path: str, answer: type[BaseModel], summary: str) -> dict[str, Any]:
    """Describe a question."""
    content = {"application/json": {"example": ANSWERS[path]}}
    return {
        "summary": summary,
        "tags": ["questions"],
        "response_model": answer,
        "responses": answers(*_ALWAYS, HTTPStatus.NOT_FOUND) | {200: {"content": content}},
    }


def _write(path: str, summary: str) -> dict[str, Any]:
    """Describe an update."""
    done = {"application/json": {"example": ANSWERS[path]}}
    sent = {
        "application/json": {"example": Ack(**{n: ANSWERS[path][n] for n in _PLACE}).model_dump()}
    }
    return {
        "summary": summary,
        "tags": ["updates"],
        "status_code": int(HTTPStatus.ACCEPTED),
        "response_model": Ack,
        "responses": answers(*_ALWAYS, HTTPStatus.NOT_IMPLEMENTED)
        | {
            200: {"model": Ack, "description": "Stepped and committed (`wait`)", "content": done},
            202: {"description": "In the log, on all in-sync replicas", "content": sent},
        },
    }


_PLACE: Final = ("topic", "partition", "offset", "event_id")
