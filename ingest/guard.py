"""Which addresses may be fetched: public ones, and those of the allow-list. Checked where a connection is made.

A feed is text from strangers: its URLs, redirects and host names must not reach the inside of our network (SSRF; OWASP
"Server-Side Request Forgery Prevention"). The resolver checks every address it hands to the connector, so that a name
that changes its address between check and use (DNS rebinding) gains nothing; an address written as a literal bypasses
every resolver and is checked beforehand.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ingest.urls import shown

_NAT64: Final = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE: Final = IPv6Network("::/96")
_V4_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that IANA has given out for the public Internet (RFC 4291, 2.4)."""
_SPECIAL: Final = (
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, given up (RFC 7526)
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them (RFC 2928, RFC 4380)
    IPv6Network("2001:db8::/32"),  # documentation (RFC 3849)
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
"""Not of the public Internet by IANA's special-purpose registries; `ipaddress` does not know them all."""


class ForbiddenAddressError(OSError):
    """The host leads to an address that is not ours to fetch from."""


def is_public(address: str) -> bool:
    """Whether `address` (a literal, with or without zone) is one of the public Internet.

    An IPv4 address wrapped in IPv6 (mapped, compatible, translated, 6to4, NAT64) counts as what it wraps.
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = _wrapped(ip) or ip
    if any(ip.version == network.version and ip in network for network in _SPECIAL):
        return False
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _wrapped(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64 or ip in _V4_COMPATIBLE or ip in _V4_TRANSLATED:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def is_literal(host: str) -> bool:
    """Whether `host` is an IP address rather than a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _pair(host: str, port: int | None) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refusal(url: URL, allowed: Collection[str]) -> str | None:
    """Why `url` may not be fetched, as far as the URL alone tells; None when nothing speaks against it.

    `allowed` holds `host:port` (`[host]:port` for IPv6) pairs that are exempt. Never raises: the host is taken as it
    stands in the URL, since to decode `xn--` may fail.
    """
    host = url.raw_host
    if url.scheme not in ("http", "https"):
        return f"only http and https are fetched, not {url.scheme or 'a relative URL'}: {shown(str(url))}"
    if not host:
        return f"{shown(str(url))} has no host"
    if is_literal(host) and not is_public(host) and _pair(host, url.port) not in allowed:
        return f"{host} is no public address"
    return None


class GuardedResolver(AbstractResolver):
    """A resolver that answers with public addresses only, and fails where a name has no other."""

    def __init__(self, inner: AbstractResolver, allowed: Collection[str]) -> None:
        self._inner, self._allowed = inner, allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`; raises ForbiddenAddressError when one of them is not public.

        One bad address among good ones is no accident but an attack or a broken zone: all are refused.
        """
        found = await self._inner.resolve(host, port, family)
        if _pair(host, port) not in self._allowed:
            for result in found:
                if not is_public(result["host"]):
                    raise ForbiddenAddressError(f"{host} leads to {result['host']}, which is no public address")
        return found

    async def close(self) -> None:
        """Releases what the inner resolver holds."""
        await self._inner.close()
