"""The embedded node: what it answers, and how it starts, stops and fails."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch

pytestmark = pytest.mark.slow


def test_answers_like_a_real_one(es: Elasticsearch) -> None:
    info = es.info()
    assert info["version"]["number"].startswith("9.")
    assert info["tagline"] == "You Know, for Search"
    assert es.ping()


def test_a_prefix_is_cleaned_up(es: Elasticsearch, index_prefix: str) -> None:
    es.index(index=f"{index_prefix}a", document={"x": 1}, refresh=True)
    assert es.count(index=f"{index_prefix}*")["count"] == 1
