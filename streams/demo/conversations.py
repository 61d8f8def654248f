"""Four conversations as people type them; the secrets in them are drawn, and nobody's."""

from __future__ import annotations

from random import Random
from string import Formatter, ascii_letters, digits
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.dlp.generator.numbers import fill, luhn_digit
from operators.dlp.generator.secrets import draw

if TYPE_CHECKING:
    from collections.abc import Mapping

TENANT: Final = "chats"
_SEED: Final = 66
_CARD: Final = "499999001234567"
"""Nobody's at a glance; the check digit is missing."""

_SUPPORT: Final = """\
Hi, you charged me twice for the same order
Sorry about that! Which e-mail is the account under?
it's {email}
Thanks. I can only see one charge from here
no there are two, both went to card {card} and the second one is from tuesday
Got it, I am sending the second one back now. 3 to 5 days
ok thanks, that was quick"""
_DEPLOY: Final = """\
rollout is stuck again, orders pods keep restarting
what do the logs say?
auth failed for the db. did somebody rotate the password?
yes, on friday, sorry. here is the new one
{uri}
you should not paste that in here...
i know i know. pods are up now"""
_COUNSEL: Final = """\
Hi Petra, before you talk to anyone: this is privileged, please keep it between us.
We settled with Nordwell on Thursday, 410k, and the terms are under NDA.
Two people from the Leeds site are named in the complaint, HR has not told them yet.
Should I cc the works council?
Not yet. File everything under matter {matter}
And nobody outside legal until the papers are filed."""
_LUNCH: Final = """\
noodles or the salad place today?
noodles, it's raining and the salad place has a queue out to the street
ok. 12:30 downstairs?
make it 12:45, my call always runs over
fine. bringing Jo along, she is back from holiday
great, then we need the big table"""


class Part(NamedTuple):
    """A part of a text, and whether it is pasted in one go or typed."""

    text: str
    is_pasted: bool


class Conversation(NamedTuple):
    """One conversation.

    Attributes:
        name: of its stream.
        audience: who reads it: external or internal.
        about: in some words.
        parts: its text.
    """

    name: str
    audience: str
    about: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(part.text for part in self.parts)


def conversations() -> list[Conversation]:
    """Return them, the same in every run."""
    values = _values(Random(_SEED))  # noqa: S311 - they need to repeat, and open nothing
    return [
        Conversation(name, audience, about, tuple(_parts(template, values)))
        for name, audience, about, template in (
            ("support", "external", "customer and help desk", _SUPPORT),
            ("deploy", "internal", "a rollout that hangs", _DEPLOY),
            ("counsel", "external", "a matter of law", _COUNSEL),
            ("lunch", "internal", "small talk", _LUNCH),
        )
    ]


def _values(rng: Random) -> Mapping[str, str]:
    """Make what is pasted: valid by form, and nobody's."""
    number = _CARD + luhn_digit(_CARD)
    password = draw(rng, ascii_letters + digits, 14)
    return {
        # RFC 9476: no name below alt is ever one of the domain name system.
        "email": "tilda.brook@pebblepost.alt",
        "card": " ".join(number[start : start + 4] for start in range(0, 16, 4)),
        "uri": f"postgresql://orders_rw:{password}@orders-db.prod.svc:5432/orders",
        "matter": fill(rng, "2026-LDS-####"),
    }


def _parts(template: str, values: Mapping[str, str]) -> list[Part]:
    found = []
    for typed, field, _, _ in Formatter().parse(template):
        found.append(Part(typed, is_pasted=False))
        if field is not None:
            found.append(Part(values[field], is_pasted=True))
    return found
