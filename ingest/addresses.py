"""The only rule for addresses: what a text must be to be one, and how it is requested.

All code that accepts, stores, follows or compares an address asks `read_address`, so that every part of newswatch
(yarl and aiohttp, the guard, robots.txt, the store) can handle what another part accepts.

An address is requested as its publisher wrote it. `ingest.canonical` spells equal ones alike, and that form is never
requested if the original is known: `%2C` and `,` may be two addresses to a server, or one that redirects endlessly from
each to the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from ingest.canonical import canonical_form

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
MAX_CHARS: Final = 8_000
"""Maximum characters of an address, as written, as requested and in its canonical form. RFC 9110, 4.1 asks servers to
accept at least that many; longer ones occur only in attacks."""
MAX_HOST_CHARS: Final = 253
"""Maximum characters of a host in its ASCII form (RFC 1035: 255 bytes on the wire)."""
MAX_LABEL_CHARS: Final = 63
"""Maximum characters between two dots of a host (RFC 1035)."""
SHOWN_CHARS: Final = 400
"""Maximum characters of an invalid address that an error or a note repeats; the rest is replaced by "…"."""
CACHED_CHARS: Final = 500
"""Longer addresses are not cached: ten thousand of the longest would take a quarter of a gigabyte."""

_LABEL: Final = re.compile(rf"[a-z0-9_-]{{1,{MAX_LABEL_CHARS}}}")
_LOOKS_LIKE_IPV4: Final = re.compile(r"(?:\d+|0x[0-9a-f]*)")
_TAB_OR_LINE: Final = re.compile(r"[\t\r\n]")
_ENDS: Final = "".join(map(chr, range(0x21)))
"""Characters that browsers strip from the ends of an address: blanks and control characters."""
_PATH_ENCODED: Final = re.compile(r"[^!$-;=@-\]_a-z|~]+")
_QUERY_ENCODED: Final = re.compile(r"[^!$-&(-;=?-~]+")
_FRAGMENT_ENCODED: Final = re.compile(r"[^!#-;=?-_a-~]+")
_USER_ENCODED: Final = re.compile(r"[^A-Za-z0-9._~!$%&'()*+,-]+")
"""Characters that each part of an address may not contain unencoded: the percent-encode sets of the WHATWG URL standard
(1.3). `%`, `|` and brackets may stay: a server that wrote `|` may not know the address with `%7C`."""
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_FEED_SCHEME: Final = re.compile(r"\s*feed:(?://)?(?=(?P<web>https?:)?)", re.IGNORECASE)
_BARE: Final = re.compile(r"[^\s/?#:@]+\.[^\s/?#:@]+(?::\d+)?(?:[/?#]|$)|localhost(?::\d+)?(?:[/?#]|$)")
"""A host with a dot, and possibly a port, in place of the scheme."""
_DOTS: Final = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_PLAIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>(?=[a-z0-9.-]{1,253}[/?#]|[a-z0-9.-]{1,253}$)(?!xn--|[^/?#]*\.xn--)"
    r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.[a-z][a-z0-9-]{0,62})"
    r"(?P<path>(?:/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~,=:@&+-]*)*)(?:\?(?P<query>[A-Za-z0-9._~=&/,:@+-]+))?",
)
"""Most addresses, which need no closer check. A test compares it to the rule."""


class AddressError(ValueError):
    """A text is not an address; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """An absolute http(s) URL that newswatch works with."""

    url: str
    """As requested and stored: ASCII, its host encoded, everything else as written, percent-encoded only where browsers
    would (WHATWG URL standard)."""
    host: str
    """In lower case and ASCII, an IPv6 address without brackets."""
    port: int | None
    """As given; None if it is the scheme's default."""
    scheme: str
    path: str
    query: str
    """Path and query of `url`, for the canonical form."""

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`."""
        return f"{self.scheme}://{_authority(self.host, self.port)}"


def read_address(text: str) -> Address:
    """`text` as an address; surrounding blanks, and line ends and tabs in it, are dropped as browsers do.

    It must be absolute, http or https, and have a host that is a name (RFC 1035; in other scripts by IDNA, UTS 46) or
    an IP address in its usual form. A port must be from 1 to 65,535. It may contain no lone surrogates and not exceed
    `MAX_CHARS`, `MAX_HOST_CHARS` and `MAX_LABEL_CHARS`.

    Raises:
        AddressError: it is not one; the message names it, cut to `SHOWN_CHARS`, and says why.
    """
    if not isinstance(text, str):
        raise AddressError(f"{shown(text)} is not a URL: it is not text")
    return _cached(text) if len(text) <= CACHED_CHARS else _read(text)


def is_address(text: str | None) -> bool:
    """Whether `text` is an address (`read_address`)."""
    try:
        return bool(text) and bool(read_address(text or ""))
    except AddressError:
        return False


def without_feed_scheme(text: str) -> str:
    """`text` without the scheme by which browsers once handed a feed to a reader: `feed:https://…`, `feed://…`."""
    found = _FEED_SCHEME.match(text)
    if not found:
        return text
    return text[found.end() :] if found["web"] else f"http://{text[found.end() :]}"


