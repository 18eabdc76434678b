"""Pages that cost time or memory: each is read, or refused with one line of reason, within a bound."""

from __future__ import annotations

import resource
import time
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pytest

from ingest.bounds import PAGE_S, PROBLEM_CHARS, TEXT_CHARS, TITLE_CHARS, is_harmless
from ingest.pages.extract import MAX_BYTES, extract, read_page
from ingest.pages.extracted import Extracted
from ingest.workers import PATIENCE

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
URL = "https://paper.example/2026/allies-meet"
SENTENCE = (
    "Defence ministers of the allies met in Brussels to settle point {} of their agenda, and left in the evening."
)
ARTICLE = "".join(f"<p>{SENTENCE.format(number)}</p>" for number in range(6))
FIRST = SENTENCE.format(0)
BOUND_S: Final = PATIENCE * PAGE_S + 9
"""What a document may take by the clock on a machine that is busy, and a worker's start. On a quiet one: PAGE_S."""
MEMORY_MB: Final = 250
"""By so much the process that asks may grow at most; the worker has a limit of its own."""

READ, REFUSED, EITHER = "read", "refused", "either"


@dataclass(frozen=True, slots=True)
class Case:
    """A page: how it is made, and what must come of it."""

    name: str
    make: Callable[[], str | bytes]
    outcome: str = EITHER
    told: str = ""
    """Stands in a problem."""


def around(inner: str = "", head: str = "", before: str = "") -> str:
    return (
        f"<html><head><title>Allies meet</title>{head}</head><body>{before}<article><h1>Allies meet</h1>{ARTICLE}"
        f"</article>{inner}</body></html>"
    )


def script(source: str) -> str:
    return around(f"<script>{source}</script>")


def linked_data(source: str) -> str:
    return around(head=f"<script type='application/ld+json'>{source}</script>")


CASES = [
    # elements
    Case("paragraphs without end", lambda: around("<p>a" * 125_000), REFUSED, "tags; more than"),
    Case("paragraphs below the cap", lambda: around("<p>a" * 50_000)),
    Case("line breaks", lambda: around("<br>" * 75_000), REFUSED, "tags; more than"),
    Case("line breaks below the cap", lambda: around("<br>" * 50_000)),
    Case("cells of 4.9 MB", lambda: around("<table>" + "<tr><td>a<td>b" * 345_000), REFUSED, "tags; more than"),
    Case("cells below the cap", lambda: around("<table>" + "<tr><td>a<td>b" * 19_000)),
    Case("nested tables", lambda: around("<table><tr><td>" * 18_000)),
    Case("nested divisions", lambda: around("<div>" * 50_000)),
    Case("nested divisions before it", lambda: around(before="<div>" * 300), EITHER, "nested"),
    Case("nested bold", lambda: around("<b>" * 50_000)),
    Case("nested lists", lambda: around("<ul><li>a" * 25_000)),
    Case("a list of links", lambda: around("<ul>" + "<li><a href=x>y</a></li>" * 15_000)),
    Case("links", lambda: around("<a href=x>y</a>" * 30_000)),
    Case("spans in one paragraph", lambda: around("<p>" + "<span>x</span>" * 30_000)),
    Case("fonts", lambda: around("<font color=red>x" * 30_000)),
    Case("quotations", lambda: around("<blockquote>x" * 30_000)),
    Case("pictures", lambda: around("<img src=x alt='a picture'>" * 30_000)),
    Case("forms", lambda: around("<form><input>" * 20_000)),
    Case("drawings", lambda: around("<svg>" + "<g>" * 30_000)),
    Case("headings", lambda: around("<h1>a</h1>" * 20_000)),
    Case("frames", lambda: around("<iframe src=x></iframe>" * 20_000)),
    Case("long paragraphs", lambda: around(ARTICLE * 1_500)),
    Case("one paragraph often", lambda: around("<p>The same paragraph, again and again, and again.</p>" * 10_000)),
    Case("unknown elements", lambda: around("".join(f"<x{n}>y" for n in range(30_000)))),
    # attributes
    Case("attributes of one element", lambda: around(f"<p {' '.join(f'a{n}=1' for n in range(60_000))}>x</p>")),
    Case("one long attribute", lambda: around(f"<p class='{'a ' * 500_000}'>x</p>")),
    Case("a long style", lambda: around(f"<p style='{'display : ' * 50_000}'>x</p>")),
    Case("dates in attributes", lambda: around("<time datetime='2026-01-14'>x</time>" * 10_000)),
    # scripts
    Case("quotes in a script", lambda: script('"a' * 40_000), READ),
    Case("escapes in a script", lambda: script('"' + "\\x" * 40_000), READ),
    Case("escaped quotes in a script", lambda: script('"' + '\\"' * 40_000), READ),
    Case("backslashes in a script", lambda: script('"' + "\\" * 80_001), READ),
    Case("long strings in a script", lambda: script(('"' + "x" * 401) * 2_000), READ),
    Case("one string without end", lambda: script('"' + "x" * 1_000_000), READ),
    Case("a script of 4 MB", lambda: script('var a = ["b", "c"];' * 200_000)),
    # what the page says of itself
    Case("deep linked data", lambda: linked_data('{"a":' * 100_000), READ),
    Case("deep lists of linked data", lambda: linked_data("[" * 500_000), READ),
    Case("many articles in linked data", lambda: linked_data("[" + '{"@type":"NewsArticle"},' * 20_000 + "{}]")),
    Case("semicolons in linked data", lambda: linked_data(";  " * 200_000), READ),
    Case("commas in linked data", lambda: linked_data(",   " * 200_000), READ),
    Case("a number of 100,000 digits", lambda: linked_data(f'{{"@type":"Article","wordCount":{"9" * 100_000}}}'), READ),
    Case(
        "many authors",
        lambda: around(head="".join(f"<meta name='author' content='A B{n}'>" for n in range(20_000))),
        EITHER,
        "authors",
    ),
    Case("a title of 2 MB", lambda: around().replace("Allies meet</title>", "NATO " * 400_000 + "</title>")),
    Case("a heading of 1 MB", lambda: around(before=f"<h1>{'NATO ' * 200_000}</h1>")),
    Case(
        "a canonical URL of 1 MB",
        lambda: around(head=f"<link rel=canonical href=/{'b' * 1_000_000}>"),
    ),
    # text
    Case("a word of 1 MB", lambda: around("<p>" + "a" * 1_000_000)),
    Case("digits", lambda: around("<p>" + "1" * 500_000)),
    Case("dates", lambda: around("<p>" + "2026-01-1" * 50_000)),
    Case("blanks", lambda: around("<p>" + " " * 1_000_000), READ),
    Case("lines", lambda: around("<pre>" + "\n" * 1_000_000), READ),
    Case("punctuation", lambda: around("<p>" + "- " * 300_000)),
    Case("prompts", lambda: around("<p>" + "Read more " * 50_000)),
    Case("less-than signs", lambda: around("<" * 500_000)),
    Case("comments", lambda: around("<!-- a -->" * 100_000), READ),
    Case("comments without end", lambda: around("<!--" * 200_000), READ),
    Case("references", lambda: around("&amp;" * 200_000)),
    Case("numeric references", lambda: around("&#1114112;" * 100_000)),
    Case("NUL bytes", lambda: around("\0" * 500_000)),
    Case("UTF-16", lambda: around("<p>a" * 40_000).encode("utf-16")),
    Case("too many bytes", lambda: b"<p>" * MAX_BYTES, REFUSED, "bytes; more than"),
]


