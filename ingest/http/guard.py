"""Decides which addresses may be fetched: public ones and those on the allow-list. Checks when a connection is made.

A feed is text from strangers: its URLs, redirects and host names must not reach the inside of our network (SSRF; OWASP
"Server-Side Request Forgery Prevention"). The resolver checks every address that it gives to the connector, so a name
that changes its address between check and use (DNS rebinding) gains nothing. An address literal bypasses every resolver
and is checked beforehand.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ingest.addresses import shown

_NAT64: Final = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE: Final = IPv6Network("::/96")
_V4_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All addresses that IANA has assigned to the public Internet (RFC 4291, 2.4)."""
_SPECIAL: Final = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments (RFC 6890); Oracle's cloud answers for its metadata there
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, withdrawn (RFC 7526)
    IPv4Network("168.63.129.16/32"),  # public by its number, but Azure's platform inside of each virtual machine
    IPv6Network("2001::/23"),  # protocol assignments, including Teredo (RFC 2928, RFC 4380)
    IPv6Network("2001:db8::/32"),  # documentation (RFC 3849)
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
"""Not public according to IANA's special-purpose registries, of which `ipaddress` lacks some, or inside of a cloud."""


class ForbiddenAddressError(OSError):
    """The host leads to an address that must not be fetched."""


def is_public(address: str) -> bool:
    """Whether `address` (a literal, with or without zone) belongs to the public Internet.

    An IPv4 address wrapped in IPv6 (mapped, compatible, translated, 6to4, NAT64) is judged by the IPv4 address.
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
    """Whether `host` is an IP address and not a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _pair(host: str, port: int | None) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refusal(url: URL, allowed: Collection[str]) -> str | None:
    """Why `url` may not be fetched, as far as the URL alone shows; None if it may.

    `allowed` holds the exempt `host:port` (`[host]:port` for IPv6) pairs. Never raises: the host is used as it is in
    the URL, because decoding `xn--` may fail.
    """
    host = url.raw_host
    if url.scheme not in ("http", "https"):
        return f"only http and https are fetched, not {url.scheme or 'a relative URL'}: {shown(str(url))}"
    if not host:
        return f"{shown(str(url))} has no host"
    if is_literal(host) and not is_public(host) and _pair(host, url.port) not in allowed:
        return f"{host} is not a public address"
    return None


PROXIED_PORTS: Final = frozenset({80, 443, 8080, 8443})
"""Where a proxy may be sent. It resolves names by itself, perhaps to a database or mail server of its own network."""
_INNER: Final = frozenset(
    {"alt", "arpa", "corp", "domain", "example", "home", "internal", "intranet", "invalid", "lan", "local"}
    | {"localdomain", "localhost", "onion", "private", "test"}
)
"""Last labels that no public name has (RFC 6761, RFC 6762, RFC 9476, ICANN SAC113), and those usual inside."""


def proxied_refusal(url: URL, allowed: Collection[str]) -> str | None:
    """Why a proxy may not be asked for `url`; None if it may.

    The proxy resolves the name, so only what the URL shows can be judged: a literal address, the form of the name, the
    port. Whether a public name leads inside is for the proxy to refuse.
    """
    if why := refusal(url, allowed):
        return why
    host = url.raw_host or ""
    if _pair(host, url.port) in allowed:
        return None
    if url.port not in PROXIED_PORTS:
        return f"port {url.port} of {host} may not be reached through the proxy, only {_PORTS_SHOWN}"
    last = host.rstrip(".").lower().rpartition(".")
    if not is_literal(host) and (not last[0] or last[2] in _INNER):
        return f"{host} is not a public name, and the proxy would look it up in its own network"
    return None


_PORTS_SHOWN: Final = ", ".join(map(str, sorted(PROXIED_PORTS)))


class GuardedResolver(AbstractResolver):
    """A resolver that answers only with public addresses, and fails if a name has others."""

    def __init__(self, inner: AbstractResolver, allowed: Collection[str]) -> None:
        self._inner, self._allowed = inner, allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`.

        One bad address among good ones is an attack or a broken zone, so all are refused.

        Raises:
            ForbiddenAddressError: one of the addresses is not public.
        """
        results = await self._inner.resolve(host, port, family)
        if _pair(host, port) not in self._allowed:
            for result in results:
                if not is_public(result["host"]):
                    raise ForbiddenAddressError(f"{host} leads to {result['host']}, which is not a public address")
        return results

    async def close(self) -> None:
        """Release what the inner resolver holds."""
        await self._inner.close()


class OneHostResolver(AbstractResolver):
    """A resolver for one host, the proxy, which the operator chose and which may be anywhere."""

    def __init__(self, inner: AbstractResolver, host: str) -> None:
        self._inner, self._host = inner, host

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of the one host.

        Raises:
            ForbiddenAddressError: it is asked for another.
        """
        if host.lower() != self._host.lower():
            raise ForbiddenAddressError(f"{host} is not the proxy, which resolves all names")
        return await self._inner.resolve(host, port, family)

    async def close(self) -> None:
        """Release what the inner resolver holds."""
        await self._inner.close()
