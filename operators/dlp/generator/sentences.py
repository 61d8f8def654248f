"""Sentences put together from parts, so that a name is met in many more places than templates have.

A sentence is a subject, a predicate and what surrounds them. Who acts is a person, a company, a
place or a thing: only the person is a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dlp.generator.carrier import in_dev
from operators.dlp.generator.writing import Draft, write

if TYPE_CHECKING:
    from operators.dlp.generator.slots import Cast

_PEOPLE: Final = (
    *("{n}",) * 12, *("{f}",) * 7, "{l}", "Mr. {l}", "Ms. {l}", "Mrs {l}", "Dr. {l}", "Mr {l}", "Dr {n}",
    "Professor {l}", "Judge {l}", "Senator {l}", "my colleague {f}", "our lawyer, {n},", "{n} and {n2}",
    "{f} and {f2}", "{n}, {n2} and {n3}", "{n} ({co})", "{n} from {city}", "{n}, {age},", "{n}, {job},",
    "her husband {f}", "his boss, {n},", "{f}'s mother", "{n}'s team", "{n}'s lawyer", "Captain {l}", "Sgt. {l}",
    "Rev. {l}", "Sir {f} {l}", "{f} {l2}", "either {f} or {f2}", "neither {n} nor {n2}", "the late {n}", "Aunt {f}",
    "Uncle {f}", "Coach {l}", "Nurse {l}", "customer {n}", "employee {n}", "witness {n}", "{n} <{em}>", "{n} ({ph})",
    "defendant {n}", "Justice {l}", "{l}, {n2} and others", "{l} and {l2}", "Officer {l}", "Detective {n}",
)  # fmt: skip
_OTHERS: Final = (
    "{co}", "{co}", "{city}", "the company", "the office in {city}", "our team", "the board", "the court", "nobody",
    "the bank", "the app", "the server", "the contract", "the city of {city}", "someone", "the {dept} team", "it",
    "everyone", "this", "the order {ord}", "version {ver}", "the report", "the police", "the hospital", "he", "she",
    "they", "we", "the University of {city}", "{city} Airport", "Bank of {city}", "{co} and {co2}", "the {city} office",
    "the Supreme Court", "the World Bank", "Microsoft", "Google", "Amazon", "the White House", "Wall Street", "Apple",
    "Linux", "Java", "Windows", "Excel", "Outlook", "the Ministry of Health", "the {month} edition", "Congress", "God",
)  # fmt: skip
_PREDICATES: Final = tuple(
    """called {dow}|wrote back|sent the file|did not answer|will be late|has the keys|signed the lease|left early
