"""The two ways to a publisher: directly, with every address checked, or through the operator's proxy.

The proxy resolves the names, so the guard can judge only what an address shows (`guard.proxied_refusal`). What the
proxy itself refuses or fails to do is told apart from what the publisher does, because a dead proxy is one fault and
not one for each feed.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from ingest.http.fetched import FailureKind
from ingest.http.guard import ForbiddenAddressError, GuardedResolver, OneHostResolver, proxied_refusal, refusal
from ingest.http.heads import MAX_FIELD, MAX_FIELDS
from ingest.http.wire import ForgivingConnector
from newswatch.errors import ConfigError
from newswatch.no_proxy import Direct, is_direct, read_no_proxy
from newswatch.settings import Settings

_LOGIN_WANTED: Final = 407
_WRONG_LOGIN: Final = 401
"""tinyproxy's answer to a wrong login; the standard has 407 for it (RFC 9110, 15.5.8)."""
_NO_TURN: Final = frozenset({408, 429})
_OWN: Final = frozenset({401, 403, 500, 502, 503, 504})
"""Statuses of the pages that squid and tinyproxy write themselves."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """The operator's proxy, and the hosts that are reached without it."""

    url: URL
    """Without the login."""
    login: str | None = field(repr=False)
    """The value of Proxy-Authorization (RFC 9110, 11.7.2); None: the proxy asks for none."""
    direct: tuple[Direct, ...]

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return f"{self.url.host_subcomponent}:{self.url.port}"

    def takes(self, url: URL) -> bool:
        """Whether `url` is requested through it."""
        return not is_direct(self.direct, url.raw_host or "", url.port)


def proxy_of(settings: Settings) -> Proxy | None:
    """The proxy that the settings name; None if there is none."""
    if not settings.fetch_proxy:
        return None
    user, secret = settings.fetch_proxy_username, settings.fetch_proxy_password
    password = secret.get_secret_value() if secret else ""
    login = aiohttp.encode_basic_auth(user, password, encoding="utf-8") if user else None
    return Proxy(URL(settings.fetch_proxy), login, read_no_proxy(settings.fetch_no_proxy))


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request got no answer from its host."""

    kind: FailureKind
    reason: str
    by_proxy: bool = False
    """The proxy is at fault, whatever the host; every other request through it fails as well."""


class Routes:
    """The open connections of one `Fetcher`, on both ways; used as an async context manager."""

    def __init__(self, settings: Settings, agent: str, allowed: Collection[str] | None = None) -> None:
        """`allowed` are the `host:port` pairs that are exempt from the guard; by default those for publishers."""
        self._settings, self._agent = settings, agent
        self._allowed = frozenset(settings.fetch_allow_hosts if allowed is None else allowed)
        self.proxy = proxy_of(settings)
        self._stack = AsyncExitStack()
        self._direct: aiohttp.ClientSession
        self._proxied: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        trust = _trust(self._settings)
        resolver = aiohttp.DefaultResolver()
        self._direct = await self._open(GuardedResolver(resolver, self._allowed), trust)
        if self.proxy:
            only = OneHostResolver(aiohttp.DefaultResolver(), self.proxy.url.raw_host or "")
            self._proxied = await self._open(only, trust)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _open(
        self, resolver: GuardedResolver | OneHostResolver, trust: ssl.SSLContext | None
    ) -> aiohttp.ClientSession:
        self._stack.push_async_callback(resolver.close)  # a connector closes only resolvers that it has made itself
        connector = ForgivingConnector(resolver=resolver, limit=0, keepalive_timeout=15, ssl=trust or True)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._agent},
            max_line_size=MAX_FIELD + 10,
            max_field_size=MAX_FIELD + 10,  # longer fields have been removed by mending
            max_headers=MAX_FIELDS + 10,  # plus the status line, and the framing that mending adds
            auto_decompress=False,
            trace_configs=[_tracing()],
        )
        return await self._stack.enter_async_context(session)

    def refusal(self, url: URL) -> str | None:
        """Why `url` may not be fetched, as far as the URL alone shows; None if it may."""
        return (proxied_refusal if self._by_proxy(url) else refusal)(url, self._allowed)

    def get(
        self, url: URL, *, headers: dict[str, str], timeout: aiohttp.ClientTimeout, sent: Callable[[], None]
    ) -> aiohttp.client._RequestContextManager:
        """One GET, without following redirects; `sent` is called when it has gone out."""
        return self._request("GET", url, headers=headers, timeout=timeout, trace_request_ctx=sent)

    def post(
        self, url: URL, *, form: Mapping[str, str], timeout: aiohttp.ClientTimeout, sent: Callable[[], None]
    ) -> aiohttp.client._RequestContextManager:
        """One POST of a form, as `get`."""
        return self._request("POST", url, headers={}, timeout=timeout, data=form, trace_request_ctx=sent)

    def send(
        self, method: str, url: URL, *, body: bytes, headers: dict[str, str], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.client._RequestContextManager:
        """One request with a body, without following redirects."""
        return self._request(method, url, headers=headers, timeout=timeout, data=body, trace_request_ctx=lambda: None)

    def allows(self, url: URL) -> bool:
        """Whether the operator has named the host and port as exempt from the guard."""
        return f"{url.raw_host or ''}:{url.port}" in self._allowed

    def _request(
        self, method: str, url: URL, *, headers: dict[str, str], timeout: aiohttp.ClientTimeout, **more: Any
    ) -> aiohttp.client._RequestContextManager:
        proxy, more = self._by_proxy(url), {"timeout": timeout, "allow_redirects": False, **more}
        if proxy is None:
            return self._direct.request(method, url, headers=headers, **more)
        # A tunnel has a head of its own; without one, the proxy takes its login from the request.
        login = {"Proxy-Authorization": proxy.login} if proxy.login else {}
        sent = headers if url.scheme == "https" else {**headers, **login}
        return self._proxied.request(method, url, headers=sent, proxy=proxy.url, proxy_headers=login, **more)

    def _by_proxy(self, url: URL) -> Proxy | None:
        return self.proxy if self.proxy and self.proxy.takes(url) else None

    def way(self, url: URL) -> str:
        """How `url` is reached, to follow a host's name in a message; empty if directly."""
        proxy = self._by_proxy(url)
        return f" through the proxy {proxy.name}" if proxy else ""

    def refused_by_proxy(self, url: URL, status: int, headers: Mapping[str, str]) -> Fault | None:
        """The fault if an answer without a document is the proxy's own; only for plain http it can give one."""
        proxy = self._by_proxy(url)
        if proxy is None or url.scheme != "http":
            return None
        own = status in _OWN and ("x-squid-error" in headers or headers.get("server", "").startswith("tinyproxy"))
        return _answered(proxy, url, status) if own or status == _LOGIN_WANTED else None

    def fault(self, url: URL, error: aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError) -> Fault:
        """Why there is no connection to the host of `url`."""
        host, proxy = url.raw_host or "", self._by_proxy(url)
        if isinstance(error, aiohttp.ClientHttpProxyError):
            assert proxy, "only a proxy answers CONNECT"
            return _answered(proxy, url, error.status)
        if isinstance(error.os_error, ForbiddenAddressError):
            return Fault(FailureKind.REFUSED, str(error.os_error))
        reached = isinstance(error, aiohttp.ClientSSLError) and proxy and error.host == host
        if proxy and not reached:
            return Fault(
                FailureKind.TRANSIENT, f"the proxy {proxy.name} can't be reached: {_refusal(error)}", by_proxy=True
            )
        return Fault(FailureKind.TRANSIENT, f"{host} can't be reached{self.way(url)}: {_refusal(error)}")


