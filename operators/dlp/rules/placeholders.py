"""What stands where a secret would be, and is none."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

_MARKED: Final = re.compile(
    r"""^(?:[<{\[(]|\$[({A-Za-z_]|%[({A-Z_]|@@|\#\{|__|\.\.\.|&lt;)|[>}\])]$|\*{3}|•|x{4}|X{4}|\.\.\.|…|\{\{|\$\{|%\(|\\[nrt]$""",
)
_SPOKEN: Final = re.compile(
    r"example|placeholder|change[-_ ]?(?:me|it|this)|redacted|dummy|your[-_ ]|my[-_]?(?:secret|token|key|pass)"
    r"|insert|replace|todo|fixme|foo|bar|baz|qux|sample|s3cr3t|not[-_]?(?:a|the|real|set)|fake|here$|some[-_ ]|lorem"
    r"|^(?:my|the|your|user|new|old|db|api|auth|access|client|test|root|admin|a)?[-_ ]?(?:pass(?:word|wd|phrase|code)?|secret(?:key)?|token|key|pwd|creds?|credentials?)[-_ ]?\d{0,4}$"
    r"|^(?:none|null|nil|true|false|yes|no|on|off|undefined|string|str|int|bool|bytes|text|char|object|optional|required|default|hidden"
    r"|empty|unset|auto|any|all|self|this|test(?:ing)?\d*|secret|private|public|plain|basic|bearer|digest|value|name|user(?:name)?"
    r"|admin|guest|root|postgres|mysql|hunter2|abc|asdf|qwerty|abc123|xyz|blah|spam|eggs|hello|world|enabled|disabled|prompt|ask|input|stdin|env|file|json|never|always)$",
    re.IGNORECASE,
)
_REFERENCE: Final = re.compile(
    r"<[^<>]{0,60}>?|\[[^\]]{0,60}\]|\$\{[^}]*\}?|\$\([^)]*\)?|\$[A-Z_]{3,}|%\([a-z_]*\)s|%[A-Z_]{3,}%|\{\{[^}]*\}?\}?|\{[a-z_]*\}|\*+|x+|X+|•+|\.{3,}|os\.environ.*|process\.env.*"
)
_RUNS: Final = re.compile(
    r"(.)\1{4,}|0123456|1234567|2345678|abcdefg|ABCDEFG|deadbeef|cafebabe", re.IGNORECASE
)
_CODE: Final = re.compile(
    r"^(?:[A-Za-z_]\w*(?:\.|::|->)[A-Za-z_][\w.:>-]*|[\w.]+\(.*|.*\)|/[\w./-]*|[A-Za-z]:\\.*|\.{1,2}/.*|[a-z+]+://.*|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
    r"|[a-z]+(?:[-_ /.:][a-z]+)*|[A-Z]?[a-z]+(?:[A-Z][a-z]+)+|[a-z]\w*[a-z0-9](?:Key|Token|Secret|Cert(?:ificate)?)|[A-Z][a-z]+|--?[a-z][\w-]*|[\w-]+\.(?:py|js|json|ya?ml|txt|pem|key|crt|html?|c|h|go|rb|java|toml|ini|cfg|conf|png|jpg))$"
)
_IDS: Final = re.compile(
    r"^(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|v?\d+(?:\.\d+)+(?:[-+.]?[a-z]+\d*)*|\d{1,4}[-/]\d{1,2}[-/]\d{1,4}|sha\d+[-:].*)$",
    re.IGNORECASE,
)


def is_reference(value: str) -> bool:
    """Whether a value stands for another in a notation that nobody's secret has."""
    return _REFERENCE.fullmatch(value) is not None or len(set(value)) == 1


def is_placeholder(value: str) -> bool:
    """Whether a value is documentation's stand-in, a reference, or a run of one character."""
    if len(set(value)) <= 3:
        return True
    return bool(_MARKED.search(value) or _SPOKEN.search(value) or _RUNS.search(value))


def is_code(value: str) -> bool:
    """Whether a value is an expression, a path, a plain word or a name in a program."""
    return bool(_CODE.match(value))


def is_id(value: str) -> bool:
    """Whether a value is a UUID, a version, a date or a named checksum."""
    return bool(_IDS.match(value))


def entropy(value: str) -> float:
    """Shannon entropy of the characters, bits per character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values()) if size else 0.0


def looks_drawn(value: str, least: int = 12) -> bool:
    """Whether a value was hardly written by a person: long, letters and digits, high entropy."""
    if len(value) < least or not re.search(r"\d", value) or not re.search(r"[A-Za-z]", value):
        return False
    return entropy(value) >= (3.0 if re.fullmatch(r"[0-9a-fA-F]+", value) else 3.3)


def classes(value: str) -> int:
    """How many of lower case, upper case, digits and signs a value has."""
    return sum(
        re.search(kind, value) is not None for kind in ("[a-z]", "[A-Z]", r"\d", r"[^\w\s]|_")
    )
