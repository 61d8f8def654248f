"""What rules know for certain, what they leave alone, and what they undo."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

from operators.dlp.calibration import Calibration
from operators.dlp.decoding import Found
from operators.dlp.fuse import fuse
from operators.dlp.rules import disguises, legal, numbers, secrets
from operators.dlp.rules.find import find
from operators.dlp.rules.placeholders import is_placeholder
from operators.dlp.rules.plausible import is_supported, is_vetoed
from operators.dlp.tags import TYPES

CARD = "4539 1488 0343 6467"
KEY = "ghp_Vx7Qm2Lk9Zt4Rb8Ws3Yd6Hn1Jc5Pf0TgKuAe"


def reported(text: str) -> list[tuple[str, str]]:
    """Type and value of each hit that a rule reports by itself."""
    return [(hit.type, text[hit.start : hit.end]) for hit in find(text) if hit.adds]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (f"card {CARD} please", "PAN", CARD),
        ("pay to NL91 ABNA 0417 1643 00 today", "PAN", "NL91 ABNA 0417 1643 00"),
        ("SSN: 514-83-2097", "SSN", "514-83-2097"),
        ("CPF 529.982.247-25", "SSN", "529.982.247-25"),
        ("Passport no. K08251934", "SSN", "K08251934"),
        ("write to renata@borealfreight.com", "EMAIL", "renata@borealfreight.com"),
        ("call (541) 382-7719 now", "PHONE", "(541) 382-7719"),
        ("reach us at +351 21 346 8820", "PHONE", "+351 21 346 8820"),
        (f"token: {KEY}", "SECRET", KEY),
        ('password = "tr0ub4dor&Zebra"', "SECRET", "tr0ub4dor&Zebra"),
        ("the wifi password is Heron4242!", "SECRET", "Heron4242!"),
        ("redis://:p4Qm8Zt2wL@cache-01.corvex.net:6379/2", "DBURI", None),
        ("Server=db1;Database=x;User Id=sa;Password=Ht7#mQ2zLp", "DBURI", None),
        ("4417 N Ravenswood Ave, Chicago, IL 60640", "ADDR", None),
        ("Case 3:22-cv-01873 was closed", "MATTER", "3:22-cv-01873"),
        ("under the non-disclosure agreement", "NDA", "non-disclosure agreement"),
    ],
)
def test_values_of_known_form_are_reported(text: str, kind: str, value: str | None) -> None:
    """Each by its own rule, with the value's own edges."""
    assert (kind, value or text) in reported(text)


@pytest.mark.parametrize(
    "text",
    [
        "order 4000123412341234",
        "card 4539 1488 0343 6468",
        "IBAN NL91 ABNA 0417 1643 01",
        "SSN 666-12-3456 and 000-12-3456",
        "mail user@example.com or noreply@corvex.net",
        "git clone git@github.com:corvex/ledger.git",
        "version 10.0.151.0/24 on 2024-01-02",
        'password = "changeme"',
        'api_key = os.environ["PAYMENTS_API_KEY"]',
        "AWS_SECRET_ACCESS_KEY=${SECRET}",
        "postgres://user:password@localhost/db",
        "commit 3f9c2d1e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d",
        "AKIAIOSFODNN7EXAMPLE",
        '"integrity": "sha512-zbB9rCJAT1rbjiVDb2hqKFHNYLxgtk8NurxZ3IZwD3F6NtxbXZQCnnSi1Lkx"',
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
        "NDA_FLAGS = 3",
        "Look at docs.python.org for it",
    ],
)
def test_what_only_looks_like_a_value_is_left_alone(text: str) -> None:
    """Checksums that fail, reserved names, placeholders, references, public things."""
    assert reported(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "card four five three nine one four eight eight zero three four three six four six seven",
        "4 5 3 9 1 4 8 8 0 3 4 3 6 4 6 7",
        "card: 4539-14-8803-4364-67",
        "card 4539\u200b 1488\u200b 0343\u200b 6467",
        "card \uff14\uff15\uff13\uff19 \uff11\uff14\uff18\uff18 \uff10\uff13\uff14\uff13 \uff16\uff14\uff16\uff17",
        "card 4539 1488\n0343 6467",
        "card 4539%201488%200343%206467",
        "&#52;539 1488 0343 6467",
        base64.b64encode(f"card {CARD}".encode()).decode(),
        f"card {CARD}".encode().hex(),
    ],
)
def test_a_disguised_card_is_seen(text: str) -> None:
    """Words, spacing, odd groups, invisible and wide characters, line splits, encodings."""
    assert "PAN" in {kind for kind, _ in reported(text)}