def works_beside_it() -> None:
    """A small page, and one that needs a worker, are read as ever."""
    small = extract(around().encode(), url=URL, now=NOW)
    large = extract(around("<footer>" + "Imprint " * 10_000 + "</footer>").encode(), url=URL, now=NOW)
    assert small.status == large.status == "full"
    assert FIRST in small.text
    assert FIRST in large.text


def check(page: Extracted, case: Case) -> None:
    refused = page.status == "failed"
    assert refused or FIRST in page.text or case.outcome == EITHER
    assert refused is (case.outcome == REFUSED) or case.outcome == EITHER, page.problems
    assert all(len(problem) <= PROBLEM_CHARS and "\n" not in problem for problem in page.problems)
    assert page.problems or not refused, "refused without a reason"
    assert refused or any(case.told in problem for problem in page.problems) or not case.told
    assert len(page.text) <= TEXT_CHARS
    assert len(page.title) <= TITLE_CHARS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_page_costs_no_more_than_its_bound(case: Case) -> None:
    body = case.make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    page = extract(body, url=URL, now=NOW)
    assert time.monotonic() - began < BOUND_S
    check(page, case)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_000 < MEMORY_MB
    works_beside_it()


@pytest.mark.parametrize(
    "grow",
    [
        lambda n: around("<p>a" * n),
        lambda n: around("<br>" * n),
        lambda n: around("<table>" + "<tr><td>a<td>b" * n),
        lambda n: around("<p>2026-01-14</p>" * n),
        lambda n: around(f"<p {' '.join(f'a{at}=1' for at in range(n))}>"),
        lambda n: script('"a' * n),
        lambda n: around("<" * n),
    ],
)
def test_what_is_read_without_a_worker_takes_no_second(grow: Callable[[int], str]) -> None:
    """The largest page of each kind that passes for harmless."""
    sizes = range(20, 40_020, 20)
    size = sizes[bisect(sizes, False, key=lambda size: not is_harmless(grow(size).encode())) - 1]
    assert is_harmless(grow(size).encode())
    assert not is_harmless(grow(size + 20).encode()), "a larger one passes, too"
    read_page(around().encode(), URL, None, NOW)  # imports what it needs
    began = time.thread_time()
    read_page(grow(size).encode(), URL, None, NOW)
    assert time.thread_time() - began < 1
