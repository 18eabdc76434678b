"""`replay`: reads articles again from the archive, with the code of today, and shows what would be different.

Each archived document of a feed is parsed again; of each entry that led to an article, entry and page are read as
`pull` would now, and the outcome is compared with the stored article. Entries whose words the feed has changed since
are left out: a later document has them. Nothing is written without `write`, and then only the fields that come from the
bytes: the article keeps its place, its story, its version and its first sight, so no saved search takes it for new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from ingest.addresses import is_address
from ingest.apart import page_of
from ingest.archive import Kept, days, kept, read_at
from ingest.assemble import assemble, wants_page
from ingest.http.fetched import Fetched
from ingest.pages.extract import extract, extractor_version
from ingest.pages.extracted import Extracted
from ingest.parse import parse
from ingest.parsed import NotAFeed
from ingest.urls import known_id
from jobs.context import Context, job
from jobs.tagger import tagger_of
from newswatch.article import Article
from newswatch.entry import Entry
from newswatch.errors import NewswatchError
from newswatch.feed import Feed
from newswatch.problems import Bulkhead
from store.article_documents import renewed
from store.articles import ArticleStore
from store.audit import Deed
from store.elastic import bulk
from store.elastic.documents import Document, Stored
from store.entries import EntryStore, entry_key, says_the_same
from store.feeds import FeedStore
from transforms.enrich import enrich

FIELDS: Final = ("title", "summary", "text", "text_status", "authors", "published", "updated", "language", "image")
"""What is compared, besides the tags."""
_DERIVED: Final = ("tags", "entities", "text_hash", "problems", "agency")
"""What follows from them and is written with them."""

Named = tuple[str | None, str]
"""What a record is known by, wherever it stands: its feed, if it is a feed's document, and its body's hash."""
Place = tuple[Path, int, Named]
Stood = Stored[tuple[Article, Document]]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of an article that is read otherwise now."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """An article that is read otherwise now."""

    article_id: str
    url: str
    title: str
    fields: tuple[FieldChange, ...]


@dataclass(slots=True)
class ReplayReport:
    """What was read again."""

    extractor: str = ""
    documents: int = 0
    """Archived documents of feeds."""
    pages: int = 0
    """Archived pages."""
    damaged: int = 0
    """Records, or ends of files, that can't be read."""
    unread: int = 0
    """Documents of feeds that are gone, or that are read as no feed now."""
    compared: int = 0
    changed: int = 0
    written: int = 0
    overtaken: int = 0
    """Articles that another writer changed meanwhile; they keep what they have."""
    without_page: int = 0
    """Articles whose page is not in the archive."""
    failed: int = 0
    """Articles that could not be read again; they are among the problems."""
    fields: Counter[str] = field(default_factory=Counter)
    """How many articles changed in which field."""


Each = Callable[[Change], None]
Progress = Callable[[int, int], None]
"""Called with the number of documents done, and of all in the days to read."""


def _place(record: Kept) -> Place:
    return record.path, record.offset, (record.feed_id, record.answer.body_hash)


@job("replay")
def replay(
    context: Context,
    *,
    since: date | None = None,
    until: date | None = None,
    feed_id: str | None = None,
    write: bool = False,
    each: Each = lambda _change: None,
    progress: Progress = lambda _done, _total: None,
) -> ReplayReport:
    """Read the articles of the archived days again, of one feed or of all; `each` is called for every change.

    Raises:
        NewswatchError: nothing is archived, or nothing of these days.
        ConfigError: the taxonomy can't be read.
        StoreError: Elasticsearch is unavailable. Repeating it is harmless.
    """
    folder = context.settings.archive_dir
    if folder is None:
        raise NewswatchError("Nothing is archived: set NEWSWATCH_ARCHIVE_DIR, and what is read from then on is kept.")
    chosen = [day.day for day in days(folder) if (since or day.day) <= day.day <= (until or day.day)]
    if not chosen:
        raise NewswatchError(f"{folder} holds nothing of these days: `newswatch archive` lists what it holds.")
    if write:
        details = f"days {chosen[0]} to {chosen[-1]}, extractor {extractor_version()}"
        context.audit.record(Deed("replay", "articles read again", feed_id or "all feeds", details=details))
    player = _Player(context, folder, write=write, each=each)
    for day in chosen:
        player.play(day, feed_id, progress)
    context.keep_problems(player.walls)
    return player.report


