"""What pages show of the reader's desk: what is new to him, his marks on the articles shown, what he was handed.

The desk is behind a wall: where it can't be read, the page shows everything else and says so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Generic, TypeVar

from fastapi import Request

from jobs.context import Context
from newswatch.article import Article
from newswatch.desk import OVERLAP, Handover, Mark, is_first, looked
from newswatch.errors import MissingIndexError, NewswatchError
from search.personal import count_new
from search.query import Hit
from store.desk import MOST_READERS, Desk, DeskStore
from store.elastic.faults import REFUSALS, our_error

T = TypeVar("T")

COUNTED_FOR_S: Final = 15
"""How old may be what a page tells of hand-overs and colleagues."""
PATIENCE_S: Final = 2
"""How long a page waits for such a number before it shows none."""
MAX_ADDRESS_CHARS: Final = 8_000
_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")
"""A path of ours: no host, no control character, nothing that a browser takes for a slash."""


@dataclass(frozen=True, slots=True)
class Own:
    """What is the reader's own about one article."""

    article_id: str
    mark: Mark | None = None
    handover: Handover | None = None
    is_new: bool = False

    @property
    def read(self) -> bool:
        """Whether he has opened it."""
        return bool(self.mark and self.mark.read_at)

    @property
    def starred(self) -> bool:
        """Whether he has starred it."""
        return bool(self.mark and self.mark.starred_at)

    @property
    def note(self) -> str:
        """His note."""
        return self.mark.note if self.mark else ""

    @property
    def shown_note(self) -> str:
        """Which version of his note a form is made with."""
        return self.mark.noted_at.isoformat() if self.mark and self.mark.noted_at else ""

    @property
    def steps(self) -> int:
        """How many hands it went through."""
        return len(self.handover.steps) if self.handover else 0


@dataclass(frozen=True, slots=True)
class Shown:
    """The desk as a page shows it."""

    since: datetime | None = None
    """The end of the visit before; None on the first one, or where it can't be read."""
    new: int = 0
    """Number of articles that came since."""
    articles: Mapping[str, Own] = field(default_factory=dict)
    fault: str = ""
    """Why the desk can't be shown; empty if it can."""

    def of(self, article_id: str) -> Own:
        """What is the reader's own about the article."""
        return self.articles.get(article_id) or Own(article_id)


def is_look(request: Request) -> bool:
    """Whether a reader sees the answer: not if a browser fetches it ahead, or another site has it fetched.

    Who follows a link of another site, such as a mail's in a web mailer, sees it.
    """
    ahead = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
    is_others = request.headers.get("sec-fetch-site") == "cross-site"
    return "prefetch" not in ahead and (not is_others or request.headers.get("sec-fetch-mode") == "navigate")


def of_hits(request: Request, here: Context, user: str, hits: Sequence[Hit]) -> Shown:
    """The desk beside a page of results, which he looks at now."""
    store, now = DeskStore(here.es, here.names), here.clock()
    try:
        desk = store.read(user, [hit.article.id for hit in hits])
        look = looked(desk.look, user, now)
        if look != desk.look and is_look(request):
            look = store.looked(user, now)
            if desk.look is None:  # a colleague more
                request.state.desks.forget()
        since = None if is_first(desk.look, now) else look.since
        new = count_new(here.es, here.names, since) if since else 0
    except (NewswatchError, *REFUSALS) as error:
        return Shown(fault=_fault(here, error))
    return Shown(since, new, {hit.article.id: _own(desk, hit.article.id, since, hit.indexed_at) for hit in hits})


def of_article(request: Request, here: Context, user: str, article: Article) -> Shown:
    """The desk beside an article, which counts as read from now on."""
    store = DeskStore(here.es, here.names)
    try:
        own = _own(store.read(user, [article.id]), article.id, None, None)
        if is_look(request) and not own.read:
            own = replace(own, mark=store.do(user, article.id, "read", here.clock()))
    except (NewswatchError, *REFUSALS) as error:
        return Shown(fault=_fault(here, error))
    return Shown(articles={article.id: own})


class DeskCounts:
    """What pages tell of desks besides marks; asked for again at most every `COUNTED_FOR_S` seconds."""

    def __init__(self) -> None:
        self._held, self._readers = _Recent[int | None](), _Recent[list[str]]()

    def held(self, here: Context, user: str) -> int | None:
        """The number of articles that `user` was handed and that are not done; None where it isn't told."""
        store = DeskStore(here.es, here.names)
        return self._held.get(user, lambda: store.held_count(user, timeout_s=PATIENCE_S), None)

    def readers(self, here: Context) -> list[str]:
        """Whom an article can be handed to: those who have looked at the news; none where that can't be read."""
        return self._readers.get("", DeskStore(here.es, here.names).readers, [])

    def forget(self) -> None:
        """Ask again for the next page."""
        self._held, self._readers = _Recent(), _Recent()


class _Recent(Generic[T]):
    """Answers that are not asked for again for a while."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, T]] = {}

    def get(self, key: str, ask: Callable[[], T], otherwise: T) -> T:
        """What `ask` says, or has said lately; `otherwise` where it fails."""
        at, answer = self._known.get(key, (float("-inf"), otherwise))
        if time.monotonic() - at <= COUNTED_FOR_S:
            return answer
        try:
            answer = ask()
        except (NewswatchError, *REFUSALS):
            answer = otherwise
        if len(self._known) >= MOST_READERS:
            self._known.clear()
        self._known[key] = time.monotonic(), answer
        return answer


def _own(desk: Desk, article_id: str, since: datetime | None, indexed_at: datetime | None) -> Own:
    own = Own(article_id, desk.marks.get(article_id), desk.handovers.get(article_id))
    is_new = bool(since and indexed_at and indexed_at > since - OVERLAP)
    return Own(article_id, own.mark, own.handover, is_new and not own.read)


def _fault(here: Context, error: Exception) -> str:
    """One sentence on what Elasticsearch refuses; a missing index is created again for the next page."""
    cause = our_error(error)
    if isinstance(cause, MissingIndexError):
        with suppress(NewswatchError, *REFUSALS):
            here.restore(cause.index)
    return f"Your marks can't be shown now: {cause}"


# ── addresses of ours ────────────────────────────────────────────────────────────────────────────────────────────────


def address_of(request: Request) -> str:
    """The page's own address below the app's root, to come back to."""
    root = request.scope.get("root_path", "")
    path = request.url.path.removeprefix(root) or "/"
    return f"{path}?{request.url.query}" if request.url.query else path


def local(address: str, otherwise: str) -> str:
    """The address, if it is one of ours; a form could hold anything."""
    fits = len(address) <= MAX_ADDRESS_CHARS and _LOCAL.fullmatch(address)
    return address if fits else otherwise
