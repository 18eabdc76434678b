"""What pages show of the reader's desk: what is new to him, his marks on the articles shown, what he was handed.

The desk is behind a wall: where it can't be read, the page shows everything else and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from fastapi import Request

from jobs.context import Context
from newswatch.article import Article
from newswatch.desk import OVERLAP, Handover, Mark
from newswatch.errors import MissingIndexError, NewswatchError
from search.personal import count_new
from search.query import Hit
from store.desk import Desk, DeskStore
from store.faults import REFUSALS, our_error

PATIENCE_S: Final = 2
"""How long a page waits for the number of articles that its reader was handed."""
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
    """Whether a reader sees the answer: not if a browser fetches it ahead, or another site has it fetched."""
    ahead = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
    return "prefetch" not in ahead and request.headers.get("sec-fetch-site") != "cross-site"


def begin_look(request: Request, here: Context, user: str) -> str:
    """Note that `user` looks at a list of news, before it is searched; why that failed, empty if it did not."""
    if not is_look(request):
        return ""
    try:
        DeskStore(here.es, here.names).looked(user, here.clock())
    except (NewswatchError, *REFUSALS) as error:
        return _fault(here, error)
    return ""


def of_hits(here: Context, user: str, hits: Sequence[Hit]) -> Shown:
    """The desk beside a page of results."""
    try:
        desk = DeskStore(here.es, here.names).read(user, [hit.article.id for hit in hits])
        since = desk.look.since if desk.look else None
        new = count_new(here.es, here.names, user, since) if since else 0
    except (NewswatchError, *REFUSALS) as error:
        return Shown(fault=_fault(here, error))
    return Shown(since, new, {hit.article.id: _own(desk, hit.article.id, since, hit.indexed_at) for hit in hits})


def of_article(request: Request, here: Context, user: str, article: Article) -> Shown:
    """The desk beside an article, which counts as read from now on."""
    store = DeskStore(here.es, here.names)
    try:
        if is_look(request):
            store.do(user, article.id, "read", here.clock())
        desk = store.read(user, [article.id])
    except (NewswatchError, *REFUSALS) as error:
        return Shown(fault=_fault(here, error))
    return Shown(articles={article.id: _own(desk, article.id, None, None)})


def readers(here: Context) -> list[str]:
    """Whom an article can be handed to: those who have looked at the news; none where that can't be read."""
    try:
        return DeskStore(here.es, here.names).readers()
    except (NewswatchError, *REFUSALS):
        return []


def held_count(here: Context, user: str) -> int | None:
    """The number of articles that `user` was handed and that are not done; None where Elasticsearch does not tell."""
    try:
        return DeskStore(here.es, here.names).held_count(user, timeout_s=PATIENCE_S)
    except REFUSALS:
        return None


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
