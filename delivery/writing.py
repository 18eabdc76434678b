"""Turns a planned mail into a channel-independent message: what happened, who reports it, why it is sent. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from alerts import schedule
from delivery.compose import Mail
from delivery.links import Action, Link, Links
from delivery.message import Message, StoryList, WatchedBy
from delivery.story_views import MailStory, headline, story_view
from delivery.words import one_line, shortened
from newswatch.settings import Settings
from newswatch.topics import Topics

_SUBJECT = 150
"""Maximum characters of a subject, as a list of mails can show them; the message has the whole title."""


def message_of(
    mail: Mail, stories: Sequence[MailStory], settings: Settings, links: Links, topics: Topics, *, now: datetime
) -> Message:
    """The message with `stories`, which are the sendable stories of `mail`; it has the mail's key."""
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


def subject(mail: Mail, stories: Sequence[MailStory]) -> str:
    """One line that says what the mail is about."""
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


def _heading(mail: Mail, count: int) -> str:
    if mail.kind == "digest":
        return f"{_period(mail)} digest · {count} {'story' if count == 1 else 'stories'}"
    if mail.kind == "group":
        return f"{count} new {'story' if count == 1 else 'stories'}"
    return "On a story you have been mailed" if mail.kind == "reply" else ""


def _period(mail: Mail) -> str:
    every = {schedule.parse(d.schedule).every for d in mail.deliveries}
    return next((word.title() for word in ("weekly", "daily", "hourly") if word in every), "News")


def _by_weight(story: MailStory) -> tuple[int, float]:
    """Sort key: stories with most sources first, then the newest."""
    moment = (
        story.article.published or story.article.first_seen if story.article else story.item.deliveries[0].created_at
    )
    return (-story.sources, -moment.timestamp())
