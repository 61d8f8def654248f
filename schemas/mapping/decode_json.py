"""JSON messages to plain values."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from schemas.errors import BadMessage
from schemas.reasons import Reason


def decode_json(value: bytes) -> dict[str, Any]:
    """Read one JSON object, UTF-8.

    NaN and Infinity, which Python and some producers write, are no JSON and are refused.

    Raises:
        BadMessage: BAD_MAPPING; the bytes are no JSON object. The detail gives the position of the
            fault, never the text around it.
    """
    if value[:1] == b"\0":
        raise _bad(
            "begins with a zero byte, as the header of a schema registry does; "
            "set `framing: confluent`"
        )
    try:
        document = json.loads(value.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as error:  # not chained: it holds the bytes
        raise _bad(f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:  # not chained: it holds the text
        raise _bad(f"breaks off at character {error.pos}: {error.msg}") from None
    except ValueError as error:  # NaN, or more digits than Python converts
        raise _bad(f"has a number that cannot be used: {error}") from None
    except RecursionError:
        raise _bad("nests too deeply") from None
    if not isinstance(document, dict):
        raise _bad("is a list or a single value; members need names")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _bad(what: str) -> BadMessage:
    return BadMessage(Reason.BAD_MAPPING, f"the JSON object {what}")
