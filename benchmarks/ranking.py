"""How well search ranks, on judged queries over real articles: `python -m benchmarks.ranking [--data FOLDER]`.

The queries and their judgements are in tests/search/judged, the articles in the development data beside the project.
They go into an embedded Elasticsearch as newswatch writes them, tagged and, where the encoder is installed, with their
vectors (`--words` leaves them out, and saves some two minutes); then each query is put to several systems:

    meaning       `find` with vectors, as the page and the command line use it
    plain         `find` without, as the page and the command line use it where there is no encoder
    words         the same in the order of the words alone, as the API uses it
    required      only the articles that have all of the words, as saved searches and `--export` do
    BM25          any of the words, in title and text, as a plain index would rank them

The table gives nDCG@10 (gain 2^grade - 1) by half, round of judging and language; ± is the standard error of the unseen
half. An article that was not judged counts as irrelevant; a column tells how many there were. A query belongs to the
unseen half if the first byte of its SHA-256 is odd: weights were searched on the other half. The third round, on
defence and security at large, is outside of both halves, so that they can be compared with what they were. A second
table gives our own figure with its interval, and how much it is above the systems below it on the same queries; all by
bootstrap, at 95 %. A last line says how many of the first rows show what was found. With `--queries`, each query's own
figure is printed too.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final
from urllib.parse import quote, unquote

from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from benchmarks.evaluate.measures import Figure, resampled
from embedded.elasticsearch import start_elasticsearch
from ingest.urls import article_id
from newswatch.article import Article, Meaning, Provenance, Source
from newswatch.settings import Settings, default_config_dir
from search.asked import understood
from search.highlight import MARK_START
from search.meant import meant
from search.query import Hit, find
from store.article_documents import to_document
from store.elastic.client import connect
from store.generations import create_slice
from store.indices.setup import set_up
from store.names import Names
from transforms import encoder as encoders
from transforms.encoder import Encoder
from transforms.enrich import enrich
from transforms.meaning import with_meaning
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = ROOT.parent / "shared" / "data"
JUDGED: Final = ROOT / "tests" / "search" / "judged" / "queries.jsonl"
VECTORS: Final = JUDGED.with_name("vectors.jsonl")
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""When the queries are put."""
_UNDATED: Final = NOW - timedelta(days=400)
_SITE: Final = "https://judged.example/"
_DEPTH: Final = 10
_PAGE: Final = 20
"""Rows of a page: what stands among its first ten may come from all of it."""
AT_LARGE: Final = 3
"""The round of judging on defence and security at large; the others are on NATO and counter-terrorism."""
_FEWEST: Final = 5
"""Queries from which on an interval says something."""
_SETS: Final[Mapping[str, int | None]] = {
    "recent_dev.jsonl.gz": None,
    "labelled_dev.jsonl": None,
    "recent_labelled_dev.jsonl": None,
    "stories_dev/articles.jsonl": None,
    "ant_multi_dev.jsonl.gz": 1_000,
    "abp_dev.jsonl.gz": 1_500,
    "agnews_test_dev.jsonl.gz": 400,
    "re3d_dev.jsonl.gz": None,
    "muc3_dev.jsonl.gz": 300,
}
"""File → how many of its first lines; None: all."""
NO_DATA: Final = 2

Grades = Mapping[str, int]
"""Article's id in the data → 0 (no answer) to 3 (what was asked for)."""
System = Callable[[str], list[str]]
"""Query → ids of the first articles, in the data."""
Row = Mapping[str, Any]


# ── queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class JudgedQuery:
    """A query with its judgements."""

    query: str
    language: str
    grades: Grades
    round: int = 1
    """When it was written and judged: see the folder's README."""

    @property
    def is_unseen(self) -> bool:
        """Whether the ranking was chosen without it."""
        return hashlib.sha256(self.query.encode()).digest()[0] % 2 == 1


def judged_queries(file: Path = JUDGED) -> list[JudgedQuery]:
    """The queries that have an answer among the articles."""
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    queries = [JudgedQuery(line["query"], line["language"], line["grades"], line["round"]) for line in lines]
    return [query for query in queries if any(query.grades.values())]


