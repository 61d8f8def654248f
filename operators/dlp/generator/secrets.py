"""Keys, tokens, passwords, connection strings and private keys."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final

from operators.dlp.generator import people, places

if TYPE_CHECKING:
    from random import Random

    from operators.dlp.generator.pools import Pools

_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_UPPER: Final = _LOWER.upper()
_DIGIT: Final = "0123456789"
_ALNUM: Final = _LOWER + _UPPER + _DIGIT
_HEX: Final = "0123456789abcdef"
_B64: Final = _ALNUM + "+/"
_URL: Final = _ALNUM + "-_"
_LOWNUM: Final = _LOWER + _DIGIT
_UPNUM: Final = _UPPER + _DIGIT
_B32: Final = _UPPER + "234567"
_SIGNS: Final = "!@#$%^&*-_=+?.:;~"

_KEYS: Final[tuple[tuple[str, str, int, str], ...]] = (
    ("AKIA", _B32, 16, ""), ("ASIA", _B32, 16, ""), ("AKIA", _UPNUM, 16, ""), ("", _B64, 40, ""),
    ("ghp_", _ALNUM, 36, ""), ("gho_", _ALNUM, 36, ""), ("ghs_", _ALNUM, 36, ""),
    ("github_pat_", _ALNUM + "_", 82, ""), ("glpat-", _URL, 20, ""), ("AIza", _URL, 35, ""),
    ("sk_live_", _ALNUM, 24, ""), ("rk_live_", _ALNUM, 24, ""), ("sk_test_", _ALNUM, 24, ""),
    ("whsec_", _ALNUM, 32, ""), ("SK", _HEX, 32, ""), ("key-", _HEX, 32, ""), ("npm_", _ALNUM, 36, ""),
    ("pypi-AgEIcHlwaS5vcmc", _URL, 120, ""), ("dckr_pat_", _URL, 27, ""), ("hf_", _ALNUM, 34, ""),
    ("sk-", _ALNUM, 48, ""), ("sk-proj-", _URL, 74, ""), ("sk-ant-api03-", _URL, 80, ""),
    ("dop_v1_", _HEX, 64, ""), ("shpat_", _HEX, 32, ""), ("shpss_", _HEX, 32, ""), ("sq0atp-", _URL, 22, ""),
    ("EAAA", _URL, 60, ""), ("NRAK-", _UPNUM, 27, ""), ("ya29.", _URL, 68, ""), ("1//0", _URL, 60, ""),
    ("AAAA", _URL, 140, ""), ("r8_", _ALNUM, 37, ""), ("lin_api_", _ALNUM, 40, ""), ("secret_", _ALNUM, 43, ""),
    ("xapp-1-A", _UPNUM, 60, ""), ("hvs.", _URL, 24, ""), ("s.", _ALNUM, 24, ""), ("tfp_", _ALNUM, 40, ""),
    ("dp.pt.", _ALNUM, 43, ""), ("PMAK-", _HEX, 59, ""), ("ATATT3x", _URL, 160, "="), ("figd_", _URL, 40, ""),
    ("CFPAT-", _URL, 43, ""), ("SG.", _URL, 22, "."), ("eyJrIjoi", _ALNUM, 70, "="), ("EZAK", _ALNUM, 54, ""),
    ("pk_live_", _ALNUM, 24, ""), ("sl.", _URL, 130, ""), ("FLWSECK-", _HEX, 32, "-X"), ("rzp_live_", _ALNUM, 14, ""),
    ("patE", _ALNUM, 13, "."), ("ops_ey", _ALNUM, 90, ""), ("glsa_", _ALNUM, 32, "_"), ("sntrys_", _ALNUM, 80, ""),
    ("AC", _HEX, 32, ""), ("BBFF-", _ALNUM, 30, ""), ("AGPA", _B32, 16, ""), ("vercel_", _ALNUM, 24, ""),
)  # fmt: skip
_TELLING: Final = (
    *(prefix for prefix, *_ in _KEYS if len(prefix) > 3),
    *("xox", "SG.", "hvs.", "eyJ", "https://hooks", "sk-"),
)
_BARE: Final = (_ALNUM, _ALNUM, _HEX, _HEX, _B64, _URL, _LOWNUM, _UPNUM, _ALNUM + "!@#$%^&*")
_LENGTHS: Final = (16, 20, 24, 24, 28, 32, 32, 32, 36, 40, 40, 44, 48, 64, 64, 72, 88, 96, 128)
_WORDS: Final = tuple(
    "summer winter spring autumn monday friday dragon monkey football baseball master shadow "
    "sunshine princess welcome letmein qwerty iloveyou superman batman trustno hello freedom "
    "whatever ninja mustang jordan harley hunter ranger buster soccer hockey george charlie "
    "andrew michelle love secret access flower purple orange banana coffee cheese tiger eagle "
    "london paris texas boston chicago arsenal liverpool chelsea yankees admin root pass word "
    "blue green silver golden happy lucky crazy magic rocket thunder storm river mountain ocean "
    "correct horse battery staple apple pepper ginger cookie chocolate pizza guitar piano music "
    "company office server router backup oracle cisco spring2 fall changeit rainbow sparkle "
    "backend deploy jenkins prod staging test guest user temp demo p4ss s3cret adm1n pa55".split()
)
_PEMS: Final = ("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY",
                "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK")  # fmt: skip
_SCHEMES: Final = (
    *("postgres", "postgresql", "mysql", "mongodb", "mongodb+srv", "redis", "rediss", "amqp"),
    *("amqps", "mssql", "postgresql+psycopg2", "mysql+pymysql", "mariadb", "cockroachdb"),
    *("postgresql+asyncpg", "clickhouse", "oracle", "snowflake", "couchdb", "neo4j", "sqlserver"),
    *(
        "postgres",
        "mysql",
        "mongodb",
        "redis",
        "jdbc:postgresql",
        "jdbc:mysql",
        "ldap",
        "cassandra",
    ),
)
_PORTS: Final = (
    "",
    ":5432",
    ":3306",
    ":27017",
    ":6379",
    ":5672",
    ":1433",
    ":1521",
    ":5433",
    ":33060",
)
_BASES: Final = (
    "app",
    "prod",
    "users",
    "orders",
    "main",
    "analytics",
    "billing",
    "crm",
    "test",
    "inventory",
    "auth",
    "defaultdb",
    "postgres",
    "reports",
)
_ACCOUNTS: Final = (
    "admin",
    "root",
    "app",
    "postgres",
    "dbuser",
    "svc_app",
    "readonly",
    "deploy",
    "sa",
    "user",
    "api",
    "django",
    "web",
    "etl",
    "app_rw",
    "default",
)


def draw(rng: Random, letters: str, length: int) -> str:
    """Random letters."""
    return "".join(rng.choices(letters, k=length))


def key(rng: Random) -> str:
    """An API key or token: of a known vendor's shape, of none, or a JSON web token."""
    chance = rng.random()
    if chance < 0.5:
        prefix, letters, length, suffix = rng.choice(_KEYS)
        text = prefix + draw(rng, letters, length) + suffix
        if prefix == "SG.":
            text += draw(rng, _URL, 43)
        elif suffix in {".", "_"}:
            text += draw(rng, _HEX, 8 if suffix == "_" else 64)
        return text
    if chance < 0.56:
        kind = rng.choice(("xoxb", "xoxp", "xoxa", "xoxr"))
        numbers = [
            draw(rng, _DIGIT, rng.choice((10, 11, 12, 13))) for _ in range(rng.choice((2, 3)))
        ]
        return "-".join([kind, *numbers, draw(rng, _ALNUM, rng.choice((24, 32)))])
    if chance < 0.64:
        return _web_token(rng)
    if chance < 0.68:
        return f"{draw(rng, _DIGIT, rng.choice((9, 10)))}:{draw(rng, _URL, 35)}"
    if chance < 0.72:
        return f"https://hooks.slack.com/services/T{draw(rng, _UPNUM, 8)}/B{draw(rng, _UPNUM, 8)}/{draw(rng, _ALNUM, 24)}"
    if chance < 0.75:
        return f"{draw(rng, _URL, 24)}.{draw(rng, _URL, 6)}.{draw(rng, _URL, 27)}"
    if chance < 0.78:
        return "-".join(draw(rng, _HEX, width) for width in (8, 4, 4, 4, 12))
    text = draw(rng, rng.choice(_BARE), rng.choice(_LENGTHS))
    if rng.random() < 0.15:
        text = "-".join(text[start : start + 8] for start in range(0, len(text), 8))
    if rng.random() < 0.1:
        text = (
            rng.choice(("sk-", "tok_", "api_", "key_", "live_", "prod-", "pat_", "ak_", "v1."))
            + text
        )
    return text + rng.choice(("", "", "", "", "=", "=="))


