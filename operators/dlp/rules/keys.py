"""Keys and tokens that show by their shape whose they are.

Shapes are those that the vendors document or print: a prefix, an alphabet and a length.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from operators.dlp.rules.hit import Hit
from operators.dlp.rules.placeholders import entropy, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHAPES: Final = {
    "aws": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "github": r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,244}",
    "gitlab": r"gl(?:pat|rt|dt|ptt|soat|cbt|agent|ft|imt|oas)-[A-Za-z0-9_-]{20,64}",
    "google": r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{30,400}|GOCSPX-[A-Za-z0-9_-]{28}|1//0[A-Za-z0-9_-]{40,120}",
    "slack": r"xox[abeoprs]-(?:[0-9A-Za-z]{1,14}-){1,4}[0-9A-Za-z]{10,64}|xapp-\d-[A-Z0-9]{6,14}-(?:\d+-)?[A-Za-z0-9]{20,80}"
    r"|https://hooks\.slack\.com/(?:services|workflows|triggers)/T[A-Z0-9]{6,12}/[A-Z0-9]{6,14}/[A-Za-z0-9]{16,40}",
    "stripe": r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,247}|whsec_[A-Za-z0-9+/=]{24,64}",
    "sendgrid": r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}",
    "mailgun": r"key-[0-9a-f]{32}",
    "mailchimp": r"[0-9a-f]{32}-us\d{1,2}",
    "twilio": r"SK[0-9a-f]{32}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "pypi": r"pypi-AgE[A-Za-z0-9_-]{50,250}",
    "docker": r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,40}",
    "hugging-face": r"(?:hf|api_org)_[A-Za-z0-9]{30,40}",
    "anthropic": r"sk-ant-(?:api|admin|oat|sid)\d\d-[A-Za-z0-9_-]{40,120}",
    "openai": r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{40,180}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|sk-[A-Za-z0-9]{48}",
    "model-hosts": r"gsk_[A-Za-z0-9]{40,60}|r8_[A-Za-z0-9]{37}|pplx-[A-Za-z0-9]{40,60}|xai-[A-Za-z0-9]{60,90}|sk-or-v1-[0-9a-f]{64}",
    "digitalocean": r"do[opr]_v1_[0-9a-f]{64}",
    "shopify": r"shp(?:at|ca|pa|ss|tka)_[0-9a-fA-F]{32}",
    "square": r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,43}|EAAA[A-Za-z0-9_-]{60}",
    "new-relic": r"NRAK-[A-Z0-9]{27}|NRII-[A-Za-z0-9_-]{32}",
    "telegram": r"\d{8,10}:AA[A-Za-z0-9_-]{33}|bot\d{8,10}:[A-Za-z0-9_-]{35}",
    "discord": r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}"
    r"|https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_-]{60,72}",
    "databricks": r"dapi[0-9a-f]{32}(?:-\d)?",
    "hashicorp": r"hv[sbr]\.[A-Za-z0-9_-]{24,200}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70}",
    "linear": r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}",
    "notion": r"ntn_[A-Za-z0-9]{40,50}|secret_[A-Za-z0-9]{43}",
    "postman": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}|PMAK-[0-9a-f]{59}",
    "grafana": r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_[A-Za-z0-9+/=]{32,400}",
    "sentry": r"sntry[su]_[A-Za-z0-9+/=_-]{60,200}",
    "doppler": r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
    "atlassian": r"ATATT3[A-Za-z0-9_=-]{100,250}|ATCTT3[A-Za-z0-9_=-]{100,250}",
    "figma": r"fig[dou]r?_[A-Za-z0-9_-]{40,60}",
    "airtable": r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "planetscale": r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,64}",
    "supabase": r"sb[ps]_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{20,60}",
    "easypost": r"EZ[AT]K[A-Za-z0-9]{54}",
    "flutterwave": r"FLWSECK(?:_TEST)?-[0-9a-zA-Z]{12,40}(?:-X)?",
    "razorpay": r"rzp_(?:live|test)_[A-Za-z0-9]{14}",
    "dropbox": r"sl\.(?:u\.)?[A-Za-z0-9_-]{100,1200}",
    "rubygems": r"rubygems_[0-9a-f]{48}",
    "clojars": r"CLOJARS_[0-9a-z]{60}",
    "brevo": r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}",
    "contentful": r"CFPAT-[A-Za-z0-9_-]{43}",
    "1password": r"ops_eyJ[A-Za-z0-9+/=_-]{60,1200}",
    "adafruit": r"aio_[A-Za-z0-9]{28}",
    "circleci": r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{22}_[0-9a-f]{40}",
    "buildkite": r"bk[ua]a_[0-9a-f]{40}",
    "heroku": r"HRKU-(?:AA)?[A-Za-z0-9_-]{36,60}",
    "alibaba": r"LTAI[A-Za-z0-9]{20}",
    "age": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "vercel": r"vc[pirak]_[A-Za-z0-9]{24,60}|vercel_[A-Za-z0-9]{24}",
    "typeform": r"tfp_[A-Za-z0-9_.-]{40,60}",
    "mapbox": r"sk\.eyJ1[A-Za-z0-9_-]{40,200}\.[A-Za-z0-9_-]{22}",
    "teams": r"https://[\w.-]+\.webhook\.office\.com/webhookb2/[0-9a-f@-]{70,80}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}",
    "json-web-token": r"eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}",
}
_ALL: Final = re.compile(
    r"(?<![A-Za-z0-9_/+.-])(?:"
    + "|".join(f"(?P<g{number}>{shape})" for number, shape in enumerate(_SHAPES.values()))
    + r")(?![A-Za-z0-9_])"
)
_NAMES: Final = tuple(_SHAPES)
_TELLING: Final = re.compile(
    r"AKIA|ASIA|gh[pousr]_|github_pat|gl\w{2,5}-|AIza|ya29|GOCSPX|1//0|xox|xapp|hooks\.slack|_live_|_test_|whsec|SG\.|key-|-us\d"
    r"|SK[0-9a-f]|npm_|pypi-|dckr|hf_|api_org|sk-|sk\.|gsk_|r8_|pplx|xai-|_v1_|shp|sq0|EAAA|NRAK|NRII|:AA|bot\d|discord|\.[\w-]{6}\."
    r"|dapi|hv[sbr]\.|atlasv1|lin_|ntn_|secret_|PMAK|glsa|glc_|sntry|dp\.|AT[AC]TT|fig|pat|pscale|sb[ps_]|EZ|FLW|rzp|sl\.|ruby|CLOJ"
    r"|xkeysib|CFPAT|ops_|aio_|CCI|bk[ua]a|HRKU|LTAI|AGE-|vc[pirak]_|vercel|tfp_|webhook|eyJ"
)
_LEAST_ENTROPY: Final = 2.6
_SHORT: Final = 8


def known(text: str) -> Iterator[Hit]:
    """Keys of known shape. Linear in the length of the text."""
    if not _TELLING.search(text):
        return
    for match in _ALL.finditer(text):
        value = match[0]
        body = value[len(value) // 4 :]
        if is_placeholder(value[_SHORT:]) or entropy(body) < _LEAST_ENTROPY:
            continue
        name = _NAMES[int((match.lastgroup or "g0")[1:])]
        yield Hit(match.start(), match.end(), "SECRET", f"key/{name}", validated=True, adds=True)
