"""What a saved search asks for is checked when it is saved."""

from __future__ import annotations

from typing import Any

import pytest
from elasticsearch import Elasticsearch

from alerts.query import check_meaning, check_values
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Source, Tag
from newswatch.errors import QueryError
from store.names import Names
from tests.factories import an_article
from tests.newsstand import stock


def _search(**fields: Any) -> SavedSearch:
    return SavedSearch("s", "s", fields.pop("query", ""), ("ann@example.org",), **fields)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"tags": (TagFilter("natoo"),)}, "There is no topic 'natoo': did you mean nato"),
        ({"tags": (TagFilter("nato/burden"),)}, "did you mean nato/burden-sharing?"),
        ({"languages": ("en", "xx")}, "There is no language 'xx'"),
        ({"sources": ("herld.example",)}, "There is no outlet 'herld.example': did you mean herald.example or"),
        ({"query": 'x tags:("nato" OR "natoo")'}, "There is no topic 'natoo': did you mean nato"),
        ({"query": "-language:xx"}, "There is no language 'xx'"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_was_meant(
    es: Elasticsearch, names: Names, fields: dict[str, Any], told: str
) -> None:
    stock(es, names, [an_article(source=Source("herald", "The Herald", "news.herald.example"))])
    stock(es, names, [an_article("https://herald.example/2", source=Source("herald", "The Herald", "herald.example"))])
    with pytest.raises(QueryError, match=told.replace("?", r"\?")):
        check_values(es, names, _search(**fields))


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"tags": (TagFilter("nato/summits"), TagFilter("former-topic"))},
        {"languages": ("en", "fr")},
        {"sources": ("news.herald.example", "herald.example", "quite-another.test")},
        {"query": '"tags:natoo" tags_main:(nato OR nat*) language:[en TO fr] source.domain:"herald.example"'},
    ],
)
def test_what_exists_or_may_come_is_accepted(es: Elasticsearch, names: Names, fields: dict[str, Any]) -> None:
    tags = (Tag("former-topic", "main", 0.9, ()),)
    stock(es, names, [an_article(source=Source("herald", "The Herald", "news.herald.example"), tags=tags)])
    check_values(es, names, _search(**fields))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("IS OR Daesh", 'write entity_ids:islamic-state for the name, or "IS" in quotation marks'),
        ("Mosul -القاعدة", "entity_ids:al-qaeda"),
        ("(伊斯兰国 OR x)", "entity_ids:islamic-state"),
    ],
)
def test_a_word_that_means_a_name_must_be_written_as_one(names: Names, query: str, told: str) -> None:
    with pytest.raises(QueryError) as caught:
        check_meaning(names, query)
    assert told in str(caught.value)


@pytest.mark.parametrize("query", ['"IS" is ISIS', "entity_ids:islamic-state", "title:(IS OR x)", "القاعدة*", ""])
def test_other_words_are_taken_as_they_are(names: Names, query: str) -> None:
    check_meaning(names, query)
