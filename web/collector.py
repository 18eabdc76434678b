"""Keeps Python's garbage collector from stopping the web server.

A full collection looks at every object of the process, Airflow's too: a tenth of a second in which nobody is answered,
every thirty requests or so. What has been loaded after some requests lives as long as the process, so it is left out.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any, Final

AFTER: Final = (100, 2_000)
"""Requests after which what lives is left out from then on: what pages load when they are first asked for, and the
rest."""

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class Settling:
    """ASGI middleware that counts requests and, after some of them, leaves what lives out of later collections."""

    def __init__(self, app: App) -> None:
        self._app, self._answered = app, count(1)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer, then count."""
        await self._app(scope, receive, send)
        if next(self._answered) in AFTER:
            gc.collect()
            gc.freeze()
