"""HTTP requests to addresses that users gave: webhooks and chats. A request in, an answer or a failure out.

Every request passes the guard of `ingest.http.guard`: no loopback, private or metadata address, checked when the
connection is made. Redirects are not followed. Secrets go by https only, save to hosts that the operator allows by
name. One deadline covers the whole request, and of an answer only its beginning is read. No message repeats
more of an address than its host, because the rest may be a key.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from yarl import URL

from ingest.addresses import AddressError, read_address
from ingest.http.semantics import header_text, retry_after_s
from newswatch import __version__
from newswatch.settings import Settings

if TYPE_CHECKING:
    import aiohttp

    from ingest.http.routes import Routes

log = logging.getLogger(__name__)


class Closable(Protocol):
    """What is closed with the connections."""

    def close(self) -> None:
        """Close it."""
        ...


T = TypeVar("T")
K = TypeVar("K", bound=Closable)

MOST_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read."""
_SPARE_S: Final = 2.0
"""Seconds beyond the deadline after which a request that does not end by itself is given up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    """At most `MOST_ANSWER` of it."""

    @property
    def is_taken(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300

    @property
    def retry_after_s(self) -> float | None:
        """The wait that it asks for, in seconds; None if it asks for none."""
        return retry_after_s(self.headers.get("retry-after"), datetime.now(UTC))

    def json(self) -> dict[str, Any]:
        """Its body as a JSON object; empty if it is none."""
        try:
            read = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer."""

    why: str
    may_have_arrived: bool = False
    """Whether the other side may have got the request all the same."""


def check_url(text: str, settings: Settings) -> str:
    """The canonical form of an address that requests may go to, as far as the address alone shows.

    Raises:
        ValueError: it is none; the message shows no more of it than its host.
    """
    try:
        address = read_address(text.strip())
    except AddressError:
        raise ValueError("it is not a web address, such as https://example.org/hook") from None
    url = URL(address.url, encoded=True)
    if url.raw_user or url.raw_password:
        raise ValueError(f"{address.host}: a user and a password don't belong into the address")
    if why := refused(url, settings):
        raise ValueError(why)
    return address.url.partition("#")[0]


def refused(url: URL, settings: Settings) -> str | None:
    """Why requests don't go to `url`, as far as it alone shows; None if they do. Pure."""
    from ingest.http.routes import Routes

    routes = Routes(settings, "", settings.channel_allow_hosts)
    if why := routes.refusal(url):
        return why
    if url.scheme != "https" and not routes.allows(url):
        return f"{url.raw_host} must be reached by https, because what is sent there is private"
    return None


def timeout_s(settings: Settings) -> float:
    """Maximum seconds for one request."""
    return settings.channel_timeout_s + _SPARE_S


class Outgoing:
    """Sends requests, from any thread; the connections live in a thread of their own until `close`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._routes: Routes | None = None
        self._opening = asyncio.Lock()
        self._kept: dict[str, Closable] = {}

    def kept(self, name: str, make: Callable[[], K]) -> K:
        """What `make` gives, made once and closed with the connections: another way out beside HTTP."""
        if name not in self._kept:
            self._kept[name] = make()
        return cast(K, self._kept[name])

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """The answer to one request, or why there is none; never an exception."""
        host = URL(url, encoded=True).raw_host or "the host"
        try:
            return self._run(self._send(method, URL(url, encoded=True), body, dict(headers)))
        except TimeoutError:
            seconds = self._settings.channel_timeout_s
            return Failure(f"{host} did not answer within {seconds:g} s", may_have_arrived=True)
        except Exception as error:  # there is no list of what hostile answers raise in the libraries below
            log.warning("A request to %s failed unexpectedly: %s", host, type(error).__name__)
            return Failure(f"{host}: {type(error).__name__}", may_have_arrived=True)

    def post_json(self, url: str, value: Any, headers: Mapping[str, str], method: str = "POST") -> Answer | Failure:
        """`send` of a value as JSON."""
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        return self.send(method, url, body, {"Content-Type": "application/json; charset=utf-8", **headers})

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            loop, routes, self._loop, self._routes = self._loop, self._routes, None, None
            kept, self._kept = self._kept, {}
        for one in kept.values():
            one.close()
        if loop is None:
            return
        if routes is not None:
            closing = asyncio.run_coroutine_threadsafe(routes.__aexit__(None, None, None), loop)
            try:
                closing.result(_SPARE_S)
            except Exception:
                log.warning("The connections to webhooks and chats could not be closed")
        loop.call_soon_threadsafe(loop.stop)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._started())
        try:
            return future.result(self._settings.channel_timeout_s + _SPARE_S)
        finally:
            future.cancel()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_serve, args=(self._loop,), daemon=True, name="webhooks").start()
            return self._loop

    async def _open(self) -> Routes:
        from ingest.http.routes import Routes  # it loads aiohttp, which who sends only mails, or nothing, does without

        async with self._opening:
            if self._routes is None:
                agent = f"newswatch/{__version__} (+{self._settings.contact})"
                routes = Routes(self._settings, agent, self._settings.channel_allow_hosts)
                self._routes = await routes.__aenter__()
            return self._routes

    async def _send(self, method: str, url: URL, body: bytes, headers: dict[str, str]) -> Answer | Failure:
        import aiohttp

        from ingest.http.wire import UnreadableAnswerError

        host = url.raw_host or ""
        if why := refused(url, self._settings):
            return Failure(why)
        routes = await self._open()
        seconds = self._settings.channel_timeout_s
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=seconds)
        plain = {"Accept-Encoding": "identity", **headers}
        try:
            async with routes.send(method, url, body=body, headers=plain, timeout=timeout) as response:
                named = {name.lower(): header_text(value) for name, value in response.headers.items()}
                return Answer(response.status, named, await _beginning(response))
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            return Failure(routes.fault(url, error).reason)
        except aiohttp.ConnectionTimeoutError:
            return Failure(f"{host} accepted no connection within {seconds:g} s")
        except UnreadableAnswerError as error:
            return Failure(f"{host} {error}", may_have_arrived=True)
        except aiohttp.ClientError:
            return Failure(f"{host} broke off before it answered", may_have_arrived=True)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of the body; empty if it breaks off, since the status has said what matters."""
    import aiohttp

    read = bytearray()
    try:
        async for chunk in response.content.iter_chunked(8_192):
            read += chunk
            if len(read) >= MOST_ANSWER:
                response.close()
                break
    except (aiohttp.ClientError, TimeoutError):
        response.close()
    return bytes(read[:MOST_ANSWER])
