"""URLs as identities: an article is known by its canonical URL."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, quote_plus, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from w3lib.url import canonicalize_url, safe_url_string

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# fmt: off
_TRACKING_NAMES: Final = frozenset(
    {
        "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "ysclid", "twclid",
        "ttclid", "igshid", "igsh", "mc_cid", "mc_eid", "mkt_tok", "_hsenc", "_hsmi", "__hstc", "__hssc",
        "__hsfp", "hsctatracking", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id", "wickedid", "s_cid",
        "_openstat", "rb_clickid", "ml_subscriber", "ml_subscriber_hash", "guccounter", "guce_referrer",
        "guce_referrer_sig", "xtor", "cmpid", "ocid", "ns_campaign", "ns_mchannel", "ns_source", "ns_linkname",
        "ns_fee", "at_medium", "at_campaign", "at_custom1", "at_custom2", "at_custom3", "at_custom4",
        "at_link_id", "at_link_origin", "at_link_type", "at_ptr_name", "at_format", "at_bbc_team", "phpsessid",
        "jsessionid", "aspsessionid", "sessionid",
    }
)
# fmt: on
_TRACKING_PREFIXES: Final = (
    "utm_",
    "pk_",
    "mtm_",
    "matomo_",
    "piwik_",
    "itm_",
    "hsa_",
    "stm_",
    "sc_cid",
    "wt.mc_",
    "wt_mc",
)
_SESSION_IN_PATH: Final = re.compile(r";jsessionid=[^/?#]*", re.IGNORECASE)
_HOST_NAME: Final = re.compile(r"[a-z0-9._-]+")
_CONTROL_OR_SPACE: Final = re.compile(r"[\x00-\x20\x7f]")


@lru_cache(maxsize=10_000)  # an entry's link is asked for several times on its way
def canonicalize(url: str) -> str:
    """The URL that an article is known by: the same for every spelling of one address.

    Scheme and host in lower case, host in its ASCII form, no default port, no credentials, no fragment, no tracking
    parameters or session ids, parameters sorted, percent-encoding as the WHATWG URL standard writes it, `/` for an
    empty path. Only parameters that are *never* an address are dropped: merging two articles would lose one, while
    keeping a parameter too many only shows one twice.

    Raises:
        ValueError: `url` is no absolute http(s) URL; the message names it.
    """
    parts = _split(url)
    path = _SESSION_IN_PATH.sub("", parts.path) or "/"
    query = "&".join(sorted(_param(p) for p in parts.query.split("&") if p and not _is_tracking(p.partition("=")[0])))
    address = str(canonicalize_url(urlunsplit((parts.scheme, _netloc(parts, url), path, "", ""))))
    return f"{address}?{query}" if query else address


def article_id(url: str) -> str:
    """The identity of the article at `url`: 32 hex digits of the SHA-256 of its canonical URL.

    http and https are one: a publisher that moves to https doesn't publish its archive anew.
    """
    return hashlib.sha256(canonicalize(url).partition("://")[2].encode()).hexdigest()[:32]


def absolute(link: str | None, base: str | None) -> str | None:
    """`link` as an absolute http(s) URL, read relative to `base` like a browser does; None where it is none."""
    if not link:
        return None
    try:
        joined = urljoin(base or "", link.strip())
        _split(joined)
        return str(safe_url_string(joined))
    except ValueError:
        return None


def host_of(url: str) -> str:
    """The host of `url`, lower case; raises ValueError naming a URL that has none."""
    return _host(_split(url), url)


def site_of(url: str) -> str:
    """The domain that the host of `url` was registered under, by the public suffix list: feeds.bbci.co.uk → bbci.co.uk.

    The host itself where it has none: an IP address, a name on one's own network.
    """
    from tld import get_fld

    host = host_of(url)
    return str(get_fld(f"http://{host}", fail_silently=True) or host)


def domain_of(url: str) -> str:
    """The host as an outlet is known by: without a leading `www.`."""
    return host_of(url).removeprefix("www.")


def _split(url: str) -> SplitResult:
    try:
        url.encode()  # lone surrogates are no text
        parts = urlsplit(_CONTROL_OR_SPACE.sub(lambda m: "%20" if m.group() == " " else "", url.strip()))
        port_is_number = parts.port is None or parts.port >= 0
    except ValueError as error:
        raise ValueError(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or not port_is_number:
        raise ValueError(f"{url!r} is no absolute http(s) URL")
    return parts


def _host(parts: SplitResult, url: str) -> str:
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise ValueError(f"{url!r} has no host")
    if ":" in host:
        return host
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise ValueError(f"{url!r} has no valid host name: {error}") from error
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(f"{url!r} has no valid host name")
    return name


def _netloc(parts: SplitResult, url: str) -> str:
    host = _host(parts, url)
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f"{bracketed}:{parts.port}"


def _param(param: str) -> str:
    """One parameter, percent-encoded in one way; `?123` stays without the `=` that w3lib would add: servers differ."""
    return "=".join(quote_plus(unquote_to_bytes(part.replace("+", " "))) for part in param.split("=", 1))


def _is_tracking(name: str) -> bool:
    lower = name.lower()
    return lower in _TRACKING_NAMES or lower.startswith(_TRACKING_PREFIXES)