@pytest.mark.parametrize(
    "text",
    [
        'key = "' + KEY[:17] + '" + "' + KEY[17:] + '"',
        KEY[:14] + "\n" + KEY[14:],
        " ".join(KEY),
        KEY[::-1],
        base64.b64encode(KEY.encode()).decode(),
        KEY.replace("A", "\u0410").replace("c", "\u0441"),
    ],
)
def test_a_disguised_key_is_seen(text: str) -> None:
    """Joined constants, lines, spacing, reversal, encoding, look-alikes."""
    assert "SECRET" in {kind for kind, _ in reported(text)}


@pytest.mark.parametrize(
    "text",
    [
        "renata [dot] kowalczyk [at] borealfreight [dot] com",
        "renata dot kowalczyk at borealfreight dot com",
        "moc.thgierflaerob@ataner",
        "r e n a t a @ b o r e a l f r e i g h t . c o m",
        "renata\uff20borealfreight.com",
    ],
)
def test_a_disguised_address_is_seen(text: str) -> None:
    """In words, backwards, spaced, wide."""
    assert ("EMAIL", text) in reported(text)


def test_hits_lie_in_the_text_as_it_was_sent() -> None:
    """A value that was folded is covered as it was written."""
    text = "\u200b\u200bhello \ufeff card: 4\u200b539 1488 0343 646\u200b7."
    [hit] = [hit for hit in find(text) if hit.type == "PAN" and hit.adds]
    assert text[hit.start : hit.end] == "4\u200b539 1488 0343 646\u200b7"


def test_no_rule_gives_a_value_away() -> None:
    """A hit holds places and names of rules, and nothing of the text."""
    for hit in find(f"token: {KEY}, card {CARD}, password is Heron4242!"):
        assert not any(part in repr(hit) for part in (KEY, CARD, "Heron4242"))


@pytest.mark.parametrize("value", ["xxxx", "<token>", "${TOKEN}", "changeme", "your-api-key"])
def test_placeholders_are_known(value: str) -> None:
    """What documentation writes where a secret would be."""
    assert is_placeholder(value)


@pytest.mark.parametrize(
    ("text", "value", "sure", "kept"),
    [
        ("the crash was reported by Ilse Doorn", "Ilse Doorn", 0.9, True),
        ("ported by Ilse Doorn", "Ilse Doorn", 0.9, False),
        ("Copyright 2020 Ilse Doorn", "Ilse Doorn", 0.9, False),
        ("Author: Ilse Doorn <ilse@corvex.net>", "Ilse Doorn", 0.9, True),
        ("hi its tanya, can u call", "tanya", 0.9, True),
        ("By May the river was dry", "river", 0.9, False),
        ("on Monday it rained", "Monday", 0.9, False),
        ("from celery import Celery\n# started by Celery itself", "Celery itself", 0.9, True),
        ("from celery and\nfrom celery\n# or Celery", "Celery", 0.9, True),
        ("import cassandra\n# handled by Cassandra", "Cassandra", 0.99, False),
        ("username: YmlsbGluZw==", "YmlsbGluZw==", 0.95, False),
    ],
)
def test_a_name_must_be_plausible(text: str, value: str, sure: float, kept: bool) -> None:
    """Notices, modules, dates and words in lower case name nobody; chats and commits do."""
    start = text.rindex(value)
    assert is_vetoed(text, start, start + len(value), "NAME", sure, supported=True) is not kept


