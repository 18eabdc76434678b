"""Cleaning: removes what does not belong to an article's words, before any other transform reads them."""

from __future__ import annotations

from dataclasses import replace

from newswatch.article import Article
from newswatch.plain_text import one_line, tidy


def clean(article: Article) -> Article:
    """`article` with its title on one line, and its summary and text cleaned."""
    return replace(article, title=one_line(article.title), summary=tidy(article.summary), text=tidy(article.text))
