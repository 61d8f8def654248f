"""Settings of the scan of whole messages and of the gate behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from operators.dlp.policy import Decision
from operators.dlp.thresholds import Steering
from streams.section import Positive, Section

Route = Literal["allowed", "redacted", "review", "blocked"]

ROUTES: Final[dict[Decision, Route]] = {
    Decision.ALLOW: "allowed",
    Decision.ALLOW_WITH_WARNING: "redacted",
    Decision.REVIEW: "review",
    Decision.BLOCK: "blocked",
}

GRACE_BYTES: Final = 16_384
"""What a forwarded message may be larger than the one that came: headers, and a wire header."""


class MessageSettings(Section):
    """The scan of whole messages on the topic ``messages``, and the gate behind it."""

    enabled: bool = Field(default=False, description="scan the topic messages")
    gate: bool = Field(
        default=False, description="forward each message to the topic of its decision"
    )
    routes: dict[Decision, Route] = Field(
        default=ROUTES, description="decision → topic: allowed, redacted, review or blocked"
    )
    link: bool = Field(
        default=False,
        description="let each verdict be an event of the tenant, which the learner predicts and "
        "analysts' labels teach",
    )
    model: Path | None = Field(default=None, description="folder; default: the model shipped")
    policy: Path | None = Field(default=None, description="file; default: the policy shipped")
    max_message_bytes: int = Field(
        default=1_000_000,
        gt=0,
        le=9_000_000,
        description="larger messages are quarantined unscanned",
    )
    max_unit_messages: Positive = Field(default=64, description="most messages in a unit of work")
    threads: Positive = Field(
        default=10_000, description="threads of a tenant in a shard whose memory is kept, 1 KB each"
    )
    repeat_window: Positive = Field(
        default=10_000,
        description="latest messages of a tenant in a shard whose repetition is recognised, and "
        "whose labels are understood",
    )
    target: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="share of the held messages that analysts are to confirm; thresholds move "
        "towards it",
    )
    rate: float = Field(
        default=0.05, ge=0, description="logits that one prediction may move the thresholds"
    )
    max_shift: float = Field(
        default=2.0, ge=0, description="most logits that thresholds move either way; 0: never"
    )
    least_labels: Positive = Field(
        default=20, description="labels of a tenant in a shard before its thresholds move"
    )

    @model_validator(mode="after")
    def _every_decision_has_a_route(self) -> MessageSettings:
        if missing := [str(decision) for decision in Decision if decision not in self.routes]:
            raise ValueError(f"messages.routes says nothing of {', '.join(missing)}")
        return self

    @property
    def steering(self) -> Steering:
        """What moves the thresholds."""
        return Steering(self.target, self.rate, self.max_shift, self.least_labels)
