"""The service API: questions are answered from memory, updates go through the log.

Seed section 14. A question goes to the worker that owns the shard of its id, and so does an update
whose commit is waited for; other updates are sent to Kafka by whichever worker is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.responses import JSONResponse, Response

from schemas.codec import Codec
from schemas.errors import BadMessage
from schemas.reasons import Reason
from state.audit.leaf import STEPS
from streams.kafka.topics import SOURCE_ROLE
from streams.messages import codec_of
from streams.replay.compare import read_audit, read_prediction
from streams.service.answers import Ack, Prediction
from streams.service.bodies import HlmUpdate, SeraIngest
from streams.service.forwarding import HOPS
from streams.service.limits import Places
from streams.service.problems import Problem
from streams.service.queries import UnknownCell
from streams.shard.questions import NotServing

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request
    from pydantic import BaseModel

    from streams.service.access import Caller
    from streams.service.bodies import AuditorAppend, FusePredict, HlmPredict, SeraQuery
    from streams.service.commits import Awaited, Committed, CommitWatch
    from streams.service.forwarding import Forwarder
    from streams.service.gateway import Gateway
    from streams.service.queries import Place
    from streams.service.updates import Sent, UpdateProducer
    from streams.settings import Settings
    from streams.shard.engine import Engine

    Update = SeraIngest | HlmUpdate | AuditorAppend

Body = TypeVar("Body", "SeraQuery", "HlmPredict", "FusePredict")

_MICROSECOND: Final = 1_000_000


class Service:
    """Answers questions and takes updates, here or by the worker that can.

    Args:
        settings: of the worker.
        gateway: to the shards.
        watch: sees what they commit.
        producer: sends events.
        forwarder: reaches other workers.
        clock: microseconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        gateway: Gateway,
        watch: CommitWatch,
        producer: UpdateProducer,
        forwarder: Forwarder,
        clock: Callable[[], int] = lambda: int(time.time() * _MICROSECOND),
    ) -> None:
        self._learner = settings.learner
        self._mapping = settings.mapping
        self._topic = settings.topics.name(SOURCE_ROLE)
        self._gateway = gateway
        self._watch = watch
        self._producer = producer
        self._forwarder = forwarder
        self._clock = clock
        self._encode = codec_of(settings, "event", SOURCE_ROLE).encode
        self._plain = Codec("event")
        self._places = Places(settings.http.max_requests, "requests are being answered")

    async def close(self) -> None:
        """Release connections."""
        await self._forwarder.close()
        await asyncio.get_running_loop().run_in_executor(None, self._producer.close)

    # -- questions --------------------------------------------------------------------------------

    async def answer(
        self,
        request: Request,
        body: Body,
        question: Callable[[Engine, Place, Body], BaseModel],
        seconds: float,
    ) -> Response:
        """Answer a question from what the shard of its id has committed.

        Args:
            request: for its caller, and to be handed on.
            body: of the request.
            question: gives the answer.
            seconds: how long it may take.

        Raises:
            Problem: 403: another tenant's. 404: the tenant has no cell there. 429: too many
                requests. 504: it took too long.
            NotServing: nobody serves the shard at present.
            BadMessage: a step would refuse such an event.
        """
        self._check_caller(request, body.tenant)
        with self._places.taken():
            shard = self._gateway.partition(body.id)
            elsewhere = await self._forwarded(request, shard, seconds)
            if elsewhere is not None:
                return elsewhere
            try:
                async with asyncio.timeout(seconds):
                    found = await self._gateway.ask(
                        shard, lambda engine, place: question(engine, place, body)
                    )
            except TimeoutError as error:
                raise Problem(
                    HTTPStatus.GATEWAY_TIMEOUT, f"no answer within {seconds:g} s: ask again"
                ) from error
            except UnknownCell as error:
                raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
        return JSONResponse(found.model_dump())

    async def _forwarded(self, request: Request, shard: int, seconds: float) -> Response | None:
        """Return the answer of the worker that owns a shard; None: this one does."""
        owner = self._gateway.owner(shard)
        if owner is None:
            return None
        if HOPS in request.headers:
            raise NotServing(f"shard {shard} has just moved: ask again")
        return await self._forwarder.send(request, request.state.caller, owner, seconds)

    def _check_caller(self, request: Request, tenant: str) -> None:
        caller: Caller = request.state.caller
        if not caller.may_touch(tenant):
            raise Problem(HTTPStatus.FORBIDDEN, f"{caller.name} may touch its own tenant only")

    # -- updates ----------------------------------------------------------------------------------

    async def update(
        self, request: Request, body: Update, seconds: float, *, wait: bool
    ) -> Response:
        """Send an event to the log, and say what became of it if that is waited for.

        Args:
            request: for its caller, and to be handed on.
            body: of the request.
            seconds: how long it may take.
            wait: whether to answer once the event has been stepped and committed.

        Returns:
            202 and the event's place in the log; with ``wait`` 200 once it has been committed.

        Raises:
            Problem: 403: another tenant's. 413, 503: see ``UpdateProducer.send``. 422: with
                ``wait``: the event went to quarantine. 429: too many requests. 501: workers read
                messages of another form. 504: the brokers took too long.
            NotServing: with ``wait``: nobody serves the shard at present; nothing was sent.
            BadMessage: the event would be refused; nothing was sent.
        """
        self._check_caller(request, body.tenant)
        self._check_update(body)
        with self._places.taken():
            shard = self._gateway.partition(body.id)
            if wait:
                elsewhere = await self._forwarded(request, shard, seconds)
                if elsewhere is not None:
                    return elsewhere
            return await self._sent(body, shard, seconds, wait=wait)

    async def _sent(self, body: Update, shard: int, seconds: float, *, wait: bool) -> Response:
        event = body.sent(self._clock())
        digest = hashlib.sha256(self._plain.encode(event)).digest()
        deadline = asyncio.get_running_loop().time() + seconds
        with self._watch.awaiting(shard, digest) if wait else nullcontext() as awaited:
            try:
                async with asyncio.timeout_at(deadline):
                    sent = await self._producer.send(body.id.encode(), self._encode(event), shard)
            except TimeoutError as error:
                raise Problem(
                    HTTPStatus.GATEWAY_TIMEOUT,
                    f"the brokers did not acknowledge the event within {seconds:g} s. It may "
                    "arrive: send it again under the same event_id",
                ) from error
            ack = Ack(
                topic=self._topic,
                partition=sent.partition,
                offset=sent.offset,
                event_id=body.event_id,
            )
            if awaited is not None:
                outcome = await self._outcome(awaited, sent, deadline)
                if outcome is not None:
                    return JSONResponse(_completed(ack, outcome).model_dump())
        return JSONResponse(ack.model_dump(), HTTPStatus.ACCEPTED)

    async def _outcome(self, awaited: Awaited, sent: Sent, deadline: float) -> Committed | None:
        """Wait until an event has been committed; None: not until the deadline."""
        self._watch.arrived(awaited, sent.offset)
        try:
            async with asyncio.timeout_at(deadline):
                return await awaited.outcome
        except TimeoutError:
            return None

    def _check_update(self, body: Update) -> None:
        """Refuse what a shard would: the caller learns of it now, and not from quarantine."""
        if self._mapping is not None:
            raise Problem(
                HTTPStatus.NOT_IMPLEMENTED,
                f"workers read {self._topic} through a mapping, so an event would not be "
                "understood there: send messages of its form to the topic",
            )
        if isinstance(body, SeraIngest):
            sera = self._learner.sera
            for name, length in (("key", sera.d), ("value", sera.d_v)):
                if len(getattr(body, name)) != length:
                    raise BadMessage(
                        Reason.DIMENSION_MISMATCH,
                        f"{name} has {len(getattr(body, name))} numbers, the configuration says "
                        f"{length}",
                    )
        if isinstance(body, HlmUpdate):
            self._check_labelled(body)

    def _check_labelled(self, body: HlmUpdate) -> None:
        if self._learner.logistic and not 0.0 <= body.label <= 1.0:
            raise BadMessage(Reason.LABEL_OUT_OF_RANGE, "label is not in [0, 1]")
        hlm = self._learner.hlm
        for name, given, own in (("lr", body.lr, hlm.lr), ("l2", body.l2, hlm.l2)):
            if given is not None and given != own:
                raise BadMessage(
                    Reason.BAD_FIELD,
                    f"{name}: the cell learns at learner.hlm.{name} = {own:g}, which is part of "
                    "its audited settings; leave it out, or give that",
                )


def _completed(ack: Ack, outcome: Committed) -> Ack:
    """Return the acknowledgement of an event that has been committed."""
    if outcome.reason is not None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{ack.topic}[{ack.partition}]@{ack.offset} went to quarantine",
            reason=outcome.reason,
        )
    fields: dict[str, Any] = {"committed": True}
    if outcome.audit is not None:
        leaf = read_audit(outcome.audit)
        fields |= {"step": leaf["step"], "merkle_curr": leaf["curr"].hex()}
        if leaf["format"] in STEPS:
            fields |= {name: leaf[name] for name in ("ver_sera", "ver_base", "ver_delta")}
            fields |= {
                "c_lookup_p100": leaf["c_lookup"],
                "c_insert_p100": leaf["c_insert"],
            }
    if outcome.prediction is not None:
        fields["prediction"] = Prediction(**read_prediction(outcome.prediction))
    return Ack(**ack.model_dump() | fields)
