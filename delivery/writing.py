"""Turns a planned mail into a channel-independent message: what happened, who reports it, why it is sent. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote
from zoneinfo import ZoneInfo

from alerts import schedule
from alerts.coverage import Coverage
from delivery.briefing import is_briefing
from delivery.compose import Mail
from delivery.coverage_text import told
from delivery.kinds import ABOUT_SEARCHES
from delivery.links import ACCOUNT, Action, Link, Links
from delivery.message import Message, SearchNotice, StoryList, Watch, WatchedBy
from delivery.passages import told_once
from delivery.story_views import LABELS, MailStory, headline, search_url, story_view
from delivery.words import in_zone, one_line, safe_url, shortened, when
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
    languages: Collection[str] = (),
    changed: tuple[str, ...] = (),
) -> Message:
    """The message with `stories`, which are the sendable stories of `mail`; it has the mail's key.

    A digest ends with `watch`, what was watched; a briefing begins with what `changed` since the last one. The subject
    is a headline in one of `languages`, the reader's, if any story has one.
    """
    ordered, zone = sorted(stories, key=_by_weight), zone_of(mail, settings)
    names = _names(mail)

    def url(action: Action, saved_search_ids: str) -> str:
        return links.url(Link(action, mail.recipient, saved_search_ids))

    body = StoryList(
        kind=mail.kind,
        heading=_heading(mail, ordered),
        stories=told_once(
            [
                story_view(story, mail.recipient, settings, links, topics, zone, alone=len(ordered) == 1)
                for story in ordered
            ]
        ),
        watched_by={key: WatchedBy(name, url("unsubscribe", key), url("mute", key)) for key, name in names.items()},
        stop_these_url=url("unsubscribe", ",".join(names)),
        stop_all_url=url("unsubscribe", "*"),
        notices=tuple(_notice(d, settings, zone) for d in mail.notices if d.kind in ABOUT_SEARCHES),
        watch=watch,
        changed=changed,
        mails_url=safe_url(
            f"{settings.public_url.rstrip('/')}/news/deliveries?to={quote(mail.recipient)}&{ACCOUNT}=mail"
        ),
    )
    return Message(
        key=mail.key,
        recipient=mail.recipient,
        subject=subject(mail, ordered, languages, zone),
        at=now,
        sender=settings.mail_name,
        body=body,
        zone=zone,
        reference=mail.reference,
        thread=mail.thread,
    )


def _names(mail: Mail) -> dict[str, str]:
    """Id → name of every saved search that the mail is for."""
    return {d.alert_id: one_line(d.alert_name) for d in mail.deliveries}


def _notice(delivery: Delivery, settings: Settings, zone: tzinfo) -> SearchNotice:
    is_bad = delivery.kind == "failing"
    return SearchNotice(
        label="A saved search can't be run" if is_bad else "A saved search works again",
        text=in_zone(one_line(delivery.headline), zone),
        is_bad=is_bad,
        edit_url=search_url(delivery.alert_id, settings),
    )


def zone_of(mail: Mail, settings: Settings) -> tzinfo:
    """The zone of the times in the mail: that of its first schedule with a time of day, else the installation's."""
    schedules = (schedule.parse(d.schedule) for d in mail.deliveries)
    stated = (times.zone for times in schedules if times.every in ("daily", "weekly"))
    return next(stated, ZoneInfo(settings.time_zone))


def watch_of(seen: Coverage, zone: tzinfo, late: str = "") -> Watch:
    """What was watched, as a message says it with times in `zone`; `late` is a line that comes first."""
    text = told(seen, zone)
    return Watch(when(seen.since, zone), text.summary, (*((late,) if late else ()), *text.lines))


def lateness(mail: Mail, now: datetime, why: str | None, zone: tzinfo) -> str:
    """A line that says how late a digest comes; empty if it comes on time. `why` is the channel's last answer."""
    due = max((d.not_before or d.created_at for d in mail.matched), default=now)
    if now - due < WORTH_TELLING:
        return ""
    reason = f": {shortened(one_line(why), _SUBJECT)}" if why else "."
    return f"This mail was due {when(due, zone)} and comes {durations.long((now - due).total_seconds())} late{reason}"


