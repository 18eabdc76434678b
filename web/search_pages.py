"""Search, an article, a story."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from delivery.corrections import announced
from delivery.watching import watching
from jobs.context import Context
from newswatch.article import Article
from newswatch.as_json import json_line
from newswatch.errors import QueryError
from newswatch.topics import Topics
from search import syntax
from search.asked import Sort
from search.editing import with_value, without, without_filter
from search.export import CsvWriter, every
from search.facets import MOST_VALUES
from search.filters import FACETS, FILTERS
from search.hints import hints
from search.limits import MAX_CHARS
from search.query import MAX_WINDOW, Results, find, whole_text
from search.story_view import MOST, changes, read_article, read_story
from web.delivery_pages import recipients_of, stopped, story_mails
from web.entity_pages import named_in
from web.render import pages, query_string, render
from web.search_view import bar_links, chosen, citation, days, facet_view, guesses, range_query, with_days
from web.security import Here
from web.topic_styles import topic_styles

PAGE = 20
WATCHED_DAYS = 1
"""Days for which the page of a story, where mails lead to, says what was watched."""
Rows = Literal["stories", "articles"]
RANGES = (("24 hours", "24h"), ("7 days", "7d"), ("30 days", "30d"), ("1 year", "1y"))

DAY = r"^(\d{4}-\d\d-\d\d(T\d\d:\d\d)?)?$"
"""A day, or a minute of it, in UTC; empty: open."""

QueryText = Annotated[str, Query(max_length=MAX_CHARS)]


router = APIRouter()


@router.get("/")
def search(
    request: Request,
    here: Here,
    q: QueryText = "",
    sort: Sort = "relevance",
    rows: Rows = "stories",
    offset: Annotated[int, Query(ge=0, le=MAX_WINDOW - PAGE)] = 0,
    more: Annotated[str, Query(max_length=20)] = "",
    within: Annotated[str, Query(max_length=100)] = "",
    from_: Annotated[str | None, Query(alias="from", pattern=DAY)] = None,
    to: Annotated[str | None, Query(pattern=DAY)] = None,
) -> Response:
    """`more` opens a facet, `within` searches its values. `from` and `to` become filters of the query."""
    if more and more not in FACETS:
        raise HTTPException(400, f"more={more[:20]} is none of {', '.join(FACETS)}.")
    view = View(q, sort if q.strip() else "time", rows, offset, more, within.strip())
    if from_ is None and to is None:
        return render(request, "search.html.j2", **_searched(here, view))
    try:
        dated = with_days(syntax.parse(q), from_ or "", to or "", here.clock())
    except QueryError as error:
        return render(request, "search.html.j2", **_common(here, view), fault=_fault(error), results=None)
    address = query_string(q=dated, sort=view.sort, rows=rows)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/{address}", 303)


@router.get("/article/{article_id}")
def article(request: Request, here: Here, article_id: str, q: QueryText = "") -> Response:
    found = read_article(here.es, here.names, article_id)
    if found is None:
        raise HTTPException(404, "There is no such article, or it is older than what is kept.")
    story = read_story(here.es, here.names, found.story_id)
    values = {"article": found, "story": story, "highlights": _highlights(here, q, found), "told": announced(found)}
    now = here.clock()
    cited = citation(found, now)
    return render(request, "article.html.j2", q=q, now=now, changes=changes(found), cited=cited, **values)


@router.get("/story/{story_id}")
def story(
    request: Request, here: Here, story_id: str, q: QueryText = "", done: Literal["", "stop", "go-on"] = ""
) -> Response:
    found = read_story(here.es, here.names, story_id)
    if found is None:
        raise HTTPException(404, "There is no such story, or it is older than what is kept.")
    mails = story_mails(here, story_id)
    values = {
        "story": found,
        "versions": [(a, changes(a)) for a in found.articles if a.version > 1],
        "announced": {a.id: told for a in found.articles if (told := announced(a))},
        "mails": mails,
        "named": named_in(found.articles),
        "stopped": stopped(here, recipients_of(mails), story_id),
        "done": done,
        "watch": watching(here.es, here.names, (), days=WATCHED_DAYS, now=here.clock()),
        "watched_days": WATCHED_DAYS,
    }
    return render(request, "story.html.j2", q=q, now=here.clock(), most=MOST, **values)


@router.get("/export.{form}")
def export(
    here: Here, form: Literal["csv", "jsonl"], q: QueryText = "", sort: Sort = "time", rows: Rows = "articles"
) -> Response:
    found = every(here.es, here.names, q, sort=sort, by_story=rows == "stories", now=here.clock())
    first = next(found, None)  # a query that can't be run is told before anything is sent
    lines = _csv(first, found) if form == "csv" else _json_lines(first, found)
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    name = f"news-{here.clock():%Y%m%d-%H%M}.{form}"
    return StreamingResponse(lines, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/topics.css")
def topics_css(here: Here) -> Response:
    kept = {"Cache-Control": "private, max-age=31536000, immutable"}  # a page names it with its version
    return Response(topic_styles(here.names.shown_topics()), media_type="text/css", headers=kept)


@dataclass(frozen=True, slots=True)
class View:
    """What a search page was asked for."""

    q: str
    sort: Sort
    rows: Rows
    offset: int
    more: str = ""
    """The facet of which all values are shown."""
    within: str = ""
    """What these values contain."""


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


def _searched(here: Context, view: View) -> dict[str, Any]:
    """Everything that the search page shows."""
    common, topics = _common(here, view), here.names.shown_topics()
    now = common["now"]
    try:
        parsed = syntax.parse(view.q)
        common |= {"chosen": chosen(parsed, topics), "unfiltered": without(parsed, *FILTERS)}
        results = find(
            here.es,
            here.names,
            view.q,
            size=PAGE,
            offset=view.offset,
            sort=view.sort,
            by_story=view.rows == "stories",
            with_facets=True,
            with_story=True,
            all_of=view.more or None,
            now=now,
        )
        why = () if results.hits or results.total else hints(here.es, here.names, view.q, now)
    except QueryError as error:
        return common | {"fault": _fault(error), "results": None}
    main = parsed.first("level") == "main"
    return common | {
        "fault": None,
        "results": results,
        "guesses": guesses(why, parsed),
        "parsed": parsed,
        "facets": [facet_view(one, parsed, topics, open_=view.more, within=view.within) for one in results.facets],
        "most_values": MOST_VALUES,
        "bars": bar_links(results.timeline.bars, parsed),
        "ranges": [(label, *range_query(parsed, value)) for label, value in RANGES],
        "any_time": without(parsed, "since", "until"),
        "days": days(parsed, now),
        "main_only": (without(parsed, "level") if main else with_value(parsed, "level", "main"), main),
        "pages": pages(view.offset, PAGE, _rows(results), MAX_WINDOW),
        "rows": _rows(results),
        "without_filter": without_filter,
    }


def _rows(results: Results) -> int:
    return results.total if results.stories is None else results.stories


def _example(topics: Topics) -> str:
    """Short filters as somebody might type them."""
    tags = [f"tag:{topic}" for topic in topics.topics]
    return " ".join((*tags[:1], "lang:fr", "since:7d"))


def _fault(error: QueryError) -> Mapping[str, Any]:
    """What is wrong with the query, with the place as a piece of it where that is known."""
    if isinstance(error, syntax.QuerySyntaxError):
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


def _csv(first: Article | None, rest: Iterator[Article]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = CsvWriter(buffer, as_file=True)
    if first is not None:
        writer.write(first)
    yield buffer.getvalue()
    for article in rest:
        buffer.seek(0)
        buffer.truncate()
        writer.write(article)
        yield buffer.getvalue()


def _json_lines(first: Article | None, rest: Iterator[Article]) -> Iterator[str]:
    if first is not None:
        yield json_line(first) + "\n"
    for article in rest:
        yield json_line(article) + "\n"
