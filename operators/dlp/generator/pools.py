"""What names and addresses are drawn from: lists by locale, and names made of their syllables."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.dlp.generator.carrier import in_dev

if TYPE_CHECKING:
    from random import Random

_ORDER: Final = 3
_END: Final = "\n"
_ENGLISH: Final = 2
"""How much more often English-speaking locales are drawn: most of the carriers are English."""
_LONGEST: Final = 12
_SHORTEST: Final = 3


class LocalePool(NamedTuple):
    """Values of one locale; `weight` is how often it is drawn."""

    locale: str
    weight: int
    firsts: list[str]
    lasts: list[str]
    fulls: list[str]
    addresses: list[str]
    phones: list[str]
    cities: list[str]
    companies: list[str]
    jobs: list[str]
    nationals: list[str]
    streets: list[str]

    @property
    def is_latin(self) -> bool:
        """Whether its names are written in Latin letters."""
        return self.lasts[0][0] < "\u0250"


class Pools:
    """All locales, for one side of the split between training and development.

    Args:
        locales: every locale.
        known_firsts: first names of both sides, to recognise people in real text by.
    """

    def __init__(
        self, locales: list[LocalePool], known_firsts: frozenset[str] | None = None
    ) -> None:
        self.locales = locales
        self.known_firsts = (
            frozenset(name for pool in locales if pool.is_latin for name in pool.firsts)
            if known_firsts is None
            else known_firsts
        )
        self._weights = list(
            accumulate(
                pool.weight * (_ENGLISH if pool.locale.startswith("en") else 1) for pool in locales
            )
        )
        latin = [pool for pool in locales if pool.is_latin]
        self._firsts = _chains(name for pool in latin for name in pool.firsts)
        self._lasts = _chains(name for pool in latin for name in pool.lasts)

    def side(self, *, dev: bool) -> Pools:
        """The locales of one side. American English is on both, with names of its own on each."""
        chosen = []
        for pool in self.locales:
            if pool.locale == "en_US":
                lists = [[value for value in values if in_dev(value) == dev] for values in pool[2:]]
                chosen.append(LocalePool(pool.locale, pool.weight, *lists))
            elif in_dev(pool.locale) == dev:
                chosen.append(pool)
        return Pools(chosen, self.known_firsts)

    def locale(self, rng: Random) -> LocalePool:
        """A locale, drawn by weight."""
        return rng.choices(self.locales, cum_weights=self._weights)[0]

    def invent_first(self, rng: Random) -> str:
        """A first name that need not exist."""
        return _walk(self._firsts, rng)

    def invent_last(self, rng: Random) -> str:
        """A last name that need not exist."""
        return _walk(self._lasts, rng)


def _chains(names: object) -> dict[str, list[str]]:
    table: dict[str, list[str]] = defaultdict(list)
    for name in names:  # type: ignore[attr-defined]
        padded = _END * _ORDER + name + _END
        for start in range(len(padded) - _ORDER):
            table[padded[start : start + _ORDER]].append(padded[start + _ORDER])
    return dict(table)


def _walk(chains: dict[str, list[str]], rng: Random) -> str:
    while True:
        name = _END * _ORDER
        while len(name) < _LONGEST + _ORDER:
            letter = rng.choice(chains[name[-_ORDER:]])
            if letter == _END:
                break
            name += letter
        name = name[_ORDER:]
        if _SHORTEST <= len(name) < _LONGEST and " " not in name:
            return name