def ndcg(ids: Sequence[str], grades: Grades) -> float:
    """nDCG@10 of a list: its discounted gain relative to the best possible list's (Järvelin, Kekäläinen 2002)."""
    return _dcg([grades.get(id_, 0) for id_ in ids]) / _dcg(sorted(grades.values(), reverse=True))


def _dcg(grades: Sequence[int]) -> float:
    return sum((2.0**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades[:_DEPTH]))


# ── articles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def rows(news: Path) -> Iterator[Row]:
    """The data's articles, each once."""
    seen: set[tuple[str, str]] = set()
    ids: set[str] = set()
    for name, most in _SETS.items():
        for number, row in enumerate(_lines(news / name)):
            if number == most:
                break
            title, text = _text(row, "title"), _text(row, "text")
            if (title or text) and (title, text[:200]) not in seen and row["id"] not in ids:
                seen.add((title, text[:200]))
                ids.add(row["id"])
                yield row


def _lines(file: Path) -> Iterator[Row]:
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8")
    return (json.loads(line) for line in text.split("\n") if line)


def _text(row: Row, name: str) -> str:
    return (row.get(name) or "").strip()


def article_of(row: Row) -> Article:
    """The article of a row, as a feed would bring it."""
    url = _SITE + quote(row["id"], safe="")
    published = _published(row.get("published") or row.get("date") or "")
    seen = published or _UNDATED
    return Article(
        id=article_id(url),
        url=url,
        title=_text(row, "title"),
        summary="",
        text=_text(row, "text"),
        text_status="full",
        source=Source("judged", str(row.get("source") or "unknown")[:100], "judged.example"),
        first_seen=seen,
        provenance=Provenance(seen, page_fetched=False, extractor="none"),
        published=published,
        language=(row.get("lang") or row.get("language") or "")[:2] or None,
        feeds=("judged",),
    )


