"""Search, an article, a story."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from delivery.corrections import announced
from delivery.watching import watching
from jobs.context import Context
from newswatch.article import Article
from newswatch.errors import NewswatchError, QueryError
from newswatch.feed_address import Target
from newswatch.topics import Topics
from search.asked import Sort
from search.editing import with_value, without, without_filter
from search.facets import MOST_VALUES
from search.filters import FACETS, FILTERS
from search.hints import has_articles, hints
from search.limits import MAX_CHARS
from search.meant import told
from search.query import MAX_WINDOW, Results
from search.similar import like
from search.story_view import MOST, changes, read_article, read_story
from search.syntax import parse
from search.syntax_error import QuerySyntaxError
from search.whole_text import whole_text
from store.elastic.faults import REFUSALS, our_error
from web import desk
from web.delivery_pages import recipients_of, stopped, story_mails
from web.entity_pages import named_in
from web.feeds_out.pages import offered
from web.render import pages, query_string, render
from web.result_pages import PAGE, FirstText, From, QueryText, Rows, View, begun_of, beside, results_of, with_first
from web.search_view import bar_links, chosen, citation, days, facet_view, guesses, range_query, with_days
from web.security import Here, UserName
from web.topic_styles import topic_styles
from web.zones import ZoneText, zone_of

WATCHED_DAYS = 1
"""Days for which the page of a story, where mails lead to, says what was watched."""
RANGES = (("24 hours", "24h"), ("7 days", "7d"), ("30 days", "30d"), ("1 year", "1y"))

DAY = r"^(\d{4}-\d\d-\d\d(T\d\d:\d\d)?)?$"
"""A day, or a minute in UTC; empty: open."""


log = logging.getLogger(__name__)

router = APIRouter()


@router.get("/")
def search(
    request: Request,
    here: Here,
    user: UserName,
    q: QueryText = "",
    sort: Sort = "relevance",
    rows: Rows = "stories",
    offset: Annotated[int, Query(ge=0, le=MAX_WINDOW - PAGE)] = 0,
    more: Annotated[str, Query(max_length=20)] = "",
    within: Annotated[str, Query(max_length=100)] = "",
    from_: Annotated[str | None, Query(alias="from", pattern=DAY)] = None,
    to: Annotated[str | None, Query(pattern=DAY)] = None,
    zone: ZoneText = "",
    first: FirstText = "",
) -> Response:
    """`more` opens a facet, `within` searches its values. `from` and `to`, days in `zone`, become filters. `first` is
    what a later page has to know of the first one."""
    if more and more not in FACETS:
        raise HTTPException(400, f"more={more[:20]} is none of {', '.join(FACETS)}.")
    begun = first if offset else ""
    view = View(q, sort if q.strip() else "time", rows, offset, more, within.strip(), begun, zone_of(request, zone))
    if from_ is None and to is None:
        return _page_of(request, here, user, _searched(here, view, user))
    try:
        dated = with_days(parse(q), from_ or "", to or "", here.clock(), view.zone)
    except QueryError as error:
        return _page_of(request, here, user, _common(here, view) | {"fault": _fault(error), "results": None})
    address = query_string(q=dated, sort=view.sort, rows=rows)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/{address}", 303)


def _page_of(request: Request, here: Context, user: str, found: Mapping[str, Any]) -> Response:
    own = desk.of_hits(request, here, user, found["results"].hits if found["results"] else ())
    parsed = found.get("parsed")
    # What depends on who asks can't be a feed, whose reader is not logged in.
    feed = offered(here, user, Target("search", parsed.query)) if parsed and not parsed.personal else None
    return render(request, "search.html.j2", **found, desk=own, feed=feed, back=desk.address_of(request))


@router.get("/article/{article_id}")
def article(
    request: Request,
    here: Here,
    user: UserName,
    article_id: str,
    asked: Annotated[From, Depends()],
    done: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    return article_page(request, here, user, article_id, asked, done=done)


@router.get("/article/{article_id}/{way}")
def article_beside(
    request: Request,
    here: Here,
    user: UserName,
    article_id: str,
    way: Literal["next", "previous"],
    asked: Annotated[From, Depends()],
) -> Response:
    """The article after this one in the results that it was opened from, or before it; past the last, the results."""
    found = beside(here, user, asked, article_id, 1 if way == "next" else -1)
    root = request.scope.get("root_path", "")
    if found is None:
        return RedirectResponse(f"{root}/{asked.view.address()}#end", 303)
    place, beside_id = found
    return RedirectResponse(f"{root}/article/{beside_id}{asked.view.of(place)}", 303)


def article_page(
    request: Request,
    here: Context,
    user: str,
    article_id: str,
    asked: From,
    status: int = 200,
    **told: Any,
) -> Response:
    """The page of an article; `told` is what a form that it shows again was refused for, and what was typed into it."""
    found = read_article(here.es, here.names, article_id)
    if found is None:
        raise HTTPException(404, "There is no such article, or it is older than what is kept.")
    story = read_story(here.es, here.names, found.story_id)
    own, now = desk.of_article(request, here, user, found), here.clock()
    alike, unlike = _like(here, found)
    values = {
        "article": found,
        "story": story,
        "highlights": _highlights(here, asked.q, found),
        "told": announced(found),
        "changes": changes(found),
        "cited": citation(found, now, zone_of(request)),
        "desk": own,
        "own": own.of(found.id),
        "like": alike,
        "unlike": unlike,
        "readers": request.state.desks.readers(here),
        "view": asked.view,
        "at": asked.at,
        "fault": told.get("fault", ""),
        "typed": told.get("typed", {}),
        "done": told.get("done", ""),
    }
    return render(request, "article.html.j2", status, q=asked.q, now=now, **values)


def _like(here: Context, found: Article) -> tuple[tuple[Article, ...], str]:
    """What is like the article, and why that can't be told: the page is shown all the same."""
    try:
        return like(here.es, here.names, found), ""
    except (NewswatchError, *REFUSALS) as error:
        log.warning("What is like %s can't be told: %s", found.id, our_error(error))
        return (), f"What is like it can't be told now: {our_error(error)}"


