"""The article pages of a batch: fetches each once and extracts it in a worker, within the lease."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ingest.http.fetch import Fetcher
from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult
from ingest.pages.extract import extract
from ingest.pages.extracted import Extracted
from jobs.keeping import Keeping
from newswatch.clock import Clock
from newswatch.problems import Bulkhead

READERS: Final = 4
"""Threads that wait for the workers which parse and extract; other threads write to Elasticsearch."""
BODIES: Final = 64
"""Fetched pages that may wait for extraction; at this number no further page is requested. Bounds the memory."""

KEPT_PAGES: Final = 5_000
KEPT_CHARS: Final = 50_000_000
"""Limits on the pages of a batch that are kept for further entries with the same link: their number, and the total
characters of their texts."""


@dataclass(frozen=True, slots=True)
class Page:
    """A requested page, its body released."""

    answer: FetchResult
    extracted: Extracted | None = None


class Pages:
    """Reads pages. Two entries with the same link get the same page, fetched once."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        readers: Executor,
        walls: Callable[[str], Bulkhead],
        clock: Clock,
        keeping: Keeping,
    ) -> None:
        self._fetcher, self._readers, self._clock, self._keeping = fetcher, readers, clock, keeping
        self._fetching, self._extracting = walls("page"), walls("extract")
        self._asked: dict[str, asyncio.Task[Page]] = {}
        self._kept: deque[tuple[str, int]] = deque()
        self._chars = 0
        self._waiting = 0
        self._eased = asyncio.Event()
        self._bytes, self._fetch_s, self._extract_s = 0, 0.0, 0.0

    async def read(self, url: str) -> Page:
        """The page at `url`; a failure is a value."""
        if url not in self._asked:
            self._asked[url] = asyncio.create_task(self._read_once(url))
        return await asyncio.shield(self._asked[url])

    async def _read_once(self, url: str) -> Page:
        page = await self._read(url)
        self._forget_oldest(url, page)
        return page

    def _forget_oldest(self, url: str, page: Page) -> None:
        """Keep the page for further entries with the same link, within `KEPT_CHARS` and `KEPT_PAGES`."""
        self._kept.append((url, len(page.extracted.text) if page.extracted else 0))
        self._chars += self._kept[-1][1]
        while self._chars > KEPT_CHARS or len(self._kept) > KEPT_PAGES:
            oldest, chars = self._kept.popleft()
            self._chars -= chars
            self._asked.pop(oldest, None)

    def counts(self) -> dict[str, float]:
        """What the pages so far have cost, under the names of `PullReport`."""
        return {"bytes": self._bytes, "page_seconds": self._fetch_s, "extract_seconds": self._extract_s}

    async def close(self) -> None:
        """Cancel the running requests."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _read(self, url: str) -> Page:
        while self._waiting >= BODIES:
            self._eased.clear()
            await self._eased.wait()
        started = time.perf_counter()
        answer = await self._fetching.attempt_async("page", url, lambda: self._fetcher.fetch_page(url), url=url)
        fetched = time.perf_counter()
        self._fetch_s += fetched - started
        if answer is None:
            return Page(FetchFailed(url, FailureKind.PERMANENT, "fetching it failed", self._clock(), 0.0))
        if not isinstance(answer, Fetched):
            return Page(answer)
        self._bytes += len(answer.body)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            extracted = await loop.run_in_executor(self._readers, self._extract, answer)
        finally:
            self._waiting -= 1
            self._eased.set()
            self._extract_s += time.perf_counter() - fetched
        return Page(replace(answer, body=b""), extracted)

    def _extract(self, answer: Fetched) -> Extracted:
        self._keeping.keep(answer)
        read = self._extracting.attempt("page", answer.url, lambda: extracted(answer, self._clock()), url=answer.url)
        return read or Extracted("", "", status="failed", problems=("reading the page failed",))


def extracted(answer: Fetched, now: datetime) -> Extracted:
    """The content of the fetched page."""
    return extract(answer.body, url=answer.final_url, content_type=answer.headers.get("content-type"), now=now)
