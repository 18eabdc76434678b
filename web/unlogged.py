"""Keeps addresses that are permissions out of access logs: of feeds, of links in mails, of what hubs call.

Access logs read a scope after the request: what they find there has no secret. A proxy before it has its own log.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from delivery.links import STORY_KEY

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_KEY: Final = re.compile(rf"(?<![^&]){STORY_KEY}=[^&]*".encode())


class Unlogged:
    """An ASGI app whose paths are secret: whoever looks at the scope later, as access logs do, finds none."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        inner = dict(scope)
        if scope["type"] == "http":
            hidden = f"{scope.get('root_path', '')}/…"
            scope["path"], scope["raw_path"], scope["query_string"] = hidden, hidden.encode(), b""
        await self.app(inner, receive, send)


class KeyUnlogged:
    """The same of an app whose paths anybody may see, for the key of a shared story in its query string."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        inner = dict(scope)
        if scope["type"] == "http":
            scope["query_string"] = _KEY.sub(b"", scope["query_string"])
        await self.app(inner, receive, send)
