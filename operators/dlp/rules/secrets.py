"""Private keys, connection strings, and values that their names call secrets."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from operators.dlp.rules.hit import Hit
from operators.dlp.rules.placeholders import (
    classes,
    entropy,
    is_code,
    is_id,
    is_placeholder,
    looks_drawn,
)
from operators.dlp.rules.words import folded, names

if TYPE_CHECKING:
    from collections.abc import Iterator

_ARMOUR: Final = re.compile(
    r"-----BEGIN (?P<kind>(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?)-----(?P<body>.{40,}?)(?:-----END (?P=kind)-----|\Z)"
    r"|PuTTY-User-Key-File-\d: .{40,}?Private-MAC: [0-9a-f]{40,64}",
    re.DOTALL,
)
_LONGEST_KEY: Final = 20_000
_KEY_ENTROPY: Final = 4.0
_KEY_LINE: Final = re.compile(r"[A-Za-z0-9+/=]{40}")
_URI: Final = re.compile(
    r"(?<![\w+.-])(?P<scheme>(?:jdbc:)?[A-Za-z][A-Za-z0-9+.-]{1,30})://(?P<user>[^\s:/@'\"<>`]{0,80}):(?P<secret>[^\s/'\"<>`]{1,120}?)@(?P<rest>[^\s'\"<>`,;)\]}]{2,300})"
)
_DATABASES: Final = re.compile(
    r"(?:jdbc:)?(?:postgres(?:ql)?|pgsql|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|cockroachdb|clickhouse|snowflake|couchdb?"
    r"|neo4j|bolt|cassandra|ldaps?|kafka|nats|mqtts?|influxdb|db2|redshift|bigquery|vertica|presto|trino|hive|sybase|firebird|sqlalchemy|elasticsearch|memcached?|couchbase)"
    r"(?:\+[\w]+)?$",
    re.IGNORECASE,
)
_LOCAL: Final = re.compile(
    r"^(?:localhost|127\.0\.0\.1|\[?::1\]?|0\.0\.0\.0|host|hostname|server|example\.|[\w.-]*\.example\b|[\w.-]*example\.(?:com|org|net))",
    re.IGNORECASE,
)
_PAIRS: Final = re.compile(
    r"(?<![\w.])(?:jdbc:\w+:[^\s'\"<>]{4,200}[?;&]|(?:(?:Data Source|Server|Host|Driver|Provider|Endpoint|AccountEndpoint|DefaultEndpointsProtocol|AccountName|Addr|host)\s*=\s*[^;'\"\n]{1,200}?[; ]\s*)(?:(?:[A-Za-z ]{2,30})=\s*[^;'\"\n]{1,200}?[; ]\s*){0,8})"
    r"[^'\"\n]{0,200}?(?P<name>password|pwd|AccountKey|SharedAccessKey|Password|PWD|PASSWORD|Pwd)\s*=\s*(?P<v>[^;&'\"\s]{3,200})(?P<rest>(?:;[^;'\"\n]{1,120})*;?|(?:[ ][a-z_]+=[^\s'\";]+)*)"
)
_NAME: Final = (
    r"(?P<name>[A-Za-z0-9_.$-]{0,40}(?:pass(?:word|wd|phrase|code)|passwd|\bpass|_pass|pwd|secret|api[_-]?key|apikey|access[_-]?key"
    r"|auth[_-]?(?:token|key)|token|private[_-]?key|signing[_-]?key|encryption[_-]?key|credentials?|client[_-]?secret|webhook[_-]?secret)(?:[_.-]?[A-Za-z0-9]{1,12}){0,2})"
)
_QUOTED: Final = re.compile(
    rf"(?i:{_NAME})[\"'\]]{{0,2}}\s{{0,8}}(?:=>|:=|==?|:)\s{{0,8}}[brfuL@]{{0,2}}(?P<q>[\"'`])(?P<v>[^\"'`\r\n]{{4,160}})(?P=q)"
)
_PLAIN: Final = re.compile(
    rf"^[ \t>#*-]{{0,12}}(?:export |set |ENV |-e |-D|--)?(?i:{_NAME})[\"']?[ \t]{{0,4}}(?:=|:)[ \t]{{0,4}}(?P<v>[^\s\"'`,;)(\]}}]{{6,200}})[ \t]{{0,4}}\r?$",
    re.MULTILINE,
)
_OPTION: Final = re.compile(
    r"(?:--(?:password|passwd|token|secret|api-key|pass)[= ]|\bsshpass -p ?|\bcurl [^\n]{0,80}-u ?[\w.@-]{1,40}:)['\"]?(?P<v>[^\s'\"]{6,120})"
)
_HEADER: Final = re.compile(
    r"(?:\b(?:Bearer|Token|token|bearer)[ ]+|\bX-[\w-]{0,20}(?:Key|Token|Secret)['\"]?\s*[:=]\s*['\"]?|[?&](?:access_token|api_?key|key|token|sig|secret|apikey|auth|client_secret|password|X-Amz-Signature)=)"
    r"(?P<v>[A-Za-z0-9._~+/%-]{16,2000}={0,2})(?![\w])"
)
_BASIC: Final = re.compile(r"\bBasic[ ]+(?P<v>[A-Za-z0-9+/_-]{10,400}={0,2})(?![\w=])")
_SAID: Final = re.compile(
    r"\b(?:(?:pass(?:word|phrase|code)|pwd|passwort|kennwort|contrase[ñn]a|mot de passe|senha|wachtwoord|clave)\b[\w ]{0,24}?"
    r"(?:\bis now\b|\bis\b|\bto\b|\bwas\b|\bist\b|\best\b|\bes\b|[:=]|->|=>)\s*[:=]?\s*|(?:pw|pass|pin)\s*[:=]\s*)"
    r"(?P<q>[\"'`“‘]?)(?P<v>[^\s\"'`“”‘’]{4,64})",
    re.IGNORECASE,
)
_KEY_SAID: Final = re.compile(
    r"\b(?:(?:api|secret|access|auth|private|signing|encryption|license|session|bearer|client)[ _-]?(?:key|token|secret)|token|secret|credential)s?\b[\w ]{0,16}?"
    r"(?:\bis\b|[:=]|->|=>)\s*[\"'`“]?(?P<v>[A-Za-z0-9_./+~-]{16,200}={0,2})(?![\w])",
    re.IGNORECASE,
)
_SECRETIVE: Final = ("pass", "pwd", "secret", "key", "token", "credential")
"""Words without which no name says that its value is secret."""
_TOLD: Final = (
    *_SECRETIVE, "pw", "pin", "kennwort", "contrase", "mot de passe", "senha", "wachtwoord", "clave",
)  # fmt: skip
"""Words without which no sentence tells a secret."""
_CARRYING: Final = ("Bearer", "bearer", "Token", "token", "X-", "?", "&", "Basic")
"""Words without which no header or URL carries a secret."""
_NOT_SECRET: Final = re.compile(
    r"(?:public|publishable|token[_-]?(?:type|ur[il]|endpoint|count|len(?:gth)?|id|name|limit|s$)|secret[_-]?(?:name|ref|id|version|arn|path)|key[_-]?(?:id|name|size|length|path|file|type|usage|alias|word)"
    r"|(?:pass(?:word)?|token|secret)[_-]?(?:file|path|hash|policy|field|length|regex|pattern|min|max|reset|prompt|hint|label|placeholder|url|type|env|var|expir\w*|ttl|header|prefix|format|error|msg|message|validator|strength|input|hasher|change|confirm)"
    r"|hash|digest|checksum|fingerprint|tokeni[sz]|csrf_?token_?name|pass(?:ed|es|ing|able|port|enger|ive)\b|bypass|compass|passage)",
    re.IGNORECASE,
)
_PASSWORDS: Final = re.compile(
    r"pass|pwd|pin$|contras|kennwort|senha|wachtwoord|clave", re.IGNORECASE
)
_APP_PASSWORD: Final = re.compile(r"[a-z]{4}(?: [a-z]{4}){3}")
"""As Google prints passwords for single applications."""
_DOCUMENTED: Final = frozenset(("Aladdin:open sesame", "Aladdin:OpenSesame", "scott:tiger"))
"""RFC 7617, RFC 2617, and Oracle's sample account."""
_STRONG: Final = 3
_TRAILING: Final = ".,;:?)]}>\"'"
_BASE64_FORM: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def private_keys(text: str) -> Iterator[Hit]:
    """Private keys with their armour; one that the text's end cuts is known by its first line."""
    if "PRIVATE" not in text and "PuTTY" not in text:
        return
    for match in _ARMOUR.finditer(text):
        if match.end() - match.start() > _LONGEST_KEY:
            continue
        body = (match["body"] or match[0]).replace("\\n", "\n")
        lines = _KEY_LINE.findall(body)
        if lines and entropy("".join(lines)) > _KEY_ENTROPY:
            yield Hit(
                match.start(), match.end(), "SECRET", "private-key", validated=True, adds=True
            )


