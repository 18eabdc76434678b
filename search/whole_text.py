"""Marks in an article, in full, what a query says."""

from __future__ import annotations

from collections.abc import Mapping

from elasticsearch import Elasticsearch

from newswatch.article import Article
from search import highlight, marking
from search.asked import understood
from search.asking import ask
from store.names import Names


def whole_text(es: Elasticsearch, names: Names, query: str, article: Article) -> Mapping[str, tuple[str, ...]]:
    """Title, summary and text of the article in full, with the query's matches marked; empty without a match.

    Raises:
        QueryError: the query can't be parsed; the message says where.
    """
    parsed, analyzer = understood(query, names), highlight.analyzer_of(article.language)
    clauses = marking.clauses(parsed, analyzer, loose=True) if parsed.text.strip() else []
    if not clauses:
        return {}
    this = {"bool": {"filter": [{"ids": {"values": [article.id]}}]}}
    marks = highlight.marking(clauses, analyzer)
    # A slice that fails is another one's: of its own, the article could not have been read.
    hits = ask(es, names.articles, query, lacking=[], query=this, source=False, **marks)["hits"]["hits"]
    texts = {"title": article.title, "summary": article.summary, "text": article.text}
    return highlight.with_acronyms(highlight.marked(hits[0]) if hits else {}, texts, marking.acronyms(parsed))
