"""A feed on its way through `pull`: its answer, its fresh entries, and the articles made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from ingest.addresses import is_address
from ingest.apart import are_alike, page_of
from ingest.assemble import wants_page
from ingest.http.fetched import FetchFailed, FetchResult
from ingest.pages.identity import may_be_renamed
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.polling.page_waits import page_rest_s, page_retry_s
from ingest.urls import article_id, former_url, known_id, part_url
from jobs.pull.recognise import leads_elsewhere
from newswatch.article import Article
from newswatch.entry import Entry
from store.elastic.documents import Stored
from store.entries import EntryRecord, alias_of, content_hash, has_title, says_the_same
from store.feeds import FeedRecord
from transforms.fingerprint import are_copies, fingerprint
from transforms.fold import fold

PAGE_NOT_READ = "page not read: "
"""Prefix of the problem of an article whose page could not be fetched."""
PAGES_PER_FEED: Final = 40
"""Maximum number of pages that are read for one feed in one poll; further ones are read at its next polls, and their
articles have the feed's text until then. At half a second per page that is twenty seconds of one host."""
AGAIN_PER_FEED: Final = 10
"""How many of these are reserved for pages that wait from earlier polls, however many are new."""


@dataclass(slots=True)
class Polled:
    """A feed with its answer."""

    record: Stored[FeedRecord]
    outcome: FetchResult
    parsed: ParsedFeed | NotAFeed | None = None
    fresh: list[Fresh] = field(default_factory=list)
    to_remember: list[EntryRecord] = field(default_factory=list)
    """Records to store for entries that are not fresh."""
    renamed: list[tuple[Entry, EntryRecord]] = field(default_factory=list)
    """Entries with the same words under another address of the same article."""
    bytes: int = 0
    """Size of the fetched document; its body is released once it is parsed."""
    parse_s: float = 0.0
    """Seconds that parsing it took."""
    waiting: int = 0
    """Entries that wait for a month of the articles which is out of reach: the next poll asks for the whole feed."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries in the answer, seen before or not."""
        return self.parsed.entries if isinstance(self.parsed, ParsedFeed) else ()

    @property
    def is_first_of_list(self) -> bool:
        """Whether a list that is not a feed was read for the first time.

        It may name a site's whole past, so its entries are only remembered; what it names from now on is read.
        """
        feed, state = self.record.value.feed, self.record.value.state
        return feed.read != "feed" and state.last_success_at is None

    @property
    def unseen(self) -> int:
        """Number of entries that were never seen before."""
        return sum(fresh.record is None for fresh in self.fresh)

    @property
    def seen(self) -> ParsedFeed | NotAFeed | None:
        """What was parsed, for the feed's state: without all of its entries, if some wait."""
        if self.waiting and isinstance(self.parsed, ParsedFeed):
            return replace(self.parsed, is_cut_off=True)
        return self.parsed

    def recognised_as(self, entries: Iterable[Entry]) -> None:
        """Give its entries the ids they are remembered by; the feed's state for the next poll uses these ids."""
        if isinstance(self.parsed, ParsedFeed):
            self.parsed = replace(self.parsed, entries=tuple(entries))

    def select(self, entry: Entry, record: EntryRecord | None, now: datetime) -> None:
        """Keep the entry as fresh if it is new, or if its words differ from its record.

        Only words count. The same words with another link may be another article under the same id, so its page is
        fetched too, but only as often as a page that keeps changing.
        """
        if record is None and self.is_first_of_list:
            self.to_remember.append(_backlog(entry, self.record.id, now))
            return
        if record is None:
            self.fresh.append(Fresh(self, entry, None))
            return
        if record.backlog:
            return
        rests_until = _rests_until(record) if wants_page(entry, self.record.value.feed) else None
        rests = rests_until is not None and rests_until > now
        if says_the_same(record, entry):
            if not leads_elsewhere(entry, record):
                return
            if may_be_renamed(record.url or "", entry.url or ""):
                self.renamed.append((entry, record))
            elif not rests:
                self.fresh.append(Fresh(self, entry, record))
        else:
            rests = rests and not leads_elsewhere(entry, record)
            self.fresh.append(Fresh(self, entry, record, rests_until=rests_until if rests else None))


