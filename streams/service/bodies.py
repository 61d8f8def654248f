"""Requests of the service, and the events that they stand for.

Fields have the names that an event has (docs/mapping.md); the seed's letters are beside them.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from operators.fusion.kernel_status import MAX_INPUT
from operators.fusion.layout import RESERVED
from schemas.errors import BadMessage
from schemas.packed import pack_f64, pack_u64
from schemas.reasons import Reason
from streams.shard.event_spans import MAX_ID_CHARACTERS, MAX_TENANT_BYTES, MAX_TIME_US
from streams.shard.notes import ENTRY

Event = dict[str, Any]

Number = Annotated[float, Field(ge=-MAX_INPUT, le=MAX_INPUT, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=MAX_ID_CHARACTERS)]
FeatureId = Annotated[int, Field(ge=0, lt=int(RESERVED))]
Vector = Annotated[list[Number], Field(min_length=1)]

TIME = "microseconds since 1970-01-01T00:00:00Z; default: the clock of the worker that is asked"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Entity(_Body):
    """Whom a request is about."""

    tenant: str = Field(min_length=1, description="owner of the cell")
    id: Name = Field(description="entity; its hash chooses the shard")

    @model_validator(mode="after")
    def _fits_an_event(self) -> _Entity:
        if len(self.tenant.encode("utf-8", "surrogatepass")) > MAX_TENANT_BYTES:
            raise ValueError(f"tenant has more than {MAX_TENANT_BYTES} bytes of UTF-8")
        for text in (self.tenant, self.id):
            _utf8(text)
        return self

    def event(self) -> Event:
        """Return the event that an observation of this would be, without what it leaves open."""
        return {
            "kind": "OBSERVATION",
            "tenant": self.tenant,
            "id": self.id,
            "event_id": "",
            "time_us": 0,
        }


class _Features(_Entity):
    """Sparse features: x[]."""

    features: dict[str, Number] = Field(default={}, description="value by name; x")
    feature_ids: list[FeatureId] = Field(default=[], description="ids that are hashed already")
    feature_values: list[Number] = Field(default=[], description="one for each of feature_ids")

    @model_validator(mode="after")
    def _are_pairs(self) -> _Features:
        if len(self.feature_ids) != len(self.feature_values):
            raise ValueError(
                f"{len(self.feature_ids)} feature_ids and {len(self.feature_values)} "
                "feature_values: one value for each id"
            )
        for name in self.features:
            _utf8(name)
        return self

    def event(self) -> Event:
        """Return the event with these features."""
        event = super().event()
        if self.features:
            event["features"] = self.features
        if self.feature_ids:
            event["feature_ids"] = pack_u64(self.feature_ids)
            event["feature_values"] = pack_f64(self.feature_values)
        return event


class _Sent(_Entity):
    """What goes through the log."""

    event_id: Name = Field(
        min_length=1,
        description="name of the event, unique within tenant and id: send it again, under the same "
        "name, if you do not know whether it arrived",
    )
    time_us: Annotated[int, Field(ge=0, lt=MAX_TIME_US)] | None = Field(
        default=None, description=f"t; {TIME}"
    )

    @model_validator(mode="after")
    def _has_a_name(self) -> _Sent:
        _utf8(self.event_id)
        return self

    def sent(self, now_us: int) -> Event:
        """Return the event that goes through the log.

        Args:
            now_us: its time, if the request has none.
        """
        time_us = now_us if self.time_us is None else self.time_us
        return self.event() | {"event_id": self.event_id, "time_us": time_us}


class SeraIngest(_Sent):
    """Key and value for the attention."""

    key: Vector = Field(description="k, learner.sera.d numbers")
    value: Vector = Field(description="v, learner.sera.d_v numbers")

    def event(self) -> Event:
        """Return an observation without features and label."""
        return super().event() | {"key": pack_f64(self.key), "value": pack_f64(self.value)}


class SeraQuery(_Entity):
    """A query to the attention."""

    query: Vector = Field(description="q, learner.sera.d numbers")
    lowrank: bool = Field(
        default=False, description="answer by the low-rank statistics (learner.sera.r_v)"
    )

    def event(self) -> Event:
        """Return an observation of this query alone."""
        return super().event() | {"query": pack_f64(self.query)}


class HlmUpdate(_Features, _Sent):
    """A labelled observation."""

    label: Number = Field(description="y")
    lr: float | None = Field(
        default=None,
        description="learning rate; if it is given it must be the cell's, learner.hlm.lr",
    )
    l2: float | None = Field(default=None, description="the same of learner.hlm.l2")

    def event(self) -> Event:
        """Return the observation with its label."""
        return super().event() | {"label": self.label}


class HlmPredict(_Features):
    """A question to the linear model."""


class FusePredict(_Features):
    """A question to the whole cell: what would an event with these parts be predicted."""

    query: Vector | None = Field(default=None, description="q, learner.sera.d numbers")
    key: Vector | None = Field(
        default=None, description="k; the query of an event that has none of its own"
    )
    context: dict[str, str] = Field(default={}, description="ctx, by name")

    @model_validator(mode="after")
    def _is_text(self) -> FusePredict:
        for name, value in self.context.items():
            _utf8(name)
            _utf8(value)
        return self

    def event(self) -> Event:
        """Return the observation without label."""
        event = super().event()
        for name in ("query", "key"):
            vector = getattr(self, name)
            if vector is not None:
                event[name] = pack_f64(vector)
        if self.context:
            event["context"] = self.context
        return event


class AuditorAppend(_Sent):
    """Something that a caller wants in the tenant's audit trail."""

    entry: dict[str, JsonValue] = Field(description="json_blob: any JSON object")

    def event(self) -> Event:
        """Return the note; its text is the entry as JSON with sorted names and no spaces.

        Raises:
            BadMessage: a number of the entry is none that JSON has.
        """
        try:
            text = json.dumps(
                self.entry,
                sort_keys=True,
                separators=(",", ":"),
                ensure_ascii=False,
                allow_nan=False,
            )
        except ValueError as error:
            raise BadMessage(Reason.BAD_FIELD, f"entry: {error}") from error
        return super().event() | {"kind": "NOTE", "context": {ENTRY: text}}


def _utf8(text: str) -> None:
    """Refuse lone surrogates, which JSON can write and UTF-8 cannot carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text has lone surrogates, which UTF-8 cannot carry") from None