def subject(mail: Mail, stories: Sequence[MailStory], languages: Collection[str] = (), zone: tzinfo = UTC) -> str:
    """One line that says what the mail is about: its best headline, and what else is in it.

    The best headline is the first one in one of `languages`, or else the first one. `stories` are sorted by weight. A
    correction or retraction comes before both, as its reader has to know it first.
    """
    if not stories:
        return shortened(_subject_without_stories(mail), _SUBJECT)
    best = _best(stories, languages)
    title, rest = _labelled(best, mail, zone), _besides(mail, len(stories) - 1, after=best)
    return f"{shortened(title, max(_SUBJECT - len(rest), _SUBJECT // 2))}{shortened(rest, _SUBJECT // 2)}"


def _best(stories: Sequence[MailStory], languages: Collection[str]) -> MailStory:
    if _gravity(stories[0]):
        return stories[0]
    own = (story for story in stories if story.article and story.article.language in languages)
    return next(own, stories[0])


def _labelled(story: MailStory, mail: Mail, zone: tzinfo) -> str:
    """The headline after what kind of news it is: "Correction: …". A reply without a kind is marked as a reply."""
    title, label = headline(story, zone), LABELS[story.item.kind] if story.article else ""
    label = label or ("Re" if mail.kind == "reply" else "")
    return title if not label or title.casefold().startswith(f"{label.casefold()}:") else f"{label}: {title}"


def _besides(mail: Mail, others: int, *, after: MailStory) -> str:
    """What the subject says after the headline: the number of other stories, and the digest's name."""
    # An event's headline ends in a number.
    more = f"{' and' if after.article else ' ·'} {others} more" if others else ""
    if mail.kind == "digest":
        return f"{more} · {_period(mail).lower()} {_form(mail)}: {', '.join(_names(mail).values())}"
    return more


def _subject_without_stories(mail: Mail) -> str:
    names = ", ".join(_names(mail).values())
    if mail.kind == "digest":
        return f"{_period(mail)} {_form(mail)}, no stories: {names}"
    failing = any(d.kind == "failing" for d in mail.notices)
    return f"{'Saved search fails' if failing else 'Saved search works again'}: {names}"


def _heading(mail: Mail, stories: Sequence[MailStory]) -> str:
    """What the message holds: so many stories, and the kinds of event."""
    if mail.kind == "notice":
        return "About your saved searches"
    count = sum(story.article is not None for story in stories)
    events = tuple(dict.fromkeys(LABELS[story.item.kind].lower() for story in stories if story.article is None))
    noun = "story" if count == 1 else "stories"
    if mail.kind == "digest":
        counted = (f"{count or 'no'} {noun}",) if count or not events else ()
        return " · ".join((f"{_period(mail)} {_form(mail)}", *counted, *events))
    if mail.kind == "group":
        told = " · ".join((*((f"{count} new {noun}",) if count else ()), *events))
        return f"{told[0].upper()}{told[1:]}"
    return "On a story you have been mailed" if mail.kind == "reply" else ""


def _form(mail: Mail) -> str:
    return "briefing" if is_briefing(mail) else "digest"


def _period(mail: Mail) -> str:
    every = {schedule.parse(d.schedule).every for d in mail.matched}
    return next((word.title() for word in ("weekly", "daily", "hourly") if word in every), "News")


def _gravity(story: MailStory) -> int:
    """How much the story must come before others: retractions most, then corrections; 0 for all other news."""
    return {"retraction": 2, "correction": 1}.get(story.item.kind, 0)


def _by_weight(story: MailStory) -> tuple[int, int, float]:
    """Sort key: retractions and corrections first, then stories with most sources, then the newest."""
    moment = (
        story.article.published or story.article.first_seen if story.article else story.item.deliveries[0].created_at
    )
    return (-_gravity(story), -story.sources, -moment.timestamp())
