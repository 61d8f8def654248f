"""Errors as problem details (RFC 9457): what happened, and what to do, never what was sent."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from schemas.errors import BadMessage
from streams.shard.questions import NotServing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request

MEDIA_TYPE = "application/problem+json"
RETRY_SOON = {"Retry-After": "1"}
_SHOWN_ERRORS = 8


class ProblemBody(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = Field(default="about:blank", description="the status says it all")
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="what is wrong, and what to do")
    reason: str | None = Field(default=None, description="reason code, as quarantine has them")


class Problem(Exception):  # noqa: N818 - the RFC's word
    """Ends a request.

    Args:
        status: of the answer.
        detail: what is wrong, and what to do; nothing of what was sent.
        reason: reason code of a message that cannot be used.
        headers: of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        reason: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.reason = reason
        self.headers = headers

    def response(self) -> JSONResponse:
        """Return the answer."""
        body = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.reason is not None:
            body["reason"] = self.reason
        return JSONResponse(body, self.status, self.headers, media_type=MEDIA_TYPE)


def busy(what: str) -> Problem:
    """Return the problem of a service that has all the requests it takes."""
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, f"{what}: try again", headers=RETRY_SOON)


def unavailable(detail: str) -> Problem:
    """Return the problem of a shard that nobody serves at the moment."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=RETRY_SOON)


def answers(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Describe problems for OpenAPI."""
    return {
        int(status): {
            "model": ProblemBody,
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        for status in statuses
    }


def install(api: FastAPI) -> None:
    """Let every error that a route may raise become a problem."""

    @api.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @api.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _said(error.errors())).response()

    @api.exception_handler(BadMessage)
    async def unusable(_: Request, error: BadMessage) -> JSONResponse:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return Problem(status, error.detail, reason=error.reason).response()

    @api.exception_handler(NotServing)
    async def moving(_: Request, error: NotServing) -> JSONResponse:
        return unavailable(str(error)).response()

    @api.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return Problem(
            HTTPStatus(error.status_code), error.detail, headers=error.headers
        ).response()

    @api.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> JSONResponse:
        return Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "a bug; the worker's log has more"
        ).response()


def _said(errors: Sequence[Any]) -> str:
    """Say what is wrong and where, without the value: it may be what must not be logged."""
    return "; ".join(
        f"{'.'.join(map(str, error['loc'][1:])) or 'body'}: {error['msg']}"
        for error in errors[:_SHOWN_ERRORS]
    )
