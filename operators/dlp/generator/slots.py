"""The slots of templates: what `{n}`, `{em}`, `{card}` and the others are filled with."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from operators.dlp.generator import cues, legal, negatives, numbers, people, places, secrets
from operators.dlp.generator.disguise import disguise
from operators.dlp.generator.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from operators.dlp.generator.named import Known
    from operators.dlp.generator.people import Person
    from operators.dlp.generator.pools import Pools

_DAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "tomorrow",
    "Mon",
    "Fri",
)
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DEPTS: Final = (
    "accounting",
    "legal",
    "HR",
    "procurement",
    "marketing",
    "IT",
    "risk",
    "compliance",
    "sales",
    "operations",
    "research",
    "facilities",
)
_TOPICS: Final = (
    "the budget", "the merger", "quarterly numbers", "the gas contract", "the new release", "the audit",
    "travel expenses", "the lease", "server migration", "the outage", "payroll", "the offsite", "the proposal",
    "the inspection", "fraud", "the draft", "the schedule", "the pipeline", "an invoice", "the review", "hiring",
    "the trial", "the renewal", "the roof", "school fees", "the refund", "onboarding", "the prototype", "tariffs",
)  # fmt: skip
_SYMPTOMS: Final = (
    "chest pain",
    "a persistent cough",
    "type 2 diabetes",
    "migraine",
    "a fractured wrist",
    "hypertension",
    "back pain",
    "shortness of breath",
    "anxiety",
    "asthma",
)
_DRUGS: Final = (
    "metformin",
    "lisinopril",
    "ibuprofen",
    "atorvastatin",
    "amoxicillin",
    "sertraline",
    "albuterol",
    "omeprazole",
)


@dataclass(slots=True)
class Cast:
    """Who and what one message is about: the same person keeps the same details throughout it.

    Attributes:
        rng: the message's own source of chance.
        pools: where names come from.
        disguised: share of values that are written in disguise.
        company: domain of the organisation that writes.
        words: of real text, to vary the wording of templates with.
        known: tells people in real text; None where no real text is drawn.
    """

    rng: Random
    pools: Pools
    disguised: float = 0.0
    company: str = ""
    words: list[str] = field(default_factory=list)
    known: Known | None = None
    people: dict[str, Person] = field(default_factory=dict)

    def person(self, number: str) -> Person:
        """The message's first, second, … person."""
        if number not in self.people:
            host = self.company if self.rng.random() < 0.6 else ""
            self.people[number] = people.invent(self.rng, self.pools, host)
        return self.people[number]

    def fill(self, slot: str) -> Value:
        """The value for a slot such as ``em2``."""
        name = slot.rstrip("0123456789")
        plain = _PLAIN.get(name)
        if plain is not None:
            return Value(plain(self))
        kind, make = _TAGGED[name]
        text = make(self, self.person(slot[len(name) :]))
        if (
            self.disguised
            and self.rng.random() < self.disguised
            and len(text) < 120
            and len(text) > 3
        ):
            return Value(disguise(self.rng, kind, text), kind, disguised=True, key=text)
        return Value(text, kind, key=text)


def _remember(name: str, make: Callable[[Cast, Person], str]) -> Callable[[Cast, Person], str]:
    """The same detail of the same person each time, for the most part."""

    def recall(cast: Cast, who: Person) -> str:
        if name not in who.facts or cast.rng.random() < 0.3:
            who.facts[name] = make(cast, who)
        return who.facts[name]

    return recall


def _name(cast: Cast, who: Person) -> str:
    return people.name(cast.rng, who)


def _encoded(text: str) -> str:
    """As Kubernetes keeps what is secret and what is not: no disguise."""
    return base64.b64encode(text.encode()).decode()


def _cased(cast: Cast, text: str) -> str:
    chance = cast.rng.random()
    return text.lower() if chance < 0.08 else text.upper() if chance < 0.1 else text