def _backlog(entry: Entry, feed_id: str, now: datetime) -> EntryRecord:
    return EntryRecord(
        feed_id=feed_id,
        entry_id=entry.id,
        url=entry.url,
        article_id=None,
        content_hash=content_hash(entry),
        first_seen=now,
        last_changed=now,
        backlog=True,
    )


def _rests_until(record: EntryRecord) -> datetime | None:
    """Until when its page must not be fetched again, even if its words change; None: it may be fetched at once."""
    wait = page_rest_s(record.page_changes)
    if not wait or not record.page_asked_at:
        return None
    return record.page_asked_at + timedelta(seconds=wait)


@dataclass(frozen=True, slots=True)
class Fresh:
    """An entry that becomes an article: it is new, has changed, or its page is tried again."""

    polled: Polled
    entry: Entry
    record: EntryRecord | None
    known_url: str | None = None
    """The URL that its article is known by, if that is not the entry's own link."""
    again: bool = False
    """The feed says nothing new about it; only its page is tried again."""
    rests_until: datetime | None = None
    """When its page, fetched a short while ago, may be fetched again; until then only the feed's words are used."""

    @property
    def link_id(self) -> str | None:
        """The article id of its link, or of its part of the page if it shares the page."""
        if not self.entry.url:
            return None
        return known_id(part_url(self.entry.url, self.entry.part)) if self.entry.part else article_id(self.entry.url)

    @property
    def former_url(self) -> str | None:
        """The URL by which an earlier version would know its link's article; None: by the same as today."""
        if not self.entry.url:
            return None
        url = former_url(self.entry.url, self.entry.part)
        return None if known_id(url) == self.link_id else url


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fresh entry with its article; if there is none, `failure` says why."""

    fresh: Fresh
    article: Article | None
    page: FetchResult | None = None
    failure: str | None = None
    later: str | None = None
    """Why its page is read only at the next poll."""

    @property
    def page_failed(self) -> bool:
        """Whether fetching its page failed."""
        return isinstance(self.page, FetchFailed)

    def known_as(self, url: str) -> Candidate:
        """The candidate with its article known by `url` instead of by what its page says."""
        if self.article is None or not is_address(url):  # the stored article was edited to nonsense
            return self
        was, name = self.article, known_id(url)
        story = name if was.story_id == was.id else was.story_id
        return replace(self, article=replace(was, id=name, url=url, story_id=story))

    def led_to(self, addresses: Mapping[str, str]) -> Candidate:
        """The candidate with its article known by the URL in `addresses` (link id → URL) that its link leads to."""
        url = addresses.get(self.fresh.link_id or "")
        return self if self.fresh.known_url or url is None else self.known_as(url)


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a feed that can be written now; the last part also carries the feed's state."""

    polled: Polled
    candidates: tuple[Candidate, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Share:
    """The entries of a feed that this poll processes, in their order."""

    asked: tuple[Fresh, ...]
    """Their pages are read now."""
    plain: tuple[Fresh, ...]
    """They need no page."""
    later: tuple[Fresh, ...]
    """New entries whose pages are read at the next poll."""


def share(fresh: Iterable[Fresh], needs_page: Callable[[Fresh], bool]) -> Share:
    """Divide a feed's fresh entries so that at most `PAGES_PER_FEED` of its pages are read.

    Pages from earlier polls for which there is no room are in none of the three groups; they stay due.
    """
    entries = list(fresh)
    new = [entry for entry in entries if not entry.again and needs_page(entry)]
    waiting = [entry for entry in entries if entry.again]
    places = max(AGAIN_PER_FEED, PAGES_PER_FEED - len(new))
    waiting = waiting[:places]
    room = PAGES_PER_FEED - len(waiting)
    plain = tuple(entry for entry in entries if not entry.again and not needs_page(entry))
    return Share((*new[:room], *waiting), plain, tuple(new[room:]))


def again(polled: Polled, record: EntryRecord, article: Article, *, known_url: str | None) -> Fresh:
    """The entry of `record`, rebuilt from its stored article, to try its page again."""
    entry = Entry(
        record.entry_id,
        record.url,
        "" if article.title == article.url else article.title,  # the page may have one
        article.summary,
        article.text,
        authors=article.authors,
        published=article.published,
        updated=article.updated,
        language=article.language,
        image=article.image,
        problems=tuple(problem for problem in article.problems if not problem.startswith(PAGE_NOT_READ)),
    )
    return Fresh(polled, entry, record, known_url=known_url, again=True)


def former_article(candidate: Candidate) -> str | None:
    """The article that the entry led to when it was seen before, if it leads to another address now.

    Of an entry without a link `jobs.pull.linkless` decides.
    """
    fresh, article = candidate.fresh, candidate.article
    if fresh.entry.url is None and not fresh.again:
        return None
    if article is None or fresh.known_url or fresh.record is None or fresh.record.article_id == article.id:
        return None
    return fresh.record.article_id


def is_same(seen: Article, was: Article, record: EntryRecord | None = None) -> bool:
    """Whether an entry with a changed link still reports the same article.

    It does if the text is the same, or if the address has the same numbers and the title most of the same words. The
    entry id alone proves nothing: some feeds give one id to whatever entry is newest. If several entries share one
    page, the article is the entry's if it has the title that the entry had (`record`), or nearly that title with the
    same numbers.
    """
    if _page(seen.url) == _page(was.url):
        return bool(record and has_title(record, was.title)) or are_alike(seen.title, was.title)
    if are_copies(fingerprint(seen.text), fingerprint(was.text), same_outlet=True):
        return True
    here, there = (set(fold(article.title).text.split()) for article in (seen, was))
    return may_be_renamed(was.url, seen.url) and 2 * len(here & there) >= len(here | there)


def _page(url: str) -> str:
    return known_id(page_of(url))


def moved(candidates: Iterable[Candidate]) -> dict[str, str]:
    """Link id → URL, for articles that are known by their page's canonical URL instead of the entry's link."""
    urls: dict[str, str] = {}
    for candidate in candidates:
        link_id, article = candidate.fresh.link_id, candidate.article
        if article and link_id and not candidate.fresh.known_url and article.id != link_id:
            urls[link_id] = article.url
    return urls


def aliases(addresses: Mapping[str, str], now: datetime) -> list[EntryRecord]:
    """The records that store where the links lead."""
    return [alias_of(link_id, url, known_id(url), now) for link_id, url in addresses.items()]


def next_try(candidate: Candidate, now: datetime) -> tuple[int, datetime | None]:
    """How often its page has failed, and when to try it again."""
    fresh, page = candidate.fresh, candidate.page
    if candidate.later:
        return fresh.record.page_tries if fresh.again and fresh.record else 0, now
    if fresh.rests_until:
        return 0, fresh.rests_until
    if not isinstance(page, FetchFailed):
        return 0, None
    tries = 1 + (fresh.record.page_tries if fresh.again and fresh.record else 0)
    whole = candidate.article is not None and candidate.article.text_status == "full"
    wait = None if whole else page_retry_s(page, tries)
    return tries, now + timedelta(seconds=wait) if wait is not None else None


def remembered(candidate: Candidate, now: datetime) -> EntryRecord:
    """The entry's record, once Elasticsearch has acknowledged its article."""
    fresh, was = candidate.fresh, candidate.fresh.record
    tries, retry_at = next_try(candidate, now)
    is_asked = candidate.page is not None
    asked_at = now if is_asked else was.page_asked_at if was else None
    is_changed = is_asked and was is not None and (was.reread or not fresh.again)
    changes = (was.page_changes if was else 0) + is_changed
    if fresh.again and was:
        return replace(
            was,
            page_tries=tries,
            retry_page_at=retry_at,
            page_asked_at=asked_at,
            page_changes=changes,
            reread=was.reread and retry_at is not None,
        )
    return EntryRecord(
        feed_id=fresh.polled.record.id,
        entry_id=fresh.entry.id,
        url=fresh.entry.url,
        article_id=candidate.article.id if candidate.article else None,
        content_hash=content_hash(fresh.entry),
        first_seen=was.first_seen if was else now,
        last_changed=now,
        page_tries=tries,
        retry_page_at=retry_at,
        page_asked_at=asked_at,
        page_changes=changes,
        reread=fresh.rests_until is not None,
    )
