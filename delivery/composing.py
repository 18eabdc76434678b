"""Composes planned mails: reads their articles, finds what matched and what is new, and renders them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial

from alerts.coverage import Coverage, coverage
from alerts.query import marking_query
from delivery.briefing import REPORTS, Moved, changed, is_briefing
from delivery.briefing_pdf import briefing_pdf
from delivery.channels.channel import Rendered
from delivery.channels.registry import channel_of
from delivery.compose import Mail, MailItem
from delivery.corrections import announced
from delivery.fanout import OLD_AT_ONCE, Fanout
from delivery.links import Links
from delivery.message import Message, StoryList
from delivery.outcomes import Outcomes
from delivery.reads import Reads
from delivery.story_views import MailStory, repeats_only, story_now, with_facts
from delivery.updates import latest_mailed
from delivery.writing import lateness, message_of, watch_of, zone_of
from newswatch.alert import Passage, SavedSearch
from newswatch.article import Article
from newswatch.delivery import Delivery, DeliveryState
from newswatch.errors import NewswatchError
from newswatch.problems import Bulkhead, is_trouble, reason_of
from newswatch.settings import Settings
from search.missing import Missing
from search.story_view import StoryFacts, first_of_languages, first_reports, reports_since
from store.articles import ArticleStore
from store.elastic.client import Client
from store.names import Names
from store.watched import Watched, read_watched

_EARLIER = timedelta(days=7)
"""How long before the last briefing a story may have been mailed that is named because it goes on."""
TOO_LOW = (
    "A part of the archive could not be searched as this was written: reports may be missing, and numbers too low."
)
"""What a briefing says of itself then."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail ready to be sent, and what its deliveries record about it."""

    rendered: Rendered
    subject: str
    carried: tuple[str, ...]
    """Ids of the deliveries in the mail."""
    notices: Mapping[str, str]
    """Article → key of its current correction notice."""
    passages: Mapping[str, tuple[Passage, ...]]
    """Delivery id → where its saved search matches."""
    seen_until: datetime | None = None
    """Up to when it says what was watched; None: it does not."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The deliveries that a mail does not carry."""

    gone: tuple[str, ...] = ()
    """Their article is no longer in the index."""
    repeated: tuple[str, ...] = ()
    """Updates that say only what was mailed, word for word."""
    waiting: tuple[str, ...] = ()
    """They need an article of a month that can't be read now, so they stay due."""

    def outcomes(self) -> tuple[tuple[tuple[str, ...], DeliveryState, str], ...]:
        """Ids of deliveries, what becomes of them, and why."""
        return (
            (self.gone, DeliveryState.FAILED, "its article is no longer in the index"),
            (self.repeated, DeliveryState.SUPPRESSED, "it says only what was mailed, word for word"),
        )