@pytest.mark.parametrize(
    ("text", "value", "kept"),
    [
        ("switch (op) {\n  case BEQZ, BNEZ:", "BEQZ, BNEZ", False),
        ("\tvar v2 Vanilla\n\tv2.x[i] = j", "Vanilla", False),
        ("c.Env = nil // {x}\n// If Env contains a value", "Env", False),
        ("type Gopher struct {\n}\n// a Gopher digs", "Gopher", False),
        ("x.y = 1; // {z}\n// seen by Ilse, who left", "Ilse", True),
        ("J.Doorn = 1; // {z}\n// seen by Doorn, who left", "Doorn", True),
        ('var owner = "Ilse Doorn"; // {x}', "Ilse Doorn", True),
        ("mail.Doorn@corvex.net = 1; // ask Doorn {x}", "Doorn", True),
    ],
)
def test_what_a_program_declares_is_no_name(text: str, value: str, kept: bool) -> None:
    """Words in statements, and those that are types or fields elsewhere; not text in quotes."""
    start = text.rindex(value)
    assert is_vetoed(text, start, start + len(value), "NAME", 0.99, supported=False) is not kept


@pytest.mark.parametrize(
    "text",
    [
        "serverConfig.Certificates[0].PrivateKey = testRSAPSS2048PrivateKey\n",
        "cfg.apiToken = prod2024ApiToken\n",
    ],
)
def test_a_variable_that_holds_a_key_is_none(text: str) -> None:
    """A name in a program that ends in what it holds is not the value."""
    assert reported(text) == []


def test_the_head_of_a_key_alone_is_no_secret() -> None:
    """What the model marks of an armour without the key in it is not reported."""
    assert is_vetoed("-----BEGIN RSA TESTING KEY-----", 0, 10, "SECRET", 0.99, supported=True)


@pytest.mark.parametrize(
    ("text", "supported"),
    [
        ('{"customer": {"name": "Ewa Nowicka"}}', True),
        ('{"full_name": "Ewa Nowicka"}', True),
        ("Signed-off-by: Ewa Nowicka <e@corvex.net>", True),
        ("We met Ewa Nowicka at noon, and it rained all day in the old town.", True),
        ('{"title": "Ewa Nowicka", "x": [1, {"y": 2}]}', False),
        ("x = f(Ewa Nowicka) | [y] # {z}", False),
    ],
)
def test_records_and_prose_speak_for_a_name(text: str, supported: bool) -> None:
    """A key that asks for a person does; quotes and signs alone do not."""
    start = text.index("Ewa")
    assert is_supported(text, start, start + len("Ewa Nowicka"), "NAME") is supported


def test_titles_are_no_part_of_a_name() -> None:
    """What is called before a name is cut off; a title alone is nothing."""
    calibration = Calibration(
        np.ones(4), np.zeros(4), dict.fromkeys(TYPES, 0.5), dict.fromkeys(TYPES, 0.5)
    )
    text = "Lieber Herr Dr. Ammann, es regnet."
    found = [Found(0, 22, "NAME", 0.9)]
    assert [text[s.start : s.end] for s in fuse(text, found, [], calibration)] == ["Ammann"]
    assert fuse(text, [Found(0, 11, "NAME", 0.9)], [], calibration) == []
    whole = Found(0, 9, "NAME", 0.9)
    assert fuse("Don Smith", [whole], [], calibration)[0][:2] == (0, 9)


