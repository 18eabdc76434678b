"""What every address owes its clients by HTTP's rules, whatever route answers.

- HEAD is answered wherever GET is (RFC 9110, 9.1): monitors, previews and mail scanners ask so. Nothing acts on it.
- 405 names every method of the address (RFC 9110, 15.5.6), not those of the first route that fits.
- An address with or without its last slash is the same. A redirect would be absolute, made of the host and the scheme
  that this process sees: behind a proxy it may lead to `http:`, where the client sends its key once more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from starlette.routing import BaseRoute, Match

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_NOT_ALLOWED: Final = 405


class HttpRules:
    """ASGI middleware around an app with these `routes`; the outermost of the app."""

    def __init__(self, app: App, routes: list[BaseRoute]) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """Answer by the rules; what is no request of HTTP is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        known = _known(self._routes, scope)
        methods = _methods(self._routes, known)
        asked = {**known, "method": "GET"} if scope["method"] == "HEAD" and "HEAD" not in methods else known
        await self._app(asked, receive, _ruled(send, methods))


def _known(routes: Iterable[BaseRoute], scope: Scope) -> Scope:
    """The request, or the same with or without the last slash if only that is an address. Pure."""
    path, routes = str(scope["path"]), list(routes)
    if _fits(routes, scope):
        return scope
    other = path[:-1] if path.endswith("/") else f"{path}/"
    changed = {**scope, "path": other, "raw_path": other.encode()}
    return changed if _fits(routes, changed) else scope


def _fits(routes: Iterable[BaseRoute], scope: Scope) -> bool:
    return any(route.matches(scope)[0] is not Match.NONE for route in routes)


def _methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """What the address takes by the routes themselves; those of an app that is mounted below are its own to say."""
    fitting = [route for route in routes if route.matches(scope)[0] is not Match.NONE]
    return sorted({method for route in fitting for method in getattr(route, "methods", None) or ()})


def _ruled(send: Send, methods: list[str]) -> Send:
    """Sends an answer with all methods of the address where one was not allowed. HEAD gets no body from the server."""
    allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))

    async def ruled(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == _NOT_ALLOWED and allowed:
            others = [(name, value) for name, value in message.get("headers", ()) if name.lower() != b"allow"]
            message = {**message, "headers": [*others, (b"allow", allowed.encode())]}
        await send(message)

    return ruled