class Composer:
    """Composes the mails of one run."""

    def __init__(
        self,
        es: Client,
        names: Names,
        settings: Settings,
        clock: Callable[[], datetime],
        searches: Mapping[str, SavedSearch | None],
        walls: Bulkhead,
    ) -> None:
        self._es, self._names, self._settings, self._clock, self._walls = es, names, settings, clock, walls
        self._searches = searches
        """Those of the mails, which the caller keeps up to date; None for one that was deleted."""
        self._links = Links(settings)
        self._reads = Reads(es, names)
        self._watched: Watched | None = None
        """Read for the first digest of the run, and again for one that came due since."""
        self._last_error: str | None = None

    def fresh(self) -> None:
        """Read everything anew from now on: mails composed together share what they read."""
        self._reads = Reads(self._es, self._names)

    def compose(self, mail: Mail, last_error: str | None) -> tuple[Composed | None, LeftOut]:
        """The mail without the stories that can't be composed, and the deliveries that it leaves out.

        The mail is None if nothing is left to say. `last_error` is what the channel answered the recipient last time.

        Raises:
            NewswatchError: a part of the mail can't be composed now; it stays due.
        """
        self._last_error = last_error
        try:
            return self._compose(mail)
        except Exception as error:
            if is_trouble(error) or len(mail.items) + bool(mail.notices) <= 1:
                raise
            log.warning("%s can't be composed (%s): trying its stories separately", mail.key, reason_of(error))
        sound = tuple(self._sound_items(replace(mail, notices=()), mail.items))
        notices = tuple(notice for notice in mail.notices if self._is_sound(notice, mail))
        return self._compose(replace(mail, items=sound, notices=notices))

    def _is_sound(self, notice: Delivery, mail: Mail) -> bool:
        alone = partial(self._compose, replace(mail, items=(), notices=(notice,)))
        return bool(self._walls.attempt("mail", notice.id, alone))

    def _sound_items(self, mail: Mail, items: Sequence[MailItem]) -> Iterator[MailItem]:
        """The items that can be composed, found by bisection; the others go into quarantine."""
        part = replace(mail, items=tuple(items))
        if len(items) == 1:
            alone = self._walls.attempt("mail", items[0].deliveries[0].id, partial(self._compose, part))
            yield from items if alone else ()
            return
        try:
            self._compose(part)
        except Exception as error:
            if is_trouble(error):
                raise
            middle = len(items) // 2
            yield from self._sound_items(mail, items[:middle])
            yield from self._sound_items(mail, items[middle:])
        else:
            yield from items

    def _compose(self, mail: Mail) -> tuple[Composed | None, LeftOut]:
        stories, left_out = self._stories(mail)
        if not stories and not mail.notices:
            return None, left_out
        languages = self._languages(mail)
        stories = self._with_abroad(stories, languages)
        passages = self._passages(stories)
        stories = [with_passages(story, passages) for story in stories]
        changes: tuple[str, ...] = ()
        if is_briefing(mail):
            lacking: list[Missing] = []
            stories = self._with_reports(stories, lacking)
            changes = self._changed(mail, lacking)
            changes += (TOO_LOW,) if lacking else ()
        seen = self._seen(mail)
        zone = zone_of(mail, self._settings)
        watch = watch_of(seen, zone, self._lateness(mail, zone)) if seen else None
        topics, now = self._names.shown_topics(), self._clock()
        message = message_of(
            mail,
            stories,
            self._settings,
            self._links,
            topics,
            now=now,
            watch=watch,
            languages=languages,
            changed=changes,
        )
        if is_briefing(mail):
            message = self._with_pdf(message, mail)
        rendered = channel_of(mail.recipient).render(message, self._settings)
        announcements = {s.article.id: announced(s.article) for s in stories if s.article}
        notices = {article_id: notice.key for article_id, notice in announcements.items() if notice}
        carried = tuple(d.id for d in (*(d for s in stories for d in s.item.deliveries), *mail.notices))
        seen_until = seen.until if seen else None
        return Composed(rendered, message.subject, carried, notices, passages, seen_until), left_out

    def _with_abroad(self, stories: Sequence[MailStory], languages: Collection[str]) -> list[MailStory]:
        """The stories with who reports them in other languages, in the reader's `languages` first."""
        several = [s.story_id for s in stories if s.article and len(s.languages) > 1]
        found = first_of_languages(self._es, self._names.articles, several)
        return [replace(s, abroad=abroad(s, found.get(s.story_id, ()), languages)) for s in stories]

    def _with_reports(self, stories: Sequence[MailStory], lacking: list[Missing]) -> list[MailStory]:
        """The stories with their first original articles; with their own at least."""
        ids = [s.story_id for s in stories if s.article]
        found = first_reports(self._es, self._names.articles, ids, REPORTS, lacking)
        return [replace(s, reports=found.get(s.story_id, ()) or (s.article,)) if s.article else s for s in stories]

    def _changed(self, mail: Mail, lacking: list[Missing]) -> tuple[str, ...]:
        """What changed since the last briefing; stories of the last `_EARLIER` that go on are named."""
        since = mail.watched_since or self._clock()
        searches = list(dict.fromkeys(d.alert_id for d in mail.matched))
        was = {"range": {"created_at": {"gte": (since - _EARLIER).isoformat()}}}
        which = {"bool": {"filter": [{"terms": {"alert_id": searches}}, was]}}
        Fanout(self._es, self._names).spread_newest(OLD_AT_ONCE, which)
        earlier = Outcomes(self._es, self._names).told_between(
            mail.recipient, searches, since - _EARLIER, self._clock()
        )
        for item in mail.items:
            earlier.pop(item.story_id, None)
        reports = reports_since(self._es, self._names.articles, list(earlier), since, lacking)
        told = {earlier[story].article_id for story in reports}
        articles = self._reads.articles(told)
        if lost := self._reads.out_of_reach(told):
            lacking.append(Missing((), 0, 0, f"{len(lost)} articles are out of reach"))
        moved = [
            Moved(articles[earlier[story].article_id].title, count)
            for story, count in sorted(reports.items(), key=lambda one: (-one[1], one[0]))
            if earlier[story].article_id in articles
        ]
        return changed(mail.items, moved, since, zone_of(mail, self._settings))

    def _with_pdf(self, message: Message, mail: Mail) -> Message:
        """The message with its PDF; a fault in making it must not keep the stories from being told."""
        made = self._walls.attempt("mail", f"{mail.key} pdf", partial(briefing_pdf, message))
        if made is not None:
            return replace(message, attachments=(made,))
        assert isinstance(message.body, StoryList)
        told = (*message.body.changed, "This briefing’s PDF could not be made; its operator sees why.")
        return replace(message, body=replace(message.body, changed=told))

    def _seen(self, mail: Mail) -> Coverage | None:
        """What was watched since the last digest; None for a mail that is no digest, or if it can't be said.

        A fault in it must not keep the stories from being told.
        """
        if mail.watched_since is None:
            return None
        work = partial(self._coverage, mail, mail.watched_since)
        return self._walls.attempt("mail", f"{mail.key} coverage", work)

    def _coverage(self, mail: Mail, since: datetime) -> Coverage:
        due = max(d.not_before or d.created_at for d in mail.matched)
        if self._watched is None or self._watched.at < due:
            self._watched = read_watched(self._es, self._names, self._clock())
        wanted = dict.fromkeys(d.alert_id for d in mail.matched)
        searches = [search for alert_id in wanted if (search := self._searches.get(alert_id))]
        return coverage(self._watched, searches, since)

    def _languages(self, mail: Mail) -> frozenset[str]:
        """The reader's languages: those that the mail's saved searches are narrowed to."""
        searches = (self._searches.get(d.alert_id) for d in mail.deliveries)
        return frozenset(language for search in searches if search for language in search.languages)

    def _lateness(self, mail: Mail, zone: tzinfo) -> str:
        """A line that says how late the mail comes; empty if it is on time, or held back by a throttle."""
        searches = (self._searches.get(d.alert_id) for d in mail.matched)
        if any(search and search.throttle_s for search in searches):
            return ""
        return lateness(mail, self._clock(), self._last_error, zone)

    def _stories(self, mail: Mail) -> tuple[list[MailStory], LeftOut]:
        """The stories of the mail, and the deliveries that it leaves out.

        Raises:
            NewswatchError: an article exists but can't be read. It may be repaired, so its mail stays due.
        """
        wanted = {d.article_id for d in mail.deliveries if d.article_id}
        known = {item.story_id: latest_mailed(item.mailed) for item in mail.items if item.was_told}
        articles = self._reads.articles(wanted.union(*known.values()))
        waiting = [item for item in mail.items if self._waits(item, known.get(item.story_id, ()))]
        if waiting and mail.again:  # it may have been accepted, so all of it goes again or nothing
            return [], LeftOut(waiting=tuple(d.id for d in mail.deliveries))
        items = [item for item in mail.items if item not in waiting]
        lacking = wanted - articles.keys() - self._reads.out_of_reach(wanted)
        if lacking and (unreadable := ArticleStore(self._es, self._names).exist(lacking)):
            raise NewswatchError(f"its article {min(unreadable)} can't be read in Elasticsearch")
        now_in = {item.story_id: story_now(item, articles.get(item.article_id)) for item in items}
        facts = self._reads.facts(list(dict.fromkeys(now_in.values())))
        stories, gone, repeated = [], [], []
        for item in items:
            story = story_of(item, articles, facts[now_in[item.story_id]], known.get(item.story_id, ()))
            if story is None:
                gone += [d.id for d in item.deliveries]
            elif not mail.again and repeats_only(story):
                repeated += [d.id for d in item.deliveries]
            else:
                stories.append(story)
        return stories, LeftOut(tuple(gone), tuple(repeated), tuple(d.id for item in waiting for d in item.deliveries))

    def _waits(self, item: MailItem, mailed: Collection[str]) -> bool:
        """Whether an article of the item, or one that it is compared with, may be in a month that can't be read.

        Told without it, a story would lack a report for good, or repeat what its reader was mailed.
        """
        its_own = {d.article_id for d in item.deliveries} | {item.article_id, *item.other_article_ids}
        return bool(self._reads.out_of_reach(its_own.union(mailed)))

    def _passages(self, stories: Sequence[MailStory]) -> dict[str, tuple[Passage, ...]]:
        """Delivery → where its saved search matches, for deliveries without passages."""
        wanted = {}
        for story in stories:
            for delivery in story.item.deliveries:
                search, article = self._searches.get(delivery.alert_id), story.article
                if search and article and article.id == delivery.article_id and not delivery.passages:
                    wanted[delivery.id] = (search.id, marking_query(search), article.language, article.id)
        passages = self._reads.passages(list(wanted.values()))
        return {
            name: passages.get((search_id, article_id), ()) for name, (search_id, _, _, article_id) in wanted.items()
        }


def story_of(
    item: MailItem, articles: Mapping[str, Article], facts: StoryFacts, mailed: Sequence[str]
) -> MailStory | None:
    """The story of the item; None if its article is gone. `mailed` are the articles that it is compared with. Pure."""
    article = articles.get(item.article_id)
    if article is None and item.article_id:
        return None
    others = tuple(articles[other] for other in item.other_article_ids if other in articles)
    known = tuple(articles[one] for one in mailed if one in articles)
    return with_facts(MailStory(item, article, facts.independent, others=others, mailed=known), facts)


def abroad(story: MailStory, first: Sequence[Article], languages: Collection[str]) -> tuple[Article, ...]:
    """Of the first reports in each language those in others than the story's own, the reader's first. Pure."""
    own = story.article.language if story.article else None
    return tuple(sorted((a for a in first if a.language != own), key=lambda a: a.language not in languages))


def with_passages(story: MailStory, passages: Mapping[str, tuple[Passage, ...]]) -> MailStory:
    """The story with the passages of its deliveries. Pure."""
    deliveries = tuple(replace(d, passages=passages.get(d.id, d.passages)) for d in story.item.deliveries)
    return replace(story, item=replace(story.item, deliveries=deliveries))
