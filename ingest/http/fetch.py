"""The only module that speaks HTTP: a URL in, a `FetchResult` out, never an exception.

Each hop of a redirect is a separate request, which passes the address guard, the host's pace and the caps.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

import newswatch
from ingest.addresses import Address, AddressError, read_address, resolve, shown
from ingest.challenges import challenge
from ingest.formats import registry
from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult, Hop, NotModified, Request
from ingest.http.pace import Pacer, Turn
from ingest.http.robots import MAX_BYTES as MAX_ROBOTS
from ingest.http.robots import SLOW_STEPS, Rules, read_rules
from ingest.http.routes import Fault, Routes
from ingest.http.semantics import header_text, kind_of, location_of, retry_after_s, validator
from ingest.http.silence import answered
from ingest.http.wire import UnreadableAnswerError
from ingest.unpack import NotUnpackedError, Unpacking
from newswatch.problems import REASON_CHARS, reason_of
from newswatch.settings import Settings
from newswatch.texts import cut_short

log = logging.getLogger(__name__)

MAX_HOPS: Final = 10
SLOW_ROBOTS: Final = 20_000
"""Minimum bytes of a robots.txt that is read in a thread: half a megabyte of rules takes half a second."""
MAX_CRAWL_DELAY_S: Final = 10.0
"""A longer Crawl-delay would keep a batch beyond its lease; the standard (RFC 9309) does not have the rule."""
RULES_S: Final = 3_600.0
"""Seconds for which the rules of a host count."""
RULES_UNREAD_S: Final = 60.0
"""Seconds after which a robots.txt is tried again that could not be read."""
RULES_KEPT: Final = 500
"""Hosts whose rules are kept, each at most half a megabyte: the fast lane's fetcher lives for weeks, and a feed may
link to a new host with every entry."""
ACCEPT_PAGE: Final = "text/html, application/xhtml+xml;q=0.9, */*;q=0.1"
ACCEPT_ROBOTS: Final = "text/plain, */*;q=0.1"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WITHOUT_BODY: Final = frozenset({204, 205})
"""Success codes without a document (RFC 9110, 15.3.5), so there is nothing to parse."""


def user_agent(contact: str) -> str:
    """The User-Agent: our name and where to complain."""
    return f"newswatch/{newswatch.__version__} (feed reader; +{contact})"


class Fetcher:
    """Fetches politely; one per batch, used as an async context manager.

    It makes at most `fetch_host_concurrency` simultaneous requests to a host, with `fetch_host_delay_s` between two,
    and at most `fetch_concurrency` in total. It leaves a host that answered with Retry-After alone until then.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings, self._clock = settings, clock
        self._pacer = Pacer(at_once=settings.fetch_host_concurrency, delay_s=settings.fetch_host_delay_s)
        self._slots = asyncio.Semaphore(settings.fetch_concurrency)
        self._robots: dict[str, _RulesRead] = {}
        self._agent = user_agent(settings.contact)
        self._routes = Routes(settings, self._agent)

    async def __aenter__(self) -> Self:
        await self._routes.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for read in self._robots.values():
            read.task.cancel()
        await self._routes.__aexit__(kind, error, trace)

    async def fetch(self, request: Request) -> FetchResult:
        """The result of `request`; a value, whatever the server, the network or the URL does."""
        return await self._fetch(request, registry.accept())

    async def fetch_page(self, url: str) -> FetchResult:
        """The article page at `url`, if its host's robots.txt allows it (RFC 9309); a refusal is a value too."""
        return await self._permitted(url) or await self._fetch(Request(url), ACCEPT_PAGE)

    async def fetch_list(self, request: Request, *, page: bool) -> FetchResult:
        """The result of `request` for a list of articles that is not a feed, if the host's robots.txt allows it.

        `page`: it is a page for readers, not a sitemap or JSON.
        """
        accept = ACCEPT_PAGE if page else registry.accept()
        return await self._permitted(request.url) or await self._fetch(request, accept)

    async def sitemaps(self, url: str) -> tuple[str, ...]:
        """The sitemaps that the robots.txt of the host of `url` names; none if it can't be read."""
        try:
            rules = await self._rules(read_address(url))
        except AddressError:
            return ()
        return () if isinstance(rules, FetchFailed) else rules.sitemaps

    async def _permitted(self, url: str) -> FetchFailed | None:
        """Why `url` may not be fetched by the rules of its host's robots.txt; None if it may."""
        try:
            address = read_address(url)
            rules = await self._rules(address)
            if isinstance(rules, FetchFailed):
                reason = rules.reason if rules.by_proxy else f"robots.txt of {address.host} can't be read"
                return replace(self._failed(url, FailureKind.TRANSIENT, reason), by_proxy=rules.by_proxy)
            why = await _matched(rules, address.url)
        except AddressError as error:
            return self._failed(url, FailureKind.REFUSED, str(error))
        except Exception as error:  # a page that can't be requested costs only itself
            log.exception("the robots.txt for %s could not be checked", shown(url))
            return self._failed(url, FailureKind.TRANSIENT, f"robots.txt for {shown(url)}: {_reason(error)}")
        if why:
            return self._failed(url, FailureKind.REFUSED, f"robots.txt of {address.host} {why}")
        return None

    async def answers(self, url: str) -> bool:
        """Whether the host of `url` answers at all now; tested with its robots.txt, which any robot may fetch."""
        try:
            robots = _robots_txt(read_address(url))
        except AddressError:
            return False
        outcome = await self._fetch(Request(robots), ACCEPT_ROBOTS, cut_at=MAX_ROBOTS)
        return answered(outcome)

    async def post_form(self, url: str, fields: Mapping[str, str]) -> str:
        """Post a form to a hub, within the walls of every request; why it was not accepted, or "" if it was.

        The form may hold a secret, so it goes by https, or to a host that is exempt from the guard.
        """
        try:
            address = URL(read_address(url).url, encoded=True)
            host = address.raw_host or ""
            if why := self._routes.refusal(address):
                return one_line(why)
            if address.scheme != "https" and not self._routes.allows(address):
                return f"{host} does not speak https, and is given no secret"
            return await self._post(address, host, fields)
        except (AddressError, TimeoutError, OSError, aiohttp.ClientError, UnreadableAnswerError) as error:
            return one_line(_reason(error))
        except Exception as error:  # there is no list of what hostile answers raise in the libraries below
            log.exception("asking the hub %s failed unexpectedly", shown(url))
            return one_line(_reason(error))

    async def _post(self, address: URL, host: str, fields: Mapping[str, str]) -> str:
        timeout = self._timeout(self._settings.fetch_total_timeout_s)
        async with (
            self._pacer.turn(host, self._slots) as turn,
            self._routes.post(address, form=fields, timeout=timeout, sent=turn.sent) as response,
        ):
            if 200 <= response.status < 300:
                return ""
            return one_line(f"{host} answered {response.status}")

    def _timeout(self, left_s: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=left_s,
            sock_connect=self._settings.fetch_connect_timeout_s,
            sock_read=self._settings.fetch_read_timeout_s,
        )

    # ── robots.txt ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _rules(self, address: Address) -> Rules | FetchFailed:
        """The rules of the address's host, fetched once an hour; the failure if it is unreachable: nothing may be
        fetched then."""
        read, now_s = self._robots.get(address.origin), time.monotonic()
        if read is None or read.is_old(now_s):
            read = _RulesRead(asyncio.create_task(self._load_rules(address)), now_s)
            self._robots.pop(address.origin, None)
            self._robots[address.origin] = read
            self._forget_oldest_rules()
        return await asyncio.shield(read.task)

    def _forget_oldest_rules(self) -> None:
        surplus = len(self._robots) - RULES_KEPT
        done = (origin for origin, read in self._robots.items() if read.task.done())
        for origin in list(islice(done, max(0, surplus))):
            del self._robots[origin]

    async def _load_rules(self, address: Address) -> Rules | FetchFailed:
        outcome = await self._fetch(Request(_robots_txt(address)), ACCEPT_ROBOTS, cut_at=MAX_ROBOTS)
        if isinstance(outcome, FetchFailed) and (
            outcome.status is None or outcome.status == 429 or outcome.status >= 500
        ):
            return outcome
        body = outcome.body if isinstance(outcome, Fetched) else b""
        slow = len(body) > SLOW_ROBOTS
        rules = await asyncio.to_thread(read_rules, body, self._agent) if slow else read_rules(body, self._agent)
        if rules.cut:
            log.warning("robots.txt of %s: only its first %s bytes are read", address.host, f"{MAX_ROBOTS:,}")
        if delay := rules.crawl_delay_s:
            self._pacer.slow_down(address.host, min(float(delay), MAX_CRAWL_DELAY_S))
        return rules

    # ── one request and its redirects ────────────────────────────────────────────────────────────────────────────────

    async def _fetch(self, request: Request, accept: str, *, cut_at: int | None = None) -> FetchResult:
        """`cut_at`: read only so many bytes of the body, and one more to detect the cut; None: refuse a larger one."""
        chase = _Chase(request, accept, cut_at)
        try:
            chase.url = read_address(request.url).url
            while True:
                outcome = await self._hop(chase)
                if outcome is not None:
                    return outcome
        except AddressError as error:
            return self._failed_at(chase, FailureKind.REFUSED, str(error))
        except TimeoutError:
            way = self._routes.way(URL(chase.url, encoded=True))
            return self._failed_at(chase, FailureKind.TRANSIENT, f"{chase.host} did not answer in time{way}")
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            return self._unreached(chase, self._routes.fault(URL(chase.url, encoded=True), error))
        except NotUnpackedError as error:
            return self._unreadable(chase, f"{chase.host} sent what can't be unpacked: {error}")
        except UnreadableAnswerError as error:
            return self._unreadable(chase, f"{chase.host} {error}")
        except aiohttp.ClientResponseError as error:  # the status in it is aiohttp's own
            return self._unreadable(chase, f"{chase.host} sent what is not HTTP: {error.message.replace('^', '')}")
        except aiohttp.ClientPayloadError:
            return self._failed_at(chase, FailureKind.TRANSIENT, f"{chase.host} broke off: its answer is incomplete")
        except aiohttp.InvalidURL as error:
            return self._failed_at(
                chase, FailureKind.REFUSED, f"{shown(str(error.url))} is not a URL that can be fetched"
            )
        except aiohttp.ClientError as error:
            return self._failed_at(chase, FailureKind.TRANSIENT, f"{chase.host} broke off: {_reason(error)}")
        except Exception as error:  # there is no list of what hostile answers raise in the libraries below
            log.exception("fetching %s failed unexpectedly", shown(chase.request.url))
            return self._failed_at(chase, FailureKind.TRANSIENT, f"{shown(chase.request.url)}: {_reason(error)}")

    async def _hop(self, chase: _Chase) -> FetchResult | None:
        """Make one request; None if another must follow."""
        url = URL(chase.url, encoded=True)  # otherwise yarl would re-encode it
        if why := self._routes.refusal(url):
            return self._failed_at(chase, FailureKind.REFUSED, why)
        host = chase.host = url.raw_host or ""
        if rest := self._pacer.resting_s(host):
            return self._failed_at(
                chase, FailureKind.TRANSIENT, f"{host} asked to be left alone for {rest:.0f} s more", retry_after_s=rest
            )
        async with self._pacer.turn(host, self._slots) as turn:
            began = time.monotonic()
            try:
                return await self._ask(chase, url, turn)
            finally:
                chase.elapsed_s += time.monotonic() - began

    async def _ask(self, chase: _Chase, url: URL, turn: Turn) -> FetchResult | None:
        timeout = self._timeout(max(0.05, self._settings.fetch_total_timeout_s - chase.elapsed_s))
        async with self._routes.get(url, headers=chase.headers(url), timeout=timeout, sent=turn.sent) as response:
            headers = {name.lower(): header_text(", ".join(response.headers.getall(name))) for name in response.headers}
            status = response.status
            if status in _REDIRECTS and "location" in headers:
                return self._redirected(chase, response, response.headers.getall("location"))
            if status == 304 and chase.is_conditional:
                return NotModified(
                    chase.request.url, str(url), status, headers, self._clock(), chase.elapsed_s, tuple(chase.hops)
                )
            if 200 <= status < 300 and status not in _WITHOUT_BODY:
                return await self._body(chase, response, headers)
            if fault := self._routes.refused_by_proxy(url, status, headers):
                return self._unreached(chase, fault)
            return self._refused_by_server(chase, status, headers)

    def _redirected(
        self, chase: _Chase, response: aiohttp.ClientResponse, locations: Sequence[str]
    ) -> FetchResult | None:
        try:
            target = resolve(location_of(locations), chase.url).url.partition("#")[0]
        except ValueError as error:
            reason = f"{chase.host} redirects to what can't be followed: {error}"
            return self._failed_at(chase, FailureKind.REFUSED, reason, status=response.status)
        chase.keep_cookies(response)
        chase.hops.append(Hop(response.status, target))
        if len(chase.hops) > MAX_HOPS:
            return self._failed_at(chase, FailureKind.PERMANENT, f"{shown(chase.request.url)} redirects without end")
        chase.url = target
        return None

    async def _body(
        self, chase: _Chase, response: aiohttp.ClientResponse, headers: Mapping[str, str]
    ) -> FetchResult | None:
        body, cap = bytearray(), self._settings.fetch_max_bytes
        unpacking = Unpacking(headers.get("content-encoding"))
        if chase.cut_at is not None:
            too_big = await _read_body(response, unpacking, body, chase.cut_at)
            del body[chase.cut_at + 1 :]
        elif too_big := (response.content_length or 0) > cap or await _read_body(response, unpacking, body, cap):
            response.close()
            reason = f"{shown(chase.url)} is larger than {cap:,} bytes"
            return self._failed_at(chase, FailureKind.REFUSED, reason, status=response.status)
        if too_big:
            response.close()
        if not body and chase.is_conditional:  # some servers answer 200 without a body instead of 304
            chase.ask_whole()
            return None
        digest, now = hashlib.sha256(body).hexdigest(), self._clock()
        common = (chase.request.url, chase.url, response.status, headers)
        if digest == chase.request.body_hash:
            return NotModified(*common, now, chase.elapsed_s, tuple(chase.hops))
        return Fetched(*common, bytes(body), digest, now, chase.elapsed_s, tuple(chase.hops))

    def _refused_by_server(self, chase: _Chase, status: int, headers: Mapping[str, str]) -> FetchFailed:
        wait = retry_after_s(headers.get("retry-after"), self._clock())
        if status in (429, 503) and wait:
            self._pacer.pause(chase.host, wait)
        way = self._routes.way(URL(chase.url, encoded=True)) if status >= 500 else ""
        reason = f"{chase.host} answered {status}{way}{', without a document' if status in _WITHOUT_BODY else ''}"
        if walled := challenge(status, headers):
            reason = f"{reason}: {walled}"
        return self._failed_at(chase, kind_of(status), reason, status=status, retry_after_s=wait)

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

    def _unreached(self, chase: _Chase, fault: Fault) -> FetchFailed:
        return replace(self._failed_at(chase, fault.kind, fault.reason), by_proxy=fault.by_proxy)

    def _unreadable(self, chase: _Chase, reason: str) -> FetchFailed:
        """A failure with an answer: the server is at fault, so it is not an outage of our network."""
        return replace(self._failed_at(chase, FailureKind.TRANSIENT, reason), answered=True)

    def _failed(self, url: str, kind: FailureKind, reason: str) -> FetchFailed:
        """A failure whose reason is one storable line of at most `REASON_CHARS` characters."""
        return FetchFailed(url, kind, one_line(reason), self._clock(), 0.0)