def _tracing() -> aiohttp.TraceConfig:
    """Calls a request's `sent` when its head has been written; a proxy's CONNECT counts as well."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_sent)
    return tracing


async def _sent(_session: aiohttp.ClientSession, about: Any, _params: aiohttp.TraceRequestHeadersSentParams) -> None:
    about.trace_request_ctx()


def _answered(proxy: Proxy, url: URL, status: int) -> Fault:
    """What it means that the proxy answered with this status instead of letting a request through."""
    host = url.raw_host or ""
    if status in (_LOGIN_WANTED, _WRONG_LOGIN):
        what = "refuses the user and password that are set for it" if proxy.login else "requires a login"
        return Fault(FailureKind.TRANSIENT, f"the proxy {proxy.name} {what} ({status})", by_proxy=True)
    if status >= 500 or status in _NO_TURN:
        return Fault(
            FailureKind.TRANSIENT, f"{host} can't be reached: the proxy {proxy.name} answered {_named(status)}"
        )
    return Fault(FailureKind.REFUSED, f"the proxy {proxy.name} lets nobody through to {host}: {_named(status)}")


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _trust(settings: Settings) -> ssl.SSLContext | None:
    """The system's certificate authorities and those of the settings; None: only the system's.

    Raises:
        ConfigError: the file can't be read.
    """
    if settings.fetch_ca_certs is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(settings.fetch_ca_certs)
    except (OSError, ssl.SSLError) as error:
        why = os.strerror(error.errno).lower() if error.errno and not isinstance(error, ssl.SSLError) else str(error)
        message = f"NEWSWATCH_FETCH_CA_CERTS: it holds no certificate that can be read: {why}"
        raise ConfigError(settings.fetch_ca_certs, None, message) from error
    return context


def _refusal(error: aiohttp.ClientConnectorError) -> str:
    """Why there is no connection, in the operating system's words; aiohttp's repeat host, port and TLS settings."""
    fault = error.os_error
    if isinstance(error, aiohttp.ClientSSLError):
        return str(error)
    if isinstance(error, aiohttp.ClientConnectorDNSError) or not fault.errno:
        return fault.strerror or str(fault)
    return os.strerror(fault.errno).lower()
