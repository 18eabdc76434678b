"""The rows of a page are read from answers that hold other rows too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from newswatch.article import Article
from newswatch.topics import Topics
from search import picks
from search.picks import Pick, Reading
from search.syntax import parse
from store.article_documents import from_document, to_document
from store.names import Names
from tests.factories import NOW, an_article


def test_what_others_have_picked_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    articles = [an_article(f"https://herald.example/{n}") for n in range(4)]
    written = [
        to_document(article, Topics(), batch_id="000000000001", seq=n, indexed_at=NOW)
        for n, article in enumerate(articles)
    ]
    hits = [
        {"_index": "articles-2026.03", "_id": article.id, "_source": document}
        for article, document in zip(articles, written, strict=True)
    ]
    answers = [{"hits": {"hits": hits[:2]}}, {"hits": {"hits": hits[2:]}}]
    read: list[str] = []

    def reading(article_id: str, document: Mapping[str, Any]) -> Article:
        read.append(article_id)
        return from_document(article_id, document)

    monkeypatch.setattr(picks, "from_document", reading)
    shown = [Pick("articles-2026.03", 2, "s", "plain", 1.0, copy=Pick("articles-2026.03", 0, "s", "plain", 1.0))]
    rows = Reading(parse("glacier"), Names(), loose=False).hits(shown, answers, {}, {})
    assert [row.article.id for row in rows] == [articles[2].id]
    assert sorted(read) == sorted((articles[0].id, articles[2].id)), "and its copy"
