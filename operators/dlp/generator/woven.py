"""Values woven into real lines at any word, with a cue before them or with none.

Templates are few and a network learns them by heart; real text is not, so this is where it has to
learn what a value itself looks like.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.dlp.generator import cues
from operators.dlp.generator.writing import Draft

if TYPE_CHECKING:
    from random import Random

    from operators.dlp.generator.slots import Cast

_PLAIN: Final = (
    "n",
    "n",
    "n",
    "n",
    "n",
    "n2",
    "n3",
    "f",
    "em",
    "ph",
    "ad",
    "card",
    "iban",
    "ssn",
    "vkey",
    "db",
    "nda",
    "vkey",
)
"""What can be told without a cue."""
_CUED: Final = (
    "n",
    "n",
    "f",
    "l",
    "em",
    "ph",
    "ph",
    "ad",
    "card",
    "card",
    "iban",
    "ssn",
    "ssn",
    "nid",
    "nid",
    "pass",
    "dl",
    "pw",
    "pw",
    "pw",
    "key",
    "key",
    "db",
    "mat",
    "mat",
)
_HARMLESS: Final = (
    "ord",
    "ord",
    "uuid",
    "sha",
    "sha",
    "ver",
    "num",
    "ip",
    "tok",
    "date",
    "time",
    "ident",
    "co",
    "city",
    "job",
    "amt",
    "url",
    "usr",
    "mrn",
    "blob",
    "ts",
    "ex",
    "dob",
    "exp",
    "topic",
    "month",
)
_BEFORE: Final = (
    "by ", "from ", "to ", "with ", "and ", "Mr. ", "Mrs. ", "Dr. ", "Ms ", "contact ", "ask ", "cc ", "attn ", "signed ", "for ", "said ",
    "per ", "via ", "thanks ", "thanks to ", "hi ", "Hello ", "dear ", "met ", "saw ", "told ", "about ", "called ", "emailed ", "between ",
    "of ", "like ", "against ", "under ", "hired ", "cited by ", "including ", "led by ", "son of ", "named ", "known as ", "@", "- ", "> ",
    "* ", "# ", "// ", "when ", "that ", "because ", "while ", "if ", "then ", "but ", "as ", "is ", "was ", "not ", "only ", "even ", "where ",
    "at ", "on ", "in ", "near ", "behind ", "through ", "joined ", "left ", "see ", "regards, ", "thx ", "best, ", "re: ", "fw: ", "taken by ",
)  # fmt: skip
_AFTER: Final = (
    *("",) * 10, "'s", "’s", " said", " wrote", " will", " has", " is", " was", " and", ",", ",", ".", ".", ":", ";", "?", "!", " (", ")", " -", " /",
    " called", " asked", " wants", " told", " who", " had", " did", " from", " at", " in", " for", " to", " Jr", " et al.", " <-", " |", "\n",
)  # fmt: skip
_WORD: Final = re.compile(r"(?<=\S) (?=\S)")


def expression(cast: Cast, *, positive: bool) -> Draft:
    """A value, or what only looks like one, as it could stand anywhere."""
    rng = cast.rng
    draft = Draft()
    cued = rng.random() < (0.55 if positive else 0.5)
    slot = rng.choice(_CUED if cued else _PLAIN) if positive else rng.choice(_HARMLESS)
    if not positive and cued and rng.random() < 0.3:
        draft.put(cues.label(rng, rng.choice(("pw", "key", "key", "db", "em", "card"))))
        draft.put(cast.fill("neg").text)
        return draft
    if cued:
        draft.put(cues.label(rng, slot if positive else ""))
        opening, closing = cues.quotes(rng)
    elif rng.random() < 0.5:
        draft.put(rng.choice(_BEFORE))
        opening, closing = "", rng.choice(_AFTER)
    else:
        opening, closing = cues.quotes(rng)
    draft.put(opening)
    draft.value(cast.fill(slot))
    draft.put(closing)
    return draft


def place(rng: Random, line: str) -> tuple[int, str, str]:
    """Where in a line something can be set in, and what stands around it there."""
    chance = rng.random()
    if chance < 0.2 or not line.strip():
        return len(line), rng.choice((" ", " ", "  # ", " // ", "; ", ", ", " - ", "")), ""
    if chance < 0.3:
        start = len(line) - len(line.lstrip())
        return start, "", rng.choice((" ", "\n" + " " * start, ": ", ", ", " - "))
    gaps = [match.start() for match in _WORD.finditer(line)]
    if not gaps:
        return len(line), " ", ""
    return rng.choice(gaps) + 1, "", " "
