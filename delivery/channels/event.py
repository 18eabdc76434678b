"""A message as a CloudEvent (https://github.com/cloudevents/spec, 1.0), for programs. Pure.

`webhook.v1.schema.json` beside this module says what an event holds. A field may be added to version 1; one that is
removed or changes its meaning makes version 2, with types that end in `.v2`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from delivery.message import Change, Message, Notice, Piece, StoryList, StoryView
from delivery.plain_text import plain_text
from delivery.words import one_line
from newswatch.settings import Settings

STORIES: Final = "newswatch.stories.v1"
NOTICE: Final = "newswatch.notice.v1"
CHALLENGE: Final = "newswatch.challenge.v1"
SCHEMA: Final = "urn:newswatch:webhook:v1"
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
FULL: Final = 100
"""Stories with all that is known of them; further ones have headline, address and ids, so that a body stays below a
megabyte."""


def event_of(message: Message, settings: Settings) -> dict[str, Any]:
    """The event. Its id is the message's key, so a message that is sent again is the same event."""
    body = message.body
    if isinstance(body, Notice):
        data: dict[str, Any] = {"subject": message.subject, "text": plain_text(message)}
        return _envelope(NOTICE, message.key, message.at, settings, data)
    event = _envelope(STORIES, message.key, message.at, settings, _stories(message, body))
    return event | ({"subject": body.stories[0].story_id} if len(body.stories) == 1 else {})


def challenge_event(key: str, challenge: str, settings: Settings, now: datetime) -> dict[str, Any]:
    """The event that asks an address to prove that its owner wants events there."""
    text = "Answer with this challenge, or give it to newswatch, and you get events here."
    return _envelope(CHALLENGE, key, now, settings, {"challenge": challenge, "text": text})


def _envelope(kind: str, key: str, at: datetime, settings: Settings, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": key,
        "source": f"{settings.public_url.rstrip('/')}/news",
        "type": kind,
        "time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": SCHEMA,
        "data": data,
    }


def _stories(message: Message, body: StoryList) -> dict[str, Any]:
    return {
        "kind": body.kind,
        "subject": message.subject,
        "recipient": message.recipient,
        "follows": list(message.thread),
        "searches": [
            {"id": key, "name": watched.name, "stop_url": watched.stop_url, "mute_url": watched.mute_url}
            for key, watched in body.watched_by.items()
        ],
        "stories": [_story(story) for story in body.stories[:FULL]] + [_named(s) for s in body.stories[FULL:]],
        "notices": [{"label": n.label, "text": n.text, "is_bad": n.is_bad} for n in body.notices],
        "changed": list(body.changed),
        "watch": {"since": body.watch.since, "summary": body.watch.summary, "lines": list(body.watch.lines)}
        if body.watch
        else None,
    }


def _named(story: StoryView) -> dict[str, Any]:
    return {
        "story_id": story.story_id,
        "article_id": story.article_id,
        "label": story.label,
        "headline": story.headline,
        "url": story.about.url,
        "in_full": False,
    }


def _story(story: StoryView) -> dict[str, Any]:
    about, answers = story.about, story.answers
    return _named(story) | {
        "in_full": True,
        "language": about.language,
        "outlet": about.outlet,
        "reliability": about.grade,
        "credibility": story.credibility,
        "sources": story.sources,
        "published": about.published,
        "found": story.found,
        "searches": list(story.alert_ids),
        "lead": about.lead,
        "quotes": [{"field": quote.field, **_marked(quote.pieces)} for quote in story.quotes],
        "new": [
            {"outlet": one.outlet, "url": one.url, "sentences": [_marked(pieces) for pieces in one.sentences]}
            for one in story.news
        ],
        "said": [{"outlet": one.outlet, "url": one.url, "at": one.at, **_marked(one.pieces)} for one in story.said],
        "changes": [_change(change) for change in story.changes],
        "topics": [
            {"name": topic.name, "role": topic.role, "parts": list(topic.parts), "because": list(topic.because)}
            for topic in about.topics
        ],
        "others": [{"headline": o.headline, "outlet": o.outlet, "url": o.url} for o in story.others],
        "links": {
            "why": about.why_url,
            "story": about.news_url,
            "search": about.search_url,
            "relevant": answers.relevant,
            "not_relevant": answers.not_relevant,
            "enough": answers.enough,
        },
    }


def _change(change: Change) -> dict[str, Any]:
    before, after = (one_line("".join(p.text for p in side)) for side in (change.before, change.after))
    return {"where": change.where, "before": before, "after": after}


def _marked(pieces: Sequence[Piece]) -> dict[str, Any]:
    """The text, and the places that matched, as offsets in characters (Unicode code points)."""
    marks, at = [], 0
    for piece in pieces:
        if piece.marked:
            marks.append([at, at + len(piece.text)])
        at += len(piece.text)
    return {"text": "".join(piece.text for piece in pieces), "marks": marks}
