"""The state of the newsroom's site as values: opening it, publishing, adding, correcting and editing stories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from embedded.newsroom_site.content import Outlet, Story
from newswatch.errors import NewswatchError


@dataclass(frozen=True, slots=True)
class Item:
    """A story in its current printed form."""

    story: Story
    title: str
    summary: str
    body: str
    published: datetime
    updated: datetime
    """Equal to `published` until it is changed."""
    note: str | None = None
    """The note of a correction, below the text."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that is printed or held back. A change makes a new `Site`."""

    opened: datetime
    outlets: Mapping[str, Outlet]
    items: Mapping[str, Item]
    """By slug."""
    held: Mapping[str, Story]

    def printed_by(self, outlet: Outlet) -> list[Item]:
        """The outlet's own items, the newest first."""
        return newest_first(item for item in self.items.values() if item.story.outlet == outlet.id)

    def fed_by(self, outlet: Outlet) -> list[Item]:
        """The items in the outlet's feed, the newest first: its own, and those of others that it links to."""
        linked = (item for item in self.items.values() if outlet.id in (item.story.outlet, *item.story.also_in))
        return newest_first(linked)


def newest_first(items: Iterable[Item]) -> list[Item]:
    """The items by time of publication, the newest first."""
    return sorted(items, key=lambda item: (item.published, item.story.slug), reverse=True)


def open_site(outlets: Iterable[Outlet], stories: Iterable[Story], now: datetime) -> Site:
    """The site at `now`: stories are published `minutes_ago` before it, or held back."""
    stories = tuple(stories)
    return Site(
        opened=now,
        outlets={outlet.id: outlet for outlet in outlets},
        items={s.slug: _print(s, now - timedelta(minutes=s.minutes_ago)) for s in stories if not s.held},
        held={s.slug: s for s in stories if s.held},
    )


def _print(story: Story, moment: datetime) -> Item:
    return Item(story, story.title, story.summary, story.body, published=moment, updated=moment)


def publish(site: Site, slug: str, now: datetime) -> Site:
    """The site with the story published that was held back.

    Raises:
        NewswatchError: no story with that name is held back; the message names those that are.
    """
    if slug not in site.held:
        raise NewswatchError(f"No story {slug!r} is held back; held back are: {', '.join(sorted(site.held)) or 'none'}")
    held = {name: story for name, story in site.held.items() if name != slug}
    return replace(site, items={**site.items, slug: _print(site.held[slug], _moment(site, now))}, held=held)


def add(site: Site, story: Story, now: datetime) -> Site:
    """The site with a story that is not in the files, printed now.

    Raises:
        NewswatchError: there is no such outlet, or there is a story with that name.
    """
    if story.outlet not in site.outlets:
        raise NewswatchError(f"There is no outlet {story.outlet!r}; there are: {', '.join(sorted(site.outlets))}")
    if story.slug in site.items or story.slug in site.held:
        raise NewswatchError(f"There is already a story {story.slug!r}")
    return replace(site, items={**site.items, story.slug: _print(story, _moment(site, now))})


def _moment(site: Site, now: datetime) -> datetime:
    """The time of a change: HTTP dates have whole seconds, so a poll would miss a second change within one."""
    return max(now, *(item.updated + timedelta(seconds=1) for item in site.items.values()))


def correct(site: Site, slug: str, now: datetime) -> Site:
    """The site with the correction in the story's file applied.

    Raises:
        NewswatchError: the story is not printed, or no correction is ready.
    """
    ready = _printed(site, slug).story.correction
    if ready is None:
        raise NewswatchError(f"No correction is ready for the story {slug!r}: say what to change")
    return edit(site, slug, now, title=ready.title, summary=ready.summary, replacements=ready.replace, note=ready.note)


def edit(
    site: Site,
    slug: str,
    now: datetime,
    *,
    title: str | None = None,
    summary: str | None = None,
    replacements: Mapping[str, str] | None = None,
    note: str | None = None,
) -> Site:
    """The site with the printed story changed; values that are not given stay.

    Raises:
        NewswatchError: the story is not printed, or it does not contain a text to be replaced.
    """
    item = _printed(site, slug)
    body = item.body
    for old, new in (replacements or {}).items():
        if old not in body:
            raise NewswatchError(f"{old!r} does not occur in the story {slug!r}")
        body = body.replace(old, new)
    changed = replace(
        item,
        title=title or item.title,
        summary=summary or item.summary,
        body=body,
        note=note or item.note,
        updated=_moment(site, now),
    )
    return replace(site, items={**site.items, slug: changed})


def _printed(site: Site, slug: str) -> Item:
    if slug not in site.items:
        raise NewswatchError(f"No story {slug!r} is printed; printed are: {', '.join(sorted(site.items))}")
    return site.items[slug]
