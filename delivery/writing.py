"""Turns a planned mail into a channel-independent message: what happened, who reports it, why it is sent. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from alerts import schedule
from alerts.coverage import Coverage
from delivery.compose import Mail
from delivery.coverage_text import told
from delivery.links import Action, Link, Links
from delivery.message import Message, SearchNotice, StoryList, Watch, WatchedBy
from delivery.outbox import ABOUT_SEARCHES
from delivery.story_views import MailStory, headline, story_view
from delivery.words import one_line, safe_url, shortened, when
from newswatch import durations
from newswatch.delivery import Delivery
from newswatch.outages import WORTH_TELLING
from newswatch.settings import Settings
from newswatch.topics import Topics

_SUBJECT = 150
"""Maximum characters of a subject, as a list of mails can show them; the message has the whole title."""


def message_of(
    mail: Mail,
    stories: Sequence[MailStory],
    settings: Settings,
    links: Links,
    topics: Topics,
    *,
    now: datetime,
    watch: Watch | None = None,
) -> Message:
    """The message with `stories`, which are the sendable stories of `mail`; it has the mail's key.

    A digest ends with `watch`, what was watched.
    """
    ordered = sorted(stories, key=_by_weight) if mail.kind == "digest" else list(stories)
    names = _names(mail)

    def url(action: Action, saved_search_ids: str) -> str:
        return links.url(Link(action, mail.recipient, saved_search_ids))

    body = StoryList(
        kind=mail.kind,
        heading=_heading(mail, len(ordered)),
        stories=tuple(story_view(story, mail.recipient, settings, links, topics) for story in ordered),
        watched_by={key: WatchedBy(name, url("unsubscribe", key), url("mute", key)) for key, name in names.items()},
        stop_these_url=url("unsubscribe", ",".join(names)),
        stop_all_url=url("unsubscribe", "*"),
        notices=tuple(_notice(d, settings) for d in mail.notices if d.kind in ABOUT_SEARCHES),
        watch=watch,
    )
    return Message(
        key=mail.key,
        recipient=mail.recipient,
        subject=subject(mail, ordered),
        at=now,
        sender=settings.mail_name,
        body=body,
        reference=mail.reference,
        thread=mail.thread,
    )


def _names(mail: Mail) -> dict[str, str]:
    """Id → name of every saved search that the mail is for."""
    return {d.alert_id: one_line(d.alert_name) for d in mail.deliveries}


def _notice(delivery: Delivery, settings: Settings) -> SearchNotice:
    is_bad = delivery.kind == "failing"
    return SearchNotice(
        label="A saved search can't be run" if is_bad else "A saved search works again",
        text=one_line(delivery.headline),
        is_bad=is_bad,
        edit_url=safe_url(f"{settings.public_url.rstrip('/')}/news/searches/{quote(delivery.alert_id, safe='')}"),
    )


def watch_of(seen: Coverage, late: str = "") -> Watch:
    """What was watched, as a message says it; `late` is a line that comes first."""
    text = told(seen)
    return Watch(when(seen.since), text.summary, (*((late,) if late else ()), *text.lines))


def lateness(mail: Mail, now: datetime, why: str | None) -> str:
    """A line that says how late a digest comes; empty if it comes on time. `why` is the channel's last answer."""
    due = max((d.not_before or d.created_at for d in mail.matched), default=now)
    if now - due < WORTH_TELLING:
        return ""
    reason = f": {shortened(one_line(why), _SUBJECT)}" if why else "."
    return f"This mail was due {when(due)} and comes {durations.long((now - due).total_seconds())} late{reason}"


def subject(mail: Mail, stories: Sequence[MailStory]) -> str:
    """One line that says what the mail is about."""
    if not stories:
        return shortened(_subject_without_stories(mail), _SUBJECT)
    first = stories[0]
    title = headline(first)
    if mail.kind == "reply":
        former = mail.thread_subject or shortened(title, _SUBJECT)
        return former if former.startswith("Re: ") else f"Re: {former}"
    if mail.kind == "story":
        return shortened(title, _SUBJECT)
    names = ", ".join(_names(mail).values())
    count = f"{len(stories)} {'story' if len(stories) == 1 else 'stories'}"
    if mail.kind == "digest":
        return shortened(f"{_period(mail)} digest, {count}: {names}", _SUBJECT)
    return shortened(f"{count}: {title}", _SUBJECT)


def _subject_without_stories(mail: Mail) -> str:
    names = ", ".join(_names(mail).values())
    if mail.kind == "digest":
        return f"{_period(mail)} digest, no stories: {names}"
    failing = any(d.kind == "failing" for d in mail.notices)
    return f"{'Saved search fails' if failing else 'Saved search works again'}: {names}"


def _heading(mail: Mail, count: int) -> str:
    if mail.kind == "notice":
        return "About your saved searches"
    if mail.kind == "digest" and not count:
        return f"{_period(mail)} digest · no stories"
    if mail.kind == "digest":
        return f"{_period(mail)} digest · {count} {'story' if count == 1 else 'stories'}"
    if mail.kind == "group":
        return f"{count} new {'story' if count == 1 else 'stories'}"
    return "On a story you have been mailed" if mail.kind == "reply" else ""


def _period(mail: Mail) -> str:
    every = {schedule.parse(d.schedule).every for d in mail.matched}
    return next((word.title() for word in ("weekly", "daily", "hourly") if word in every), "News")


def _by_weight(story: MailStory) -> tuple[int, float]:
    """Sort key: stories with most sources first, then the newest."""
    moment = (
        story.article.published or story.article.first_seen if story.article else story.item.deliveries[0].created_at
    )
    return (-story.sources, -moment.timestamp())