_TAGGED: Final[dict[str, tuple[str, Callable[[Cast, Person], str]]]] = {
    "n": ("NAME", _name),
    "f": ("NAME", lambda cast, who: _cased(cast, who.first)),
    "l": ("NAME", lambda cast, who: _cased(cast, who.last)),
    "em": ("EMAIL", _remember("em", lambda cast, who: people.email(cast.rng, who))),
    "ph": ("PHONE", _remember("ph", lambda cast, who: people.phone(cast.rng, who.pool))),
    "ad": ("ADDR", _remember("ad", lambda cast, who: people.address(cast.rng, who.pool, lines=False))),
    "adl": ("ADDR", lambda cast, who: people.address(cast.rng, who.pool, lines=True)),
    "card": ("PAN", lambda cast, _: numbers.card(cast.rng)),
    "iban": ("PAN", lambda cast, _: numbers.iban(cast.rng)),
    "ssn": ("SSN", _remember("ssn", lambda cast, _: numbers.ssn(cast.rng))),
    "nid": ("SSN", lambda cast, who: numbers.national(cast.rng, who.pool)),
    "pass": ("SSN", lambda cast, _: numbers.passport(cast.rng)),
    "dl": ("SSN", lambda cast, _: numbers.licence(cast.rng)),
    "pw": ("SECRET", lambda cast, _: secrets.password(cast.rng, cast.pools)),
    "key": ("SECRET", lambda cast, _: secrets.key(cast.rng)),
    "vkey": ("SECRET", lambda cast, _: secrets.known_key(cast.rng)),
    "aws": ("SECRET", lambda cast, _: "AKIA" + secrets.draw(cast.rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
    "awssec": ("SECRET", lambda cast, _: secrets.draw(cast.rng, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", 40)),
    "pw64": ("SECRET", lambda cast, _: _encoded(secrets.password(cast.rng, cast.pools))),
    "key64": ("SECRET", lambda cast, _: _encoded(secrets.key(cast.rng))),
    "pin": ("SECRET", lambda cast, _: secrets.draw(cast.rng, "0123456789", cast.rng.choice((4, 4, 4, 6)))),
    "pem": ("SECRET", lambda cast, _: secrets.private_key(cast.rng)),
    "db": ("DBURI", lambda cast, _: secrets.uri(cast.rng, cast.pools)),
    "mat": ("MATTER", _remember("mat", lambda cast, _: legal.matter(cast.rng))),
    "nda": ("NDA", lambda cast, _: legal.term(cast.rng)),
}  # fmt: skip


def _timestamp(cast: Cast) -> str:
    rng = cast.rng
    clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    day = f"20{rng.randrange(10, 27)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    return rng.choice(
        (
            f"{day} {clock}",
            f"{day}T{clock}Z",
            f"{day} {clock},{rng.randrange(1000):03}",
            f"[{clock}]",
            f"{rng.randrange(1, 29)}/Oct/2023:{clock} +0000",
        )
    )


def _time(cast: Cast) -> str:
    hour, minute = (
        cast.rng.randrange(1, 13),
        cast.rng.choice((0, 15, 30, 45, cast.rng.randrange(60))),
    )
    return cast.rng.choice(
        (
            f"{hour}:{minute:02} {cast.rng.choice(('AM', 'PM'))}",
            f"{hour + 11}:{minute:02}",
            f"{hour}pm",
            f"{hour:02}:{minute:02}",
        )
    )


def _amount(cast: Cast) -> str:
    value = cast.rng.choice(
        (cast.rng.randrange(100), cast.rng.randrange(10_000), cast.rng.randrange(10_000_000))
    )
    return cast.rng.choice(
        (
            f"${value:,}",
            f"${value:,}.{cast.rng.randrange(100):02}",
            f"{value} USD",
            f"€{value}",
            f"£{value:,}",
            f"{value},00 EUR",
            f"{value}",
        )
    )


_PLAIN: Final[dict[str, Callable[[Cast], str]]] = {
    "co": lambda cast: cast.rng.choice(cast.pools.locale(cast.rng).companies),
    "city": lambda cast: places.city(cast.rng),
    "date": lambda cast: people.date(cast.rng),
    "dob": lambda cast: people.birthday(cast.rng),
    "time": _time,
    "ts": _timestamp,
    "dow": lambda cast: cast.rng.choice(_DAYS),
    "month": lambda cast: cast.rng.choice(_MONTHS),
    "year": lambda cast: str(cast.rng.randrange(1950, 2026)),
    "age": lambda cast: str(cast.rng.randrange(18, 95)),
    "letter": lambda cast: cast.rng.choice("bcdkpsz"),
    "amt": _amount,
    "num": lambda cast: str(cast.rng.choice((cast.rng.randrange(10), cast.rng.randrange(100), cast.rng.randrange(10_000)))),
    "exp": lambda cast: f"{cast.rng.randrange(1, 13):02}/{cast.rng.choice(('', '20'))}{cast.rng.randrange(23, 33)}",
    "cvv": lambda cast: f"{cast.rng.randrange(10_000):04}"[: cast.rng.choice((3, 3, 3, 4))],
    "usr": lambda cast: people.handle(cast.rng, cast.person("")),
    "ord": lambda cast: negatives.number(cast.rng),
    "mrn": lambda cast: negatives.medical(cast.rng),
    "npi": lambda cast: numbers.fill(cast.rng, "1#########"),
    "uuid": lambda cast: negatives.uuid(cast.rng),
    "sha": lambda cast: negatives.digest(cast.rng),
    "ver": lambda cast: negatives.version(cast.rng),
    "neg": lambda cast: negatives.placeholder(cast.rng),
    "ex": lambda cast: negatives.example(cast.rng),
    "ident": lambda cast: negatives.identifier(cast.rng),
    "ip": lambda cast: negatives.address(cast.rng),
    "blob": lambda cast: negatives.blob(cast.rng),
    "tok": lambda cast: negatives.token(cast.rng),
    "plain": lambda cast: negatives.dressed(cast.rng, cast.words),
    "shout": lambda cast: " ".join(cast.rng.choices(cast.words or ["note"], k=2)).upper(),
    "title": lambda cast: cast.rng.choice(cast.words or ["note"]).strip(".,;:()\"'").title(),
    "brand": lambda cast: cast.rng.choice(places.BRANDS),
    "usr64": lambda cast: _encoded(people.handle(cast.rng, cast.person(""))),
    "phrase": lambda cast: " ".join(cast.rng.choices(cast.words or ["note"], k=3)).title(),
    "host": lambda cast: secrets.hostname(cast.rng),
    "url": lambda cast: f"https://{people.domain(cast.rng)}/{negatives.identifier(cast.rng)}",
    "job": lambda cast: cast.rng.choice(cast.pools.locale(cast.rng).jobs),
    "dept": lambda cast: cast.rng.choice(_DEPTS),
    "topic": lambda cast: cast.rng.choice(_TOPICS),
    "symptom": lambda cast: cast.rng.choice(_SYMPTOMS),
    "drug": lambda cast: cast.rng.choice(_DRUGS),
    "kw": lambda cast: cues.identifier(cast.rng, cues.SECRETS),
    "KW": lambda cast: cues.identifier(cast.rng, cues.SECRETS).upper(),
    "pwk": lambda cast: cues.identifier(cast.rng, cues.PASSWORDS),
    "PWK": lambda cast: cues.identifier(cast.rng, cues.PASSWORDS).upper(),
    "DBK": lambda cast: cast.rng.choice(("DATABASE_URL", "MONGO_URI", "REDIS_URL", "DB_URI", "SQLALCHEMY_DATABASE_URI", "AMQP_URL", "CONNECTION_STRING")),
}  # fmt: skip
