"""Queries that bug reports of other search boxes tell of; the texts are our own. Each names its report on GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from newswatch.errors import QueryError
from search.query import find
from store.names import Names
from tests.alerts.press import Press, a_story
from tests.factories import NOW
from tests.pristine import Pristine

pytestmark = pytest.mark.slow

TEXTS = (
    "The OERUp! project ends now! Officials met.",
    "A headline - a subheadline on the T-Test of FM-Synthese.",
    "The F.A.R.T. camp, and C++ for R&D at AT&T.",
    "मोदी दिल्ली में",
    "They wrote 🍑 for it.",
    "João Carrasqueira writes of La Ville-aux-Dames.",
    "A file in C:\\some\\location, and an and/or clause, TLS 1.3 too.",
    "The Anthropomorphae were described.",
    "Where MH17 was shot down, a Su-57 flew over 16 Fs.",
    "Those in St. Petersburg agreed, as did the U.S.",
    "北約秘書長與台灣記者談導彈。",
    "北约防长讨论无人机和头发。",
)
LANGUAGES = {3: "hi", 10: "zh", 11: "zh"}


@pytest.fixture(scope="module")
def names(es: Elasticsearch, pristine: Pristine) -> Iterator[Names]:
    names = pristine.names()
    times = (NOW - timedelta(hours=n) for n in range(len(TEXTS)))
    stories = [
        a_story(n, title=f"Number {n}", text=text, language=LANGUAGES.get(n, "en"), published=published)
        for n, (text, published) in enumerate(zip(TEXTS, times, strict=True))
    ]
    Press(es, names).publish(*stories)
    es.indices.refresh(index=names.articles)
    yield names
    pristine.clean()


FOUND = {
    "OERUp!": 0,  # hbz/oerworldmap#652
    "now!": 0,  # Flowpack/Flowpack.SearchPlugin#39
    "now! officials": 0,
    "headline - subheadline": 1,  # arangodb/arangodb#928
    "T-Test": 1,  # glpi-project/glpi#6786: taken for "T" without "Test"
    "t-test": 1,
    "FM-Synthese": 1,  # kiwix/kiwix-xulrunner#506
    "FM synthese": 1,  # nyaadevs/nyaa#175
    "mh-17": 8,
    "MH17": 8,
    "SU57": 8,
    "Su-57": 8,
    "St.Petersburg": 9,
    "st.petersburg agreed": 9,
    "St. Petersburg": 9,
    "U.S.": 9,
    "秘书长": 10,  # elastic/elasticsearch-analysis-smartcn: simplified and traditional characters
    "台湾记者": 10,
    "臺灣記者": 10,
    "导弹": 10,
    "無人機": 11,
    "头髮": 11,
    "頭髮 無人機": 11,
    "F.A.R.T.": 2,  # yapstudios/YapDatabase#106
    "R&D AT&T": 2,
    "मोदी": 3,  # mediacloud/web-tools#1731
    '"मोदी"': 3,  # mediacloud/backend#666
    "🍑": 4,  # mediacloud/web-tools#1660: all stories
    "'João Carrasqueira'": 5,  # FreshRSS/FreshRSS#6749
    "joao carrasqueira": 5,
    "Ville-aux-Dames": 5,
    "C:\\some\\location": 6,  # elastic/kibana#84256
    "and/or": 6,  # insomnia-lab/libreant#120
    "(Anthropomorphae):": 7,  # gbhl/bhl-europe#38
    "the anthropomorphae!?": 7,
    "Anthropomorphae !": 7,
}
REFUSED = {
    "!": "needs something behind it",  # HistoryAtState/hsg-shell#89, argilla-io/argilla#211
    "NOT": "needs something behind it",  # scalacenter/scaladex#196
    "camp)": "closes nothing",  # CenterForOpenScience/osf.io#4202
    'now"': "never closed",  # Flowpack/Flowpack.SearchPlugin#39
    "/": "never closed",  # insomnia-lab/libreant#120
    "--ABC*": "column 2",  # elastic/kibana#25413
    "published:2026-02-30": "FEBRUARY 30",
}


@pytest.mark.parametrize("query", FOUND)
def test_it_is_found(es: Elasticsearch, names: Names, query: str) -> None:
    found = find(es, names, query, now=NOW)
    assert [hit.article.title for hit in found.hits[: found.filled]] == [f"Number {FOUND[query]}"]
    assert not found.relaxed
    assert any("\ue000" in part for parts in found.hits[0].highlights.values() for part in parts)


@pytest.mark.parametrize("query", REFUSED)
def test_it_is_refused_with_a_sentence(es: Elasticsearch, names: Names, query: str) -> None:
    with pytest.raises(QueryError, match=re.escape(REFUSED[query])):
        find(es, names, query, now=NOW)


def test_a_day_ends_at_its_midnight_in_utc(es: Elasticsearch, names: Names) -> None:
    """immich-app/immich#23538, danbooru/danbooru#942."""
    days = [f"since:2026-03-0{day} until:2026-03-0{day}" for day in (3, 4)]
    counts = [find(es, names, day, now=NOW).total for day in days]
    assert counts == [sum((NOW - timedelta(hours=n)).day == day for n in range(len(TEXTS))) for day in (3, 4)]
    assert min(counts) > 0
