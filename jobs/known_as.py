"""The identity that an article from outside already has here, under whichever list of tracking parameters it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ingest.urls import canonicalize, former_url, is_part, known_id
from newswatch.article import Article
from store.articles import ArticleStore


def known_as(store: ArticleStore, given: Sequence[tuple[Article, str]]) -> list[Article]:
    """The articles in their order, each known by the address by which its page is stored, if it is; else as it is.

    Each comes with its address as its sender wrote it. A page is stored by an address with parameters that nobody knew
    to track when it came, or by one without.

    Raises:
        StoreError: a month that may have one of them can't be read.
    """
    addresses = [_addresses(article, url) for article, url in given]
    wanted = {known_id(url) for some in addresses for url in some}
    stored = store.exist(wanted) if wanted else set()
    return [_as_stored(article, some, stored) for (article, _), some in zip(given, addresses, strict=True)]


def _addresses(article: Article, url: str) -> tuple[str, ...]:
    """The addresses that the page may be stored by, the likeliest first; none if there is only one. Pure."""
    if is_part(article.url):
        return ()
    former, today = former_url(url), canonicalize(url)
    return (former, today) if known_id(former) != known_id(today) else ()


def _as_stored(article: Article, addresses: Sequence[str], stored: set[str]) -> Article:
    url = next((url for url in addresses if known_id(url) in stored), article.url)
    name = known_id(url)
    story = name if article.story_id == article.id else article.story_id
    return replace(article, id=name, url=url, story_id=story)
