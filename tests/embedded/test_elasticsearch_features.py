"""What the embedded node can do: the parts of Elasticsearch that newswatch relies on, and the names of its analysis."""

from __future__ import annotations

from typing import Any, cast

import pytest
from elasticsearch import BadRequestError, ConflictError, Elasticsearch, NotFoundError

from embedded.artefacts import JAVA_DIR

pytestmark = pytest.mark.slow

STEMS = {
    "arabic": ("الطائرات المقاتلة", ["طائر", "مقاتل"]),
    "cjk": ("北約加入", ["北約", "約加", "加入"]),
    "dutch": ("de bondgenoten trainden", ["bondgenot", "traind"]),
    "english": ("the allies' trainings", ["alli", "train"]),
    "french": ("l'alliance des renseignements", ["alianc", "renseign"]),
    "german": ("die Häuser der Bündnisse", ["haus", "bundniss"]),
    "italian": ("l'alleanza delle truppe", ["alleanz", "trupp"]),
    "persian": ("نیروهای ناتو", ["نيرو", "ناتو"]),
    "portuguese": ("as alianças militares", ["alianc", "militar"]),
    "russian": ("союзники тренируют", ["союзник", "тренир"]),
    "spanish": ("los ejércitos aliados", ["ejercit", "aliad"]),
    "turkish": ("NATO'nun birlikleri", ["nato", "birlik"]),
}
OTHER_LANGUAGES = [
    *("armenian", "basque", "bengali", "brazilian", "bulgarian", "catalan", "czech", "danish", "estonian", "finnish"),
    *("galician", "greek", "hindi", "hungarian", "indonesian", "irish", "latvian", "lithuanian", "norwegian"),
    *("romanian", "serbian", "sorani", "swedish"),
]


def tokens(es: Elasticsearch, **request: Any) -> list[str]:
    return [token["token"] for token in es.indices.analyze(**request)["tokens"]]


@pytest.mark.parametrize("language", sorted(STEMS))
def test_language_analyzers_go_by_their_official_names(es: Elasticsearch, language: str) -> None:
    text, stems = STEMS[language]
    assert tokens(es, analyzer=language, text=text) == stems


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_every_other_language_is_there_too(es: Elasticsearch, language: str) -> None:
    assert tokens(es, analyzer=language, text="nato 2017")


def test_analyzers_take_their_official_options(es: Elasticsearch, index_prefix: str) -> None:
    analyzer = {"type": "english", "stopwords": ["of"], "stem_exclusion": ["training"]}
    es.indices.create(index=f"{index_prefix}a", settings={"analysis": {"analyzer": {"en": analyzer}}})
    assert tokens(es, index=f"{index_prefix}a", analyzer="en", text="the training of allies") == [
        "the",
        "training",
        "alli",
    ]


def test_settings_that_are_checked_one_by_one_are_checked_no_less(es: Elasticsearch, index_prefix: str) -> None:
    index, known = f"{index_prefix}a", "index.analysis.filter.parts.type"
    es.indices.create(index=index)
    defaults = es.indices.get_settings(index=index, include_defaults=True, flat_settings=True)[index]["defaults"]
    assert known in defaults, "it is a setting of its own, without which an index takes twice as long"
    for settings, told in (
        ({known: "no such filter"}, "Unknown filter type"),
        ({"index.analysis.filter.parts.type": "pattern_capture"}, "patterns"),
        ({"index.analyses.filter.parts.type": "lowercase"}, "unknown setting"),
    ):
        with pytest.raises(BadRequestError, match=told):
            es.indices.create(index=f"{index_prefix}b", settings=settings)


