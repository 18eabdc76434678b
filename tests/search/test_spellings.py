"""What is spelt, typeset or typed otherwise is found all the same, by searches and saved searches, and marked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from elasticsearch import Elasticsearch

import alerts.match
from alerts.highlight import highlights
from alerts.match import match_batch
from alerts.query import to_query
from newswatch.batch import Batch
from newswatch.settings import Settings
from search.query import find
from search.whole_text import whole_text
from store.generations import all_slices, upgrade
from store.indices.mapping import VERSION
from store.indices.setup import set_up
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.factories import NOW
from tests.store.older import a_month_of_the_version_before

pytestmark = pytest.mark.slow


class Spelling(NamedTuple):
    """A text, the queries that find it and those that don't."""

    language: str | None
    text: str
    marked: str
    """What each of the queries marks, if it is one word."""
    found_by: tuple[str, ...]
    missed_by: tuple[str, ...] = ()


SPELLINGS: Mapping[str, Spelling] = {
    "a Turkish city with its case": Spelling(
        "tr",
        "Zirve İstanbul'da başladı.",
        "İstanbul'da",
        (
            "Istanbul",
            "istanbul",
            "İSTANBUL",
            "ıstanbul",
            "i\u0307stanbul",
            "İstanbul’da",
            "istanbul*",
            '"zirve Istanbul"',
        ),
        ("Ankara", "istan"),
    ),
    "in capitals": Spelling("tr", "DİYARBAKIR’DA PATLAMA", "DİYARBAKIR’DA", ("Diyarbakır", "Diyarbakir", "DIYARBAKIR")),
    "in ASCII": Spelling("tr", "Igdir sinirinda catisma", "Igdir", ("Iğdır", "IĞDIR", "ığdır", "igdir")),
    "in a language without an analyzer": Spelling(
        "az", "Zirvə Kıbrıs’ın şimalında keçirilir.", "Kıbrıs’ın", ("Kıbrıs", "Kibris", "KIBRIS", "kıbrıs'ın")
    ),
    "in an English text": Spelling("en", "Şırnak'a troops were sent.", "Şırnak'a", ("Sirnak", "ŞIRNAK", "Şırnak")),
    "decomposed": Spelling(
        None, "Baris\u0327 go\u0308ru\u0308s\u0327mesi I\u0307zmir", "", ("İzmir", "Izmir", "barış")
    ),
    "an elision": Spelling("en", "The communiqué of l’OTAN was short.", "l’OTAN", ("OTAN", "otan", "l'OTAN")),
    "a transcription": Spelling("en", "Talks in Xi'an went on.", "Xi'an", ("Xi'an", "Xi’an", "Xiʼan"), ("Shaanxi",)),
    "another transcription": Spelling("en", "Talks with Xi went on, an envoy said.", "", (), ("Xi'an", "Xi’an")),
    "a Ukrainian apostrophe": Spelling("uk", "П’ять країн об’єдналися", "П’ять", ("п'ять", "пʼять", "П’ЯТЬ")),
    "direction marks": Spelling(
        "en", "A \u200eWagner\u200f unit left.", "Wagner", ("Wagner", "\u200fWagner\u200f", "wagner")
    ),
    "isolates": Spelling("he", "יחידת \u2067וגנר\u2069 עזבה", "וגנר", ("וגנר", "\u200fוגנר")),
    "a soft hyphen": Spelling(
        "de", "Der Verteidigungs\u00administer kam.", "Verteidigungs\u00administer", ("Verteidigungsminister",)
    ),
    "a break that has no width": Spelling(
        "en", "Euro\u200bfighter jets", "Euro\u200bfighter", ("Eurofighter", "Euro\u200bfighter")
    ),
    "a byte order mark": Spelling("ru", "Учения \ufeffБаренц начались", "Баренц", ("Баренц", "\u2060Баренц")),
    "Persian, with a non-joiner": Spelling("fa", "سخن\u200cگوی ناتو", "", ("سخن گوی", "سخن\u200cگوی", '"سخن گوی"')),
    "Hindi, with one": Spelling("hi", "सैन्\u200cय अभ्यास", "", ("सैन्य", "सैन्\u200dय")),
    "gershayim": Spelling("he", "פסגת נאט״ו נפתחה", "נאט״ו", ('נאט"ו', "נאט''ו", "נאט’’ו", "נאטו", "נאט”ו")),
    "straight gershayim": Spelling("he", 'הרמטכ"ל של צה"ל הגיע', 'צה"ל', ("צה״ל", 'צה"ל', "צהל", '"של צה"ל"')),
    "a geresh": Spelling("he", "צ׳כיה הצטרפה", "צ׳כיה", ("צ'כיה", "צ’כיה", "צכיה")),
    "an Armenian question": Spelling("hy", "ՆԱՏՕ՞ն որոշեց", "ՆԱՏՕ՞ն", ("ՆԱՏՕն",)),
    "a Greek accent": Spelling("en", "Η Αθήνα συμφώνησε", "Αθήνα", ("Αθηνα", "ΑΘΗΝΑ", "αθήνα")),
    "a Russian letter": Spelling("en", "Посол Королёв уехал", "Королёв", ("Королев", "КОРОЛЁВ")),
    "a colon amid words": Spelling(
        "ru", "НАТО:саммит в Анкаре в 09:30", "", ("НАТО", "саммит НАТО", "НАТО:саммит", "09:30", '"09:30"')
    ),
    "a Finnish ending": Spelling("fi", "Itärajan EU:n joukot", "", ("EU", "EU:n")),
    "an address": Spelling(
        "en",
        "See https://example.org/nato/summit?day=1 for more.",
        "",
        ("https://example.org/nato/summit?day=1", "example.org"),
    ),
    "a path": Spelling("en", r"The file C:\wagner was found.", "", (r"C:\wagner", "wagner")),
    "a phrase": Spelling(
        "en",
        "The summit of allied ministers ended.",
        "",
        ("“allied ministers”", "„allied ministers“", "«allied ministers»", "‚allied ministers‘"),
        ("“ministers allied”", "„ministers allied“", "«summit ministers»", "‘summit ministers’"),
    ),
    "a statute with a sign": Spelling(
        "en",
        "Under Article 5 § 2 of the pact and the freedom of information act they may.",
        "",
        ('"article 5 § 2"', '"article 5 2"', '"freedom of information act"', "No. 5"),
        ('"article 2 5"',),
    ),
    "a docket number": Spelling(
        "en", "The case No. 23-1732 was heard.", "", ("No. 23-1732", "23-1732", '"No. 23-1732"', "23-17*")
    ),
    "words that others begin": Spelling(
        "en", "A start for the product of prose.", "", ("start",), ("star", "pro", "prod")
    ),
    "a hyphen and a wildcard": Spelling(
        "en", "An anti-drone-unit came.", "", ("anti-dron*", "*drone un*", "anti-drone"), ("anti-drop*",)
    ),
    "exclusions": Spelling(
        "en",
        "A new trial exonerates the sailor.",
        "",
        ('("new trial" OR exoner*) -(trump OR knox)',),
        ('("new trial" OR exoner*) -(knox OR sailor)', '("new trial" OR exoner*) -knox -sailor'),
    ),
    "emoji and other signs amid words": Spelling(
        "en",
        "The deal of Nato🚀Norway™ was signed.",
        "",
        (
            "Nato🚀Norway",
            "Nato Norway",
            "Nato👩\u200d🚀Norway",
            "🚀Nato Norway",
            "Nato➡️Norway",
            "Nato!Norway",
            "Nato! Norway",
        ),
        ("Nato🚀Sweden", "Nato!Sweden"),
    ),
    "an underscore": Spelling(
        "ar", "قمة #حلف_الناتو في مدريد", "", ("الناتو", "حلف_الناتو", "#حلف_الناتو", "حلف مدريد")
    ),
    "a full stop without a blank": Spelling(
        "ru",
        "Военные ушли из Сирии.Очередной саммит прошёл.Делегации уехали, U.S.S. Cole осталась на ex.example.",
        "",
        ("Сирии", "Очередной", "прошел", "Делегации", "Сирии.Очередной", "ex.example"),
        ("Сири.Очередной",),
    ),
    "letters of mathematics in a query": Spelling(
        "en", "The Vilnius dinner was short.", "", ("𝐕𝐢𝐥𝐧𝐢𝐮𝐬", '"𝗩𝗶𝗹𝗻𝗶𝘂𝘀 dinner"', "Ｖｉｌｎｉｕｓ dinner"), ("𝐑𝐢𝐠𝐚",)
    ),
    "Hebrew vowel points": Spelling("he", "נשיא אוּקְרָאִינָה הגיע", "אוּקְרָאִינָה", ("אוקראינה", "אוּקְרָאִינָה")),
    "Arabic letters from a PDF": Spelling("ar", "ﻗﻤﺔ ﺍﻟﻨﺎﺗﻮ", "ﺍﻟﻨﺎﺗﻮ", ("الناتو", "ﺍﻟﻨﺎﺗﻮ", "النـــاتو")),
    "Persian digits": Spelling("fa", "اف ۱۶ پرواز کرد", "", ("16", "۱۶", "١٦")),
    "French blanks": Spelling(
        "fr", "Le sommet de Vilnius, dit-il.", "", ("«\u202fVilnius\u202f»", "«\u00a0Vilnius\u00a0»")
    ),
    "Korean, decomposed": Spelling("ko", "나토 정상회의", "", ("나토", "\u1102\u1161\u1110\u1169")),
    "Portuguese accents": Spelling(
        "pt", "João Brandão foi à reunião.", "", ("Joao", "João", "reuniao Brandao", "JOÃO")
    ),
    "a phrase in Chinese": Spelling(
        "zh", "部長會議在安卡拉結束", "", ("「部長會議」", "『安卡拉』"), ("「會議部長」",)
    ),
}


