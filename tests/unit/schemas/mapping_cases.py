"""Short ways to a mapper and to what it makes of a message, shared by the tests of the mapping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.codec import Codec
from schemas.mapping import Mapper, Origin, parse_mapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.mapping.steps import Event

ORIGIN = Origin.kafka("source", 0, 42, timestamp_ms=1735776000000, key=b"key")

HEAD = "tenant: {constant: acme}\nid: id\ntime: {field: at, unit: ms}\n"
"""A mapping's beginning; ``BODY`` is a message's that fits it."""

BODY = {"id": "c-7", "at": 1}

_EVENT = Codec("event")


def make_mapper(
    text: str, folder: Path = Path(), schema_lookup: Callable[[int], str] | None = None
) -> Mapper:
    """The mapper of a mapping file's text."""
    return Mapper(parse_mapping(text, folder / "mapping.yaml"), schema_lookup)


def map_json(text: str, message: dict[str, Any] | str, origin: Origin = ORIGIN) -> Event:
    """What ``text`` makes of a JSON message: an event, which our schema encodes unchanged."""
    value = message if isinstance(message, str) else json.dumps(message)
    event = make_mapper(text).map_message(value.encode(), origin)
    assert _EVENT.decode(_EVENT.encode(event)) == event
    return event


def map_features(text: str, members: dict[str, Any], *, untyped: bool = False) -> dict[str, float]:
    """The features that ``features: text`` gives a message with these members."""
    origin = ORIGIN._replace(untyped=untyped)
    features: dict[str, float] | None = map_json(f"{HEAD}features: {text}", BODY | members, origin)[
        "features"
    ]
    return features or {}