@pytest.mark.parametrize(
    "component",
    [
        {"analyzer": {"x": {"type": "english", "stem_exclusions": ["a"]}}},
        {"analyzer": {"x": {"type": "cjk", "stem_exclusion": ["a"]}}},
        {"filter": {"x": {"type": "asciifolding", "preserve": True}}},
        {"tokenizer": {"x": {"type": "whitespace", "max": 3}}},
        {"char_filter": {"x": {"type": "html_strip", "tags": ["a"]}}},
    ],
)
def test_options_that_would_be_passed_over_are_refused(
    es: Elasticsearch, index_prefix: str, component: dict[str, Any]
) -> None:
    with pytest.raises(BadRequestError, match=r"\[x\] has options \[\w+\] that the embedded node does not support"):
        es.indices.create(index=f"{index_prefix}a", settings={"analysis": component})


@pytest.mark.parametrize(
    ("filters", "text", "expected"),
    [
        (["lowercase", "asciifolding"], "Évian Über", ["evian", "uber"]),
        ([{"type": "asciifolding", "preserve_original": True}], "été", ["ete", "été"]),
        (["lowercase", "elision"], "L'OTAN d'accord", ["otan", "accord"]),
        ([{"type": "elision", "articles": ["dell"]}], "dell'alleanza", ["alleanza"]),
        ([{"type": "stemmer", "language": "light_german"}], "häuser", ["haus"]),
        ([{"type": "stemmer", "language": "possessive_english"}], "NATO's", ["NATO"]),
        ([{"type": "snowball", "language": "French"}], "alliances", ["allianc"]),
        ([{"type": "keyword_marker", "keywords": ["allies"]}, "porter_stem"], "allies trainings", ["allies", "train"]),
        ([{"type": "lowercase", "language": "turkish"}], "IRAK", ["ırak"]),
        ([{"type": "stop", "stopwords": "_german_"}], "die allianz", ["allianz"]),
        ([{"type": "length", "min": 3}, {"type": "truncate", "length": 4}], "of coalition", ["coal"]),
        ([{"type": "limit", "max_token_count": 1}], "a b c", ["a"]),
        ([{"type": "pattern_replace", "pattern": "[0-9]+", "replacement": "#"}], "a12", ["a#"]),
        ([{"type": "pattern_capture", "patterns": ["^(.{2,})'"]}], "Kıbrıs'ın", ["Kıbrıs'ın", "Kıbrıs"]),
        ([{"type": "pattern_capture", "patterns": ["(b)"], "preserve_original": False}], "abc", ["b"]),
        (["cjk_width", "cjk_bigram"], "ＮＡＴＯ北約加入", ["NATO", "北約", "約加", "加入"]),
        (["arabic_normalization", "persian_normalization", "decimal_digit"], "٢٠١٧", ["2017"]),
        (["uppercase", "trim", "reverse", "remove_duplicates", "apostrophe"], "abc", ["CBA"]),
    ],
)
def test_token_filters(es: Elasticsearch, filters: list[Any], text: str, expected: list[str]) -> None:
    assert tokens(es, tokenizer="standard", filter=filters, text=text) == expected


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        ("keyword", "A b", ["A b"]),
        ("whitespace", "a-b c", ["a-b", "c"]),
        ("letter", "a1b", ["a", "b"]),
        ("uax_url_email", "see http://nato.int/x now", ["see", "http://nato.int/x", "now"]),
        ({"type": "pattern", "pattern": ","}, "a,b c", ["a", "b c"]),
    ],
)
def test_tokenizers(es: Elasticsearch, tokenizer: Any, text: str, expected: list[str]) -> None:
    assert tokens(es, tokenizer=tokenizer, text=text) == expected


@pytest.mark.parametrize(
    ("char_filter", "text", "expected"),
    [
        ("html_strip", "<p>a&amp;b</p>", ["\na&b\n"]),
        ({"type": "mapping", "mappings": ["ß => ss", "' =>"]}, "Straße's", ["Strasses"]),
        ({"type": "pattern_replace", "pattern": "(\\d)-(\\d)", "replacement": "$1$2"}, "1-2", ["12"]),
    ],
)
def test_char_filters(es: Elasticsearch, char_filter: Any, text: str, expected: list[str]) -> None:
    assert tokens(es, tokenizer="keyword", char_filter=[char_filter], text=text) == expected


