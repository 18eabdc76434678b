"""All that a search finds, as a file: CSV, JSON lines, STIX."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from newswatch.article import Article
from newswatch.as_json import json_line
from search.asked import Sort, shortened
from search.export import CsvWriter, every
from search.stix import bundle_lines
from search.words import MOST_WORDS
from web.problem_json import told_shortened
from web.result_pages import QueryText, Rows
from web.security import Here, UserName

router = APIRouter()

_FORMS = {
    "csv": ("text/csv; charset=utf-8", ".csv"),
    "jsonl": ("application/x-ndjson", ".jsonl"),
    "stix": ("application/stix+json;version=2.1", ".stix.json"),
}
"""Form of an export → its media type, and how the file's name ends."""


@router.get("/export.{form}")
def export(
    here: Here,
    user: UserName,
    form: Literal["csv", "jsonl", "stix"],
    q: QueryText = "",
    sort: Sort = "time",
    rows: Rows = "articles",
) -> Response:
    found = every(here.es, here.names, q, sort=sort, by_story=rows == "stories", now=here.clock(), reader=user)
    first = next(found, None)  # a query that can't be run is told before anything is sent
    kind, ending = _FORMS[form]
    left_out = shortened(q, here.names)
    # Neither a table nor a line for each article has a place for a note: a program reads the header, a person the name.
    name = f"news-{here.clock():%Y%m%d-%H%M}{f'-first-{MOST_WORDS}-words' if left_out else ''}{ending}"
    if form == "stix":
        articles = chain([first], found) if first else ()
        told = f"{q} {here.clock().isoformat()}"
        lines = bundle_lines(articles, base=here.settings.public_url, tlp=here.settings.stix_tlp, name=told)
    else:
        lines = _csv(first, found) if form == "csv" else _json_lines(first, found)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **told_shortened(left_out)}
    return StreamingResponse(lines, media_type=kind, headers=headers)


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
