"""People in real text: those whose names stand there already, and others in the place of things.

Real text names people, and a network that is shown those names as harmless learns not to see names
in real text at all. So they are found by lists, tagged, and mostly replaced by others. And since
manuals speak of things more than of people, people (and companies, places, products) are set where
a manual has "the server" or "the next file": a name is then met in as many sentences as there are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.dlp.generator.values import Value
from operators.dlp.notices import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from operators.dlp.generator.pools import Pools
    from operators.dlp.generator.slots import Cast

_PAIR: Final = re.compile(
    r"(?<![\w.@/&-])(?P<first>[A-Z][a-zà-ÿ'’-]+)(?: [A-Z]\.){0,2} "
    r"(?P<last>(?:(?:van|von|de|der|den|di|da|del|la|le) ){0,2}[A-Z][A-Za-zà-ÿ'’-]+)(?![\w@/(=_-])"
)
_NOT_LAST: Final = frozenset(
    "Street Road Avenue Lane Drive Inc Ltd Corp University Foundation Island River Bay Hill Park Lake County Institute"
    " Software Systems Project Library License Linux Unix Edition Science Press Club Team Group Day".split()
)
_DATED: Final = re.compile(r"^\W*(?:19|20)\d\d\b")
_CODE: Final = re.compile(r"[=;{}_\"\[\]\\|]|::|->|\w\(")
_WORD: Final = re.compile(r"(?<![A-Za-z])[a-z]{2,}(?![A-Za-z])")
_ORDINARY: Final = 3
"""A word that is written in lower case so often in the sample is not a name alone."""
_THING: Final = re.compile(
    r"(?<!\w)[Tt]h(?:e|is|at) (?:[a-z]{3,11} )?[a-z]{3,12}(?= (?:is|was|has|had|will|can|may|must|should|does|did|would|could|and|or|to|with|for|from"
    r"|in|on|at|by|about|because|who|when|if|after|before|then|not|also|already|needs|wants|uses)\b|[,.;:?!)]|'s)"
)
_KEPT: Final = 0.3
_PERSONAL: Final = 0.55
_OTHER: Final = "8"
"""Number of the person of a cast that people in real text are replaced by."""
_PEOPLE: Final = ("n", "n", "n2", "n3", "n4", "f", "f", "f2", "f3", "l", "l2")
_THINGS: Final = (
    "co",
    "city",
    "city",
    "brand",
    "brand",
    "month",
    "dow",
    "phrase",
    "job",
    "title",
    "title",
)


class Known:
    """Names of people that can be told from other words.

    Args:
        pools: names of every locale.
        sample: real text that shows which words are ordinary.
    """

    def __init__(self, pools: Pools, sample: Iterable[str]) -> None:
        counts: dict[str, int] = {}
        for text in sample:
            for word in _WORD.findall(text):
                counts[word] = counts.get(word, 0) + 1
        self._ordinary = {word for word, count in counts.items() if count >= _ORDINARY}
        self._firsts = {name for name in pools.known_firsts if name.lower() not in self._ordinary}

    def find(self, line: str) -> Iterator[tuple[int, int]]:
        """Places of first and last names in a line of prose that is no notice of authorship."""
        if NOTICE.search(line) or _DATED.match(line) or _CODE.search(line):
            return
        for match in _PAIR.finditer(line):
            last = match["last"].rsplit(" ", 1)[-1]
            if match["first"] in self._firsts and not (
                last in _NOT_LAST or last.lower() in self._ordinary
            ):
                yield match.span()


def changes(line: str, cast: Cast, share: float) -> list[tuple[int, int, Value]]:
    """What is written in other places of a line, in order: its people, and others for things.

    Args:
        line: of real text.
        cast: who is put there.
        share: of the things in the line that others take the place of.
    """
    rng = cast.rng
    found = []
    for start, end in cast.known.find(line) if cast.known else ():
        if rng.random() < _KEPT:
            found.append((start, end, Value(line[start:end], "NAME", key=line[start:end])))
        else:
            cast.people.pop(_OTHER, None)
            found.append((start, end, cast.fill(f"n{_OTHER}")))
    for match in _THING.finditer(line) if share else ():
        start, end = match.span()
        if rng.random() < share and all(end <= low or high <= start for low, high, _ in found):
            slot = rng.choice(_PEOPLE if rng.random() < _PERSONAL else _THINGS)
            found.append((start, end, cast.fill(slot)))
    return sorted(found)
