"""Pages of results: what they were asked for, their addresses, and the article beside another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Final, Literal

from fastapi import Query

from jobs.context import Context
from search.asked import Sort
from search.first_page import MAX_CHARS as FIRST_CHARS
from search.first_page import FirstPage, first_page_of
from search.limits import MAX_CHARS
from search.query import MAX_WINDOW, Results, find
from web.render import query_string

PAGE: Final = 20
Rows = Literal["stories", "articles"]
QueryText = Annotated[str, Query(max_length=MAX_CHARS)]
FirstText = Annotated[str, Query(max_length=FIRST_CHARS)]


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
    first: str = ""
    """The first page, as addresses of later ones tell of it."""
    zone: tzinfo = UTC
    """Of the days on the page."""

    def of(self, place: int, **more: str) -> str:
        """The query string of the article at that place of the results, from 1; 0: it was not opened from them."""
        return query_string(**self._given(), first=self.first, at=place, **more)

    def address(self) -> str:
        """The query string of the results; of their first page as it is now."""
        begun: Mapping[str, Any] = {"offset": self.offset, "first": self.first} if self.offset else {}
        return query_string(**self._given(), **begun)

    def further(self) -> Mapping[str, str]:
        """What the addresses of the other pages of the results have beside their offset."""
        return {"q": self.q, "sort": self.sort, "rows": self.rows, "first": self.first}

    def _given(self) -> Mapping[str, str]:
        """Without what goes without saying."""
        sort = "" if self.sort == ("relevance" if self.q.strip() else "time") else self.sort
        return {"q": self.q, "sort": sort, "rows": "" if self.rows == "stories" else self.rows}


class From:
    """Where an article was opened from: the results and its place among them, from 1; 0 where there is none."""

    def __init__(
        self,
        q: QueryText = "",
        sort: Sort = "relevance",
        rows: Rows = "stories",
        at: Annotated[int, Query(ge=0, le=MAX_WINDOW)] = 0,
        first: FirstText = "",
    ) -> None:
        self.q, self.at = q, at
        self.view = View(q, sort if q.strip() else "time", rows, max(at - 1, 0) // PAGE * PAGE, first=first)


def begun_of(view: View, now: datetime) -> FirstPage | None:
    """The first page that the address tells of; None for what is too old, and for nonsense."""
    return first_page_of(view.first, now)


def with_first(view: View, results: Results, now: datetime) -> View:
    """The view, so that the addresses of the other pages tell of the first one: of the same as this page's own."""
    begun = begun_of(view, now)
    first = FirstPage(begun.read_at if begun else now, results.raised, results.similar)
    return replace(view, first=first.written())


def results_of(here: Context, view: View, user: str, *, with_facets: bool, now: datetime) -> Results:
    """One page of results; as of the first page, where the address tells of it."""
    first = begun_of(view, now)
    return find(
        here.es,
        here.names,
        view.q,
        size=PAGE,
        offset=view.offset,
        sort=view.sort,
        by_story=view.rows == "stories",
        with_facets=with_facets,
        with_story=with_facets,
        all_of=view.more or None if with_facets else None,
        now=first.read_at if first else now,
        reader=user,
        zone=view.zone,
        vectors=here.settings.vectors,
        said_first=True,
        first=first,
    )


def beside(here: Context, user: str, asked: From, article_id: str, step: int) -> tuple[int, str] | None:
    """Place (from 1) and id of the result `step` further on; None beyond the last or before the first.

    An article that left the results once it was read (`is:unread`) has left its place to the next one.
    """
    first = (asked.at - 1) // PAGE * PAGE
    ids = _ids(here, user, asked.view, first)
    gone = asked.at if step > 0 else asked.at - 1
    place = first + ids.index(article_id) + 1 + step if article_id in ids else gone
    if place < 1 or asked.at < 1:
        return None
    start = (place - 1) // PAGE * PAGE
    shown = ids if start == first else _ids(here, user, asked.view, start)
    return (place, shown[place - 1 - start]) if place - 1 - start < len(shown) else None


def _ids(here: Context, user: str, view: View, offset: int) -> list[str]:
    """The articles of one page of results, in order."""
    if offset > MAX_WINDOW - PAGE:
        return []
    found = results_of(here, replace(view, offset=offset), user, with_facets=False, now=here.clock())
    return [hit.article.id for hit in found.hits]
