"""Hosts of a server, as an Airflow connection states them, made addresses."""

from __future__ import annotations

from collections.abc import Iterable


def addresses(stated: Iterable[object], *, scheme: str, port: int) -> list[str]:
    """The addresses of hosts, each stated alone, in a list or with commas between; scheme and port where it has none.

    Pure; nothing is checked but that a bare IPv6 address gets its brackets.
    """
    listed = (one if isinstance(one, list | tuple) else [one] for one in stated if one)
    hosts = (host.strip() for some in listed for text in some for host in str(text).split(","))
    return [_address(host, scheme, port) for host in hosts if host]


def _address(host: str, scheme: str, port: int) -> str:
    if "://" in host:
        return host
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"
    has_port = ":" in host.rpartition("]")[2]
    return f"{scheme}://{host}" if has_port else f"{scheme}://{host}:{port}"
