"""What looks like a leak and is none."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from operators.dlp.generator.numbers import fill, luhn_digit

if TYPE_CHECKING:
    from random import Random

_HEX: Final = "0123456789abcdef"
_ALNUM: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PLACEHOLDERS: Final = (
    "<API_KEY>", "<YOUR_API_KEY>", "YOUR_API_KEY", "your-api-key", "your_api_key_here", "xxxxxxxx",
    "XXXXXXXXXXXXXXXX", "<password>", "<secret>", "${API_KEY}", "${DB_PASSWORD}", "$TOKEN", "{{ api_key }}",
    "{{password}}", "%(password)s", "********", "••••••••", "[REDACTED]", "<redacted>", "REDACTED",
    "changeme", "CHANGE_ME", "TODO", "null", "None", "''", "insert-token-here", "my-secret-key-here",
    "example", "dummy", "placeholder", "<token>", "$(cat /run/secrets/token)", "os.environ['API_KEY']",
    'os.getenv("DB_PASSWORD")', "process.env.SECRET_KEY", "secrets.GITHUB_TOKEN", "${{ secrets.NPM_TOKEN }}",
    "vault:secret/data/app#password", "getpass.getpass()", "settings.SECRET_KEY", "config.password",
    "args.token", "self._token", "request.headers['Authorization']", "hash_password(raw)", "None  # unset",
    "ENC[AES256_GCM,data:...]", "ssm:/prod/db/password", "arn:aws:secretsmanager:us-east-1:123456789012:secret:db",
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "sk_test_xxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-xxxxxxxxxxxxxxxxxxxx", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "AKIAXXXXXXXXXXXXXXXX", "abc123...",
    "<your-password>", "YOUR_PASSWORD", "{password}", "%PASSWORD%", "@@DB_PASS@@", "__SECRET__", "", "string", "str",
    "true", "false", "required", "optional", "hidden", "sha256", "Bearer <token>", "Basic <credentials>", "****1234",
    "XXXX-XXXX-XXXX-1234", "xxx-xx-xxxx", "***-**-1234", "(555) xxx-xxxx", "ending in 4242", "123-XX-XXXX",
)  # fmt: skip
_EXAMPLES: Final = (
    "user@example.com", "alice@example.org", "bob@example.net", "foo@bar.example", "admin@localhost",
    "test@example.com", "git@github.com:org/repo.git", "git@gitlab.com:team/app.git", "john.doe@example.com",
    "you@example.com", "name@domain.invalid", "root@localhost", "ssh://git@host:22/repo", "someone@test",
    "postgres://user:password@localhost/db", "postgresql://localhost:5432/app", "redis://localhost:6379/0",
    "mysql://user:pass@host/dbname", "mongodb://localhost:27017", "sqlite:///app.db", "amqp://guest:guest@localhost",
    "jdbc:postgresql://db:5432/app", "postgres://USER:PASSWORD@HOST:PORT/NAME", "redis://cache:6379",
    "@app.route", "@media", "@param", "npm i @types/node@18.11.9", "actions/checkout@v4", "lodash@4.17.21",
)  # fmt: skip
_WORDS: Final = (
    "alpha", "beta", "core", "data", "event", "frame", "graph", "handler", "index", "job", "kernel",
    "layer", "model", "node", "object", "parser", "query", "record", "stream", "table", "user", "view",
)  # fmt: skip


def _draw(rng: Random, letters: str, length: int) -> str:
    return "".join(rng.choices(letters, k=length))


def uuid(rng: Random) -> str:
    """A UUID."""
    text = "-".join(_draw(rng, _HEX, width) for width in (8, 4, 4, 4, 12))
    return text.upper() if rng.random() < 0.1 else text


def digest(rng: Random) -> str:
    """A git id, a checksum or a subresource integrity hash."""
    chance = rng.random()
    if chance < 0.55:
        return _draw(rng, _HEX, rng.choice((7, 8, 12, 32, 40, 40, 40, 64, 64, 128)))
    if chance < 0.7:
        name, size = rng.choice((("sha256", 32), ("sha384", 48), ("sha512", 64)))
        return f"{name}-{base64.b64encode(rng.randbytes(size)).decode()}"
    if chance < 0.85:
        return f"{rng.choice(('sha256', 'md5', 'sha1', 'sha512'))}:{_draw(rng, _HEX, 64)}"
    return ":".join(_draw(rng, _HEX, 2) for _ in range(rng.choice((6, 16, 20, 32))))


def version(rng: Random) -> str:
    """A version string."""
    text = ".".join(str(rng.randrange(30)) for _ in range(rng.choice((2, 3, 3, 3, 4))))
    return text + rng.choice(("", "", "-rc1", "-beta.2", "+build.7", ".dev0", "-SNAPSHOT", "a1"))


def number(rng: Random) -> str:
    """An order, invoice, part or account-like number, of any length; some pass Luhn by chance."""
    chance = rng.random()
    if chance < 0.2:
        digits = _draw(rng, "0123456789", rng.choice((11, 12, 13, 15, 16, 17)))
        return digits + luhn_digit(digits) if rng.random() < 0.5 else digits
    if chance < 0.6:
        return _draw(rng, "123456789", 1) + _draw(
            rng, "0123456789", rng.choice((2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13))
        )
    return fill(rng, rng.choice((
        "ORD-######", "INV-20##-####", "PO-#######", "#@@@####", "SKU-####-@@", "TRK#########", "1Z@@@###########",
        "#-###-#####-#", "978-#-###-#####-#", "@@-####", "###-####-###", "@@@-###", "####-####", "REF:########",
        "#####-##", "EPSG:####", "RFC ####", "ISO #####", "CVE-20##-#####", "PROJ-####", "#,###.##", "###.###.###",
    )))  # fmt: skip


def medical(rng: Random) -> str:
    """A medical record number or an American provider number (NPI)."""
    return fill(
        rng,
        rng.choice(
            (
                "MRN ########",
                "########",
                "1#########",
                "MRN-#######",
                "NPI 1#########",
                "@######",
                "00######",
            )
        ),
    )


def placeholder(rng: Random) -> str:
    """What stands in documentation where a secret would be."""
    return rng.choice(_PLACEHOLDERS)


def example(rng: Random) -> str:
    """An address or connection string that exists only in documentation."""
    return rng.choice(_EXAMPLES)


def identifier(rng: Random) -> str:
    """A name in source code."""
    words = rng.choices(_WORDS, k=rng.choice((1, 2, 2, 3)))
    return rng.choice(
        (
            "_".join(words),
            "".join(map(str.title, words)),
            "-".join(words),
            ".".join(words),
            "_".join(words).upper(),
        )
    )


def address(rng: Random) -> str:
    """An IP or hardware address, a port, a path."""
    return rng.choice((
        ".".join(str(rng.randrange(256)) for _ in range(4)), ":".join(_draw(rng, _HEX, 2) for _ in range(6)),
        f"/var/log/{rng.choice(_WORDS)}/{rng.choice(_WORDS)}.log", f"10.0.{rng.randrange(256)}.0/24",
        f"https://{rng.choice(_WORDS)}.example.com/{rng.choice(_WORDS)}?id={rng.randrange(99999)}",
        f"2001:db8::{_draw(rng, _HEX, 4)}", f"C:\\{rng.choice(_WORDS)}\\{rng.choice(_WORDS)}.dll", f":{rng.randrange(1024, 65535)}",
    ))  # fmt: skip


def blob(rng: Random) -> str:
    """A benign encoding: part of a certificate, a public key, an image, a compressed file."""
    data = base64.b64encode(rng.randbytes(rng.choice((24, 48, 96, 180, 300, 600)))).decode()
    chance = rng.random()
    if chance < 0.2:
        return f"ssh-{rng.choice(('rsa AAAAB3NzaC1yc2E', 'ed25519 AAAAC3NzaC1lZDI1NTE5'))}{data} {rng.choice(_WORDS)}@host"
    lines = "\n".join(data[place : place + 64] for place in range(0, len(data), 64))
    if chance < 0.4:
        kind = rng.choice(
            (
                "CERTIFICATE",
                "PUBLIC KEY",
                "CERTIFICATE REQUEST",
                "PGP SIGNATURE",
                "PGP PUBLIC KEY BLOCK",
            )
        )
        return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"
    if chance < 0.55:
        return f"data:image/png;base64,iVBORw0KGgo{data}"
    if chance < 0.7:
        return f'"integrity": "sha512-{base64.b64encode(rng.randbytes(64)).decode()}"'
    if chance < 0.8:
        return data
    return (
        "".join(f"\\x{byte:02x}" for byte in rng.randbytes(24))
        if chance < 0.9
        else f"0x{_draw(rng, _HEX, rng.choice((8, 16, 32, 64)))}"
    )


def dressed(rng: Random, words: list[str]) -> str:
    """Ordinary words in a form that hides nothing: spaced headings, encodings, identifiers."""
    text = " ".join(rng.choices(words or ["heading"], k=rng.choice((1, 1, 2, 3))))
    chance = rng.random()
    if chance < 0.35:
        gap = "   " if rng.random() < 0.5 else "  "
        return gap.join(" ".join(word) for word in text.split())
    if chance < 0.5:
        return base64.b64encode(text.encode()).decode()
    if chance < 0.6:
        return text.encode().hex()
    if chance < 0.7:
        return "".join(f"&#{ord(char)};" if rng.random() < 0.3 else char for char in text)
    if chance < 0.8:
        return text.replace(" ", "%20").replace(",", "%2C").replace("/", "%2F")
    if chance < 0.9:
        return f"{rng.choice(('NDA', 'CDA', 'PAN', 'SSN', 'KEY', 'PIN', 'ADDR', 'NAME'))}_{rng.choice(_WORDS).upper()}"
    return " - ".join(text)


def token(rng: Random) -> str:
    """A random name that is public: a nonce, a build id, a CSS class, a test id."""
    return _draw(rng, _ALNUM, rng.choice((5, 6, 8, 8, 10, 12, 16, 20, 22)))
