"""Reserved code points: the marks by which the model reads structure.

Marks are single code points of a private use block. Whatever the sender wrote, none of them can
come from a text: `escape` puts U+FFFD in their place, one for one, so that offsets stay as they
were and a body that quotes a mark cannot forge a field.
"""

from __future__ import annotations

import re
from enum import Enum

FIRST = 0xE000
LAST = 0xE0FF
REPLACEMENT = "\ufffd"


class Mark(Enum):
    """What stands before a field, or before a word that normalisation changed."""

    EMAIL = chr(FIRST)
    CHAT = chr(FIRST + 1)
    PULL_REQUEST = chr(FIRST + 2)
    UPLOAD = chr(FIRST + 3)
    ROLE = chr(FIRST + 4)
    SENDER = chr(FIRST + 5)
    INTERNAL = chr(FIRST + 6)
    EXTERNAL = chr(FIRST + 7)
    UNKNOWN = chr(FIRST + 8)
    SUBJECT = chr(FIRST + 9)
    METADATA = chr(FIRST + 10)
    THREAD = chr(FIRST + 11)
    BODY = chr(FIRST + 12)
    ATTACHMENT = chr(FIRST + 13)
    ATTACHED_TEXT = chr(FIRST + 14)
    LINK = chr(FIRST + 15)
    END = chr(FIRST + 16)
    HIDDEN = chr(FIRST + 32)
    FOLDED = chr(FIRST + 33)
    ENTITY = chr(FIRST + 34)
    PERCENT = chr(FIRST + 35)
    BASE64 = chr(FIRST + 36)
    HEX = chr(FIRST + 37)


CHANGED = "".join(chr(code) for code in range(FIRST + 32, FIRST + 38))
"""The marks that normalisation leaves before words."""
_RESERVED = re.compile(f"[{chr(FIRST)}-{chr(LAST)}\ud800-\udfff]")


def escape(text: str) -> str:
    """The text with every reserved code point replaced; its length does not change.

    So is half a surrogate pair, which is no character and could not be encoded.
    """
    return text if text.isascii() else _RESERVED.sub(REPLACEMENT, text)