def test_a_normalizer_folds_keywords(es: Elasticsearch, index_prefix: str) -> None:
    es.indices.create(
        index=f"{index_prefix}a",
        settings={"analysis": {"normalizer": {"fold": {"type": "custom", "filter": ["lowercase", "asciifolding"]}}}},
        mappings={"properties": {"name": {"type": "keyword", "normalizer": "fold"}}},
    )
    es.index(index=f"{index_prefix}a", document={"name": "Évian"}, refresh=True)
    assert es.count(index=f"{index_prefix}a", query={"term": {"name": "EVIAN"}})["count"] == 1


@pytest.fixture
def articles(es: Elasticsearch, index_prefix: str) -> str:
    """An index behind an alias, made by a composable template, with three articles in it."""
    es.indices.put_index_template(
        name=f"{index_prefix}articles",
        index_patterns=[f"{index_prefix}articles-*"],
        allow_auto_create=True,
        template={
            "aliases": {f"{index_prefix}articles": {}},
            "mappings": {
                "properties": {
                    "text": {"type": "text", "analyzer": "english"},
                    "tag": {"type": "keyword"},
                    "seq": {"type": "long"},
                }
            },
        },
    )
    texts = ("NATO joins the coalition against Daesh", "Allies discuss refuelling", "A football match")
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        lines.append({"create": {"_index": f"{index_prefix}articles-2017.05", "_id": str(number)}})
        lines.append({"text": text, "tag": "nato" if number < 2 else "sport", "seq": number})
    assert es.bulk(operations=lines, refresh=True)["errors"] is False
    return f"{index_prefix}articles"


def ids(response: Any) -> list[str]:
    return sorted(hit["_id"] for hit in response["hits"]["hits"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"query_string": {"query": "joining AND (nato OR sport)", "fields": ["text"]}}, ["0"]),
        ({"query_string": {"query": 'text:"coalition against"~2 OR tag:sport'}}, ["0", "2"]),
        ({"term": {"tag": "nato"}}, ["0", "1"]),
        ({"intervals": {"text": {"match": {"query": "nato coalition", "max_gaps": 3, "ordered": True}}}}, ["0"]),
        ({"more_like_this": {"fields": ["text"], "like": "refuelling", "min_term_freq": 1, "min_doc_freq": 1}}, ["1"]),
        (
            {"bool": {"filter": [{"range": {"seq": {"gte": 1, "lt": 3}}}], "must_not": {"term": {"tag": "sport"}}}},
            ["1"],
        ),
        ({"wildcard": {"tag": "sp*"}}, ["2"]),
        ({"simple_query_string": {"query": "refuel* -football", "fields": ["text"], "default_operator": "and"}}, ["1"]),
        ({"ids": {"values": ["2"]}}, ["2"]),
    ],
)
def test_queries(es: Elasticsearch, articles: str, query: dict[str, Any], found: list[str]) -> None:
    assert ids(es.search(index=articles, query=query)) == found


def test_filters_aggregation_says_which_query_found_what(es: Elasticsearch, articles: str) -> None:
    watched = {
        "a": {"bool": {"filter": [{"range": {"seq": {"gte": 0}}}, {"match": {"text": "coalition"}}]}},
        "b": {"query_string": {"query": "allies OR nato", "fields": ["text"]}},
    }
    aggs = {"watched": {"filters": {"filters": watched}, "aggs": {"seq": {"terms": {"field": "seq", "size": 10}}}}}
    buckets = es.search(index=articles, size=0, aggs=aggs)["aggregations"]["watched"]["buckets"]
    found = {name: sorted(hit["key"] for hit in bucket["seq"]["buckets"]) for name, bucket in buckets.items()}
    assert found == {"a": [0], "b": [0, 1]}