def _published(stated: str) -> datetime | None:
    """When it was published; None for a date that is only a year, or lies ahead."""
    try:
        moment = datetime.fromisoformat(stated.replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment if moment < NOW else None


def fill(
    es: Elasticsearch,
    names: Names,
    articles: Iterable[Article],
    encoder: Encoder | None = None,
    kept: Mapping[str, Meaning] | None = None,
) -> int:
    """Tag the articles, encode those with tags, and write all to a slice; how many. `es` has newswatch's templates.

    With `kept` vectors (by the id in the data), only those are encoded whose text or encoder is another than then.
    """
    create_slice(es, names, f"{NOW:%Y.%m}")
    index = next(iter(es.indices.get_alias(name=names.articles)))
    tagger = Tagger(load_taxonomy(default_config_dir() / "taxonomy.yaml"))

    def actions() -> Iterator[dict[str, Any]]:
        for number, article in enumerate(articles, 1):
            known = None if kept is None else kept.get(id_of(article.url))
            tagged = replace(enrich(article, tagger), duplicate_of=None, meaning=known)
            whole = with_meaning(tagged, encoder if kept is None or known else None)
            document = to_document(whole, names.topics(), batch_id="000000000001", seq=number, indexed_at=NOW)
            yield {"_index": index, "_id": article.id, "_source": document}

    written, _ = bulk(es, actions(), chunk_size=500)
    es.indices.forcemerge(index=index, max_num_segments=1)
    es.indices.refresh(index=index)
    return written


# ── vectors for the tests ────────────────────────────────────────────────────────────────────────────────────────────


def sampled(queries: Iterable[JudgedQuery]) -> list[JudgedQuery]:
    """One in three, by the second byte of the SHA-256: those that the tests ask by meaning."""
    return [query for query in queries if hashlib.sha256(query.query.encode()).digest()[1] % 3 == 0]


def kept_vectors(file: Path = VECTORS) -> dict[str, Meaning]:
    """Id in the data → the vector of an article that was judged for a `sampled` query."""
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {line.pop("id"): Meaning(**line) for line in lines}


def keep_vectors(es: Elasticsearch, names: Names, file: Path = VECTORS) -> None:
    """Write what `kept_vectors` reads."""
    ids = sorted({id_ for query in sampled(judged_queries()) for id_ in query.grades})
    urls = {article_id(_SITE + quote(id_, safe="")): id_ for id_ in ids}
    query = {"bool": {"filter": [{"ids": {"values": [*urls]}}, {"exists": {"field": "meaning.by"}}]}}
    hits = es.search(index=names.articles, query=query, size=len(ids), source_includes=["meaning"])["hits"]["hits"]
    lines = sorted(json.dumps({"id": urls[hit["_id"]], **hit["_source"]["meaning"]}) for hit in hits)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


# ── systems ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def systems(es: Elasticsearch, names: Names) -> dict[str, System]:
    """Name → system, the best ones first."""

    def meaning(query: str) -> list[str]:
        meant(understood(query, names).words)  # on a busy machine, a page may not wait for it
        return _first(find(es, names, query, size=_PAGE, now=NOW, vectors=True).hits)

    def plain(query: str) -> list[str]:
        return _first(find(es, names, query, size=_PAGE, now=NOW, said_first=True).hits)

    def words(query: str) -> list[str]:
        return _first(find(es, names, query, size=_PAGE, now=NOW).hits)

    def required(query: str) -> list[str]:
        results = find(es, names, query, size=_PAGE, now=NOW)
        return _first(results.hits[: results.filled])

    def bm25(query: str) -> list[str]:
        any_word = {"combined_fields": {"query": query, "fields": ["title", "text"], "operator": "or"}}
        hits = es.search(index=names.articles, query=any_word, size=_DEPTH, source_includes=["url"])["hits"]["hits"]
        return [id_of(hit["_source"]["url"]) for hit in hits]

    return {"meaning": meaning, "plain": plain, "words": words, "required": required, "BM25": bm25}


def _first(hits: Sequence[Hit]) -> list[str]:
    return [id_of(hit.article.url) for hit in hits[:_DEPTH]]


def id_of(url: str) -> str:
    """The id that the data have for the article."""
    return unquote(url.removeprefix(_SITE))


# ── reporting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def figures(system: System, queries: Sequence[JudgedQuery]) -> dict[str, float]:
    """Mean nDCG@10 under "all", each half, half and round ("seen 1") and language. Under "±", the standard error of the
    unseen half's mean; under "unjudged", the number of articles without a judgement. Halves are of rounds 1 and 2."""
    by_group: dict[str, list[float]] = defaultdict(list)
    unjudged = 0
    for query in queries:
        ids = system(query.query)
        unjudged += sum(id_ not in query.grades for id_ in ids)
        for group in _groups(query):
            by_group[group].append(ndcg(ids, query.grades))
    unseen = by_group["unseen"]
    means = {group: fmean(values) for group, values in by_group.items()}
    return means | {"±": stdev(unseen) / math.sqrt(len(unseen)), "unjudged": unjudged}


def _groups(query: JudgedQuery) -> tuple[str, ...]:
    half = "unseen" if query.is_unseen else "seen"
    return "all", "at large" if query.round == AT_LARGE else half, f"{half} {query.round}", query.language


def estimates(values: Mapping[JudgedQuery, float]) -> dict[str, Figure]:
    """Group, as in `figures` → the mean of its queries' values, with an interval by bootstrap."""
    by_group: dict[str, list[float]] = defaultdict(list)
    for query, value in values.items():
        for group in _groups(query):
            by_group[group].append(value)
    return {group: figure for group, some in by_group.items() if (figure := resampled(some, fmean))}


def lead(ours: System, others: Mapping[str, System], queries: Sequence[JudgedQuery]) -> Iterator[str]:
    """For each group of at least five queries, our nDCG@10 and its differences to those of other systems."""
    own = {query: ndcg(ours(query.query), query.grades) for query in queries}
    above = {
        name: estimates({query: value - ndcg(theirs(query.query), query.grades) for query, value in own.items()})
        for name, theirs in others.items()
    }
    columns = "".join(f"{f'above {name}':>15}{'95 %':>18}" for name in others)
    yield f"{'':12}{'queries':>9}{'ours':>9}{'95 %':>16}{columns}"
    for group, one in estimates(own).items():
        if one.cases >= _FEWEST:
            mean = f"{group:12}{one.cases:9}{one.value:9.3f}{f'{one.low:.3f} to {one.high:.3f}':>16}"
            yield mean + "".join(_difference(differences[group]) for differences in above.values())


def _difference(figure: Figure) -> str:
    return f"{figure.value:+15.3f}{f'{figure.low:+.3f} to {figure.high:+.3f}':>18}"


def report(found: Mapping[str, System], queries: Sequence[JudgedQuery]) -> Iterator[str]:
    """A row for each system."""
    languages = [*dict.fromkeys(query.language for query in queries)]
    by_round = sorted(f"{half} {n}" for half in ("seen", "unseen") for n in (1, 2, AT_LARGE))
    groups = ("all", "seen", "unseen", "±", "at large", *by_round)
    yield f"{'nDCG@10':12}" + "".join(f"{name:>9}" for name in (*groups, "unjudged", *languages))
    for name, system in found.items():
        each = figures(system, queries)
        values = "".join(f"{each[group]:9.3f}" for group in groups)
        by_language = "".join(f"{each[language]:9.2f}" for language in languages)
        yield f"{name:12}{values}{each['unjudged']:9.0f}{by_language}"


def _each(found: Mapping[str, System], queries: Sequence[JudgedQuery]) -> Iterator[str]:
    for query in queries:
        values = "  ".join(f"{name} {ndcg(system(query.query), query.grades):.2f}" for name, system in found.items())
        yield f"{'unseen' if query.is_unseen else 'seen':7}{values}  {query.language} {query.query}"


def marks(es: Elasticsearch, names: Names, queries: Sequence[JudgedQuery], *, vectors: bool) -> str:
    """How many of the first ten rows show why they were found: by a marked word, or by saying what stands for one."""
    pages = (find(es, names, query.query, size=_PAGE, now=NOW, vectors=vectors) for query in queries)
    hits = [hit for page in pages for hit in page.hits[:_DEPTH]]
    marked = sum(any(MARK_START in text for texts in hit.highlights.values() for text in texts) for hit in hits)
    said = sum(bool(hit.stand_ins or hit.by_meaning) and not hit.highlights for hit in hits)
    neither = [hit.article.url for hit in hits if not (hit.highlights or hit.stand_ins or hit.by_meaning)]
    shares = f"{marked / len(hits):.1%} marked, {said / len(hits):.1%} said otherwise"
    return f"{len(hits):,} first rows: {shares}, {len(neither)} neither{': ' * bool(neither)}{', '.join(neither[:5])}"


def main() -> int:
    """Index, ask, print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the development data (default: ../shared/data)")
    parser.add_argument("--words", action="store_true", help="without vectors, as where there is no encoder")
    parser.add_argument("--keep-vectors", action="store_true", help="write those that the tests need, too")
    parser.add_argument("--queries", action="store_true", help="print each query's figures too")
    options = parser.parse_args()
    news = options.data / "news"
    if missing := [name for name in _SETS if not (news / name).is_file()]:
        print(f"Nothing was measured: {', '.join(missing)} is missing in {news}.", file=sys.stderr)
        return NO_DATA
    with (
        tempfile.TemporaryDirectory(prefix="newswatch-ranking-") as folder,
        start_elasticsearch(Path(folder), port=0, heap_mb=1_024) as node,
        connect(settings := Settings(elasticsearch_url=node.url)) as es,
    ):
        set_up(es, names := Names(), settings)
        queries, encoder = judged_queries(), None if options.words else encoders.load()
        with_vectors = f"encoded by {encoder.name}" if encoder else "without vectors"
        count = fill(es, names, map(article_of, rows(news)), encoder)
        print(f"{count:,} articles, {with_vectors}, {len(queries)} queries")
        found: dict[str, System] = {name: cache(system) for name, system in systems(es, names).items()}
        if encoder is None:
            del found["meaning"]
        elif options.keep_vectors:
            keep_vectors(es, names)
        best, *others = found
        each = _each(found, queries) if options.queries else ()
        below = {name: found[name] for name in others if name != "required"}
        shown = marks(es, names, queries, vectors=encoder is not None)
        for line in (*report(found, queries), "", *lead(found[best], below, queries), "", shown, *each):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