def uris(text: str) -> Iterator[Hit]:
    """Connection strings as URLs with a password in them, and passwords in other URLs."""
    if "://" in text:
        for match in _URI.finditer(text):
            value = match["secret"]
            if (
                _hollow(value)
                or value == match["user"]
                or f"{match['user']}:{value}" in _DOCUMENTED
            ):
                continue
            start, end = match.start(), _without_tail(text, match.start(), match.end())
            local = _LOCAL.match(match["rest"]) is not None
            if _DATABASES.match(match["scheme"]):
                yield Hit(
                    start,
                    end,
                    "DBURI",
                    "uri",
                    validated=True,
                    adds=not (local and classes(value) < _STRONG),
                )
            elif not local:
                sure = classes(value) >= 2 and len(value) >= 6
                yield Hit(*match.span("secret"), "SECRET", "url", validated=False, adds=sure)


def pairs(text: str) -> Iterator[Hit]:
    """Connection strings as names and values, one of them a password or key."""
    for match in _PAIRS.finditer(text):
        if not _hollow(match["v"].strip(_TRAILING)):
            end = _without_tail(text, match.start(), match.end())
            yield Hit(match.start(), end, "DBURI", "pairs", validated=True, adds=True)


def assigned(text: str) -> Iterator[Hit]:
    """Values that a name in code, settings or a command line calls a secret."""
    yield from _named(text)
    if not names(text, ("--", "sshpass", "curl ")):
        return
    for match in _OPTION.finditer(text):
        if not _hollow(match["v"]) and classes(match["v"]) > 1:
            yield Hit(*match.span("v"), "SECRET", "option", validated=False, adds=True)


