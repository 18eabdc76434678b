"""The steps of `newswatch demo`, and what must be true after each."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from rich.markup import escape

from cli import demo_webhook
from cli.demo_feed import check_feed
from cli.demo_world import EVENT, check_event, check_quakes
from cli.output import out, working
from newswatch.errors import NewswatchError

if TYPE_CHECKING:
    from embedded.mail import CaughtMail
    from embedded.newsroom_site.content import Story
    from embedded.receiver import EventReceiver
    from jobs.context import Context
    from newswatch.article import Article
    from newswatch.settings import Settings
    from store.feeds import FeedRecord

CANONICAL = "nato-joins-coalition"
NEWS = ("coordinator-named", "coordinator-holmgaard", "black-sea-patrol")
"""Stories that are published while the demo runs; the first two report one event."""
FOLLOW_UP = "plot-fifth-suspect"
"""A later report on a story of the first poll, published with `NEWS`: it repeats a sentence, and changes a number."""
REPEATED, CHANGED = "on suspicion of preparing", "*Three* Kalashnikov rifles"
"""What its update must not say, and must."""
FAST, PUSHED = "courier", "ledger"
"""The outlets of the first and of the others of these: one is asked every few seconds, the other pushed by its hub."""
LISTED = "ledger"
"""The outlet whose front page is read as well, as if it had no feed."""
NEXT = "tunis-centre"
"""A story that the newsroom publishes only on request."""
DIGEST = "chief@example.org"
"""The recipient of the digest."""
BRIEFING = "minister@example.org"
"""The recipient of the briefing."""
SEARCHES = (
    "NATO joins coalition against ISIS",
    "AWACS Daesh",
    "Stoltenberg terrorism intelligence cell",
    "2% defence spending Trump Brussels",
)
"""What people would type to search for the canonical story."""
WAIT_S = 240
"""Maximum seconds for one step on a slow machine; usually a minute, because the scheduler runs once a minute."""


class DemoError(NewswatchError):
    """A check of the demo failed."""


@dataclass(slots=True)
class Checks:
    """The results of the checks, shown as they are made."""

    failed: list[str] = field(default_factory=list)

    def that(self, holds: bool, claim: str, otherwise: str = "") -> None:
        """Show whether the claim holds; `otherwise` gives details if it does not."""
        if holds:
            out.print(f"  [green]✓[/] {claim}", soft_wrap=True)
        else:
            self.failed.append(claim)
            out.print(f"  [bold red]✗[/] {claim} [red]{escape(otherwise)}[/]", soft_wrap=True)


class Newsroom(Protocol):
    """The newsroom that is polled: `cli.demo.NewsroomProcess`."""

    @property
    def url(self) -> str:
        """Its address."""
        ...

    def requests(self) -> list[dict[str, object]]:
        """The requests that it has received so far."""
        ...

    def act(self, what: str, slug: str) -> None:
        """`publish` or `correct` a story."""
        ...


class Demo:
    """The demo's steps, on a running stack."""

    def __init__(self, settings: Settings, newsroom: Newsroom, checks: Checks, receiver: EventReceiver) -> None:
        from embedded.newsroom_site.content import load_stories, load_world
        from jobs.context import open_context

        self._settings, self._newsroom, self._checks, self._receiver = settings, newsroom, checks, receiver
        self._stories = [story for story in load_stories() if not story.held]
        self._news = [story for slug in NEWS for story in load_stories() if story.slug == slug]
        self._follow_up = next(story for story in load_stories() if story.slug == FOLLOW_UP)
        self._world = {story.slug: story for story in load_world()}
        self._context: Context = open_context(settings)
        self._digest_at = datetime.now(UTC)

    def run(self) -> None:
        """Every step, in order."""
        self._first_poll()
        self._tags()
        self._search()
        first = self._mails()
        canonical = self._story(CANONICAL)
        check_feed(self._checks, self._context, canonical.expected.alerts[0], self._url(canonical))
        self._order_digest()
        demo_webhook.watch(self._context, self._receiver)
        self._what_is_new(first)
        self._webhook()
        self._digest()

    def _first_poll(self) -> None:
        out.print("\n[bold]Airflow's scheduler polls the newsroom[/] …")
        wait_until("every feed is polled", lambda: self._polled() and self._idle())
        dead = {record.feed.title for record in self._feeds() if record.state.failures}
        for record in self._feeds():
            state = record.state
            line = f"{record.feed.title}: {state.new_articles} articles"
            if record.feed.read != "feed":
                line = f"{record.feed.title}'s front page, which is no feed: {escape(state.health_why)}"
            if state.failures:
                failure = escape(state.last_error or "failing")
                line = f"{record.feed.title}: [yellow]{failure}[/]; the other feeds are unaffected"
            self._checks.that(bool(state.last_poll_at), line)
        self._checks.that(len(dead) == 1, "the dead feed, and only that, is shown as failing", str(dead))
        articles = self._articles()
        claim = f"{len(articles)} articles indexed, each once, from {len(self._stories)} stories"
        missing = {self._url(story) for story in self._stories} ^ set(articles)
        self._checks.that(not missing, claim, f"missing or not expected: {missing}")

    def _tags(self) -> None:
        out.print("\n[bold]Tags[/]")
        articles = self._articles()
        wrong = {}
        for story in self._stories:
            article = articles.get(self._url(story))
            got = {tag.tag: tag.level for tag in article.tags if "/" not in tag.tag} if article else {}
            if got != story.expected.tags:
                wrong[story.slug] = got
        self._checks.that(
            not wrong, f"all {len(self._stories)} articles carry the expected tags, and no others", str(wrong)
        )
        canonical = self._story(CANONICAL)
        check_evidence(self._checks, articles[self._url(canonical)], canonical.expected.tags)

    def _search(self) -> None:
        from search.query import find

        out.print("\n[bold]Search[/]")
        canonical = self._group(self._story(CANONICAL))
        for query in SEARCHES:
            urls = [hit.article.url for hit in find(self._context.es, self._context.names, query, size=3).hits]
            self._checks.that(bool(canonical & set(urls)), f"“{query}” finds it", f"found {urls}")

    def _mails(self) -> list[CaughtMail]:
        out.print("\n[bold]Mails[/]")
        mails = self._caught()
        went_to = {
            story.title: [to for mail in mails if self._tells(mail, story) for to in mail.envelope_to]
            for story in self._leading()
        }
        check_mails(self._checks, {story.title: self._recipients(story) for story in self._leading()}, went_to)
        self._show(mails)
        kinds = {self._kind(mail) for mail in mails}
        self._checks.that(
            {"instant", "grouped"} <= kinds,
            "a single story comes as an instant mail, several stories as one grouped mail",
        )
        return mails

    def _webhook(self) -> None:
        out.print("\n[bold]A webhook[/]")
        titles = {story.title for story in self._news}
        wait_until("an event has come", lambda: demo_webhook.has_come(self._receiver, titles))
        demo_webhook.check(self._checks, self._receiver, titles)

    def _order_digest(self) -> None:
        """Save searches whose digest and briefing are due soon, but after the next stories have been matched."""
        from delivery.latency import LEGS, latency

        now = datetime.now(UTC)
        legs = {leg.name: leg.longest for leg in latency(self._context.es, self._context.names, now - _DAY)}
        soon = now + timedelta(seconds=25 + legs[LEGS[-1]])
        self._save_digest(soon.replace(second=0, microsecond=0) + timedelta(minutes=1))

    def _save_digest(self, at: datetime) -> None:
        from alerts.saved import SavedSearches
        from newswatch.alert import SavedSearch, TagFilter

        self._digest_at = at
        digest = SavedSearch(
            "chief",
            "NATO in the morning",
            "",
            (DIGEST,),
            tags=(TagFilter("nato", "main"),),
            schedule=f"daily at {at:%H:%M} UTC",
        )
        briefing = SavedSearch(
            "minister",
            "Counter-terrorism in the morning",
            "",
            (BRIEFING,),
            tags=(TagFilter("counter-terrorism", "main"),),
            schedule=f"daily briefing at {at:%H:%M} UTC",
        )
        for search in (digest, briefing):
            SavedSearches(self._context.es, self._context.names).save(search, by="the demo")

    def _digest_is_ahead(self) -> bool:
        """True; the digest is put off by a minute where a slow machine has not matched the new stories in time."""
        about = {"term": {"alert_id": "chief"}}
        late = datetime.now(UTC) > self._digest_at - timedelta(seconds=20)
        if late and not self._context.es.count(index=self._context.names.deliveries, query=about)["count"]:
            self._save_digest(self._digest_at + timedelta(minutes=1))
        return True

    def _what_is_new(self, first: list[CaughtMail]) -> None:
        out.print("\n[bold]A correction, a later report, and new stories; two papers report one of them[/] …")
        wait_until("every feed is due again", self._due)
        self._newsroom.act("correct", CANONICAL)
        shown = datetime.now(UTC)
        for story in self._published():
            self._newsroom.act("publish", story.slug)
        self._poll_now()
        wait_until("they are mailed", lambda: self._digest_is_ahead() and self._corrected() and self._idle())
        mails = self._caught()[len(first) :]
        self._show_seconds(shown, mails)
        canonical = self._story(CANONICAL)
        answered = sorted((mail.in_reply_to, mail.envelope_to) for mail in mails if "CORRECTION" in mail.text)
        mailed = sorted((mail.reference, mail.envelope_to) for mail in first if self._tells(mail, canonical))
        self._checks.that(
            answered == mailed,
            f"the correction of “{escape(canonical.title)}” → its {len(mailed)} recipients, each in the thread",
            f"answered {answered}, not {mailed}",
        )
        by_event = {NEWS[:2]: self._news[0], NEWS[2:]: self._news[2]}
        for slugs, story in by_event.items():
            urls = {self._url(reported) for reported in self._news if reported.slug in slugs}
            mails_on_it = [mail for mail in mails if any(url in mail.text for url in urls)]
            to = sorted(address for mail in mails_on_it for address in mail.envelope_to)
            recipients = self._recipients(story)
            named = f"“{escape(story.title)}” → {', '.join(recipients)}, once each"
            self._checks.that(to == sorted(recipients), named, f"went to {to}")
        self._update(first, mails)
        self._every_language(mails)
        self._show(mails)

    def _every_language(self, mails: Sequence[CaughtMail]) -> None:
        articles = self._articles()
        reports = {slug: articles[self._url(story)] for slug, story in self._world.items()}
        event = [article.url for slug, article in reports.items() if slug.startswith(EVENT)]
        to = [address for mail in mails if any(url in mail.text for url in event) for address in mail.envelope_to]
        wanted = self._recipients(next(story for slug, story in self._world.items() if slug.startswith(EVENT)))
        check_event(self._checks, self._context, reports, to, wanted)
        check_quakes(self._checks, reports)

    def _update(self, first: Sequence[CaughtMail], mails: Sequence[CaughtMail]) -> None:
        """Check the mail on the later report."""
        updates = [mail for mail in mails if self._url(self._follow_up) in mail.text]
        threads = {mail.reference for mail in first}
        news = [" ".join(mail.text.split()) for mail in updates if mail.in_reply_to in threads]
        right = [text for text in news if CHANGED in text and REPEATED not in text]
        self._checks.that(
            len(updates) == len(right) == 1,
            f"“{escape(self._follow_up.title)}” → who follows it: only what is new, a changed number marked",
            str(news or updates),
        )

    def _show_seconds(self, shown: datetime, mails: Sequence[CaughtMail]) -> None:
        """How soon a story was read that the fast lane found, and one that was pushed; and when that was mailed."""
        articles, (asked, _, pushed) = self._articles(), self._news
        read = {story.slug: articles[self._url(story)].provenance.fetched_at for story in (asked, pushed)}
        asked_s, pushed_s = ((read[story.slug] - shown).total_seconds() for story in (asked, pushed))
        mailed = [(mail.received_at - shown).total_seconds() for mail in mails if self._url(pushed) in mail.text]
        seconds = f"read after {pushed_s:.0f} s, mailed after {min(mailed, default=-1):.0f} s"
        self._checks.that(
            asked_s < WAIT_S, f"“{escape(asked.title)}”, asked every few seconds: read after {asked_s:.0f} s"
        )
        self._checks.that(bool(mailed), f"“{escape(pushed.title)}”, pushed by its hub: {seconds}")

    def _digest(self) -> None:
        out.print(f"\n[bold]A poll of the unchanged newsroom, and the digest at {self._digest_at:%H:%M} UTC[/] …")
        articles, mails, polls = len(self._articles()), len(self._caught()), self._polls()
        asked = len(self._newsroom.requests())
        wait_until(
            "every feed is polled again, and digest and briefing have arrived",
            lambda: self._polled_since(polls) and bool(self._to(DIGEST)) and bool(self._to(BRIEFING)) and self._idle(),
        )
        later = self._newsroom.requests()[asked:]
        unchanged = sum(request["status"] == 304 for request in later)
        self._checks.that(unchanged >= 3, f"feeds answered 304 (not modified) {unchanged} times", str(later))
        self._checks.that(len(self._articles()) == articles, f"still {articles} articles")
        feeds = {record.feed.url.removeprefix(self._newsroom.url) for record in self._feeds()}
        again = {str(request["path"]) for request in later} - feeds - {"/-/requests", "/robots.txt"}
        self._checks.that(not again, "no page was fetched again", str(again))
        listed = self._articles()[self._url(self._news[2])]
        carried = any(feed_id.startswith(LISTED) and feed_id != LISTED for feed_id in listed.feeds)
        self._checks.that(carried, f"“{escape(listed.title)}” was found on the front page too", str(listed.feeds))
        digest = self._to(DIGEST)[0]
        # The report that was read first represents the story in the digest; it can be either paper's.
        first, second = (
            max(digest.text.find(self._url(story)) for story in stories) for stories in (self._news[:2], self._news[2:])
        )
        right = 0 < digest.text.find("2 independent sources") < first < second
        claim = f"the digest lists the new stories, first the one that 2 independent sources report → {DIGEST}"
        self._checks.that(right, claim, digest.text)
        briefing = self._to(BRIEFING)[0]
        said = [story.title for story in (self._news[0], self._follow_up) if self._url(story) not in briefing.text]
        pdfs = [name for name in briefing.attachments if name.endswith(".pdf")]
        self._checks.that(
            not said and len(pdfs) == 1,
            f"the briefing says what both papers and the later report say, and as {', '.join(pdfs)} → {BRIEFING}",
            f"lacks {said}; attached {briefing.attachments}",
        )
        self._checks.that(len(self._caught()) == mails + 2, "digest and briefing were the only new mails")
        self._show(self._caught()[mails:])

    # ── observing ──

    def _feeds(self) -> list[FeedRecord]:
        from store.feeds import FeedStore

        return FeedStore(self._context.es, self._context.names).all()

    def _polled(self) -> bool:
        """Whether the configuration was read, and every feed was polled."""
        records = self._feeds()
        return bool(records) and all(record.state.polls for record in records)

    def _polls(self) -> dict[str, int]:
        """Number of polls of each feed; failing feeds are left out, because they are polled less and less often."""
        return {record.feed.id: record.state.polls for record in self._feeds() if not record.state.failures}

    def _polled_since(self, polls: Mapping[str, int]) -> bool:
        """Whether every feed was polled since `polls` was taken."""
        now = self._polls()
        return all(now[name] > count for name, count in polls.items())

    def _due(self) -> bool:
        """Whether every feed is due again; failing feeds are left out."""
        now = datetime.now(UTC)
        states = [record.state for record in self._feeds() if not record.state.failures]
        return all(state.next_poll_at is None or state.next_poll_at <= now for state in states)

    def _poll_now(self) -> None:
        """Make the scheduler run the poll now instead of at the next full minute."""
        from embedded.airflow import USER, password
        from embedded.airflow_api import AirflowApi

        api = AirflowApi(self._settings.public_url, USER, password(self._settings.data_dir))
        api.trigger("poll_feeds")

    def _idle(self) -> bool:
        """Whether nothing is leased, waits to be matched or is due to be sent; a digest waits for its hour."""
        from jobs.deliver import mails_wait
        from jobs.match import batch_waits

        if any(record.lease_batch for record in self._feeds()):
            return False
        if batch_waits(self._context) or mails_wait(self._context):
            return False
        instant = {"bool": {"filter": [{"term": {"state": "pending"}}, {"term": {"schedule": "instant"}}]}}
        return not self._context.es.count(index=self._context.names.deliveries, query=instant)["count"]

    def _corrected(self) -> bool:
        """Whether the new stories and the correction are in the index."""
        articles = self._articles()
        # A search leaves out what a new version replaces at that moment.
        canonical = articles.get(self._url(self._story(CANONICAL)))
        is_new = canonical is not None and canonical.version > 1
        return is_new and all(self._url(story) in articles for story in self._published())

    def _published(self) -> list[Story]:
        """What is published while the demo runs."""
        return [*self._news, self._follow_up, *self._world.values()]

    def _to(self, recipient: str) -> list[CaughtMail]:
        return [mail for mail in self._caught() if recipient in mail.envelope_to]

    def _articles(self) -> dict[str, Article]:
        from search.query import find

        self._context.es.indices.refresh(index=self._context.names.articles)
        results = find(self._context.es, self._context.names, "*", size=1_000)
        return {hit.article.url: hit.article for hit in results.hits}

    def _caught(self) -> list[CaughtMail]:
        from embedded.mail import list_mails
        from embedded.stack_files import mail_folder

        return list_mails(mail_folder(self._settings.data_dir))

    def _show(self, mails: Sequence[CaughtMail]) -> None:
        for mail in mails:
            line = f"  {self._kind(mail):10} {', '.join(mail.envelope_to)}: {mail.subject}"
            out.print(f"[dim]{escape(line)}[/]", soft_wrap=True)

    def _kind(self, mail: CaughtMail) -> str:
        """The kind of a mail, in one word."""
        if mail.in_reply_to:
            return "update" if mail.subject.startswith("Update:") else "reply"
        for recipient, kind in ((DIGEST, "digest"), (BRIEFING, "briefing")):
            if recipient in mail.envelope_to:
                return kind
        return "grouped" if re.search(r" and \d+ more$", mail.subject) else "instant"

    # ── expectations ──

    def _story(self, slug: str) -> Story:
        return next(story for story in self._stories if story.slug == slug)

    def _leading(self) -> list[Story]:
        """The stories without their copies, which are not news."""
        return [story for story in self._stories if not story.copy_of]

    def _group(self, story: Story) -> set[str]:
        return {self._url(other) for other in self._stories if story.slug in (other.slug, other.copy_of)}

    def _tells(self, mail: CaughtMail, story: Story) -> bool:
        return any(url in mail.text for url in self._group(story))

    def _recipients(self, story: Story) -> list[str]:
        from alerts.definitions import load_alerts
        from delivery.channels.registry import parse_address

        searches = {
            search.id: search for search in load_alerts(self._settings.config_dir / "alerts.yaml", parse_address)
        }
        named = [address for alert in story.expected.alerts for address in searches[alert].recipients]
        return list(dict.fromkeys(named))

    def _url(self, story: Story) -> str:
        from embedded.newsroom_site.content import load_outlets
        from embedded.newsroom_site.printing import target_of

        outlet = next(outlet for outlet in load_outlets() if outlet.id == story.outlet)
        return self._newsroom.url + target_of(outlet, story)


