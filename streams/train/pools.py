"""Pools of names, addresses and the like, drawn once from Faker in many locales."""

from __future__ import annotations

import contextlib
import json
import lzma
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from faker import Faker

from operators.dlp.generator.pools import LocalePool, Pools

if TYPE_CHECKING:
    from pathlib import Path

LOCALES: Final = {
    "en_US": 3000, "en_GB": 1200, "en_CA": 500, "en_AU": 500, "en_IE": 300, "en_IN": 700,
    "en_NZ": 300, "de_DE": 500, "de_AT": 300, "de_CH": 300, "fr_FR": 500, "fr_CA": 300,
    "fr_CH": 200, "fr_BE": 200, "es_ES": 500, "es_MX": 400, "es_AR": 300, "es_CO": 200,
    "it_IT": 400, "nl_NL": 400, "nl_BE": 200, "pt_BR": 400, "pt_PT": 300, "pl_PL": 300,
    "cs_CZ": 200, "sk_SK": 150, "da_DK": 200, "no_NO": 200, "sv_SE": 300, "fi_FI": 200,
    "hu_HU": 150, "ro_RO": 200, "hr_HR": 150, "sl_SI": 100, "tr_TR": 200, "id_ID": 200,
    "vi_VN": 150, "fil_PH": 150, "lt_LT": 100, "lv_LV": 100, "et_EE": 100, "is_IS": 60,
    "ga_IE": 60, "yo_NG": 80, "ig_NG": 80, "ha_NG": 80, "zu_ZA": 80, "tw_GH": 60, "sq_AL": 60,
    "az_AZ": 60, "uz_UZ": 60, "ru_RU": 200, "uk_UA": 150, "bg_BG": 80, "el_GR": 80,
    "ja_JP": 150, "zh_CN": 150, "zh_TW": 60, "ko_KR": 100, "ar_AA": 80, "ar_EG": 60,
    "he_IL": 60, "fa_IR": 60, "hi_IN": 80, "th_TH": 60, "ka_GE": 40, "hy_AM": 40,
}  # fmt: skip
_SEED: Final = 20_240_611
_TITLE: Final = re.compile(
    r"^(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof|Sr|Sra|Srta|Dra|Ing|Univ|Dipl|Mgr|Bc|PhDr|RNDr|Dott|Sig|Drs"
    r"|Frau|Herr|M|Mme|Mlle|Tn|Ny|Hj|H|Ir|MUDr|JUDr|Doc|Kand|Lic|Tgk|R|Drg|Puan|Dr\.Ing)\.? )+"
)
_TAIL: Final = re.compile(
    r"[ ,]+(?:MD|DDS|PhD|DVM|Jr\.|Sr\.|II|III|IV|V|B\.?[A-Za-z.]+|M\.[A-Za-z.]+|S\.[A-Za-z.]+"
    r"|CSc\.|DiS\.|Th\.D\.|Ph\.D\.|MBA\.?|Amd\..*)$"
)


def draw() -> Pools:
    """Pools from Faker with fixed seeds; some half a minute."""
    return Pools([_draw(name, count) for name, count in LOCALES.items()])


def save(pools: Pools, path: Path) -> None:
    """Write pools as compressed JSON."""
    with lzma.open(path, "wt", encoding="utf-8") as out:
        json.dump([list(pool) for pool in pools.locales], out, ensure_ascii=False)


def load(path: Path) -> Pools:
    """Read what `save` wrote."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return Pools([LocalePool(*fields) for fields in json.load(lines)])


def _draw(name: str, count: int) -> LocalePool:
    faker = Faker(name)
    faker.seed_instance(_SEED)
    few = max(40, count // 2)
    national = _many(faker, ("ssn",), max(20, count // 10))
    return LocalePool(
        name,
        count,
        _many(faker, ("first_name", "first_name_female", "first_name_male"), count),
        _many(faker, ("last_name",), count),
        [_TAIL.sub("", _TITLE.sub("", full)) for full in _many(faker, ("name",), few)],
        [address.replace("\u3000", " ") for address in _many(faker, ("address",), few)],
        _many(faker, ("phone_number", "cellphone_number"), few),
        _many(faker, ("city",), max(30, count // 4)),
        _many(faker, ("company",), max(30, count // 4)),
        _many(faker, ("job",), max(30, count // 8)),
        national,
        _many(faker, ("street_address",), few),
    )


def _many(faker: Any, methods: tuple[str, ...], count: int) -> list[str]:
    found: dict[str, None] = {}
    for method in methods:
        with contextlib.suppress(AttributeError):
            for _ in range(count):
                value = unicodedata.normalize("NFC", str(getattr(faker, method)())).strip()
                if value:
                    found[value] = None
    return list(found)