def with_scheme(text: str) -> str:
    """An address as people type it, with the `https://` that it lacks; unchanged if it has no host with a dot."""
    text = without_feed_scheme(text)
    bare = text.strip()
    return f"https://{bare}" if _BARE.match(bare) else text


def shown(text: object) -> str:
    """`text` for an error or a note: quoted, on one line, at most `SHOWN_CHARS` characters."""
    quoted = repr(text[: SHOWN_CHARS + 1] if isinstance(text, str) else text)
    return quoted if len(quoted) <= SHOWN_CHARS else quoted[:SHOWN_CHARS] + "…"


def absolute(link: str | None, base: str | None) -> str | None:
    """`link` as an address, resolved against `base` as browsers do; None if it is not one."""
    try:
        return resolve(link, base).url if link else None
    except AddressError:
        return None


def resolve(link: str, base: str | None) -> Address:
    """`link` as an address, resolved against `base` as browsers do; a `base` that is not an address is ignored.

    Raises:
        AddressError: the result is not an address.
    """
    link = _TAB_OR_LINE.sub("", link).strip(_ENDS)
    if len(link) > MAX_CHARS:
        raise AddressError(_too_long(link, len(link)))
    if _PLAIN.fullmatch(link):
        return read_address(link)
    return read_address(_joined(link, read_address(base)) if base and is_address(base) else link)


def _joined(link: str, base: Address) -> str:
    """RFC 3986, 5.2, without changing what is written: `urljoin` takes `//` in a path for a mistake."""
    scheme = _SCHEME.match(link)
    if scheme and (scheme[0][:-1].lower() != base.scheme or link[scheme.end() :].startswith("//")):
        return link
    rest = link[scheme.end() :] if scheme else link  # `http:a` is relative to an address of http
    path, mark, after = _until(rest, "?#")
    rest = path.replace("\\", "/") + mark + after
    before = base.url.partition("#")[0]
    whole, _, _ = _until(before, "?")
    front = whole[: whole.index("/", len(base.scheme) + 3)] if whole.count("/") > 2 else whole
    if rest.startswith("//"):
        return f"{base.scheme}:{rest}"
    if rest.startswith("/"):
        return front + rest
    if not rest or rest.startswith("#"):
        return before + rest
    if rest.startswith("?"):
        return whole + rest
    return f"{front}{base.path.rpartition('/')[0]}/{rest}"


def _until(text: str, marks: str) -> tuple[str, str, str]:
    """`text` split at the first of `marks` in it, like `str.partition`."""
    places = (text.find(mark) for mark in marks)
    first = min((place for place in places if place >= 0), default=len(text))
    return text[:first], text[first : first + 1], text[first + 1 :]


def host_of(url: str) -> str:
    """The host of `url`, in lower case; raises AddressError if `url` is not an address."""
    return read_address(url).host


def site_of(url: str) -> str:
    """The registered domain of the host of `url`, by the public suffix list: feeds.bbci.co.uk → bbci.co.uk.

    The host itself if it has none: an IP address, a name in a private network.
    """
    return _site(host_of(url))


def domain_of(url: str) -> str:
    """The host under which an outlet is known: without a leading `www.`."""
    return host_of(url).removeprefix("www.")


@lru_cache(maxsize=10_000)
def _site(host: str) -> str:
    from tld import get_fld

    if _is_ip(host):
        return host
    return str(get_fld(f"http://{host}", fail_silently=True) or host)


# ── the rule ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(text: str) -> Address:
    if len(text) > MAX_CHARS:
        raise AddressError(_too_long(text, len(text)))
    if plain := _PLAIN.fullmatch(text):
        return _read_plain(text, plain)
    address = _read_any(text)
    _refuse_what_yarl_refuses(address, text)
    return address


_cached = lru_cache(maxsize=10_000)(_read)  # an entry's link is read several times on its way


def _read_plain(text: str, plain: re.Match[str]) -> Address:
    if len(text) * 3 > MAX_CHARS:
        return _read_any(text)
    path, query = plain["path"], plain["query"] or ""
    # As w3lib writes it: without a path, some servers would be asked for "?a=b".
    if query and not path:
        text, path = f"{plain['scheme']}://{plain['host']}/?{query}", "/"
    return Address(text, plain["host"], None, plain["scheme"], path, query)