@dataclass(frozen=True, slots=True)
class _RulesRead:
    """The rules of a host: being fetched, or fetched."""

    task: asyncio.Task[Rules | FetchFailed]
    since_s: float

    def is_old(self, now_s: float) -> bool:
        """Whether they are fetched again. Only a fetcher that lives long asks twice."""
        if not self.task.done():
            return False
        failed = (
            self.task.cancelled() or self.task.exception() is not None or isinstance(self.task.result(), FetchFailed)
        )
        return now_s - self.since_s > (RULES_UNREAD_S if failed else RULES_S)


class _Chase:
    """A request on its way through its redirects."""

    def __init__(self, request: Request, accept: str, cut_at: int | None = None) -> None:
        self.request, self.url, self.host = request, request.url, shown(request.url)
        self.cut_at = cut_at
        self.elapsed_s = 0.0
        self.hops: list[Hop] = []
        self._accept = accept
        given = {"If-None-Match": validator(request.etag), "If-Modified-Since": validator(request.last_modified)}
        self._validators = {name: value for name, value in given.items() if value}
        self._jar: aiohttp.CookieJar | None = None

    @property
    def is_conditional(self) -> bool:
        return bool(self._validators)

    def ask_whole(self) -> None:
        """Make the following requests unconditional."""
        self._validators = {}

    def headers(self, url: URL) -> dict[str, str]:
        """The headers of a request for `url`."""
        cookies = self._cookies(url)
        return {"Accept": self._accept, **self._validators, **({"Cookie": cookies} if cookies else {})}

    def keep_cookies(self, response: aiohttp.ClientResponse) -> None:
        """Keep cookies for this chase only: some publishers redirect endlessly unless their cookie comes back."""
        if response.cookies:
            self._jar = self._jar or aiohttp.CookieJar(unsafe=True, quote_cookie=False)
            self._jar.update_cookies(response.cookies, response.url)

    def _cookies(self, url: URL) -> str:
        """Each cookie unchanged; aiohttp would quote `a=b==`, and publishers check what they signed."""
        if self._jar is None:
            return ""
        written = {(morsel.key, morsel.value): morsel.coded_value for morsel in self._jar}
        meant = self._jar.filter_cookies(url).values()
        return "; ".join(f"{morsel.key}={written[morsel.key, morsel.value]}" for morsel in meant)


def _robots_txt(address: Address) -> str:
    return f"{address.origin}/robots.txt"


async def _matched(rules: Rules, url: str) -> str | None:
    """Why the rules forbid `url`; computed in a thread if that takes long."""
    if rules.steps(url) > SLOW_STEPS:
        return await asyncio.to_thread(rules.refusal, url)
    return rules.refusal(url)


async def _read_body(response: aiohttp.ClientResponse, unpacking: Unpacking, body: bytearray, most: int) -> bool:
    """Read and unpack into `body` until it or the received data exceeds `most` bytes; whether it does."""
    async for chunk in response.content.iter_any():
        body += unpacking.feed(chunk, most)
        if max(len(body), response.content.total_bytes) > most:
            return True
    body += unpacking.end()
    return len(body) > most


def _reason(error: Exception) -> str:
    return reason_of(error) if str(error) else type(error).__name__


def one_line(reason: str) -> str:
    """A reason as one line of storable text, at most `REASON_CHARS` characters long."""
    return cut_short(" ".join(reason.encode("utf-8", "replace").decode().split()), REASON_CHARS)
