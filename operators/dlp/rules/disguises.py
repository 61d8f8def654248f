"""Structured values that somebody wrote so that a pattern would miss them.

Each view of a text undoes one disguise and keeps where its characters came from; strict rules then
run on the view: only what a checksum, a numbering plan or a vendor's format confirms, or what is
unmistakable as a whole, is reported. Look-alikes, invisible characters and encodings are undone
before, by `operators.dlp.normalise`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from operators.dlp.rules import contacts, keys, numbers, secrets
from operators.dlp.rules.hit import Hit, cued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WORDS: Final = {
    "zero": "0", "oh": "0", "nought": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
_SPELLED: Final = re.compile(
    r"(?<![\w])(?:\+?[\s,.()/-]{0,3}(?:(?:(?:double|triple)\s)?(?:zero|oh|nought|one|two|three|four|five|six|seven|eight|nine)(?![a-z])|\d)){7,24}(?!\w)",
    re.IGNORECASE,
)
_LEAST_SPELLED: Final = 7
_SPELLED_PART: Final = re.compile(
    r"(?:(double|triple)\s)?(zero|oh|nought|one|two|three|four|five|six|seven|eight|nine)|(\d)",
    re.IGNORECASE,
)
_SINGLE: Final = re.compile(
    r"(?<![^\s\"'(:=,;>\[\ue000-\ue0ff])(?P<c>[^\s])(?P<m> ?[-._|*/,~+·•] ?|[ ]{1,3})(?:[^\s](?P=m)){5,400}[^\s](?![^\s\"'),;.:\]])"
)
_BUNCHED: Final = re.compile(
    r"(?<![\w.+-])(?P<g>[\dOolI]{1,6})(?:(?P<m>\s?[-._|*/,~·•:]\s?|\s{1,3}|\s/\s)[\dOolI]{1,6}){2,10}(?![\w])"
)
_AT: Final = r"(?:\s?[\[({<]\s?(?:at|a|@|arroba)\s?[\])}>]\s?|\s(?:at|AT|At|a t|arroba|\(a\))\s|[_-](?:at|AT)[_-]|\s@\s|\s?@\s?)"
_SOME_AT: Final = re.compile(_AT)
_DOT: Final = r"(?:\s?[\[({<]\s?(?:dot|d|\.|punto|point)\s?[\])}>]\s?|\s(?:dot|DOT|Dot|d o t|punto)\s|[_-](?:dot|DOT)[_-]|\s\.\s|\.)"
_ENDS: Final = "com|org|net|edu|gov|io|co|uk|de|fr|es|it|nl|eu|info|biz|ca|au|in|jp|ch|at|be|se|no|dk|fi|pl|pt|br|mx|us|dev|app|ai|me|tv|cc|xyz|online|tech"
_MAIL: Final = re.compile(
    rf"(?<![\w@])(?P<local>[A-Za-z0-9][A-Za-z0-9_+-]{{0,40}}(?:{_DOT}[A-Za-z0-9_+-]{{1,40}}){{0,3}}?){_AT}(?P<host>[A-Za-z0-9-]{{1,60}}(?:{_DOT}[A-Za-z0-9-]{{2,40}}){{0,3}}?){_DOT}(?P<end>{_ENDS})(?![\w@])",
)
_PLAIN_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w$")
_HIDING: Final = re.compile(
    r"[\[({<_-]\s?(?:at|AT|dot|DOT|@|\.|a|d|arroba|punto)\s?[\])}>_-]|\b(?:dot|DOT|Dot|punto|d o t)\b|\sAT\s|\s@\s"
)
_MAIL_CUE: Final = re.compile(r"mail|contact|reach|write|<\s?$|:\s?$|©|by\b", re.IGNORECASE)
_JOINT: Final = re.compile(
    r"(?<=[\w+/=@.:-])(?:[ \t]?\\?\r?\n[ \t>|#*]{0,12}|=\r?\n|-\r?\n[ \t>]{0,8}|[\"'`]\s{0,3}(?:\+|\.\.?|&|,|\\)?\s{0,40}[\"'`]|[ ](?:/|\.\.\.|…)[ ])(?=[\w+/=@.:-])"
)
_BACKWARDS: Final = re.compile(r"[^\s\"'<>()]{8,400}")
_LETTERS: Final = str.maketrans("OolI", "0011")
_STRICT: Final[tuple[Callable[[str], Iterator[Hit]], ...]] = (
    keys.known, numbers.ibans, contacts.mails, secrets.uris,
)  # fmt: skip


class View(NamedTuple):
    """A text with a disguise undone.

    Attributes:
        text: plain.
        places: for each of its code points, where it stood; one more for the end.
    """

    text: str
    places: list[int]

    def back(self, hit: Hit, rule: str) -> Hit:
        """A hit in this text as one in what it came from."""
        return hit._replace(
            start=self.places[hit.start],
            end=self.places[hit.end - 1] + 1,
            rule=f"{rule}/{hit.rule}",
            adds=True,
        )


def found(text: str) -> Iterator[Hit]:
    """Every disguised value that strict rules confirm."""
    yield from spelled(text)
    yield from spaced(text)
    yield from bunched(text)
    yield from spoken_mails(text)
    yield from joined(text)
    yield from backwards(text)


def spelled(text: str) -> Iterator[Hit]:
    """Digits in words: card numbers, social security and telephone numbers."""
    if text.isascii():
        plain = text.lower()
        if sum(map(plain.count, (*_WORDS, *"0123456789"))) < _LEAST_SPELLED:
            return
    for match in _SPELLED.finditer(text):
        if match[0].isascii() and not re.search("[A-Za-z]{2}", match[0]):
            continue
        digits = ""
        for times, word, digit in _SPELLED_PART.findall(match[0]):
            one = digit or _WORDS[word.lower()]
            digits += one * {"": 1, "double": 2, "triple": 3}[times.lower()]
        start = match.start() + len(match[0]) - len(match[0].lstrip(" \t\n,.(/-"))
        kind = _kind(text, start, digits)
        if kind:
            yield Hit(start, match.end(), kind, "spelled", validated=kind == "PAN", adds=True)


def spaced(text: str) -> Iterator[Hit]:
    """Characters one by one with the same mark between them."""
    for match in _SINGLE.finditer(text):
        mark = len(match["m"])
        places = list(range(match.start(), match.end(), mark + 1))
        plain = "".join(text[place] for place in places)
        view = View(plain, [*places, match.end()])
        yield from _strictly(view, "spaced")
        if plain.isdigit():
            kind = _kind(text, match.start(), plain)
            if kind == "PAN" or (kind and "," not in match["m"]):
                yield Hit(
                    match.start(), match.end(), kind, "spaced", validated=kind == "PAN", adds=True
                )
            continue
        for rule in (numbers.cards, numbers.social, contacts.phones):
            cue = contacts.PHONE_CUE if rule is contacts.phones else None
            yield from (
                view.back(hit, "spaced")
                for hit in rule(plain)
                if hit.validated
                and (hit.adds or (cue is not None and cued(text, match.start(), cue)))
            )


def bunched(text: str) -> Iterator[Hit]:
    """Digits in odd groups, O for 0 and l for 1: cards, and with a cue the other numbers."""
    for match in _BUNCHED.finditer(text):
        plain = match[0].translate(_LETTERS)
        digits = numbers.digits_of(plain)
        if (
            not 9 <= len(digits) <= 19
            or sum(char.isdigit() for char in match[0]) < len(digits) // 2
        ):
            continue
        kind = _kind(text, match.start(), digits)
        if kind == "PAN" or (kind and match[0].translate(_LETTERS) != match[0]):
            sure = kind != "PAN" or cued(text, match.start(), numbers.CARD_CUE)
            yield Hit(
                match.start(), match.end(), kind, "bunched", validated=kind == "PAN", adds=sure
            )


def _kind(text: str, start: int, digits: str) -> str:
    """What bare digits are, given what stands before them."""
    if numbers.is_card(digits):
        return "PAN"
    if len(digits) == 9 and numbers.is_ssn(digits) and cued(text, start, numbers.SSN_CUE):
        return "SSN"
    long = digits.removeprefix("1") if len(digits) == 11 else digits
    if cued(text, start, contacts.PHONE_CUE) and (
        contacts.is_phone(long) or contacts.is_phone("+" + digits)
    ):
        return "PHONE"
    return ""


def spoken_mails(text: str) -> Iterator[Hit]:
    """Mail addresses with "at" and "dot" in words or brackets."""
    if not re.search(r"(?i)at|@|arroba|\(a\)", text) or not _SOME_AT.search(text):
        return
    for match in _MAIL.finditer(text):
        value = match[0]
        hiding = _HIDING.search(value) or (
            re.search(r"[._\d]", match["local"]) and cued(text, match.start(), _MAIL_CUE)
        )
        if _PLAIN_MAIL.fullmatch(value) or not hiding:
            continue
        plain = re.sub(_DOT, ".", f"{match['local']}@{match['host']}.{match['end']}")
        if contacts.is_mail(plain):
            yield Hit(match.start(), match.end(), "EMAIL", "spoken", validated=False, adds=True)


def joined(text: str) -> Iterator[Hit]:
    """Values split over lines, string constants or ellipses."""
    joints = [match.span() for match in _JOINT.finditer(text)]
    if not joints:
        return
    parts: list[str] = []
    places: list[int] = []
    done = 0
    for low, high in [*joints, (len(text), len(text))]:
        parts.append(text[done:low])
        places.extend(range(done, low))
        done = high
    view = View("".join(parts), [*places, len(text)])
    for rule in (*_STRICT, numbers.cards):
        for hit in rule(view.text):
            whole = view.back(hit, "joined")
            crossed = whole.end - whole.start > hit.end - hit.start
            if (
                crossed
                and hit.validated
                and hit.adds
                and _tight(text[whole.start : whole.end], hit)
            ):
                yield whole


def _tight(value: str, hit: Hit) -> bool:
    """Whether a joined value is no accident of two neighbours: an address is not whole before."""
    if hit.type != "EMAIL":
        return True
    return (
        value.count("\n") <= 1
        and hit.end - hit.start > 6
        and not _PLAIN_MAIL.match(value.split("\n", maxsplit=1)[0].split('"', maxsplit=1)[0])
    )


def backwards(text: str) -> Iterator[Hit]:
    """Words written from their end: addresses, keys, IBANs, connection strings."""
    for match in _BACKWARDS.finditer(text):
        value = match[0]
        plain = value[::-1]
        if not re.search(r"@|://|_|-|^[A-Z]{2}\d\d|AKIA|^eyJ", plain) or plain == value:
            continue
        view = View(plain, [])
        for rule in _STRICT:
            for hit in rule(view.text):
                if (
                    hit.validated
                    and hit.end - hit.start >= 0.8 * len(plain)
                    and _only_backwards(value, hit)
                ):
                    start = match.end() - hit.end
                    yield hit._replace(
                        start=start,
                        end=match.end() - hit.start,
                        rule=f"reversed/{hit.rule}",
                        adds=True,
                    )


def _only_backwards(value: str, hit: Hit) -> bool:
    """Whether it is no such value read forwards: an address must end in a known domain."""
    if hit.type != "EMAIL":
        return True
    return re.match(
        rf"(?:{'|'.join(end[::-1] for end in _ENDS.split('|'))})\.", value
    ) is not None and not re.search(rf"\.(?:{_ENDS})$", value)


def _strictly(view: View, rule: str) -> Iterator[Hit]:
    for check in _STRICT:
        for hit in check(view.text):
            if hit.validated:
                yield view.back(hit, rule)