@router.get("/story/{story_id}")
def story(
    request: Request,
    here: Here,
    user: UserName,
    story_id: str,
    q: QueryText = "",
    done: Literal["", "stop", "go-on", "split", "join"] = "",
) -> Response:
    found = read_story(here.es, here.names, story_id)
    if found is None:
        raise HTTPException(404, "There is no such story, or it is older than what is kept.")
    story_id = found.id
    mails = story_mails(here, story_id)
    values = {
        "story": found,
        "versions": [(a, changes(a)) for a in found.articles if a.version > 1],
        "announced": {a.id: told for a in found.articles if (told := announced(a))},
        "mails": mails,
        "named": named_in(found.articles),
        "stopped": stopped(here, recipients_of(mails), story_id),
        "done": done,
        "watch": watching(here.es, here.names, (), days=WATCHED_DAYS, now=here.clock(), zone=zone_of(request)),
        "watched_days": WATCHED_DAYS,
        "feed": offered(here, user, Target("story", story_id)),
    }
    return render(request, "story.html.j2", q=q, now=here.clock(), most=MOST, **values)


@router.get("/topics.css")
def topics_css(here: Here) -> Response:
    kept = {"Cache-Control": "private, max-age=31536000, immutable"}  # a page names it with its version
    return Response(topic_styles(here.names.shown_topics()), media_type="text/css", headers=kept)


def _common(here: Context, view: View) -> dict[str, Any]:
    """What the search page shows of any query."""
    return {
        "view": view,
        "q": view.q,
        "now": here.clock(),
        "filters": FILTERS,
        "example": _example(here.names.shown_topics()),
        "most_chars": MAX_CHARS,
        "chosen": (),
    }


def _searched(here: Context, view: View, user: str) -> dict[str, Any]:
    """Everything that the search page shows."""
    common, topics = _common(here, view), here.names.shown_topics()
    now = common["now"]
    try:
        parsed = parse(view.q)
        common |= {"chosen": chosen(parsed, topics, view.zone), "unfiltered": without(parsed, *FILTERS)}
        begun = begun_of(view, now)
        results = results_of(here, view, user, with_facets=True, now=now)
        view = with_first(view, results, now)
        has_none = not results.hits and not results.total
        is_empty = has_none and not has_articles(here.es, here.names)
        why = hints(here.es, here.names, view.q, now, user) if has_none and not is_empty else ()
    except QueryError as error:
        return common | {"fault": _fault(error), "results": None}
    main = parsed.first("level") == "main"
    return common | {
        "view": view,
        "begun": begun,
        "fault": None,
        "results": results,
        "is_empty": is_empty,
        "unmeant": told(results.unmeant, by_name="vectors" in here.settings.model_fields_set),
        "guesses": guesses(why, parsed),
        "parsed": parsed,
        "facets": [facet_view(one, parsed, topics, open_=view.more, within=view.within) for one in results.facets],
        "most_values": MOST_VALUES,
        "exported": without(parsed, "similar"),
        "bars": bar_links(results.timeline.bars, parsed, now),
        "ranges": [(label, *range_query(parsed, value)) for label, value in RANGES],
        "any_time": without(parsed, "since", "until"),
        "days": days(parsed, now, view.zone),
        "main_only": (without(parsed, "level") if main else with_value(parsed, "level", "main"), main),
        "pages": pages(view.offset, PAGE, _rows(results), MAX_WINDOW),
        "rows": _rows(results),
        "without_filter": without_filter,
    }


def _rows(results: Results) -> int:
    return results.rows + results.similar


def _example(topics: Topics) -> str:
    """Short filters as somebody might type them."""
    tags = [f"tag:{topic}" for topic in topics.topics]
    return " ".join((*tags[:1], "lang:fr", "since:7d"))


def _fault(error: QueryError) -> Mapping[str, Any]:
    """What is wrong with the query, with the place as a piece of it where that is known."""
    if isinstance(error, QuerySyntaxError):
        query = error.query
        pieces = (query[: error.start], query[error.start : error.end], query[error.end :])
        return {"text": error.reason, "pieces": pieces}
    return {"text": str(error), "pieces": None}


def _highlights(here: Context, query: str, article: Article) -> Mapping[str, tuple[str, ...]]:
    """Where the query matches in the article, in full; a query that can't be run marks nothing on this page."""
    try:
        return whole_text(here.es, here.names, query, article)
    except QueryError:
        return {}