class _Player:
    def __init__(self, context: Context, folder: Path, *, write: bool, each: Each) -> None:
        self._context, self._folder, self._write, self._each = context, folder, write, each
        self._articles = ArticleStore(context.es, context.names)
        self._entries = EntryStore(context.es, context.names)
        self._feeds = FeedStore(context.es, context.names)
        self._tagger = tagger_of(context, adopt=False)
        self.walls: Bulkhead = context.bulkhead("replay")
        self.report = ReplayReport(extractor=extractor_version())
        self._done: set[str] = set()
        self._joined: dict[Path, Mapping[Named, Place]] = {}
        """File that is gone → where its day's records stand now."""
        self._known_feeds: dict[str, Feed | None] = {}

    def play(self, day: date, feed_id: str | None, progress: Progress) -> None:
        """Read the day's documents again. Their pages were archived on the day itself or on the next."""
        documents, pages = self._index(day, count=True)
        pages |= self._index(day + timedelta(days=1), count=False)[1]
        chosen = [place for feed, place in documents if feed_id in (None, feed)]
        for done, place in enumerate(chosen):
            progress(done, len(chosen))
            try:
                record = self._at(place)
            except OSError:
                self.report.damaged += 1
            else:
                self._document(record, pages)
        progress(len(chosen), len(chosen))

    def _index(self, day: date, *, count: bool) -> tuple[list[tuple[str, Place]], dict[str, Place]]:
        """Where the day's documents are, in the order in which they were read, and its pages by their hash."""
        documents, pages = [], {}
        for record in kept(self._folder, day):
            if isinstance(record, OSError):
                self.report.damaged += count
            elif record.feed_id is not None:
                documents.append((record.answer.fetched_at, record.feed_id, _place(record)))
                self.report.documents += count
            else:
                pages[record.answer.body_hash] = _place(record)
                self.report.pages += count
        return [(feed, place) for _, feed, place in sorted(documents)], pages

    def _at(self, place: Place) -> Kept:
        """The record of a place. At midnight `tidy` joins a day's files, and its records are found anew.

        Raises:
            OSError: it can't be read, or is gone.
        """
        path, offset, named = place
        try:
            return read_at(path, offset)
        except FileNotFoundError:
            day = date.fromisoformat(path.parent.name)
            if path not in self._joined:
                there = (record for record in kept(self._folder, day) if not isinstance(record, OSError))
                self._joined[path] = {where[2]: where for where in map(_place, there)}
            if (now := self._joined[path].get(named)) is None:
                raise
        return read_at(*now[:2])

    def _document(self, record: Kept, pages: Mapping[str, Place]) -> None:
        """Compare the articles of a feed's document with what it and their pages say now."""
        feed = self._feed(record.feed_id or "")
        if feed is None:
            self.report.unread += 1
            return
        answer = record.answer
        work = partial(_entries_of, answer, feed)
        entries = self.walls.attempt("feed", feed.id, work, url=answer.final_url, feed_id=feed.id)
        if entries is None:
            self.report.unread += 1
            return
        changed: list[tuple[Stood, Article]] = []
        for entry, was in self._stood(feed, entries):
            article = was.value[0]
            if article.id in self._done:
                continue
            place = pages.get(article.provenance.body_hash or "") if article.provenance.page_fetched else None
            if article.provenance.page_fetched and place is None:
                self.report.without_page += 1
                self._done.add(article.id)
                continue
            self._done.add(article.id)
            read = partial(self._again, article, entry, feed, place)
            options = {"url": article.url, "feed_id": feed.id}
            found = self.walls.attempt("article", article.id, read, **options)
            if found is None:
                self.report.failed += 1
            elif change := self._compared(article, found):
                self._each(change)
                changed.append((was, found))
        if self._write and changed:
            self._written(changed)

    def _feed(self, feed_id: str) -> Feed | None:
        if feed_id not in self._known_feeds:
            record = self.walls.attempt("feed", feed_id, partial(self._feeds.get, feed_id), feed_id=feed_id)
            self._known_feeds[feed_id] = record.feed if record else None
        return self._known_feeds[feed_id]

    def _stood(self, feed: Feed, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Stood]]:
        """The entries that say what they said when they were last read, each with its article as it is stored."""
        records = self._entries.known(entry_key(feed.id, entry.id) for entry in entries)
        led: list[tuple[Entry, str]] = []
        for entry in entries:
            record = records.get(entry_key(feed.id, entry.id))
            if record is not None and record.article_id and says_the_same(record, entry):
                led.append((entry, record.article_id))
            elif record is None and entry.url and not entry.part:
                led.append((entry, known_id(page_of(entry.url))))
        stood = {was.id: was for was in self._articles.stored(article_id for _, article_id in led)}
        for entry, article_id in led:
            was = stood.get(article_id)
            if was is not None and was.value[0].source.feed_id == feed.id and is_address(was.value[0].url):
                yield entry, was

    def _again(self, article: Article, entry: Entry, feed: Feed, place: Place | None) -> Article:
        """The article as it would be read now; what does not come from the bytes is that of `article`."""
        page, final_url = None, None
        if place is not None:
            answer = self._at(place).answer
            page, final_url = _page(answer), answer.final_url
        made = assemble(
            entry,
            page,
            feed,
            now=article.first_seen,
            fetched_at=article.provenance.fetched_at,
            extractor=extractor_version(),
            final_url=final_url,
            known_url=article.url,
        )
        made = enrich(made, self._tagger)
        if page is None and wants_page(entry, feed):  # the page could not be read then
            made = replace(made, text_status=article.text_status, problems=article.problems)
        if page is not None and page.title and made.title != article.title == page.title:
            made = replace(made, title=article.title)  # `recheck` takes the page's title
        made = replace(made, published=article.published or made.published)
        if article.version > 1:  # when its outlet edited it, which the bytes don't say
            made = replace(made, updated=article.updated)
        provenance = replace(article.provenance, extractor=made.provenance.extractor, taxonomy=made.provenance.taxonomy)
        taken = {name: getattr(made, name) for name in (*FIELDS, *_DERIVED)}
        *earlier, last = article.versions or (None,)
        if last is not None:
            taken["versions"] = (*earlier, replace(last, title=made.title, text_hash=made.text_hash))
        return replace(article, **taken, provenance=provenance)

    def _compared(self, was: Article, found: Article) -> Change | None:
        self.report.compared += 1
        before, after = _shown(was), _shown(found)
        fields = tuple(FieldChange(name, before[name], after[name]) for name in before if before[name] != after[name])
        if not fields:
            return None
        self.report.changed += 1
        self.report.fields.update(change.field for change in fields)
        return Change(was.id, was.url, was.title, fields)

    def _written(self, changed: Iterable[tuple[Stood, Article]]) -> None:
        topics = self._tagger.taxonomy.called
        actions = (bulk.replace(was, renewed(was.id, was.value[1], topics, article)) for was, article in changed)
        for result in bulk.write(self._context.es, actions):
            if result.reason is None:
                self.report.written += 1
            elif result.conflict or result.moved:
                self.report.overtaken += 1
            elif result.own_fault:
                self.report.failed += 1
            else:
                bulk.won(result)


def _entries_of(answer: Fetched, feed: Feed) -> tuple[Entry, ...] | None:
    parsed = parse(
        answer.body,
        url=answer.final_url,
        content_type=answer.headers.get("content-type"),
        country=feed.country,
        now=answer.fetched_at,
        as_a=feed.read,
        rule=feed.rule,
    )
    return None if isinstance(parsed, NotAFeed) else parsed.entries


def _page(answer: Fetched) -> Extracted:
    content_type = answer.headers.get("content-type")
    return extract(answer.body, url=answer.final_url, content_type=content_type, now=answer.fetched_at)


def _shown(article: Article) -> dict[str, str]:
    """What is compared, as text."""
    shown = {name: _as_text(getattr(article, name)) for name in FIELDS}
    levels = sorted(f"{tag.tag} ({tag.level})" for tag in article.tags)
    return shown | {"tags": ", ".join(levels)}


def _as_text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
