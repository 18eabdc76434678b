"""The one module that speaks HTTP: a URL in, a `FetchResult` out, never an exception.

Every hop of a redirect is a request of its own here: each passes the address guard, the host's pace and the caps.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
from protego import Protego
from yarl import URL

import newswatch
from ingest.guard import ForbiddenAddressError, GuardedResolver, refusal
from ingest.http import kind_of, retry_after_s
from ingest.pace import Pacer
from newswatch.model import FailureKind, Fetched, FetchFailed, FetchResult, Hop, NotModified, Request
from newswatch.settings import Settings

log = logging.getLogger(__name__)

MAX_HOPS: Final = 10
MAX_HEADER: Final = 65_536
"""Characters of one header line; aiohttp's own 8,190 are too few for the policies some publishers send."""
MAX_ROBOTS: Final = 500_000
"""Bytes of a robots.txt that are read, as RFC 9309 asks for at least."""
MAX_CRAWL_DELAY_S: Final = 10.0
"""A longer Crawl-delay would keep a batch beyond its lease; the standard (RFC 9309) doesn't know the rule at all."""
ACCEPT_FEED: Final = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, text/html;q=0.5, */*;q=0.1"
)
ACCEPT_PAGE: Final = "text/html, application/xhtml+xml;q=0.9, */*;q=0.1"
ACCEPT_ROBOTS: Final = "text/plain, */*;q=0.1"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def user_agent(contact: str) -> str:
    """The User-Agent: who we are and where to complain."""
    return f"newswatch/{newswatch.__version__} (feed reader; +{contact})"