def test_unified_highlighter_marks_stems(es: Elasticsearch, articles: str) -> None:
    query = {"query_string": {"query": "join", "fields": ["text"]}}
    hit = es.search(index=articles, query=query, highlight={"fields": {"text": {}}})["hits"]["hits"][0]
    assert hit["highlight"]["text"] == ["NATO <em>joins</em> the coalition against Daesh"]


def test_an_index_that_was_deleted_stays_so(es: Elasticsearch, index_prefix: str) -> None:
    """Else the next write would bring it back, with a mapping guessed from one document."""
    with pytest.raises(NotFoundError, match=r"no such index .*action.auto_create_index. is .false."):
        es.index(index=f"{index_prefix}a", document={"x": 1})
    assert not es.indices.exists(index=f"{index_prefix}a")


def test_compare_and_set(es: Elasticsearch, articles: str) -> None:
    index = f"{articles}-2017.05"
    held = es.get(index=index, id="0")
    token = {"if_seq_no": held["_seq_no"], "if_primary_term": held["_primary_term"]}
    es.index(index=index, id="0", document={"seq": 9}, **token)
    with pytest.raises(ConflictError):
        es.index(index=index, id="0", document={"seq": 10}, **token)
    with pytest.raises(ConflictError):
        es.create(index=index, id="0", document={"seq": 11})


def test_reads_and_lists(es: Elasticsearch, articles: str) -> None:
    index = f"{articles}-2017.05"
    docs = es.mget(docs=[{"_index": index, "_id": "0"}, {"_index": index, "_id": "none"}])["docs"]
    assert [doc["found"] for doc in docs] == [True, False]
    searches: list[dict[str, Any]] = [{"index": articles}, {"query": {"match_all": {}}}] * 2
    assert len(es.msearch(searches=searches)["responses"]) == 2
    assert es.indices.get_alias(name=articles) == {index: {"aliases": {articles: {}}}}
    rows = cast("list[dict[str, str]]", es.cat.indices(index=index, format="json").body)
    assert [row["index"] for row in rows] == [index]
    assert es.cluster.health(index=index)["number_of_data_nodes"] == 1


def test_a_point_in_time_pages_through(es: Elasticsearch, articles: str) -> None:
    pit = es.open_point_in_time(index=articles, keep_alive="1m")["id"]
    es.index(index=f"{articles}-2017.05", document={"seq": 5}, refresh=True)
    first = es.search(pit={"id": pit}, size=2, sort=[{"seq": "asc"}])["hits"]["hits"]
    rest = es.search(pit={"id": pit}, size=5, sort=[{"seq": "asc"}], search_after=first[-1]["sort"])["hits"]["hits"]
    assert [hit["_id"] for hit in first + rest] == ["0", "1", "2"]
    assert es.close_point_in_time(id=pit)["succeeded"]


def test_a_query_is_explained_before_it_is_saved(es: Elasticsearch, articles: str) -> None:
    def ask(query: str) -> Any:
        return es.indices.validate_query(
            index=articles, query={"query_string": {"query": query, "fields": ["text"]}}, explain=True
        )

    assert ask("nato AND (coalition")["valid"] is False
    assert "Encountered" in ask("nato AND (coalition")["explanations"][0]["error"]
    assert ask("joined nato")["explanations"][0]["explanation"] == "text:join text:nato"


def test_what_the_published_server_lacks_is_refused_not_faked(es: Elasticsearch, articles: str) -> None:
    """If one of these begins to work, the limits in the documentation are out of date."""
    script: dict[str, Any] = {"script": {"source": "doc['seq'].value > 0"}}
    with pytest.raises(BadRequestError):
        es.search(index=articles, query={"script": script})
    with pytest.raises(BadRequestError):
        es.indices.create(index=f"{articles}-percolator", mappings={"properties": {"q": {"type": "percolator"}}})
    with pytest.raises(BadRequestError):
        es.delete_by_query(index=articles, query={"match_all": {}})


def test_the_java_sources_name_no_place() -> None:
    for source in JAVA_DIR.rglob("*.java"):
        assert "://" not in source.read_text(encoding="utf-8"), source
