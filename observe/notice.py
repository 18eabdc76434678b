"""What the operator is told, in words and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from delivery.message import Message, Notice, Row, Section
from delivery.words import in_zone, one_line, safe_url, shortened, when
from newswatch import durations
from newswatch.settings import Settings
from observe.condition import Condition, Severity, worst_first
from observe.episodes import Change, Draft, Episode, Item

VERSION: Final = 1
"""Of the JSON; it grows when a field changes its meaning or goes."""
_SUBJECT: Final = 110
"""Maximum characters of a sentence in a subject."""
_TITLES: Final[Mapping[str, str]] = {
    "dag-processor": "DAG processor",
    "elasticsearch": "Elasticsearch",
    "airflow": "Airflow",
    "configuration": "Configuration",
    "search": "Saved search",
}
BEGUN: Final = (Change.NEW, Change.WORSE)
"""The changes to what is wrong now; the others are to what is over."""


def title(condition_id: str) -> str:
    """The name of a condition for people: "Mail server", "Configuration alerts.yaml"."""
    kind, _, which = condition_id.partition(":")
    named = _TITLES.get(kind) or kind.replace("-", " ").capitalize()
    return f"{named} {which}".strip()


def message_of(draft: Draft, settings: Settings, recipient: str) -> Message:
    """The message of a draft; the same draft makes the same message."""
    news, zone = f"{settings.public_url.rstrip('/')}/news", ZoneInfo(settings.time_zone)
    notice = Notice(
        sections=sections(draft, zone),
        hint='"newswatch watch --once" shows what is wrong now.',
        more_text="Open the News page",
        more_url=safe_url(news),
    )
    return Message(
        key=draft.key,
        recipient=recipient,
        subject=subject(draft, zone),
        at=draft.at,
        sender=settings.mail_name,
        body=notice,
        zone=zone,
    )


def subject(draft: Draft, zone: tzinfo = UTC) -> str:
    """One line: the worst of what began, or else what is over. Times are in `zone`."""
    begun = worst_first(tuple(item.episode.condition for item in draft.items if item.change in BEGUN))
    ended = [item for item in draft.items if item.change not in BEGUN]
    if begun:
        first = begun[0]
        more = f" (and {len(begun) - 1} more)" if len(begun) > 1 else ""
        return f"{first.severity.capitalize()}: {_in_short(in_zone(first.sentence, zone))}{more}"
    names = ", ".join(dict.fromkeys(title(item.episode.condition.id) for item in ended))
    said = "Well again" if draft.standing else "All is well again"
    return f"{said}: {shortened(names, _SUBJECT)}"


def _in_short(sentence: str) -> str:
    return shortened(one_line(sentence).partition(". ")[0].rstrip("."), _SUBJECT)


def sections(draft: Draft, zone: tzinfo = UTC) -> tuple[Section, ...]:
    """What began, worst first; what is over; what still stands. Times are in `zone`."""
    begun = [item for item in draft.items if item.change in BEGUN]
    bad = [item for item in begun if item.episode.condition.severity is Severity.CRITICAL]
    odd = [item for item in begun if item.episode.condition.severity is Severity.WARNING]
    over = [item for item in draft.items if item.change is Change.OVER]
    passed = [item for item in draft.items if item.change is Change.PASSED]
    shown = (
        Section("Wrong now", "bad", tuple(_begun(item, zone) for item in bad)),
        Section("Look at this", "odd", tuple(_begun(item, zone) for item in odd)),
        Section("Well again", "good", tuple(_ended(item, zone) for item in over)),
        Section("Was wrong while this way could not tell you", "good", tuple(_ended(item, zone) for item in passed)),
        Section(
            "Still wrong, as you were told",
            "odd",
            (),
            tuple(_standing(one, zone) for one in worst_first(draft.standing)),
        ),
    )
    return tuple(section for section in shown if section.rows or section.brief)


def _begun(item: Item, zone: tzinfo) -> Row:
    condition = item.episode.condition
    state = "now critical" if item.change is Change.WORSE else str(condition.severity)
    return Row(
        title=title(condition.id),
        state=state,
        why=one_line(in_zone(condition.sentence, zone)),
        facts=(f"since {when(condition.since, zone)}",) if condition.since else (),
        todo=one_line(condition.next_step),
    )


def _ended(item: Item, zone: tzinfo) -> Row:
    condition = item.episode.condition
    return Row(
        title=title(condition.id),
        state="well again",
        why=f"Was: {one_line(in_zone(condition.sentence, zone))}",
        facts=_spell(item.episode, zone),
    )


def _spell(episode: Episode, zone: tzinfo) -> tuple[str, ...]:
    """From when to when, how long, how often."""
    since, until = episode.condition.since or episode.began_at, episode.over_at
    if until is None:
        return (f"since {when(since, zone)}",)
    long = durations.long(max(0.0, (until - since).total_seconds()))
    often = (f"{episode.times} times in that time",) if episode.times > 1 else (f"for {long}",)
    return (f"from {when(since, zone)}", f"to {when(until, zone)}", *often)


def _standing(condition: Condition, zone: tzinfo) -> Row:
    why = one_line(in_zone(condition.sentence, zone))
    return Row(title=title(condition.id), state=str(condition.severity), why=why)


# ── as JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def as_json(draft: Draft, settings: Settings, text: str) -> dict[str, Any]:
    """The document that an address of one's own is sent; docs/operations.md describes its fields."""
    begun = [item.episode.condition.severity for item in draft.items if item.change in BEGUN]
    worst = [*begun, *(condition.severity for condition in draft.standing)]
    return {
        "version": VERSION,
        "key": draft.key,
        "installation": settings.mail_name,
        "url": f"{settings.public_url.rstrip('/')}/news",
        "at": draft.at,
        "state": "critical" if Severity.CRITICAL in worst else "warning" if worst else "ok",
        "subject": subject(draft),
        "text": text,
        "changes": [
            {
                "change": str(item.change),
                **condition_as_json(item.episode.condition),
                "until": item.episode.over_at,
                "times": item.episode.times,
            }
            for item in draft.items
        ],
        "standing": [condition_as_json(condition) for condition in worst_first(draft.standing)],
    }


def condition_as_json(condition: Condition) -> dict[str, Any]:
    """A condition with its fields under their own names."""
    return {
        "id": condition.id,
        "severity": str(condition.severity),
        "sentence": condition.sentence,
        "next_step": condition.next_step,
        "since": condition.since,
    }