def check_evidence(checks: Checks, article: Article, topics: Iterable[str]) -> None:
    """Check that the article is mainly about the topics, and that its evidence is at its offsets."""
    tags = {tag.tag: tag for tag in article.tags if tag.level == "main"}
    for topic in topics:
        evidence = tags[topic].evidence if topic in tags else ()
        words = list(dict.fromkeys(piece.text for piece in evidence))
        misplaced = [
            piece.text for piece in evidence if getattr(article, piece.field)[piece.start : piece.end] != piece.text
        ]
        claim = f"“{escape(article.title)}” is [bold]{topic}[/], because of {escape(', '.join(words[:5]))} …"
        checks.that(
            bool(words) and not misplaced, claim, f"its main tags: {sorted(tags)}; not in its text: {misplaced}"
        )


def check_mails(checks: Checks, wanted: Mapping[str, Sequence[str]], went_to: Mapping[str, Sequence[str]]) -> None:
    """Check that each story went to its recipients, once each, and unwatched stories to nobody. Keys are titles."""
    for title, recipients in wanted.items():
        if recipients:
            claim = f"“{escape(title)}” → {', '.join(recipients)}, once each"
            checks.that(sorted(went_to[title]) == sorted(recipients), claim, f"went to {went_to[title]}")
    others = {title: went_to[title] for title, recipients in wanted.items() if not recipients}
    claim = f"{len(others)} other stories, including the near-misses, were mailed to nobody"
    checks.that(bool(others) and not any(others.values()), claim, f"went to: {others}")


_DAY = timedelta(days=1)


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    """Wait until the condition holds, showing what it waits for.

    Raises:
        DemoError: it does not hold after `WAIT_S` seconds.
    """
    deadline = time.monotonic() + WAIT_S
    with working(f"waiting until {what} …"):
        while time.monotonic() < deadline:
            if _try(holds):
                return
            time.sleep(1)
    raise DemoError(f"Waited {WAIT_S} s until {what}, but that did not happen.")


def _try(holds: Callable[[], bool]) -> bool:
    import requests

    try:
        return holds()
    except requests.ConnectionError:
        return False  # it is still starting
