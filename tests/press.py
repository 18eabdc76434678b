"""A small press on loopback, for tests: feeds that can be added to, edited and broken while they are polled."""

from __future__ import annotations

import hashlib
import sys
import threading
from dataclasses import dataclass, field
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.factories import NOW

PARAGRAPHS = (
    "Defence ministers of the NATO allies met in Brussels to settle the {n}th point of their agenda, and left the "
    "building late in the evening without having spoken to the waiting press.",
    "The Alliance's Secretary General said that NATO would keep its forces on the eastern flank for as long as they "
    "were needed, and that every ally had promised its share of the cost.",
    "Diplomats who had seen the paper said it left open who would command the new headquarters, and when the first of "
    "the battalions were to arrive there.",
)


@dataclass(slots=True)
class Story:
    """One article of the press."""

    slug: str
    title: str
    paragraphs: tuple[str, ...]
    summary: str = ""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Those who ask may die amid an answer, which is nothing to tell."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@dataclass(slots=True)
class Press:
    """Serves `/FEED.xml` for each feed and `/articles/SLUG` for each story; counts what is asked for."""

    feeds: dict[str, list[Story]] = field(default_factory=lambda: {"main": []})
    broken: dict[str, int] = field(default_factory=dict)
    """Path → status to answer with."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """Path → body to answer with."""
    moved: dict[str, str] = field(default_factory=dict)
    """Path → path that it is redirected to for good."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    address: str = "127.0.0.1"
    """Loopback address that it is served on: each is a host of its own."""
    is_closed: bool = False
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Press:
        press = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, body, etag = press.answer(self.path, self.headers.get("If-None-Match"))
                press.asked.append((self.path, status))
                self.send_response(status)
                self.send_header("Content-Type", "text/xml" if self.path.endswith(".xml") else "text/html")
                self.send_header("Content-Length", str(len(body)))
                if etag:
                    self.send_header("ETag", etag)
                if status == 301:
                    self.send_header("Location", press.url + press.moved[self.path])
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = press.is_closed

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _Server((self.address, 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving, for good; from within an answer too, which is the last one then."""
        assert self._server
        if not self.is_closed:
            self.is_closed = True
            self._server.shutdown()
            self._server.server_close()

    @property
    def host(self) -> str:
        """`ADDRESS:PORT`."""
        assert self._server
        return f"{self.address}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://{self.host}"

    def publish(self, slug: str, feed: str = "main", title: str | None = None) -> Story:
        """A new story at the top of a feed."""
        number = sum(map(len, self.feeds.values())) + 1
        text = tuple(paragraph.format(n=number) for paragraph in PARAGRAPHS)
        story = Story(slug, title or f"NATO allies settle point {number} of the plan ({slug})", text)
        self.feeds.setdefault(feed, []).insert(0, story)
        return story

    def answer(self, path: str, etag: str | None) -> tuple[int, bytes, str | None]:
        """Status, body and ETag for a request."""
        if path in self.broken:
            return self.broken[path], b"broken", None
        if path in self.moved:
            return 301, b"", None
        if path in self.raw:
            return 200, self.raw[path], None
        body = self._feed(path[1:-4]) if path.endswith(".xml") else self._page(path.removeprefix("/articles/"))
        if body is None:
            return 404, b"no such thing", None
        current = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        return (304, b"", current) if etag == current else (200, body, current)

    def _feed(self, name: str) -> bytes | None:
        if name not in self.feeds:
            return None
        items = "".join(
            f"<item><title>{escape(story.title)}</title><link>{self.url}/articles/{story.slug}</link>"
            f"<description>{escape(story.summary or story.paragraphs[0][:80])}</description>"
            f"<pubDate>{format_datetime(NOW)}</pubDate></item>"
            for story in self.feeds[name]
        )
        return (
            f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>{name}</title>"
            f"<link>{self.url}</link><description>{name}</description>{items}</channel></rss>"
        ).encode()

    def _page(self, slug: str) -> bytes | None:
        found = [story for stories in self.feeds.values() for story in stories if story.slug == slug]
        if not found:
            return None
        text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in found[0].paragraphs)
        return (
            f"<!doctype html><html lang='en'><head><title>{escape(found[0].title)}</title></head><body><nav>Home</nav>"
            f"<article><h1>{escape(found[0].title)}</h1>{text}</article><footer>Imprint</footer></body></html>"
        ).encode()
