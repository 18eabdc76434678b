"""`import`: brings in what another archive has: JSON lines, WARC files, another installation. It mails nobody.

A source is read in chunks. Each is a batch: its articles are tagged, written and placed into stories, and only then the
source's cursor moves on, so that an import that is killed at any point goes on where it was and does the last chunk
again, which changes nothing. The batch says that it is imported: whoever finishes it, no saved search is matched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from ingest import import_files
from ingest.addresses import is_address
from ingest.given import IMPORTED
from ingest.import_files import Item, hash_of, is_lines, is_warc
from ingest.urls import known_id
from jobs.context import Context, job
from jobs.encoder import encoder_of
from jobs.enricher import enricher_of
from jobs.known_as import known_as
from jobs.uniting import join_across
from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.errors import NewswatchError
from newswatch.problems import Problem, is_trouble, reason_of
from newswatch.settings import Settings
from store.articles import ArticleStore, Refused, WriteReport
from store.audit import Deed
from store.batches import BatchStore
from store.elastic.client import Client, connect
from store.elastic.documents import Stored
from store.elastic.turns import MATCHING, turn
from store.imports import Import, Imports, Kind, articles_after, content_of, count_of, count_unnumbered, import_id
from store.names import Names, month_end
from store.stories import Stories

CHUNK: Final = 500
"""Articles of a batch."""
CHUNK_CHARS: Final = 20_000_000
"""Characters of their texts together, which bounds the memory."""
CHUNK_RECORDS: Final = 20_000
"""Records of a chunk, if most hold no article: how much is read again after a kill."""
TRIED: Final = 10
"""Ingest numbers that one article may use up."""
LEASE_S: Final = 900
FAULTS: Final = 100
"""Faults that are kept with the import; the command line writes all."""
_URL: Final = re.compile(r"https?://", re.IGNORECASE)

OnFault = Callable[[str, str], None]
"""Called with the name of a record ("line 12") and what is wrong with it."""
Progress = Callable[[int, int], None]
"""Called with the place in the source and its end."""


@dataclass(slots=True)
class ImportReport:
    """What came of a source."""

    name: str
    resumed: int = 0
    """Records that an earlier run had done."""
    records: int = 0
    """Read by this run."""
    new: int = 0
    merged: int = 0
    """Articles that were there: they got versions, or feeds that carry them."""
    known: int = 0
    """Articles that were there just so."""
    without: int = 0
    """Records without an article: empty lines, a WARC's requests and pictures."""
    faults: int = 0
    """Records that could not be used."""
    joined: int = 0
    """Articles that joined a story."""
    was_done: bool = False
    """The same content was imported before, whole."""
    first_faults: list[str] = field(default_factory=list)


