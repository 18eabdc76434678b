"""Exports every article that a query finds, over a point in time, so that concurrent writes don't change the result."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime
from typing import IO, Any

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.article import Article
from search import personal
from search.asked import Sort, ranked, required, to_query, understood
from search.asking import TIMEOUT, Answer, answering, impatient, too_slow
from search.picks import UNSHOWN
from search.similar import refuse_similar
from store.article_documents import from_document
from store.elastic.documents import readable
from store.elastic.reading import every as every_hit
from store.names import Names

_PAGE = 500
"""Articles in one page, which is some megabytes because they are whole."""


def every(
    es: Elasticsearch,
    names: Names,
    query: str,
    *,
    sort: Sort = "time",
    by_story: bool = False,
    now: datetime | None = None,
    reader: str = "",
) -> Generator[Article, None, None]:
    """All articles that the query finds, in order; with `by_story` only the first of each story.

    A caller that stops before the end must close the generator, which closes the point in time.

    Raises:
        QueryError: the query can't be parsed (raised before the first article), or a page takes too long.
        StoreError: Elasticsearch is unavailable.
    """
    parsed, now = understood(query, names), now or datetime.now(UTC)
    refuse_similar(parsed, "An export has what the words find: take similar: out.")
    own = personal.clauses(es, names, reader, parsed, now)
    asked = to_query(parsed, now, required(parsed, names), own)
    whole = ranked(parsed, asked, now) if sort == "relevance" else asked
    order: list[Any] = [{"_score": "desc"}] if sort == "relevance" else [{"time": "desc"}]

    def search(**body: Any) -> Answer:
        with answering(es, names.articles, query):
            answer: Answer = impatient(es).search(timeout=TIMEOUT, **body).body
        if answer["timed_out"]:
            raise too_slow(query)
        return answer

    try:
        hits = every_hit(
            es, names.articles, whole, size=_PAGE, sort=[*order, "_shard_doc"], search=search, source=UNSHOWN
        )
    except NotFoundError:  # before the first article
        return
    seen: set[str] = set()
    with closing(hits):
        for _, article in readable(hits, from_document):
            if by_story and article.story_id in seen:
                continue
            seen.update([article.story_id] if by_story else ())
            yield article


COLUMNS = (
    "published",
    "first_seen",
    "title",
    "source",
    "domain",
    "country",
    "language",
    "tags_main",
    "tags",
    "entities",
    "story_id",
    "duplicate_of",
    "version",
    "url",
    "summary",
    "text",
    "reliability",
)


_BOM = "\ufeff"


class CsvWriter:
    """Writes articles as comma-separated values (RFC 4180) in UTF-8, after a header line."""

    def __init__(self, file: IO[str], *, as_file: bool) -> None:
        """`as_file` begins with a byte order mark, without which Excel takes UTF-8 for the system's old encoding.

        A program that reads from a pipe would take the mark for a part of the first column's name.
        """
        file.write(_BOM if as_file else "")
        self._writer = csv.writer(file, lineterminator="\r\n")
        self._writer.writerow(COLUMNS)

    def write(self, article: Article) -> None:
        """Write one article."""
        self._writer.writerow(row(article))


_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")


def row(article: Article) -> list[str]:
    """An article in the order of `COLUMNS`; several values are separated by "; ". Pure.

    A cell that a spreadsheet would take for a formula, in full-width signs too, is prefixed with an apostrophe (OWASP,
    CSV injection).
    """
    cells = [
        article.published.isoformat() if article.published else "",
        article.first_seen.isoformat(),
        article.title,
        article.source.name,
        article.source.domain,
        article.source.country or "",
        article.language or "",
        "; ".join(tag.tag for tag in article.tags if tag.level == "main"),
        "; ".join(tag.tag for tag in article.tags),
        "; ".join(entity.name for entity in article.entities),
        article.story_id,
        article.duplicate_of or "",
        str(article.version),
        article.address,
        article.summary,
        article.text,
        article.source.reliability or "",
    ]
    return [f"'{cell}" if _FORMULA.match(cell) else cell for cell in cells]
