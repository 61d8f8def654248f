"""Answers of the service."""

from __future__ import annotations

from pydantic import BaseModel, Field


class AsOf(BaseModel):
    """Of which state an answer is: all events before `offset`, committed, and none after."""

    topic: str
    shard: int
    offset: int = Field(description="source offset that the shard's last transaction committed")
    step: int = Field(description="steps of the tenant's cell up to there")
    epoch: int = Field(description="how often the shard was set back (weir rewind)")
    tree_size: int = Field(description="records in the tenant's audit log up to there")
    chain_head: str = Field(description="hash of the last of them, in hexadecimal")


class Diagnostics(BaseModel):
    """Health of the attention at the answer."""

    rj_gap: float
    margin: float = Field(description="risk margin before the event; below 0 is an alarm")
    den: float


class Versions(BaseModel):
    """Generations that were read."""

    ver_sera: int
    ver_base: int
    ver_delta: int


class SeraAnswer(BaseModel):
    """What the attention reads out."""

    y_sera: float = Field(description="ŷ_sera as a prediction: first component of the readout")
    readout: list[float] = Field(description="all learner.sera.d_v components")
    den: float
    rj_gap: float
    margin: float
    ver_sera: int
    as_of: AsOf


class HlmAnswer(BaseModel):
    """What the linear model predicts."""

    y_hlm: float = Field(description="ŷ_hlm")
    ver_base: int
    ver_delta: int
    as_of: AsOf


class FuseAnswer(BaseModel):
    """What the next event with these parts would be predicted, bit for bit."""

    y_hat: float = Field(description="ŷ, as learner.fusion.output chooses it")
    y_sera: float
    y_hlm: float
    y_gate: float
    y_meta: float
    y_feature: float
    gate: float
    diagnostics: Diagnostics
    versions: Versions
    as_of: AsOf


class Prediction(BaseModel):
    """The prediction of an event that has been committed."""

    step: int
    y_hat: float
    y_hlm: float
    y_sera: float
    gate: float
    margin: float


class Ack(BaseModel):
    """An event that is in the log; what became of it where that was waited for.

    `committed` false: the brokers have it (acks=all) and a shard will step it. The fields behind
    are null then.
    """

    ok: bool = True
    topic: str
    partition: int
    offset: int
    event_id: str
    committed: bool = False
    step: int | None = None
    merkle_curr: str | None = Field(
        default=None, description="leaf hash of the audit record, in hexadecimal"
    )
    ver_sera: int | None = None
    ver_base: int | None = None
    ver_delta: int | None = None
    c_lookup_p100: int | None = None
    c_insert_p100: int | None = None
    prediction: Prediction | None = Field(
        default=None, description="null for events that are not predicted"
    )
