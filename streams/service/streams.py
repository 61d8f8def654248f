"""``GET /streams/{stream_id}``: what there is to say of a stream of text right now."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from state.stream_keys import StreamKey
from streams.service.app import DENIALS, SIGN_IN, Part
from streams.service.forwarding import HOPS, Forwarder
from streams.service.limits import Places
from streams.service.problems import Problem, answers
from streams.shard.questions import NotServing
from streams.verdicts import confidence, span_record

if TYPE_CHECKING:
    from streams.hierarchy.engine import TokenEngine
    from streams.hierarchy.step import Said
    from streams.service.gateway import Gateway
    from streams.service.settings import HttpSettings

ROUTE: Final = "/streams/{stream_id}"
_RESPONSES: Final = answers(
    *DENIALS,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


class StreamSpan(BaseModel):
    """A place in the stream's text; never the text that stands there."""

    span_id: str
    type: str
    start: int
    end: int
    confidence: float
    origin: str
    validated: bool


class StreamAnswer(BaseModel):
    """What is found in a stream so far, and what would be done about it."""

    tenant: str
    stream_id: str
    decision: str
    confidence: float
    scores: dict[str, float]
    spans: list[StreamSpan]
    rationales: list[str]
    flags: dict[str, bool]
    position: int = Field(description="code points seen, those missing included")
    time_us: int = Field(description="time of the newest piece")
    verdicts: int = Field(description="partial verdicts given so far")
    gaps: int
    late: int
    repeated: int
    offset: int = Field(description="source offset that the shard's last transaction committed")


def stream_routes(gateway: Gateway, http: HttpSettings) -> Part:
    """Return the route.

    Args:
        gateway: to the shards of tokens.
        http: bounds, and certificates for other workers.
    """
    router = APIRouter(dependencies=[SIGN_IN])
    forwarder = Forwarder(http)
    places = Places(http.max_requests, "requests are being answered")

    @router.get(
        "/streams/{stream_id:path}",
        summary="Ask what is found in a stream so far",
        tags=["questions"],
        response_model=StreamAnswer,
        responses=_RESPONSES,
    )
    async def stream(
        request: Request,
        stream_id: str,
        tenant: Annotated[str, Query(description="that owns the stream")],
    ) -> Response:
        caller = request.state.caller
        if not caller.may_touch(tenant):
            raise Problem(HTTPStatus.FORBIDDEN, f"{caller.name} may touch its own tenant only")
        key = StreamKey(tenant, stream_id)
        with places.taken():
            shard = gateway.partition(stream_id)
            owner = gateway.owner(shard)
            if owner is not None:
                if HOPS in request.headers:
                    raise NotServing(f"shard {shard} of tokens has just moved: ask again")
                return await forwarder.send(request, caller, owner, http.timeout_s)
            try:
                async with asyncio.timeout(http.timeout_s):
                    found = await gateway.ask(
                        shard, lambda engine, _: _answer(cast("Any", engine), key)
                    )
            except TimeoutError as error:
                raise Problem(
                    HTTPStatus.GATEWAY_TIMEOUT,
                    f"no answer within {http.timeout_s:g} s: ask again",
                ) from error
        return JSONResponse(found.model_dump())

    return Part(router, {ROUTE: "read"}, close=forwarder.close)


def _answer(engine: TokenEngine, key: StreamKey) -> StreamAnswer:
    if engine.has_ended(key):
        raise Problem(
            HTTPStatus.GONE,
            "the stream has ended: its final verdict comes in the topic of verdicts",
        )
    said = engine.seen(key)
    if said is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no piece of such a stream has been read")
    return answer_of(key, said, engine.next_offset or 0)


def answer_of(key: StreamKey, said: Said, offset: int) -> StreamAnswer:
    """Return what there is to say of a stream as an answer."""
    found = said.found
    return StreamAnswer(
        tenant=key.tenant,
        stream_id=key.stream_id,
        decision=str(found.decision),
        confidence=confidence(found),
        scores=dict(found.scores),
        spans=[
            StreamSpan(**span_record(span, f"s{name}"))
            for span, name in zip(found.spans, said.names, strict=True)
        ],
        rationales=list(found.rationale),
        flags=dict(found.flags),
        position=said.position,
        time_us=said.time_us,
        verdicts=said.number,
        gaps=said.missing,
        late=said.late,
        repeated=said.repeated,
        offset=offset,
    )
