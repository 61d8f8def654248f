"""All rules over one text, as it was sent and as it reads once disguises are undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dlp.markers import CHANGED
from operators.dlp.normalise import normalise
from operators.dlp.rules import contacts, disguises, keys, legal, numbers, secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operators.dlp.offsets import Traced
    from operators.dlp.rules.hit import Hit, Rule

RULES: Final[tuple[Rule, ...]] = (
    secrets.private_keys, secrets.uris,
    secrets.pairs, keys.known, secrets.assigned, secrets.carried, secrets.said,
    numbers.cards, numbers.ibans, numbers.social, numbers.national,
    contacts.mails, contacts.phones, contacts.addresses, legal.terms, legal.matters,
)  # fmt: skip


def find(text: str, traced: Traced | None = None) -> list[Hit]:
    """What the rules know of a text, as ranges of it; several may overlap.

    Args:
        text: as it was sent.
        traced: `normalise(text)`, where it is known already.

    Linear in the length of the text, up to the patterns' bounded repetitions.
    """
    traced = normalise(text) if traced is None else traced
    hits = {hit[:3]: hit for hit in _run(text)}
    plain = traced if traced.text == text else traced.without(CHANGED)
    if plain.text != text:
        for hit in _run(plain.text):
            start, end = plain.to_original(hit.start, hit.end)
            moved = hit._replace(start=start, end=end)
            known = hits.get(moved[:3])
            if start < end and (known is None or moved.adds > known.adds):
                hits[moved[:3]] = moved
    return sorted(hits.values())


def _run(text: str) -> Iterator[Hit]:
    plain = [hit for rule in RULES for hit in rule(text)]
    yield from plain
    known = [hit for hit in plain if hit.adds]
    for hit in disguises.found(text):
        if not any(other.start < hit.end and hit.start < other.end for other in known):
            yield hit
