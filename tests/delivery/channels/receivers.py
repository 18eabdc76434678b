"""Receivers of webhooks and chats on loopback, written for the tests: they check what real ones check.

A Slack-like (tokens, `ok`, thread time stamps), a Matrix-like (transaction ids, relations), an ntfy-like (limits,
sequence ids), and a plain one that keeps what it gets and answers as a test tells it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import unquote

Answering = tuple[int, Mapping[str, str], bytes]


@dataclass(frozen=True)
class Got:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def as_json(status: int, value: Any, **headers: str) -> Answering:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()


@dataclass
class Receiver:
    """A plain receiver: answers with `answer`, or with 200."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], Answering | None] = lambda _got: (200, {}, b"OK")
    """None: the connection is closed without an answer."""

    @property
    def pair(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.pair}/hook/s3cr3t-path"


@dataclass
class SlackLike(Receiver):
    """Posts get time stamps; a reply must name one that exists."""

    token: str = "xoxb-1234567890-test"
    posts: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def __post_init__(self) -> None:
        self.answer = self._take

    def _take(self, got: Got) -> Answering:
        if got.headers.get("authorization") != f"Bearer {self.token}":
            return as_json(200, {"ok": False, "error": "invalid_auth"})
        if self.error == "ratelimited":
            return as_json(429, {"ok": False, "error": self.error}, **{"Retry-After": "30"})
        if self.error:
            return as_json(200, {"ok": False, "error": self.error})
        post = got.json
        known = {one["ts"] for one in self.posts}
        if "thread_ts" in post and post["thread_ts"] not in known:
            return as_json(200, {"ok": False, "error": "thread_not_found"})
        if len(post["text"]) > 40_000:
            return as_json(200, {"ok": False, "error": "msg_too_long"})
        ts = f"1700000000.{len(self.posts):06d}"
        self.posts.append({**post, "ts": ts})
        return as_json(200, {"ok": True, "channel": "C0NEWS", "ts": ts})


@dataclass
class MatrixLike(Receiver):
    """An event of a known transaction id is the event of then; aliases lead to rooms."""

    token: str = "syt_test_token"
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Transaction id → the content, with its `event_id`."""

    def __post_init__(self) -> None:
        self.answer = self._take

    def _take(self, got: Got) -> Answering:
        if got.headers.get("authorization") != f"Bearer {self.token}":
            return as_json(401, {"errcode": "M_UNKNOWN_TOKEN"})
        parts = [unquote(part) for part in got.path.split("/")[4:]]
        if parts[:2] == ["directory", "room"]:
            return as_json(200, {"room_id": "!news:matrix.example"})
        assert parts[0] == "rooms", got.path
        assert parts[2:4] == ["send", "m.room.message"], got.path
        if parts[1] != "!news:matrix.example":
            return as_json(403, {"errcode": "M_FORBIDDEN"})
        content = got.json
        if len(got.body) > 65_536:
            return as_json(413, {"errcode": "M_TOO_LARGE"})
        known = {event["event_id"] for event in self.events.values()}
        relation = content.get("m.relates_to", {})
        if relation and not {relation["event_id"], relation["m.in_reply_to"]["event_id"]} <= known:
            return as_json(400, {"errcode": "M_UNKNOWN"})
        event = self.events.setdefault(parts[4], content | {"event_id": f"$event{len(self.events)}"})
        return as_json(200, {"event_id": event["event_id"]})


@dataclass
class NtfyLike(Receiver):
    """What a phone shows: the last notification of each sequence id."""

    token: str = ""
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.answer = self._take

    def _take(self, got: Got) -> Answering:
        if self.token and got.headers.get("authorization") != f"Bearer {self.token}":
            return as_json(403, {"code": 40301, "http": 403, "error": "forbidden"})
        sent = got.json
        too_long = len(sent["message"].encode()) > 4_096 or len(sent["title"].encode()) > 250
        if too_long or len(sent.get("actions", ())) > 3 or got.path != "/":
            return as_json(400, {"code": 40009, "http": 400, "error": "invalid request"})
        self.shown[sent["sequence_id"]] = sent
        return as_json(200, {"id": "abc", "event": "message"})


R = TypeVar("R", bound=Receiver)


@contextmanager
def serving(receiver: R) -> Iterator[R]:
    """The receiver on a free port of loopback, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got = Got(self.command, self.path, headers, body)
            receiver.got.append(got)
            answer = receiver.answer(got)
            if answer is None:
                self.close_connection = True
                return
            status, more, content = answer
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _take  # noqa: N815 - as http.server calls them

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client may leave
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
