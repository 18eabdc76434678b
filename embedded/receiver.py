"""A receiver of webhooks, for the demo: confirms itself, verifies each event's signature, and keeps the events."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

MOST_BYTES: Final = 5_000_000
"""Of one event; a longer one is refused."""
_SIGNED: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass
class EventReceiver:
    """What came."""

    port: int = 0
    secret: str = ""
    """Signs the events; known once the webhook was added."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Those with a right signature, as they came."""
    refused: int = 0
    """Those without one."""

    @property
    def pair(self) -> str:
        """Host and port, for `Settings.channel_allow_hosts`."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The webhook's address."""
        return f"http://{self.pair}/events"

    def take(self, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """The status and the answer to one POST."""
        event = json.loads(body)
        if event.get("type") == "newswatch.challenge.v1":
            return 200, {"challenge": event["data"]["challenge"]}
        if not self.is_signed(headers, body):
            self.refused += 1
            return 401, {"error": "the signature is wrong"}
        self.events.append(event)
        return 200, {}

    def is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether one of the signatures is right (https://www.standardwebhooks.com)."""
        event_id, timestamp, signatures = (headers.get(name, "") for name in _SIGNED)
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        digest = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        right = "v1," + base64.b64encode(digest).decode()
        return any(hmac.compare_digest(right, given) for given in signatures.split())


@contextmanager
def open_receiver() -> Iterator[EventReceiver]:
    """A receiver on a free port of loopback, until the block ends."""
    receiver = EventReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > MOST_BYTES:
                self.send_error(413)
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = receiver.take(headers, self.rfile.read(length))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            """It says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
