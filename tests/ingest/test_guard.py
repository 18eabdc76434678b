"""Which addresses are public, and what the resolver lets through."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ingest.http.guard import ForbiddenAddressError, GuardedResolver, is_public, refusal

PUBLIC = [
    *("8.8.8.8", "168.63.129.15", "192.0.1.1", "192.88.98.1", "192.88.100.1"),
    *("2001:4860:4860::8888", "2a00:1450::1", "2001:200::1", "3ffe::1"),
    *("64:ff9b::808:808", "::ffff:8.8.8.8", "::ffff:0:808:808", "2002:808:808::1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.0.8",
        "192.0.0.192",
        "::ffff:192.0.0.192",
        "168.63.129.16",
        "64:ff9b::a83f:8110",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "192.88.99.1",
        "2002:c058:6301::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "2001::1",
        "5f00::1",
        "100::1",
        "100:0:0:1::1",
        "64:ff9b:1::808:808",
        "::ffff:0:7f00:1",
        "4000::1",
        "e000::1",
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)


class Zone(AbstractResolver):
    """A name server that answers with these addresses, one after the other: the first look-up, the second, …"""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._answers.pop(0)
        ]

    async def close(self) -> None: ...


def resolve(*answers: list[str], allowed: tuple[str, ...] = ()) -> list[str]:
    async def run() -> list[str]:
        resolver = GuardedResolver(Zone(*answers), allowed)
        found = [await resolver.resolve("news.example", 80) for _ in answers]
        await resolver.close()
        return [each["host"] for each in found[-1]]

    return asyncio.run(run())


def test_public_addresses_pass() -> None:
    assert resolve(["8.8.8.8", "1.1.1.1"]) == ["8.8.8.8", "1.1.1.1"]


def test_one_inner_address_among_public_ones_refuses_all() -> None:
    with pytest.raises(ForbiddenAddressError, match=r"news\.example leads to 10\.0\.0\.1"):
        resolve(["8.8.8.8", "10.0.0.1"])


def test_a_name_that_changes_its_address_is_checked_again() -> None:
    with pytest.raises(ForbiddenAddressError):
        resolve(["8.8.8.8"], ["127.0.0.1"])


def test_the_allow_list_goes_by_host_and_port() -> None:
    assert resolve(["127.0.0.1"], allowed=("news.example:80",)) == ["127.0.0.1"]
    with pytest.raises(ForbiddenAddressError):
        resolve(["127.0.0.1"], allowed=("news.example:81",))


@pytest.mark.parametrize("text", ["", "/a", "ftp://h.example/", "http://xn--localhost-/a", "http://127.0.0.1/", "//h"])
def test_a_refusal_is_a_sentence_and_no_exception(text: str) -> None:
    why = refusal(URL(text), ())
    assert why is None or "\n" not in why