def _read_any(text: str) -> Address:
    parts, port = _split(text)
    given, _, place = parts.netloc.rpartition("@")
    host = _host(parts.hostname or "", text, is_bracketed=place.startswith("["))
    place = _authority(host, parts.port)  # the port as given: an entry whose link changes is read again
    netloc = f"{_user(given)}@{place}" if given else place
    path, query = _encoded(_PATH_ENCODED, _direct(parts.path)), _encoded(_QUERY_ENCODED, parts.query)
    if query and not path:  # some servers would be asked for "?a=b"
        path = "/"
    fragment = _encoded(_FRAGMENT_ENCODED, parts.fragment)
    url = urlunsplit((parts.scheme, netloc, path, query, fragment))
    address = Address(url, host, port, parts.scheme, path, query)
    longest = max(len(url), len(canonical_form(address.origin, path, query)) if len(url) * 3 > MAX_CHARS else 0)
    if longest > MAX_CHARS:
        raise AddressError(_too_long(text, longest))
    return address


def _encoded(what: re.Pattern[str], part: str) -> str:
    return what.sub(lambda run: quote(run[0], safe=""), part)


def _user(given: str) -> str:
    """User and password, encoded for the authority."""
    user, colon, password = given.partition(":")
    return _encoded(_USER_ENCODED, user) + colon + _encoded(_USER_ENCODED, password)


def _direct(path: str) -> str:
    """The path as browsers request it: a backslash is a slash, `.` and `..` are resolved."""
    path = path.replace("\\", "/")
    if not _DOTS.search(path):
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del kept[-1:]
        elif dots != ".":
            kept.append(segment)
    if dots in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _too_long(text: str, chars: int) -> str:
    return f"{shown(text)} is not accepted as a URL: it has {chars:,} characters, more than {MAX_CHARS:,}"


def _split(text: str) -> tuple[SplitResult, int | None]:
    """The parts of `text`, and its port unless that is the scheme's default."""
    try:
        text.encode()  # refuses lone surrogates
        parts = urlsplit(_TAB_OR_LINE.sub("", text.strip(_ENDS)))
        port, _ = parts.port, parts.hostname
    except ValueError as error:
        raise AddressError(f"{shown(text)} is not a URL: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise AddressError(f"{shown(text)} is not an absolute http(s) URL")
    if "\\" in parts.netloc:  # to browsers it is a slash: they would ask another host
        raise AddressError(f"{shown(text)} is not a URL: there is a backslash before its path")
    if port == 0:
        raise AddressError(f"{shown(text)} is not a URL: there is no port 0")
    return parts, None if port == DEFAULT_PORTS[parts.scheme] else port


def _host(given: str, text: str, *, is_bracketed: bool) -> str:
    """The host in lower case and ASCII; an IPv6 address without brackets and in its shortest form."""
    if is_bracketed:
        return _ipv6(given, text)
    given = given.removesuffix(".") if given.isascii() else given
    if len(given) > MAX_HOST_CHARS:
        raise AddressError(f"{shown(text)} has no valid host name: more than {MAX_HOST_CHARS} characters")
    name = (given if given.isascii() else _idna(given, text).removesuffix(".")).lower()
    labels = name.split(".")
    if len(name) > MAX_HOST_CHARS or not all(map(_LABEL.fullmatch, labels)):
        why = f"labels of 1 to {MAX_LABEL_CHARS} letters, digits and hyphens, {MAX_HOST_CHARS} characters in total"
        raise AddressError(f"{shown(text)} has no valid host name ({why})")
    if _LOOKS_LIKE_IPV4.fullmatch(labels[-1]) and not _is_ip(name):
        # 127.1, 0x7f.1 and 2130706433 are 127.0.0.1 to some programs and names to others.
        raise AddressError(f"{shown(text)} has no valid host name: it ends in a number but is not an IPv4 address")
    return name


def _ipv6(given: str, text: str) -> str:
    try:
        if "%" in given:
            raise ValueError("an address with a zone is valid only on one machine")
        return IPv6Address(given).compressed
    except ValueError as error:
        raise AddressError(f"{shown(text)} has no valid host: {error}") from error


def _idna(given: str, text: str) -> str:
    """The host as browsers and yarl encode it (UTS 46), or by the older standard, which allows signs such as ☃."""
    import idna

    try:
        return idna.encode(given, uts46=True).decode("ascii")
    except UnicodeError:
        pass
    try:
        return given.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise AddressError(f"{shown(text)} has no valid host name: {error}") from error


def _refuse_what_yarl_refuses(address: Address, text: str) -> None:
    """Check the address with yarl, which fetches pages: it decodes the host, and fails at invalid text after `xn--`.

    Raises:
        AddressError: yarl can't read the address, or reads another host.
    """
    from yarl import URL

    try:
        url = URL(address.url, encoded=True)  # as it is requested
        _ = url.host
        same = url.raw_host == address.host and url.port == (address.port or DEFAULT_PORTS[address.scheme])
    except UnicodeError as error:
        raise AddressError(f"{shown(text)} has no valid host name: what follows xn-- can't be decoded") from error
    except ValueError as error:
        raise AddressError(f"{shown(text)} has no valid host name: {error}") from error
    if not same:
        raise AddressError(f"{shown(text)} is not a URL: it can also be read with the host {shown(url.raw_host)}")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _authority(host: str, port: int | None) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"