def _named(text: str) -> Iterator[Hit]:
    if not names(text, "=:") or not names(folded(text), _SECRETIVE):
        return
    for match in _QUOTED.finditer(text):
        sure = _is_secret(match["name"], match["v"])
        if sure is not None:
            yield Hit(*match.span("v"), "SECRET", "assigned", validated=False, adds=sure)
    for match in _PLAIN.finditer(text):
        sure = _is_secret(match["name"], match["v"])
        if sure is not None:
            drawn = looks_drawn(match["v"]) or classes(match["v"]) >= _STRONG
            yield Hit(*match.span("v"), "SECRET", "assigned", validated=False, adds=sure and drawn)


def carried(text: str) -> Iterator[Hit]:
    """Tokens in headers and in the query of URLs."""
    if not names(text, _CARRYING):
        return
    for match in _HEADER.finditer(text):
        value = match["v"]
        if not _hollow(value) and looks_drawn(value, 20):
            yield Hit(*match.span("v"), "SECRET", "header", validated=False, adds=True)
    for match in _BASIC.finditer(text):
        if (looks_drawn(match["v"], 10) or match["v"].endswith("=")) and _lets_in(match["v"]):
            yield Hit(*match.span("v"), "SECRET", "basic", validated=False, adds=True)


def said(text: str) -> Iterator[Hit]:
    """Passwords and keys that a sentence tells."""
    if not names(folded(text), _TOLD):
        return
    for match in _SAID.finditer(text):
        start, end = match.span("v")
        end = _without_tail(text, start, end)
        value = text[start:end]
        if len(value) < 4 or _hollow(value):
            continue
        mixed = classes(value) > 1 and any(char.isdigit() for char in value)
        adds = mixed and (len(value) >= 6 or bool(match["q"]))
        yield Hit(start, end, "SECRET", "said", validated=False, adds=adds)
    for match in _KEY_SAID.finditer(text):
        if looks_drawn(match["v"], 16) and not _hollow(match["v"]):
            yield Hit(*match.span("v"), "SECRET", "said", validated=False, adds=True)


def _is_secret(name: str, value: str) -> bool | None:
    """Whether a named value is a secret for sure (True), maybe (False) or not (None)."""
    if _PASSWORDS.search(name) and _APP_PASSWORD.fullmatch(value):
        return True
    if _NOT_SECRET.search(name) or _hollow(value) or " " in value.strip():
        return None
    if _PASSWORDS.search(name):
        return len(value) >= 6 and classes(value) >= 2 and any(char.isdigit() for char in value)
    if looks_drawn(value, 16):
        return True
    return False if len(value) >= 8 else None


def _hollow(value: str) -> bool:
    return is_placeholder(value) or is_code(value) or is_id(value)


def _lets_in(value: str) -> bool:
    """Whether basic credentials hold a user and a password that is no documented one."""
    try:
        user, colon, password = base64.b64decode(value + "==").decode().partition(":")
    except ValueError:
        return True
    return bool(colon) and not (
        is_placeholder(password) or password == user or f"{user}:{password}" in _DOCUMENTED
    )


def _without_tail(text: str, start: int, end: int) -> int:
    while end > start + 1 and text[end - 1] in _TRAILING:
        end -= 1
    return end