@dataclass
class Stand:
    """The texts in the index, as one batch."""

    press: Press
    batch: Batch


@pytest.fixture(scope="module")
def stand(es: Elasticsearch, elasticsearch_url: str) -> Iterator[Stand]:
    names = Names(f"t{secrets.token_hex(4)}-")
    set_up(es, names, Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix))
    press = Press(es, names)
    texts = enumerate(SPELLINGS.values())
    stories = [a_story(n, title="", summary="", text=one.text, language=one.language) for n, one in texts]
    batch = press.publish(*stories)
    es.indices.refresh(index=names.articles)
    yield Stand(press, batch)
    for index in es.indices.get(index=f"{names.prefix}*", expand_wildcards="all", features="settings"):
        es.indices.delete(index=index)
    es.indices.delete_index_template(name=names.articles)


def number(url: str) -> int:
    return int(url.rpartition("/")[2])


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_search_finds_and_marks_it(stand: Stand, name: str) -> None:
    press = stand.press
    spelling, mine = SPELLINGS[name], list(SPELLINGS).index(name)
    for query in spelling.found_by:
        found = {number(hit.article.url): hit for hit in find(press.es, press.names, query, size=100, now=NOW).hits}
        assert mine in found, query
        marks = "".join(found[mine].highlights.get("text", ()))
        assert marks, query
        if spelling.marked and query.isalpha():
            assert f"\ue000{spelling.marked}\ue001" in marks, query
            assert whole_text(press.es, press.names, query, found[mine].article)["text"][0]
    for query in spelling.missed_by:
        results = find(press.es, press.names, query, size=100, now=NOW)
        assert results.relaxed or mine not in [number(hit.article.url) for hit in results.hits], query