class Fetcher:
    """Fetches politely; one per batch, as an async context manager.

    At most `fetch_host_concurrency` requests at once to a host, `fetch_host_delay_s` between two, `fetch_concurrency`
    in all; a host that answered with Retry-After is left alone until then.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings, self._clock = settings, clock
        self._pacer = Pacer(at_once=settings.fetch_host_concurrency, delay_s=settings.fetch_host_delay_s)
        self._slots = asyncio.Semaphore(settings.fetch_concurrency)
        self._allowed = frozenset(settings.fetch_allow_hosts)
        self._robots: dict[str, asyncio.Task[Protego | None]] = {}
        self._agent = user_agent(settings.contact)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(aiohttp.DefaultResolver(), self._allowed),
            limit=0,
            keepalive_timeout=15,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._agent},
            timeout=aiohttp.ClientTimeout(
                sock_connect=settings.fetch_connect_timeout_s, sock_read=settings.fetch_read_timeout_s
            ),
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._robots.values():
            task.cancel()
        if self._session:
            await self._session.close()

    async def fetch(self, request: Request) -> FetchResult:
        """What became of `request`; a value whatever a server, a network or a URL does."""
        return await self._fetch(request, ACCEPT_FEED)

    async def fetch_page(self, url: str) -> FetchResult:
        """The article page at `url`, if its host's robots.txt lets us (RFC 9309); a refusal is a value too."""
        try:
            target = URL(url)
            rules = await self._rules(target)
        except ValueError as error:
            return self._failed(url, FailureKind.REFUSED, f"{url!r} is no URL: {error}")
        if rules is None:
            return self._failed(url, FailureKind.TRANSIENT, f"robots.txt of {target.host} can't be read")
        if not rules.can_fetch(url, self._agent):
            return self._failed(url, FailureKind.REFUSED, f"robots.txt of {target.host} forbids {url}")
        return await self._fetch(Request(url), ACCEPT_PAGE)

    async def answers(self, url: str) -> bool:
        """Whether the host of `url` answers anything just now; asked for its robots.txt, which nobody minds."""
        outcome = await self._fetch(Request(_robots_txt(URL(url))), ACCEPT_ROBOTS)
        return not isinstance(outcome, FetchFailed) or outcome.status is not None

    # ── robots.txt ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _rules(self, url: URL) -> Protego | None:
        """The rules of the host of `url`, fetched once; None: unreachable, so nothing may be fetched."""
        origin = str(url.origin())
        if origin not in self._robots:
            self._robots[origin] = asyncio.create_task(self._load_rules(url))
        return await asyncio.shield(self._robots[origin])

    async def _load_rules(self, url: URL) -> Protego | None:
        outcome = await self._fetch(Request(_robots_txt(url)), ACCEPT_ROBOTS)
        if isinstance(outcome, FetchFailed) and (
            outcome.status is None or outcome.status == 429 or outcome.status >= 500
        ):
            return None
        text = outcome.body[:MAX_ROBOTS].decode("utf-8", "replace") if isinstance(outcome, Fetched) else ""
        rules = Protego.parse(text)
        delay = rules.crawl_delay(self._agent)
        if delay and url.host:
            self._pacer.slow_down(url.host, min(float(delay), MAX_CRAWL_DELAY_S))
        return rules

    # ── one request and its redirects ────────────────────────────────────────────────────────────────────────────────

    async def _fetch(self, request: Request, accept: str) -> FetchResult:
        chase = _Chase(request, accept)
        try:
            while True:
                outcome = await self._hop(chase)
                if outcome is not None:
                    return outcome
        except TimeoutError:
            return self._failed_at(chase, FailureKind.TRANSIENT, f"{chase.host} did not answer in time")
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ForbiddenAddressError):
                return self._failed_at(chase, FailureKind.REFUSED, str(error.os_error))
            return self._failed_at(chase, FailureKind.TRANSIENT, f"{chase.host} can't be reached: {error}")
        except aiohttp.InvalidURL as error:
            return self._failed_at(chase, FailureKind.REFUSED, f"{error.url} is no URL that can be fetched")
        except aiohttp.ClientError as error:
            return self._failed_at(chase, FailureKind.TRANSIENT, f"{chase.host} broke off: {_told(error)}")
        except Exception as error:  # what a hostile answer can raise in the libraries below has no list
            log.exception("fetching %s failed in a way that is not foreseen", chase.request.url)
            return self._failed_at(chase, FailureKind.TRANSIENT, f"{chase.request.url}: {_told(error)}")

    async def _hop(self, chase: _Chase) -> FetchResult | None:
        """One request; None when it led to another."""
        url = URL(chase.url)
        if why := refusal(url, self._allowed):
            return self._failed_at(chase, FailureKind.REFUSED, why)
        host = chase.host = url.host or ""
        if rest := self._pacer.resting_s(host):
            return self._failed_at(
                chase, FailureKind.TRANSIENT, f"{host} asked to be left alone for {rest:.0f} s more", retry_after_s=rest
            )
        async with self._pacer.turn(host), self._slots:
            began = time.monotonic()
            try:
                return await self._ask(chase, url)
            finally:
                chase.elapsed_s += time.monotonic() - began

    async def _ask(self, chase: _Chase, url: URL) -> FetchResult | None:
        assert self._session, "a Fetcher is an async context manager"
        timeout = _with_total(self._session.timeout, max(0.05, self._settings.fetch_total_timeout_s - chase.elapsed_s))
        async with self._session.get(
            url, headers=chase.headers(), cookies=chase.cookies(url), allow_redirects=False, timeout=timeout
        ) as response:
            headers = {name.lower(): ", ".join(response.headers.getall(name)) for name in response.headers}
            status = response.status
            if status in _REDIRECTS and "location" in headers:
                return self._redirected(chase, response, headers["location"])
            if status == 304 and chase.is_conditional:
                return NotModified(
                    chase.request.url, str(url), status, headers, self._clock(), chase.elapsed_s, tuple(chase.hops)
                )
            if 200 <= status < 300:
                return await self._body(chase, response, headers)
            return self._refused_by_server(chase, status, headers)

    def _redirected(self, chase: _Chase, response: aiohttp.ClientResponse, location: str) -> FetchResult | None:
        target = str(URL(chase.url).join(URL(location.strip())).with_fragment(None))
        chase.keep_cookies(response)
        chase.hops.append(Hop(response.status, target))
        if len(chase.hops) > MAX_HOPS:
            return self._failed_at(chase, FailureKind.PERMANENT, f"{chase.request.url} redirects without end")
        chase.url = target
        return None

    async def _body(self, chase: _Chase, response: aiohttp.ClientResponse, headers: Mapping[str, str]) -> FetchResult:
        cap, body = self._settings.fetch_max_bytes, bytearray()
        too_big = (response.content_length or 0) > cap
        if not too_big:
            async for chunk in response.content.iter_any():
                body += chunk
                if too_big := max(len(body), response.content.total_raw_bytes) > cap:
                    break
        if too_big:
            response.close()
            return self._failed_at(
                chase, FailureKind.REFUSED, f"{chase.url} is larger than {cap:,} bytes", status=response.status
            )
        digest, now = hashlib.sha256(body).hexdigest(), self._clock()
        common = (chase.request.url, chase.url, response.status, headers)
        if digest == chase.request.body_hash:
            return NotModified(*common, now, chase.elapsed_s, tuple(chase.hops))
        return Fetched(
            *common, bytes(body), digest, now, chase.elapsed_s, tuple(chase.hops), response.content.total_raw_bytes
        )

    def _refused_by_server(self, chase: _Chase, status: int, headers: Mapping[str, str]) -> FetchFailed:
        wait = retry_after_s(headers.get("retry-after"), self._clock())
        if status in (429, 503) and wait:
            self._pacer.pause(chase.host, wait)
        return self._failed_at(
            chase, kind_of(status), f"{chase.host} answered {status}", status=status, retry_after_s=wait
        )

    def _failed_at(
        self,
        chase: _Chase,
        kind: FailureKind,
        reason: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> FetchFailed:
        return replace(
            self._failed(chase.request.url, kind, reason),
            elapsed_s=chase.elapsed_s,
            status=status,
            retry_after_s=retry_after_s,
            hops=tuple(chase.hops),
        )

    def _failed(self, url: str, kind: FailureKind, reason: str) -> FetchFailed:
        return FetchFailed(url, kind, reason, self._clock(), 0.0)


class _Chase:
    """A request on its way through its redirects."""

    def __init__(self, request: Request, accept: str) -> None:
        self.request, self.url, self.host = request, request.url, request.url
        self.elapsed_s = 0.0
        self.hops: list[Hop] = []
        self._accept = accept
        self._jar: aiohttp.CookieJar | None = None

    @property
    def is_conditional(self) -> bool:
        return bool(self.request.etag or self.request.last_modified)

    def headers(self) -> dict[str, str]:
        headers = {"Accept": self._accept}
        if self.request.etag:
            headers["If-None-Match"] = self.request.etag
        if self.request.last_modified:
            headers["If-Modified-Since"] = self.request.last_modified
        return headers

    def keep_cookies(self, response: aiohttp.ClientResponse) -> None:
        """For this chase only: some publishers redirect without end whoever brings no cookie back."""
        if response.cookies:
            self._jar = self._jar or aiohttp.CookieJar(unsafe=True)
            self._jar.update_cookies(response.cookies, response.url)

    def cookies(self, url: URL) -> Mapping[str, str] | None:
        return {name: morsel.value for name, morsel in self._jar.filter_cookies(url).items()} if self._jar else None


def _robots_txt(url: URL) -> str:
    return str(url.origin() / "robots.txt")


def _with_total(timeout: aiohttp.ClientTimeout, total_s: float) -> aiohttp.ClientTimeout:
    """`timeout` with another limit for the request as a whole."""
    return aiohttp.ClientTimeout(total=total_s, sock_connect=timeout.sock_connect, sock_read=timeout.sock_read)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
