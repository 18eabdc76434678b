"""The routes of the read API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerts.bounds import unusable
from alerts.query import to_query
from alerts.saved import SavedSearches
from newswatch import api
from newswatch.api_key import Scope
from search.asked import Sort, shortened
from search.first_page import MAX_CHARS as FIRST_CHARS
from search.first_page import first_page_of
from search.ingest_pages import Query as Clause
from search.ingest_pages import page_after, query_of
from search.limits import MAX_CHARS
from search.query import MAX_WINDOW, find
from search.story_view import read_article, read_story
from search.syntax import parse
from store.feeds import FeedStore
from store.ingest_order import CursorError, Horizons
from web.api import shapes
from web.api.answers import PROBLEMS, answer, known_parameters, not_found
from web.api_keys import Held, Opened, requires_key
from web.feed_pages import TROUBLE, state_of
from web.problem_json import TroubleError
from web.result_pages import Rows
from web.search_pages import DAY
from web.search_view import with_days

USUAL: Final = 50
MOST: Final = 200
"""Articles on one page."""

QueryText = Annotated[
    str, Query(max_length=MAX_CHARS, description="As typed on the News page: words, phrases, `tag:TOPIC lang:fr`.")
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="Articles on a page.")]
After = Annotated[
    str,
    Query(
        max_length=5_000,
        description="`next` of the answer before. Empty: from the oldest on. `now`: only what comes from now on.",
    ),
]
FeedState = Annotated[str, Query(max_length=20, description=f"Only feeds in this state: {', '.join(TROUBLE)}.")]
WithText = Annotated[bool, Query(description="Whether articles come with their texts.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a page in ingest order was asked for."""

    after: str
    limit: int
    text: bool


def routes(horizons: Horizons) -> APIRouter:
    """All routes for reading; `horizons` of this process."""
    checked = [Depends(requires_key(Scope.READ)), Depends(known_parameters)]
    router = APIRouter(dependencies=checked, responses=PROBLEMS)
    for add in (_articles, _search, _saved_searches, _others):
        add(router, horizons)
    return router


def _shows(model: Any) -> dict[str, Any]:
    """What a route answers, for its documentation: it serialises by itself."""
    return {"responses": {200: {"model": model}}}


# ── articles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _articles(router: APIRouter, horizons: Horizons) -> None:
    @router.get("/articles", **_shows(api.ArticlePage), tags=["articles"])
    def list_articles(
        request: Request,
        here: Opened,
        q: QueryText = "",
        after: After = "",
        limit: Limit = USUAL,
        text: WithText = False,
    ) -> Response:
        """Articles in ingest order, oldest first: all that `q` finds, each version once, whoever writes meanwhile.

        A page ends before what is still being written, so an article comes seconds to minutes after it was found.
        """
        asked, left_out = _Asked(after, limit, text), shortened(q, here.names)
        return _page(request, here, lambda now: query_of(here.es, here.names, q, now), q, asked, horizons, left_out)

    @router.get("/articles/{article_id}", **_shows(api.ArticleShape), tags=["articles"])
    def show_article(request: Request, here: Opened, article_id: str) -> Response:
        """One article with its text, and its tags with their evidence."""
        found = read_article(here.es, here.names, article_id)
        if found is None:
            raise not_found("article", "It may be older than what is kept.")
        return answer(request, shapes.article_shape(found, here.settings, with_text=True))


def _page(
    request: Request,
    here: Opened,
    query: Callable[[datetime], Clause],
    typed: str,
    asked: _Asked,
    horizons: Horizons,
    left_out: str = "",
) -> Response:
    now = here.clock()
    try:
        page = page_after(
            here.es, here.names, query(now), asked.after, typed=typed, size=asked.limit, horizons=horizons, now=now
        )
    except CursorError as error:
        step = "Begin again without `after`, and skip what you have by id and version; or go on with `after=now`."
        if error.is_gone:
            raise TroubleError(410, "cursor-gone", str(error), step, "after") from error
        raise TroubleError(400, "invalid-cursor", str(error), "", "after") from error
    articles = tuple(shapes.numbered_shape(one, here.settings, with_text=asked.text) for one in page.articles)
    return answer(request, api.ArticlePage(articles, str(page.cursor), page.has_more, left_out))