def known_key(rng: Random) -> str:
    """A key that shows by its shape alone that it is one."""
    if rng.random() < 0.15:
        return _web_token(rng)
    while True:
        text = key(rng)
        if text.startswith(_TELLING):
            return text


def _web_token(rng: Random) -> str:
    def part(data: object) -> str:
        packed = json.dumps(data, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    head = part({"alg": rng.choice(("HS256", "RS256", "ES256", "HS512")), "typ": "JWT"})
    body = {"sub": draw(rng, _DIGIT, 10), "iat": rng.randrange(1_500_000_000, 1_900_000_000)}
    if rng.random() < 0.5:
        body |= {"role": rng.choice(("admin", "user", "svc")), "jti": draw(rng, _HEX, 16)}
    return f"{head}.{part(body)}.{draw(rng, _URL, rng.choice((43, 43, 86, 171)))}"


def password(rng: Random, pools: Pools) -> str:
    """A password, as people choose them or as machines do."""
    chance = rng.random()
    word = rng.choice(_WORDS)
    if chance < 0.16:
        year = str(
            rng.choice(
                (rng.randrange(1960, 2026), rng.randrange(100), rng.randrange(1000), 123, 1234)
            )
        )
        return (
            rng.choice((word, word.title(), word.upper()))
            + year
            + rng.choice(("", "", "!", "!!", "@", "#", "$", "?"))
        )
    if chance < 0.26:
        other = rng.choice(_WORDS)
        mark = rng.choice(("", "", "-", "_", ".", "@", "123", "&"))
        return (
            rng.choice((word, word.title()))
            + mark
            + rng.choice((other, other.title()))
            + rng.choice(("", "1", "!", "99", "2024"))
        )
    if chance < 0.36:
        text = word + rng.choice(_WORDS)
        return text.translate(
            str.maketrans("aeios", rng.choice(("4310$", "@3!05", "@310s")))
        ) + rng.choice(("", "!", "1", "#1"))
    if chance < 0.44:
        name = rng.choice(pools.locale(rng).firsts).replace(" ", "")
        return (
            rng.choice((name, name.lower()))
            + str(rng.randrange(10, 2025))
            + rng.choice(("", "!", "*", "@"))
        )
    if chance < 0.48:
        return "-".join(rng.choices(_WORDS, k=4))
    if chance < 0.54:
        return rng.choice(
            (
                "qwerty",
                "1qaz2wsx",
                "asdf",
                "zxcvbn",
                "qwer1234",
                "abc",
                "pass",
                "P@ssw0rd",
                "Passw0rd",
                "admin",
                "Welcome",
                "letmein",
            )
        ) + rng.choice(("123", "1!", "2023", "123!", "@1", "321", "!@#", "01"))
    if chance < 0.6:
        return draw(rng, _DIGIT, rng.choice((4, 6, 6, 8, 10)))
    if chance < 0.8:
        return draw(rng, _ALNUM + _SIGNS, rng.choice((8, 10, 12, 12, 14, 16, 20, 24)))
    return draw(
        rng, rng.choice((_ALNUM, _ALNUM, _LOWNUM, _HEX)), rng.choice((8, 8, 10, 10, 12, 12, 16, 20))
    )


def uri(rng: Random, pools: Pools) -> str:
    """A connection string that lets its reader in."""
    user = rng.choice(_ACCOUNTS)
    secret = password(rng, pools).replace("@", "%40").replace("/", "%2F").replace(":", "")
    host, base, port = hostname(rng), rng.choice(_BASES), rng.choice(_PORTS)
    chance = rng.random()
    if chance < 0.68:
        scheme = rng.choice(_SCHEMES)
        if scheme.startswith("jdbc"):
            return f"{scheme}://{host}{port}/{base}?user={user}&password={secret}"
        who = "" if scheme.startswith("redis") and rng.random() < 0.5 else user
        tail = rng.choice(
            (
                "",
                "",
                "",
                "?sslmode=require",
                "?retryWrites=true&w=majority",
                "?ssl=true",
                "?charset=utf8mb4",
            )
        )
        if scheme == "mongodb" and rng.random() < 0.2:
            host = f"{host}:27017,{hostname(rng)}:27017"
            port = ""
        return f"{scheme}://{who}:{secret}@{host}{port}/{base if rng.random() < 0.85 else ''}{tail}"
    if chance < 0.76:
        return rng.choice(("Server={h};Database={b};User Id={u};Password={p};", "Data Source={h};Initial Catalog={b};User ID={u};Password={p}", "Server=tcp:{h},1433;Initial Catalog={b};Persist Security Info=False;User ID={u};Password={p};Encrypt=True", "Driver={{ODBC Driver 17 for SQL Server}};Server={h};Database={b};UID={u};PWD={p}")).format(h=host, b=base, u=user, p=secret)  # fmt: skip
    if chance < 0.84:
        return f"host={host} port=5432 dbname={base} user={user} password={secret}"
    if chance < 0.92:
        return rng.choice(
            (
                f"DefaultEndpointsProtocol=https;AccountName={base}store;AccountKey={draw(rng, _B64, 86)}==;EndpointSuffix=core.windows.net",
                f"Endpoint=sb://{base}.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={draw(rng, _B64, 43)}=",
                f"AccountEndpoint=https://{base}.documents.azure.com:443/;AccountKey={draw(rng, _B64, 86)}==;",
            )
        )
    return f"{user}/{secret}@{host}:1521/{base.upper()}"


def hostname(rng: Random) -> str:
    """A host that a service could run on."""
    chance = rng.random()
    if chance < 0.25:
        return (
            ".".join(str(rng.randrange(1, 255)) for _ in range(4))
            if chance < 0.1
            else f"10.{rng.randrange(255)}.{rng.randrange(255)}.{rng.randrange(1, 255)}"
        )
    if chance < 0.45:
        return f"{rng.choice(_BASES)}-{rng.choice(('db', 'pg', 'cluster', 'cache', '01'))}.{draw(rng, _LOWNUM, 10)}.{rng.choice(('us-east-1.rds.amazonaws.com', 'eu-west-1.rds.amazonaws.com', 'mongodb.net', 'cache.amazonaws.com', 'postgres.database.azure.com', 'db.ondigitalocean.com'))}"
    if chance < 0.6:
        return rng.choice(
            (
                "localhost",
                "127.0.0.1",
                "db",
                "postgres",
                "redis",
                "mysql",
                "mongo",
                "host.docker.internal",
            )
        )
    return f"{rng.choice(('db', 'pg', 'mysql', 'sql01', 'data', 'prod-db', 'cache', 'rabbit', 'mongo'))}.{people.domain(rng)}"


def private_key(rng: Random) -> str:
    """A private key in its armour, whole or only its first lines."""
    kind = rng.choice(_PEMS)
    start = rng.choice(
        (
            "MIIEpAIBAAKCAQEA",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw",
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE",
            "MHcCAQEEI",
            "lQOYBF",
            "MIIEowIBAAKCAQEA",
        )
    )
    body = start + draw(rng, _B64, rng.choice((120, 180, 300, 500, 800)))
    width = rng.choice((64, 64, 70, 76))
    lines = [body[place : place + width] for place in range(0, len(body), width)]
    mark = rng.choice(("\n", "\n", "\n", "\\n"))
    return mark.join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


def user(rng: Random) -> str:
    """A user name: not tagged."""
    return rng.choice((rng.choice(_ACCOUNTS), rng.choice(places.HANDLES) + str(rng.randrange(100))))