@job("import")
def import_source(
    context: Context,
    source: str,
    *,
    prefix: str = "",
    by: str,
    again: bool = False,
    fault: OnFault = lambda _name, _why: None,
    progress: Progress = lambda _place, _end: None,
) -> ImportReport:
    """Import a file (.jsonl, .ndjson, .warc, also .gz), or the installation at an Elasticsearch's address.

    It goes on where an earlier run of the same content stopped; `again` begins anew, which repeats nothing.

    Raises:
        NewswatchError: it is no source, or another process imports it.
        ConfigError: the taxonomy can't be used.
        StoreError: Elasticsearch is unavailable: run it again.
    """
    reader = _reader(context, source, prefix)
    return _Importer(context, reader, by=by, fault=fault, progress=progress).run(again=again)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A source, opened."""

    begun: Import
    end: int
    read: Callable[[int, int], Iterator[Item]]
    """From a place, before which there are so many records."""


def _reader(context: Context, source: str, prefix: str) -> _Reader:
    if _URL.match(source):
        return _installation(context, source, prefix)
    path, now = Path(source), context.clock()
    if not (is_lines(path) or is_warc(path)):
        raise NewswatchError(
            f"{source}: its name does not say what it holds: .jsonl and .ndjson are JSON lines, .warc is WARC, each "
            "also with .gz; http://… is the Elasticsearch of another installation."
        )
    kind: Kind = "lines" if is_lines(path) else "warc"
    size, content = path.stat().st_size, hash_of(path)
    begun = Import(import_id(kind, content), kind, path.name, content, size, now, now)
    read = import_files.lines if kind == "lines" else import_files.pages
    return _Reader(begun, size, lambda place, number: read(path, place, number, now))


def _installation(context: Context, url: str, prefix: str) -> _Reader:
    # Not this installation's own login, which the other one need not know.
    own: dict[str, Any] = dict.fromkeys(("elasticsearch_api_key", "elasticsearch_username", "elasticsearch_password"))
    settings = Settings(**own | {"elasticsearch_url": url, "index_prefix": prefix})
    es, names, now = connect(settings), Names(prefix), context.clock()
    content = content_of(es, names)
    if content == content_of(context.es, context.names):
        raise NewswatchError("That is this installation itself: name another one, or another --index-prefix.")
    size = count_of(es, names)
    begun = Import(
        import_id("installation", content), "installation", settings.elasticsearch_url, content, size, now, now
    )
    return _Reader(begun, size, partial(_stored_items, es, names, now))


def _stored_items(es: Client, names: Names, now: datetime, place: int, number: int) -> Iterator[Item]:
    seq = place
    for seq, article_id, article in articles_after(es, names, place or -1):
        number += 1
        if isinstance(article, str):
            yield Item(seq, f"the article {article_id}", number, fault=article)
        else:
            yield _of_installation(seq, number, article, now)
    if unnumbered := count_unnumbered(es, names):
        name, why = "the installation", f"{unnumbered:,} of its articles have no ingest number and are left out"
        yield Item(seq, name, number + 1, fault=why)


def _of_installation(seq: int, number: int, article: Article, now: datetime) -> Item:
    """An article of another installation: as it is there, but its tags and its story are made anew."""
    name = f"the article {article.id}"
    if not is_address(article.url) or known_id(article.url) != article.id:
        return Item(seq, name, number, fault=f"its address {article.url[:200]!r} is not the one it is known by")
    if article.first_seen > now + timedelta(days=1):
        return Item(seq, name, number, fault=f"it was first seen in the future, {article.first_seen.isoformat()}")
    extractor = article.provenance.extractor
    extractor = extractor if extractor.startswith(IMPORTED) else f"{IMPORTED} {extractor}"
    fresh = replace(article, story_id="", duplicate_of=None, placed_at=None, placed_by="", problems=())
    imported = replace(fresh, provenance=replace(article.provenance, extractor=extractor))
    return Item(seq, name, number, imported, article.url)


class _Importer:
    def __init__(self, context: Context, reader: _Reader, *, by: str, fault: OnFault, progress: Progress) -> None:
        self._context, self._reader, self._by = context, reader, by
        self._on_fault, self._progress = fault, progress
        self._imports = Imports(context.es, context.names)
        self._batches = BatchStore(context.es, context.names)
        self._articles = ArticleStore(context.es, context.names, importing=True)
        window = timedelta(days=context.settings.story_window_days)
        self._stories = Stories(context.es, context.names, window=window, encoder=encoder_of(context))
        self._enriched = enricher_of(context)
        self._walls = context.bulkhead("import")
        self._report = ImportReport(reader.begun.name)

    def run(self, *, again: bool) -> ImportReport:
        was = self._imports.get(self._reader.begun.id)
        if was and was.value.done and not again and self._reader.begun.kind != "installation":
            self._report.was_done, self._report.resumed = True, was.value.number
            return self._report
        begun = self._reader.begun if again or was is None else replace(was.value, done=False)
        begun = replace(begun, name=self._reader.begun.name, size=self._reader.begun.size)
        self._report.resumed = begun.number
        source = f"{begun.kind} {begun.name}"
        details = f"{begun.size} bytes or articles, from record {begun.number + 1}"
        self._context.audit.record(Deed(self._by, "articles imported", source, "", begun.hash[:16], details))
        stored = self._imports.save(begun, was)
        for left in self._batches.unfinished_imports():  # a run that died must not let later copies come first
            self._place(left.value.number)
        for chunk in chunks(self._reader.read(begun.place, begun.number)):
            stored = self._chunk(stored, chunk)
            self._progress(stored.value.place, self._reader.end)
        self._imports.save(replace(stored.value, done=True, changed_at=self._context.clock()), stored)
        self._keep_faults()
        return self._report

    def _chunk(self, stored: Stored[Import], chunk: Sequence[Item]) -> Stored[Import]:
        """Bring in a chunk, and move the cursor behind it."""
        faults = [(item.name, item.fault) for item in chunk if item.fault]
        taken: list[tuple[Article, str]] = []
        for item in chunk:
            if item.article is not None:
                self._take(item, item.article, taken, faults)
        written = self._write(known_as(self._articles, taken)) if taken else WriteReport()
        faults += [(f"the article {refused.article.url}", refused.reason) for refused in written.refused]
        for name, why in faults:
            self._on_fault(name, why)
        self._count(chunk, written, len(faults))
        kept = [f"{name}: {why}"[:500] for name, why in faults][: FAULTS - len(stored.value.faults)]
        self._report.first_faults += kept
        counts = Counter(stored.value.counts)
        counts.update(new=len(written.new), merged=len(written.carried), known=len(written.known), faults=len(faults))
        last, now = chunk[-1], self._context.clock()
        moved = replace(stored.value, place=last.place, number=last.number, changed_at=now, counts=dict(counts))
        return self._imports.save(replace(moved, faults=(*moved.faults, *kept)), stored)

    def _take(
        self, item: Item, article: Article, taken: list[tuple[Article, str]], faults: list[tuple[str, str]]
    ) -> None:
        keep = timedelta(days=self._context.settings.retention_days)
        if month_end(f"{article.first_seen:%Y.%m}") <= self._context.clock() - keep:
            days = self._context.settings.retention_days
            why = f"it is of {article.first_seen:%Y-%m}; NEWSWATCH_RETENTION_DAYS keeps {days} days and would drop it"
            faults.append((item.name, why))
            return
        try:
            taken.append((self._enriched(article), item.url))
        except Exception as error:  # a fault of ours costs this article
            faults.append((item.name, reason_of(error)))

    def _write(self, articles: Sequence[Article]) -> WriteReport:
        """Write the articles as one batch, and place them into stories; nobody is mailed, whoever finishes it."""
        now = self._context.clock()
        batch = self._batches.begin(self._batches.open([], now=now, lease_s=LEASE_S, imported=True).number)
        written = self._written(articles, batch, now)
        self._batches.mark_indexed(batch.number, counts={"imported": len(written.new)}, now=self._context.clock())
        self._place(batch.number)
        return written

    def _place(self, number: int) -> None:
        """Place the articles of a batch into stories, as matching does, and end the batch.

        One that is still planned may be written by another import that lives. It counts as given up: readers in ingest
        order wait for its lease, and matching places what comes late.
        """
        with turn(self._context.es, self._context.names, MATCHING) as hold:  # copies must meet in order
            self._batches.give_up(number, now=self._context.clock())
            waiting = self._batches.get(number)
            placed = self._stories.place(waiting.value, now=self._context.clock(), hold=hold)
            waiting = join_across(self._context, waiting, hold)
            self._batches.mark_matched(waiting, now=self._context.clock())
        self._report.joined += placed.joined + placed.copies

    def _written(self, articles: Sequence[Article], batch: Batch, now: datetime) -> WriteReport:
        """Write all together; if one of them makes that fail, one by one, so that it costs only itself."""
        seq, total = batch.seq_of_attempt, WriteReport()
        try:
            return self._articles.write(articles, batch, seq, now=now)
        except Exception as error:
            if is_trouble(error):
                raise
        for place, article in enumerate(articles, 1):
            first = seq + len(articles) + TRIED * place
            try:
                total = total.plus(self._articles.write([article], batch, first, now=now))
            except Exception as error:
                if is_trouble(error):
                    raise
                total = total.plus(WriteReport(refused=(Refused(article, reason_of(error)),)))
        return total

    def _count(self, chunk: Sequence[Item], written: WriteReport, faults: int) -> None:
        report = self._report
        report.records += len(chunk)
        report.new += len(written.new)
        report.merged += len(written.carried)
        report.known += len(written.known)
        report.without += sum(item.article is None and not item.fault for item in chunk)
        report.faults += faults

    def _keep_faults(self) -> None:
        if not self._report.faults:
            return
        told = f"{self._report.faults:,} records could not be used; the first: {self._report.first_faults[0]}"
        self._walls.note(Problem("document", self._reader.begun.name, told, self._walls.stage))
        self._context.keep_problems(self._walls)


def chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    """The items in chunks of `CHUNK` articles, `CHUNK_CHARS` characters or `CHUNK_RECORDS` records. Pure."""
    chunk: list[Item] = []
    articles = chars = 0
    for item in items:
        chunk.append(item)
        if item.article is not None:
            articles += 1
            chars += len(item.article.text) + len(item.article.summary)
        if articles >= CHUNK or chars >= CHUNK_CHARS or len(chunk) >= CHUNK_RECORDS:
            yield chunk
            chunk, articles, chars = [], 0, 0
    if chunk:
        yield chunk