@pytest.mark.parametrize(
    ("credentials", "reported_as"),
    [("ops:Kite.Runner.5", 1), ("Aladdin:open sesame", 0), ("user:password", 0), ("foo:bar", 0)],
)
def test_basic_credentials_are_read(credentials: str, reported_as: int) -> None:
    """What a header encodes is decoded; samples of the specification are samples."""
    header = f"Authorization: Basic {base64.b64encode(credentials.encode()).decode()}"
    assert sum(kind == "SECRET" for kind, _ in reported(header)) == reported_as


def test_a_signature_of_parameters_is_no_connection_string() -> None:
    """Defaults of a function's parameters hold nothing."""
    assert reported("def f(self, host=None, port=None, db=None, password=None, x=1):") == []


CUES = (
    "nino", "national insurance", "NI", "nhs", "cpf", "dni", "nif", "nie", "codice", "fiscale", "cf",
    "c.f.", "sécu", "nir", "insee", "social", "steuer", "idnr", "tax id", "tin", "bsn", "sofi",
    "burgerservice", "pesel", "sin", "social insurance", "tfn", "tax file", "aadhaar", "aadaar",
    "uidai", "pan", "permanent account", "personnummer", "personal", "pnr", "fødselsnummer", "fnr",
    "cpr", "hetu", "henkilö", "rijksregister", "registre national", "insz", "national number",
    "pps", "contribuinte", "cnp", "oib", "id", "identity", "itin", "tax", "passport no",
    "travel document nr", "reisepass nr", "passeport num", "pasaporte no", "driver's license no",
    "driving licence number", "dl no", "dln #", "licence no", "password", "passphrase", "pwd", "pw",
    "passwort", "kennwort", "contraseña", "mot de passe", "senha", "wachtwoord", "clave", "pin",
    "api key", "api_key", "secret", "token", "credential", "client_secret", "--password", "Bearer",
    "curl -u ada:", "?sig=", "&key=", "X-Api-Key:", "Basic", "strictly confidential", "MNDA",
    "attorney work product", "non-disclosure agreement", "trade secrets", "Receiving Party",
    "Confidential Information", "ring me: double", "ada at boreal dot", "ada [at] boreal [dot]",
)  # fmt: skip
VALUES = (
    "QQ123456C", "943 476 5919", "529.982.247-25", "12345678Z", "X1234567L", "RSSMRA85T10A562S",
    "1 84 12 76 451 089 46", "86095742719", "111222333", "44051401359", "046 454 286", "ABCPE1234F",
    "811228-9874", "010180-0126", "131052-308T", "85.07.30-033.61", "1234567FA", "8001015009087",
    "912-70-1234", "K08251934", "D1234567", "is Heron4242!", '= "tr0ub4dor&Zebra"', f": {KEY}", KEY,
    "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "five one two five five five oh one two three", "com", "",
)  # fmt: skip


def twisted(text: str) -> list[str]:
    """A text in cases and letters that patterns take for it."""
    alike = str.maketrans({"i": "ı", "s": "ſ", "k": "\u212a"})
    return [text, text.upper(), text.title(), text.translate(alike), text.replace("i", "İ")]


def test_words_looked_for_first_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the case, and in letters that count as others: all that the patterns find stays."""
    texts = [f"{form} {value}" for cue in CUES for form in twisted(cue) for value in VALUES]
    found = [find(text) for text in texts]
    for module in (numbers, secrets, legal):
        monkeypatch.setattr(module, "names", lambda *_: True)
    monkeypatch.setattr(numbers, "_SOME_DIGITS", re.compile(""))
    monkeypatch.setattr(disguises, "_SOME_AT", re.compile(""))
    monkeypatch.setattr(disguises, "_LEAST_SPELLED", 0)
    assert found == [find(text) for text in texts]
    kinds = {hit.rule for hits in found for hit in hits}
    assert len({kind for kind in kinds if re.fullmatch("[a-z]{2}-[a-z]+", kind)}) > 20
    assert {"document", "assigned", "said", "option", "header", "term", "spelled"} <= kinds