@pytest.mark.parametrize("way", ["asked", "looked up"])
def test_saved_searches_find_the_same(stand: Stand, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    press = stand.press
    monkeypatch.setattr(alerts.match, "WORDS_PER_ARTICLE", 0 if way == "looked up" else 10_000)
    queries = [query for one in SPELLINGS.values() for query in (*one.found_by, *one.missed_by)]
    searches = [a_search(f"s{n}", query) for n, query in enumerate(queries)]
    report = match_batch(press.es, press.names, stand.batch, searches)
    assert report.failed == {}
    matched = {(m.saved_search_id, number(press.articles[m.article_id].url)) for m in report.matches}
    for mine, one in enumerate(SPELLINGS.values()):
        for query in (*one.found_by, *one.missed_by):
            assert ((f"s{queries.index(query)}", mine) in matched) == (query in one.found_by), query
    for search in searches:
        hits = press.es.search(index=press.names.articles, query=to_query(search), size=100)["hits"]["hits"]
        whole = {(search.id, number(hit["_source"]["url"])) for hit in hits}
        assert whole == {match for match in matched if match[0] == search.id}, search.query
    wanted = [
        (
            m.saved_search_id,
            to_query(searches[int(m.saved_search_id[1:])]),
            press.articles[m.article_id].language,
            m.article_id,
        )
        for m in report.matches
    ]
    passages = highlights(press.es, press.names, wanted)
    assert all(passages[alert, article] for alert, _, _, article in wanted)


def test_where_no_article_has_all_words_each_counts_in_any_spelling(stand: Stand) -> None:
    press, mine = stand.press, list(SPELLINGS).index("a phrase in Chinese")
    results = find(press.es, press.names, "会议 结束 fjord zeppelin", now=NOW)  # of its own signs, one alone is there
    assert results.relaxed
    assert mine in {number(hit.article.url) for hit in results.hits[: results.total]}
    assert results.total == 1


def test_blocks_of_a_chinese_text_are_within_the_limit_of_clauses(stand: Stand) -> None:
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 480)]
    blocks = ["".join(characters[start : start + 32]) for start in range(0, 480, 32)]
    assert find(stand.press.es, stand.press.names, " ".join(blocks), now=NOW).total == 0


def test_articles_of_the_version_before_are_found_once_they_are_brought_over(
    es: Elasticsearch, elasticsearch_url: str, names: Names
) -> None:
    old = a_month_of_the_version_before(es, names, f"{NOW:%Y.%m}")
    press = Press(es, names)
    press.publish(a_story(1, text="Zirve İstanbul'da.", language="tr"), a_story(2, text="A \u200eWagner\u200f unit"))
    es.indices.refresh(index=names.articles)

    def found() -> list[int]:
        return [find(es, names, query, now=NOW).total for query in ("Istanbul", "Wagner", "zirve")]

    assert found() == [0, 0, 1]
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix)
    assert [one.old for one in upgrade(es, names, settings)] == [old]
    assert [slice_.version for slice_ in all_slices(es, names) if slice_.live] == [VERSION]
    assert found() == [1, 1, 1]
