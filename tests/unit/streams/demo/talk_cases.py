"""Made-up conversations and verdicts for the tests of what is shown and checked."""

from __future__ import annotations

from typing import Any

from streams.demo.conversations import Conversation, Part
from streams.demo.talks import Talks

TEXT = "call me at tilda@brook.alt\nor pay with 1234, thanks\n"
START_US = 1_700_000_000_000_000


def conversation(name: str = "support", text: str = TEXT) -> Conversation:
    """A conversation that is typed."""
    return Conversation(name, "external", "a test", (Part(text, is_pasted=False),))


def span(name: str, kind: str, start: int, end: int) -> dict[str, Any]:
    """A span of a verdict."""
    return {
        "span_id": name,
        "type": kind,
        "field": "text",
        "index": 0,
        "start": start,
        "end": end,
        "confidence": 0.9,
        "origin": "BOTH",
        "validated": True,
    }


def verdict(
    sequence: int,
    *spans: dict[str, Any],
    final: bool = False,
    decision: str = "ALLOW",
    position: int = len(TEXT),
    name: str = "support",
) -> dict[str, Any]:
    """A verdict as it is published, as far as it is looked at."""
    return {
        "tenant": "chats",
        "target": "STREAM",
        "target_id": name,
        "sequence": sequence,
        "status": "FINAL" if final else "PARTIAL",
        "time_us": START_US + sequence,
        "position": position,
        "decision": decision,
        "confidence": 0.97,
        "scores": {"sensitivity": 0.97, "exposure": 0.1, "context": 1.0, "obfuscation": 0.0},
        "spans": list(spans),
    }


def course() -> list[dict[str, Any]]:
    """The verdicts on a conversation, in which nothing went wrong."""
    return [
        verdict(0, position=4),
        verdict(1, span("s0", "EMAIL", 11, 20), position=20, decision="REVIEW"),
        verdict(2, span("s0", "EMAIL", 11, 26), span("s1", "PAN", 39, 43), position=44),
        verdict(3, span("s0", "EMAIL", 11, 26), final=True, decision="REVIEW"),
    ]


def talks_of(*names: str, typed: int = len(TEXT)) -> Talks:
    """Conversations of which so much has been typed."""
    talks = Talks([conversation(name) for name in names], 100)
    talks.sent = 60
    for talk in talks.by_name.values():
        talk.typed = typed
    return talks