# ── search ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _search(router: APIRouter, _: Horizons) -> None:
    @router.get("/search", **_shows(api.SearchPage), tags=["search"])
    def search(
        request: Request,
        here: Opened,
        q: QueryText = "",
        sort: Sort = "relevance",
        rows: Rows = "stories",
        offset: Annotated[int, Query(ge=0, le=MAX_WINDOW - MOST)] = 0,
        limit: Limit = 20,
        from_: Annotated[str | None, Query(alias="from", pattern=DAY, description="First day, in UTC.")] = None,
        to: Annotated[str | None, Query(pattern=DAY, description="Last day, in UTC.")] = None,
        # An open facet of the page and what is typed into it: taken, so that a page's address can be asked here.
        more: Annotated[str, Query(max_length=20, include_in_schema=False)] = "",  # noqa: ARG001
        within: Annotated[str, Query(max_length=100, include_in_schema=False)] = "",  # noqa: ARG001
        # What a later page of the News page knows of its first one.
        first: Annotated[str, Query(max_length=FIRST_CHARS, include_in_schema=False)] = "",
    ) -> Response:
        """What the News page's search finds with the same query string: best or newest first, a row for each story.

        Pages shift while articles come in: to get everything, use `/articles`.
        """
        now = here.clock()
        begun = first_page_of(first, now) if offset else None
        dated = with_days(parse(q), from_ or "", to or "", now) if from_ is not None or to is not None else q
        found = find(
            here.es,
            here.names,
            dated,
            size=limit,
            offset=offset,
            sort=sort if dated.strip() else "time",
            by_story=rows == "stories",
            now=begun.read_at if begun else now,
            first=begun,
        )
        following = offset + limit
        is_last = following >= found.rows + found.similar or following > MAX_WINDOW - MOST
        shown = tuple(shapes.found_shape(hit, here.settings) for hit in found.hits)
        return answer(
            request,
            api.SearchPage(
                found.total,
                found.stories,
                found.relaxed,
                shown,
                None if is_last else following,
                str(found.missing or ""),
                found.shortened,
            ),
        )

    @router.get("/stories/{story_id}", **_shows(api.StoryShape), tags=["search"])
    def show_story(request: Request, here: Opened, story_id: str) -> Response:
        """A story: every article that reports it, how many sources are independent, how credible they make it."""
        found = read_story(here.es, here.names, story_id)
        if found is None:
            raise not_found("story", "It may be older than what is kept.")
        return answer(request, shapes.story_shape(found, here.settings))


# ── saved searches ───────────────────────────────────────────────────────────────────────────────────────────────────


def _saved_searches(router: APIRouter, horizons: Horizons) -> None:
    @router.get("/saved-searches", **_shows(api.SavedSearchList), tags=["saved searches"])
    def list_searches(request: Request, here: Opened) -> Response:
        """All saved searches, by name, without the addresses that they mail to."""
        saved = SavedSearches(here.es, here.names)
        problems = saved.problems()
        every = sorted(saved.all(), key=lambda search: (search.name.casefold(), search.id))
        listed = (shapes.saved_search_shape(one, problems.get(one.id) or unusable(one) or "") for one in every)
        return answer(request, api.SavedSearchList(tuple(listed)))

    @router.get("/saved-searches/{search_id}", **_shows(api.SavedSearchShape), tags=["saved searches"])
    def show_search(request: Request, here: Opened, search_id: str) -> Response:
        """One saved search."""
        saved = SavedSearches(here.es, here.names)
        found = known_search(here, search_id)
        return answer(
            request, shapes.saved_search_shape(found, saved.problems().get(search_id) or unusable(found) or "")
        )

    @router.get("/saved-searches/{search_id}/articles", **_shows(api.ArticlePage), tags=["saved searches"])
    def articles_of(
        request: Request,
        here: Opened,
        search_id: str,
        after: After = "",
        limit: Limit = USUAL,
        text: WithText = False,
    ) -> Response:
        """The articles that a saved search matches, in ingest order, as `/articles` gives them.

        Whether it is on, muted or throttled makes no difference, nor does `min_sources`, which is about mails.
        """
        search = known_search(here, search_id)
        return _page(request, here, lambda _: to_query(search), search.query, _Asked(after, limit, text), horizons)


def known_search(here: Opened, search_id: str) -> Any:
    """The saved search.

    Raises:
        TroubleError: there is none with that id, or it can't be run.
    """
    found = SavedSearches(here.es, here.names).of([search_id]).get(search_id)
    if found is None:
        raise not_found("saved search", "`/saved-searches` lists them.")
    return found


# ── topics, feeds, the key ───────────────────────────────────────────────────────────────────────────────────────────


def _others(router: APIRouter, _: Horizons) -> None:
    @router.get("/topics", **_shows(api.TopicList), tags=["topics and feeds"])
    def list_topics(request: Request, here: Opened) -> Response:
        """The topics that articles are tagged with."""
        topics = here.names.shown_topics()
        listed = tuple(api.TopicShape(tag, topics.path(tag)) for tag in topics.paths)
        return answer(request, api.TopicList(listed))

    @router.get("/feeds", **_shows(api.FeedList), tags=["topics and feeds"])
    def list_feeds(request: Request, here: Opened, state: FeedState = "") -> Response:
        """The feeds and how they fare."""
        if state and state not in TROUBLE:
            detail, known = f"{state!r} is no state of a feed.", ", ".join(TROUBLE)
            raise TroubleError(400, "invalid-parameter", detail, f"Known are: {known}.", "state")
        records = FeedStore(here.es, here.names).all()
        counts = Counter(state_of(record) for record in records)
        chosen = [record for record in records if not state or state_of(record) == state]
        chosen.sort(key=lambda record: record.feed.id)
        feeds = tuple(shapes.feed_shape(record, state_of(record)) for record in chosen)
        return answer(request, api.FeedList(dict(sorted(counts.items())), feeds))

    @router.get("/feeds/{feed_id}", **_shows(api.FeedShape), tags=["topics and feeds"])
    def show_feed(request: Request, here: Opened, feed_id: str) -> Response:
        """One feed."""
        record = FeedStore(here.es, here.names).get(feed_id)
        if record is None:
            raise not_found("feed", "`/feeds` lists them.")
        return answer(request, shapes.feed_shape(record, state_of(record)))

    @router.get("/me", **_shows(api.Me), tags=["key"])
    def show_key(request: Request, key: Held) -> Response:
        """The key that asks: what it opens, and until when."""
        return answer(request, shapes.me(key))
