"""Which hosts are reached without the proxy: the list that NO_PROXY made usual, read and checked. Pure.

An item is a name (and all names under it), a name behind a dot (only those under it), an address, a network such as
10.0.0.0/8, or `*`; a port may follow a name or an address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

_NAME = re.compile(r"\.?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_PORT = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Direct:
    """One item of the list."""

    name: str = ""
    """In lower case; with a leading dot only the names under it. `*`: every host."""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int | None) -> bool:
        """Whether a host, in lower case and without brackets, is reached without the proxy."""
        if self.port is not None and port != self.port:
            return False
        if self.name == "*":
            return True
        if self.network is not None:
            try:
                address = ip_address(host)
            except ValueError:
                return False
            return address.version == self.network.version and address in self.network
        bare = self.name.removeprefix(".")
        return host.endswith(f".{bare}") or (host == bare and not self.name.startswith("."))


def read_no_proxy(text: str) -> tuple[Direct, ...]:
    """The items of a list that commas or blanks separate.

    Raises:
        ValueError: one of them is not an item; the message names it.
    """
    return tuple(_item(word) for word in re.split(r"[,\s]+", text.strip()) if word)


def is_direct(items: Sequence[Direct], host: str, port: int | None) -> bool:
    """Whether a host is reached without the proxy."""
    name = host.strip("[]").rstrip(".").lower()
    return any(item.covers(name, port) for item in items)


def _item(word: str) -> Direct:
    if word == "*":
        return Direct("*")
    port = None
    bare = word
    if parted := _PORT.fullmatch(word):
        bare, port = parted["host"], int(parted["port"])
    try:
        return Direct(network=ip_network(bare.strip("[]"), strict=False), port=port)
    except ValueError:
        pass
    name = bare.lower().rstrip(".").removeprefix("*")
    if not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit() or (port is not None and not 0 < port <= 65_535):
        raise ValueError(
            f"{word[:60]!r} is neither a name (example.org, .example.org), an address, a network (10.0.0.0/8) nor *"
        )
    return Direct(name, port=port)
