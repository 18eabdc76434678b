"""Matches and mails what the fast lane brings, at once and in its own process, as the DAGs would a little later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from jobs.context import Context
from jobs.deliver import deliver
from jobs.fast.read import logged
from jobs.match import match

LATER_MOST: Final = timedelta(minutes=10)
"""Mails that come due later than that are left to `deliver_mails`."""


class Afterwards:
    """What follows on batches: matching, then mails."""

    def __init__(
        self,
        context: Context,
        in_thread: Callable[..., Awaitable[Any]],
        count: Callable[..., None],
        *,
        mails: bool | None = None,
    ) -> None:
        """`mails`: whether what was matched is sent; by default, if the settings name a mail server.

        `in_thread` runs what waits for Elasticsearch; `count` is told what was `owed` and `sent`.
        """
        self._context, self._in_thread, self._count = context, in_thread, count
        self._mails = "smtp_host" in context.settings.model_fields_set if mails is None else mails
        self._to_match, self._to_mail = asyncio.Event(), asyncio.Event()
        self._brings = self._owes = self._is_ending = False

    def brought(self) -> None:
        """A batch has brought something: have it matched."""
        self._brings = True
        self._to_match.set()

    def end(self) -> None:
        """Have `matching` and `mailing` return once all is matched and mailed."""
        self._is_ending = True
        self._to_match.set()

    async def matching(self) -> None:
        """Match what is brought, until the end."""
        while not self._is_ending:
            await self._to_match.wait()
            self._to_match.clear()
            if self._brings:
                self._brings = False
                with logged("matching"):
                    matched = await self._in_thread(match, self._context)
                    self._count(owed=matched.owed)
                    self._owes = True
            self._to_mail.set()

    async def mailing(self) -> None:
        """Send what was matched, and what is held back for grouping once its time comes, until the end."""
        wait_s: float | None = None
        while not self._is_ending:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._to_mail.wait(), wait_s)
            self._to_mail.clear()
            if not self._mails or not (self._owes or wait_s is not None):
                continue
            self._owes, wait_s = False, None
            with logged("sending mails"):
                delivered = await self._in_thread(deliver, self._context)
                self._count(sent=delivered.sent)
                left = delivered.later - self._context.clock() if delivered.later and not delivered.down else None
                wait_s = max(0.2, left.total_seconds()) if left is not None and left <= LATER_MOST else None
