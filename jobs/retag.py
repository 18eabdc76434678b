"""`retag`: tags the archive again from its stored text, after the taxonomy has changed. It enqueues no mails.

Each article keeps its place in the ingest order, so no saved search takes it for new. An article that carries the
taxonomy's version is done, so a second run, or one for another month, continues where the first stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from jobs.context import Context, job
from jobs.tagger import tagger_of
from newswatch.article import Article, Level
from store.article_documents import renewed, with_document
from store.articles import ArticleStore
from store.audit import Deed
from store.elastic import bulk
from store.elastic.compare_and_set import until_written
from store.elastic.documents import Document, Stored, all_stored
from store.elastic.reading import pages
from store.generations import await_writable
from store.quarantine import article_problem
from transforms.repeated_lines import without_lines
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

_PAGE = 500
_EXAMPLES = 3
_TRIES = 10

Progress = Callable[[int, int], None]
"""Called with the number of articles done, and the total."""


@dataclass(frozen=True, slots=True)
class Example:
    """An article whose tags change."""

    url: str
    title: str


@dataclass(slots=True)
class RetagReport:
    """Which tags articles gain and lose. A tag is "nato", or "nato (main)" if only the level changes."""

    taxonomy: str = ""
    articles: int = 0
    changed: int = 0
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    """"+nato" or "-nato" → some of the articles."""


def slices(context: Context) -> list[str]:
    """The monthly slices to retag, newest first; different workers can retag different slices."""
    return ArticleStore(context.es, context.names).slices()


@job("retag")
def retag(
    context: Context,
    indices: Sequence[str] | None = None,
    *,
    dry_run: bool = False,
    taxonomy: Path | None = None,
    progress: Progress | None = None,
) -> RetagReport:
    """Retag the articles that do not carry the taxonomy's version, in `indices` or everywhere.

    `taxonomy` is a file to use instead of the configured one, to see its effect before putting it in force.

    Raises:
        ConfigError: the taxonomy can't be read; nothing was changed.
        StoreError: Elasticsearch is unavailable; run it again, and it continues where it stopped.
    """
    tagger = Tagger(load_taxonomy(taxonomy)) if taxonomy else tagger_of(context, adopt=not dry_run)
    report = RetagReport(taxonomy=tagger.taxonomy.version)
    for index in slices(context) if indices is None else indices:
        _Slice(context, index, tagger, report, progress).run(dry_run=dry_run)
    return report


class _Slice:
    def __init__(
        self, context: Context, index: str, tagger: Tagger, report: RetagReport, progress: Progress | None
    ) -> None:
        self._es, self._index, self._tagger, self._report = context.es, index, tagger, report
        self._names = context.names
        self._context, self._walls = context, context.bulkhead("retag")
        self._progress = progress
        done = {"term": {"provenance.taxonomy": tagger.taxonomy.version}}
        self._outdated = {"bool": {"must_not": done}}

    def run(self, *, dry_run: bool) -> None:
        def attempt() -> bool | None:
            overtaken = sum(self._do(page, dry_run=dry_run) for page in self._pages())
            return None if overtaken else True

        self._es.indices.refresh(index=self._index)
        if not dry_run and (outdated := int(self._es.count(index=self._index, query=self._outdated)["count"])):
            details = f"{outdated} articles, taxonomy {self._tagger.taxonomy.version}"
            self._context.audit.record(Deed("retag", "articles tagged again", self._index, details=details))
        message = f"Others keep changing articles of {self._index}: run it again."
        until_written(attempt, lambda: message, tries=_TRIES)

    def _pages(self) -> Iterator[list[Stored[tuple[Article, Document]]]]:
        """The outdated articles as of this moment, whatever is written while they are read."""
        self._es.indices.refresh(index=self._index)
        total = int(self._es.count(index=self._index, query=self._outdated)["count"])
        done = 0
        for hits in pages(
            self._es, self._index, self._outdated, size=_PAGE, sort=[{"seq": "asc"}], seq_no_primary_term=True
        ):
            yield all_stored(hits, with_document)
            done += len(hits)
            if self._progress:
                self._progress(done, total)

    def _do(self, page: list[Stored[tuple[Article, Document]]], *, dry_run: bool) -> int:
        """Retag a page; returns how many of its articles another writer has changed in the meantime."""
        attempts = [(was, self._tag(was.value[0])) for was in page]
        tagged = [(was, article) for was, article in attempts if article is not None]
        if dry_run:
            for was, article in tagged:
                _note(self._report, was.value[0], article)
            self._keep_problems()
            return 0
        topics = self._tagger.taxonomy.called
        actions = (bulk.replace(was, renewed(was.id, was.value[1], topics, article)) for was, article in tagged)
        overtaken, moved = 0, False
        for (was, article), result in zip(tagged, bulk.write(self._es, actions), strict=True):
            if result.reason is None:
                _note(self._report, was.value[0], article)
            elif result.conflict or result.moved:
                overtaken, moved = overtaken + 1, moved or result.moved
            elif result.own_fault:
                self._walls.note(article_problem(article, result.reason, stage="retag"))
            else:
                bulk.won(result)
        self._keep_problems()
        if moved:
            await_writable(self._es, self._names)
        return overtaken

    def _keep_problems(self) -> None:
        """Keep the problems of a page, each once."""
        self._context.keep_problems(self._walls)
        self._walls = self._context.bulkhead("retag")

    def _tag(self, article: Article) -> Article | None:
        """The article tagged again; None if that fails: then it goes into quarantine and keeps its stored tags."""
        work = partial(tag_again, article, self._tagger)
        return self._walls.attempt("article", article.id, work, url=article.url, feed_id=article.source.feed_id)


def tag_again(article: Article, tagger: Tagger) -> Article:
    """The article with the tags and entities that `tagger` gives it; everything else is unchanged."""
    tagged = tagger.tag(
        title=article.title,
        summary=without_lines(article.summary, article.repeated),
        text=without_lines(article.text, article.repeated),
        language=article.language,
        date=article.published,
    )
    provenance = replace(article.provenance, taxonomy=tagger.taxonomy.version)
    return replace(article, tags=tagged.tags, entities=tagged.entities, provenance=provenance)


def _note(report: RetagReport, was: Article, article: Article) -> None:
    report.articles += 1
    before, after = _levels(was), _levels(article)
    if before == after:
        return
    report.changed += 1
    for sign, names in (("+", after.keys() - before.keys()), ("-", before.keys() - after.keys())):
        counts = report.gained if sign == "+" else report.lost
        for name in names:
            counts[name] += 1
            examples = report.examples.setdefault(sign + name, [])
            if len(examples) < _EXAMPLES:
                examples.append(Example(article.url, article.title))


def _levels(article: Article) -> dict[str, Level]:
    return {f"{tag.tag} (main)" if tag.level == "main" else tag.tag: tag.level for tag in article.tags}