asked about {topic}|complained about {topic}|is working on {topic}|approved {topic}|forgot {topic}|explained {topic} to us
wants a refund|lives in {city}|moved to {city}|was born in {city}|grew up near {city}|flew to {city} on {date}|works for {co}
joined {co} in {year}|left {co}|runs {co}|was hired as {job}|was fired|retired|got married|is on vacation|is sick today
paid {amt}|owes us {amt}|lent me {amt}|invested {amt} in {co}|won {amt}|was charged {amt}|transferred {amt} on {date}
needs the report by {dow}|reviewed the draft|rejected the offer|accepted the offer|made a mistake|was right|was wrong
can be reached at {ph}|can be reached by e-mail at {em}|uses {em}|gave me this number: {ph}|has a new phone, {ph}
lives at {ad}|moved to {ad}|owns the house at {ad}|wants it shipped to {ad}|was last seen at {ad}|gets mail at {ad}
is our contact at {co}|spoke first|spoke at length|testified on {date}|appealed|pleaded not guilty|was sentenced|denied it
said that {topic} could wait|told the court that nothing had happened|thinks that {topic} is too expensive|agrees
wrote the script|broke the build|fixed the bug|reviewed the patch|merged it|opened a ticket|closed the ticket|deployed {ver}
took the train|drove home|missed the flight|cooked dinner|sings in a choir|coaches the team|plays for {city}|scored twice
was admitted with {symptom}|was seen for {symptom}|takes {drug}|is allergic to {drug}|was discharged on {date}|felt better
is the plaintiff in {mat}|was assigned matter {mat}|signed the {nda}|breached the {nda}|is bound by an {nda}
forgot the password ({pw})|set the password to {pw}|sent us the key {key}|uses {pw} everywhere|leaked {key}
gave card number {card}|paid with {card}|has SSN {ssn}|has passport {pass}|entered {ssn} on the form|banks at {iban}
met with {n2}|married {n2}|sued {n2}|introduced me to {n2}|works with {n2}|replaced {n2}|was replaced by {n2}|thanked {n2}
asked {f2} for help|sent {f2} the invoice|is {f2}'s manager|reports to {n2}|and {n2} disagree|copied {n2} on it
promised to call back|never showed up|apologised|is in a meeting|is not in the office|has no idea|knows the way|is busy
wants the clause out|left a message|dropped by|rang twice|paid in cash|beat {n2}|lost to {n2}|told reporters nothing|elected {n2}
reported the crash|sent a patch|suggested it|tested it on {brand}|prefers {brand}|drives a {brand}|translated it|took the minutes
teaches at {city}|studied in {city}|was buried in {city}|retired to {city}|visited {n2} in {city}|commutes from {city}|hates {city}
wrote to {n2}|fired {n2}|hired {n2}|trusts {n2}|owes {n2} a favour|lives with {f2}|is the father of {f2}|had a word with {f2}
waited for {f2}|drove {f2} home|danced with {f2}|argued with {f2}|forgave {f2}|thinks of {f2}|looks like {f2}|calls {f2} every day
chairs the meeting|keeps the books|holds the patent|broke a leg|speaks German|plays the piano|won the raffle|lost the receipt
asked for {amt}|pays {amt} in rent|bills {amt} an hour|found {amt}|signed for the parcel|returned the keys|cancelled the card""".replace(
        "\n", "|"
    ).split("|")
)
_LEADS: Final = (
    *("",) * 14, "On {dow}, ", "On {date}, ", "Yesterday ", "Last week ", "In {year}, ", "In {city}, ", "As far as I know, ",
    "Apparently, ", "However, ", "I heard that ", "I think ", "Did you know that ", "Please note that ", "According to {n3}, ",
    "When we met, ", "After the call, ", "Because ", "If ", "Meanwhile, ", "By the way, ", "At {time}, ", "FYI, ", "So ", "But ",
    "And ", "Well, ", "It seems ", "We learned that ", "- ", "* ", "1. ", "{num}) ", "> ", "Note: ", "Update: ", "PS: ", "btw ",
    "Q: Is it true that ", "The file says ", "Following {topic}, ", "While {n3} waited, ", "Unlike {f3}, ", "With {f3} gone, ",
)  # fmt: skip
_TAILS: Final = (
    *(".",) * 12, *("",) * 3, "!", "?", ", and so did {n3}.", ", too.", " last night.", " again.", " for {amt}.", " in {month}.",
    " on {date}.", " at {time}.", ", I believe.", " because of {topic}.", " (see {ord}).", " with {f3}.", ", said {n3}.",
    " before {dow}.", "; {f3} did not.", " - {f3}", " without telling anyone.", ", which surprised {f3}.", " :)", "...", ", right?",
    " and went home.", " for the {dept} team.", " under protest.", " (per {n3}).", ", thanks to {n3}.", " [{ord}].", " to {f3}'s surprise.",
)  # fmt: skip
_LISTS: Final = (
    "{n}, {n2}, {n3}, {n4}", "{n}\\n{n2}\\n{n3}", "{n}; {n2}; {n3}", "1. {n}\\n2. {n2}\\n3. {n3}", "* {n}\\n* {n2}", "{f}, {f2} & {f3}",
    "{em}, {em2}, {em3}", "{em}\\n{em2}\\n{em3}", "{ph}\\n{ph2}\\n{ph3}", "{card}\\n{card2}", "{ssn}\\n{ssn2}\\n{ssn3}",
    "{em}:{pw}\\n{em2}:{pw2}\\n{em3}:{pw3}", "{usr}:{pw}\\n{usr2}:{pw2}", "{n} {ph}\\n{n2} {ph2}\\n{n3} {ph3}", "{n} - {em}\\n{n2} - {em2}",
    "{n}\\t{ph}\\t{em}\\t{ad}\\n{n2}\\t{ph2}\\t{em2}\\t{ad2}", "{vkey}\\n{vkey2}", "{n}, {ad}\\n{n2}, {ad2}", "{adl}\\n\\n{adl2}", "{vkey}",
    "{card}", "{ssn}", "{em}", "{ph}", "{n}", "{ad}", "{db}", "{iban}", "{pem}",  "{f}", "{n} {dob} {ssn}", "{card} {exp} {cvv}",
    "{n}|{card}|{exp}|{cvv}|{ad}", "{n} {em}", "{ph} {f}", "{n}, {job}, {co}", "{uuid}", "{sha}", "{ord}", "{ver}", "{tok}", "{neg}", "{ip}",
    "{uuid}\\n{uuid}", "{ord}\\n{ord}\\n{ord}", "{sha}\\n{sha}", "{city}, {city}, {city}", "{co}\\n{co2}", "{num} {num} {num} {num}", "{date} {time}",
)  # fmt: skip


def _side(parts: tuple[str, ...], dev: bool) -> tuple[str, ...]:
    """Plain parts are on both sides of the split; the others on one."""
    return tuple(part for part in parts if len(part) < 6 or in_dev(part) == dev)


_PARTS: Final = {
    dev: tuple(
        _side(parts, dev) for parts in (_PEOPLE, _OTHERS, _PREDICATES, _LEADS, _TAILS, _LISTS)
    )
    for dev in (False, True)
}


def sentence(cast: Cast, *, dev: bool) -> Draft:
    """One sentence about someone or something."""
    rng = cast.rng
    people, others, predicates, leads, tails, _ = _PARTS[dev]
    lead = rng.choice(leads)
    subject = rng.choice(people if rng.random() < 0.6 else others)
    if not lead and subject[0].islower() and rng.random() < 0.9:
        subject = subject[0].upper() + subject[1:]
    return write(f"{lead}{subject} {rng.choice(predicates)}{rng.choice(tails)}", cast)


def listing(cast: Cast, *, dev: bool) -> Draft:
    """Values alone, or one under another, with nothing that says what they are."""
    return write(cast.rng.choice(_PARTS[dev][5]), cast)
