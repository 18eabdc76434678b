"""Recognises answers by which a site keeps plain clients out: a challenge for browsers, or a flat refusal. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

HEAD_BYTES: Final = 20_000
"""Bytes of a page that are searched: these pages are short."""
_BY_BODY: Final = (
    ("Cloudflare", re.compile(rb"<title>\s*Just a moment|cf-browser-verification|_cf_chl_opt")),
    ("Imperva", re.compile(rb"_Incapsula_Resource|Pardon Our Interruption|Incapsula incident ID")),
    ("Akamai", re.compile(rb"<title>\s*Access Denied\s*</title>.{0,2000}Reference|sec-if-cpt-container", re.DOTALL)),
    ("DataDome", re.compile(rb"captcha-delivery\.com")),
    ("DDoS-Guard", re.compile(rb"<title>\s*DDoS-Guard|ddos-guard/js-challenge", re.IGNORECASE)),
    ("AWS", re.compile(rb"awsWafCookieDomainList|challenge\.js.{0,200}aws-waf|AwsWafIntegration")),
    ("F5", re.compile(rb"The requested URL was rejected\. Please consult|TSPD_101|window\[\"bobcmn\"\]")),
    ("its own", re.compile(
        rb"<title>[^<]{0,60}(?:are you a robot|you are human|security check|bot verification|attention required)",
        re.IGNORECASE,
    )),
)  # fmt: skip
_SERVERS: Final = {"cloudflare": "Cloudflare", "akamaighost": "Akamai", "ddos-guard": "DDoS-Guard"}
_REFUSALS: Final = frozenset({401, 403, 406, 429, 503})


def challenge(status: int, headers: Mapping[str, str], body: bytes = b"") -> str | None:
    """A sentence that the site refuses plain clients, if the answer says so; None if it does not."""
    maker = _maker(headers, body)
    if maker and (status < 300 or status in _REFUSALS):
        return f"the site refuses plain clients: it answers with a challenge for browsers ({maker})"
    if status in (401, 403):
        server = _SERVERS.get(headers.get("server", "").lower())
        return f"the site refuses plain clients{f' (by {server})' if server else ''}"
    return None


def _maker(headers: Mapping[str, str], body: bytes) -> str | None:
    if headers.get("cf-mitigated", "").lower() == "challenge":
        return "Cloudflare"
    if "x-datadome" in headers:
        return "DataDome"
    if headers.get("x-amzn-waf-action", "").lower() in ("challenge", "captcha"):
        return "AWS"
    head = body[:HEAD_BYTES]
    return next((maker for maker, pattern in _BY_BODY if pattern.search(head)), None)
