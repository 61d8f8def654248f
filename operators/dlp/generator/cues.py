"""Words that say what a value is, put together in the ways that people and programs label things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

CUES: Final[dict[str, tuple[str, ...]]] = {
    slot: tuple(words.split("|"))
    for slot, words in {
        "n": "name|full name|customer name|contact|owner|author|employee|patient|client|manager|assignee|reporter|reviewer|"
        "holder|recipient|sender|beneficiary|signatory|attn|agent|guest|student|teacher|tenant|driver|applicant|spouse|"
        "emergency contact|approver|requester|lead|attorney|counsel|physician|doctor|nurse|buyer|seller|member|user|nominee",
        "f": "first name|given name|nickname|forename|preferred name|fname",
        "l": "last name|surname|family name|maiden name|lname",
        "em": "email|e-mail|mail|email address|contact|login|account|cc|bcc|reply to|paypal|recovery email|work email|to|from",
        "ph": "phone|tel|telephone|mobile|cell|fax|call|text|sms|whatsapp|phone number|contact number|landline|hotline|ph|mob|direct line|desk|home",
        "ad": "address|home address|mailing address|street|location|ship to|deliver to|residence|billing address|lives at|"
        "office|site|property|premises|pickup|drop-off|venue|home|registered office|return address",
        "card": "card|card number|credit card|cc|visa|mastercard|amex|debit card|pan|card no|payment card|account|cc num|charged to|card on file",
        "iban": "iban|account|bank account|transfer to|beneficiary account|acct|payout account",
        "ssn": "ssn|social security number|social|ss number|soc sec no|social security|ssn/tin|ss#",
        "nid": "national id|tax id|tin|id number|identity number|nino|ni number|aadhaar|cpf|dni|nif|bsn|pesel|sin|tfn|"
        "personal number|citizen id|id card|codice fiscale|steuer-id|taxpayer number|nhs number|insurance number",
        "pass": "passport|passport number|passport no|travel document|pass no",
        "dl": "driver license|driver's license|driving licence|dl|license number|licence no|dl number|driver licence number",
        "pw": "password|passwd|pwd|pass|pw|passphrase|passcode|pin|login password|temp password|new password|old password|"
        "root password|wifi password|admin pass|default password|credentials|secret word|unlock code|master password",
        "key": "key|token|secret|api key|access token|auth token|secret key|client secret|bearer token|private token|"
        "access key|credential|webhook|signing key|session token|refresh token|license key|encryption key|app secret",
        "db": "database|db|dsn|connection string|database url|conn|connect with|uri|jdbc url|datasource|broker url|mongo|redis",
        "mat": "matter|matter no|case no|case number|docket|docket no|our ref|file no|matter id|client-matter|cause no|"
        "case|civil action no|claim no|reference|application no|proceeding|index no|legal matter|case id",
    }.items()
}
NEUTRAL: Final = tuple(
    "order|invoice|ref|reference|id|item|sku|part no|version|build|commit|hash|checksum|sha256|md5|ticket|issue|batch|serial|"
    "tracking|model|revision|port|size|count|total|offset|line|page|room|flight|seat|lot|uuid|request id|session|trace|etag|"
    "nonce|digest|fingerprint|job|task|row|code|zip size|timestamp|epoch|duration|status|error|event|isbn|doi|npi|mrn|"
    "record|claim amount|quantity|width|height|color|mac|ip|host|node|shard|partition|release|tag|branch|signature|salt length|"
    "token count|password length|key size|key id|public key|card type|phone model|address bar|name of file|mail server|"
    "password policy|token type|secret name|account type|case sensitivity|contact form|matter of fact|passport photo".split(
        "|"
    )
)
SERVICES: Final = tuple(
    "aws github gitlab stripe slack twilio sendgrid mailgun google azure gcp heroku npm pypi docker datadog sentry okta auth0 "
    "jira openai hf db database redis mysql postgres mongo kafka rabbit smtp imap ldap ftp ssh vpn wifi prod staging dev test "
    "my app internal user admin root backup payment billing service svc client server api web mobile bot ci deploy build "
    "jenkins vault consul s3 minio elastic grafana splunk zoom discord telegram twitter facebook shopify paypal square "
    "default old new temp master primary secondary legacy external partner tenant x".split()
)
SECRETS: Final = (
    "key", "secret", "token", "api_key", "apikey", "access_key", "secret_key", "access_token", "auth_token", "client_secret",
    "private_key", "credentials", "signing_key", "webhook_secret", "bearer", "auth", "api_token", "encryption_key", "refresh_token",
)  # fmt: skip
PASSWORDS: Final = (
    "password",
    "passwd",
    "pwd",
    "pass",
    "pw",
    "passphrase",
    "passcode",
    "pin",
    "PassWord",
)
_MODIFIERS: Final = (
    "customer", "primary", "secondary", "billing", "work", "home", "emergency", "account", "user", "new", "old", "current",
    "previous", "alternate", "the", "my", "your", "his", "her", "their", "our", "client", "main", "employee", "patient", "valid",
)  # fmt: skip
_SUFFIXES: Final = (
    "no.",
    "number",
    "#",
    "(required)",
    "on file",
    "1",
    "2",
    "value",
    "field",
    "details",
    "here",
    "below",
    "for now",
)
_BETWEEN: Final = (
    ": ", ": ", ": ", ":", " : ", "=", " = ", " is ", " is ", " - ", " -> ", "\t", " ", " ", ", ", " (", " => ", " was ", ":\n",
    "\n", " to ", " | ", " should be ", " changed to ", ";", " – ", "... ", "? ", " := ", " of ", ": \n  ", '": "', "='", '="', '": ',
    "> ", "/", " now ", "  ", " as ", " would be ", ".. ", " will be ", " set to ", " [", " seems to be ", ",", " has ", "~ ",
)  # fmt: skip
_QUOTES: Final = (
    *("",) * 16,
    '"',
    '"',
    "'",
    "'",
    "`",
    "<",
    "(",
    "[",
    "**",
    "“",
    "«",
    "{",
    "|",
    "_",
)
_CLOSING: Final = {"<": ">", "(": ")", "[": "]", "“": "”", "«": "»", "{": "}"}


def identifier(rng: Random, cores: tuple[str, ...]) -> str:
    """The name of a variable or setting that holds a secret."""
    words = [rng.choice(cores)]
    chance = rng.random()
    if chance < 0.7:
        words.insert(0, rng.choice(SERVICES))
    if chance < 0.2:
        words.insert(0, rng.choice(SERVICES))
    if rng.random() < 0.08:
        words.append(
            rng.choice(("1", "2", "v2", "value", "str", "old", "b64", "hash", "prod", "text"))
        )
    return cased(rng, "_".join(words))


def cased(rng: Random, name: str) -> str:
    """A name of words in one of the styles of programs."""
    words = name.replace(" ", "_").replace("-", "_").split("_")
    return rng.choice((
        "_".join(words), "_".join(words), "_".join(words).upper(), "_".join(words).upper(), "-".join(words), ".".join(words),
        words[0] + "".join(map(str.title, words[1:])), "".join(map(str.title, words)), "".join(words), " ".join(words),
    ))  # fmt: skip


def label(rng: Random, slot: str) -> str:
    """A label for a slot's value, and what stands between the two."""
    text = rng.choice(CUES.get(slot, NEUTRAL))
    if rng.random() < 0.25:
        text = f"{rng.choice(_MODIFIERS)} {text}"
    if rng.random() < 0.1:
        text = f"{text} {rng.choice(_SUFFIXES)}"
    chance = rng.random()
    if chance < 0.3:
        text = cased(rng, text)
    elif chance < 0.5:
        text = text.title() if chance < 0.4 else text.capitalize()
    elif chance < 0.56:
        text = text.upper()
    return text + rng.choice(_BETWEEN)


def quotes(rng: Random) -> tuple[str, str]:
    """What stands around a value: mostly nothing."""
    opening = rng.choice(_QUOTES)
    return opening, _CLOSING.get(opening, opening)
