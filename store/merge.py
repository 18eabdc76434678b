"""Decides what a newly read article changes in the stored one. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from ingest.wording import words
from newswatch.article import Article, Version
from transforms.versions import readable_edits


@dataclass(frozen=True, slots=True)
class New:
    """The article is not stored yet."""

    article: Article


@dataclass(frozen=True, slots=True)
class Updated:
    """Its title or text was edited: a new version. Or its page was read for the first time: the same version."""

    article: Article
    mixed: bool
    """Either title or text is kept from before, the other is new: the article must be tagged again."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The text is unchanged, but another feed carries the article now."""

    article: Article


@dataclass(frozen=True, slots=True)
class Known:
    """Nothing to write."""


Merged = New | Updated | Carried | Known


def merge(seen: Article, was: Article | None) -> Merged:
    """Decide what `seen` adds to the stored article `was`.

    Only the feed that first carried an article, or its page, may change it. Otherwise two feeds with different
    summaries of one page would overwrite each other at every poll. The headline is the first feed's too, because feeds
    have headlines of their own for one page. A full text is not replaced by a summary when the page can't be read the
    next time. Reading the page for the first time, where only a summary was stored, is not an edit: the outlet has
    changed nothing, so no correction is mailed.
    """
    if was is None:
        return New(replace(seen, versions=(Version(seen.first_seen, seen.title, seen.text_hash, ()),)))
    feeds = (*was.feeds, *(feed for feed in seen.feeds if feed not in was.feeds))
    title = seen.title if _is_own(seen, was) or was.title == was.url else was.title
    mixed, seen = title != seen.title, replace(seen, title=title)
    worse = was.text_status == "full" and seen.text_status != "full"
    at_last = was.text_status != "full" and seen.text_status == "full" and seen.provenance.page_fetched
    changed = _changed(seen, was, text_too=not worse) if _may_change(seen, was) else ()
    edited = tuple(name for name in changed if not (at_last and _was_missing(was, name)))
    if edited:
        return Updated(_next_version(seen, was, feeds, edited, keep_text=worse), mixed=mixed or worse)
    if changed:
        return Updated(_kept(seen, was, feeds), mixed=mixed)
    if feeds != was.feeds:
        return Carried(replace(was, feeds=feeds))
    return Known()


def merge_imported(seen: Article, was: Article | None) -> Merged:
    """Decide what an imported article adds to the stored one: its versions, in the order in which they were seen.

    The version that was seen last is the article's text, whichever archive has it. Nothing of it is news, so that the
    article keeps its place in the ingest order: it is never `Updated`.
    """
    history = _history(seen)
    if was is None:
        return New(replace(seen, versions=history, version=len(history)))
    feeds = (*was.feeds, *(feed for feed in seen.feeds if feed not in was.feeds))
    known = {version.text_hash for version in was.versions} | {was.text_hash}
    added = [version for version in history if version.text_hash not in known]
    if not added:
        return Carried(replace(was, feeds=feeds)) if feeds != was.feeds else Known()
    versions = _in_order([*_history(was), *added])
    is_newer = versions[-1].text_hash == seen.text_hash and not (was.text_status == "full" != seen.text_status)
    newest = _kept(seen, was, feeds) if is_newer else replace(was, feeds=feeds)
    return Carried(replace(newest, versions=versions, version=len(versions)))


def _history(article: Article) -> tuple[Version, ...]:
    """The article's versions; its text is the last."""
    if article.versions and article.versions[-1].text_hash == article.text_hash:
        return article.versions
    seen_at = max(article.updated or article.first_seen, article.first_seen)
    latest = Version(seen_at, article.title, article.text_hash, ("text",) if article.versions else ())
    return _in_order([*article.versions, latest])


def _in_order(versions: list[Version]) -> tuple[Version, ...]:
    """The versions by the time they were seen; the first one changes nothing, a later one says what differs."""
    ordered = sorted(versions, key=lambda version: version.seen_at)
    first, *rest = ordered
    told = [
        version
        if version.changed
        else replace(version, changed=("title" if version.title != before.title else "text",))
        for before, version in pairwise(ordered)
    ]
    return (replace(first, changed=(), edits=()), *told[: len(rest)])


def _may_change(seen: Article, was: Article) -> bool:
    return seen.provenance.page_fetched or _is_own(seen, was)


def _is_own(seen: Article, was: Article) -> bool:
    return seen.source.feed_id == was.source.feed_id


def _was_missing(was: Article, name: str) -> bool:
    """Whether a substitute was stored until the page could be read: a summary, or the address as the title."""
    return name == "text" or was.title == was.url


def _changed(seen: Article, was: Article, *, text_too: bool) -> tuple[str, ...]:
    names = ("title", "text") if text_too else ("title",)
    different = (name for name in names if getattr(seen, name) and getattr(seen, name) != getattr(was, name))
    return tuple(name for name in different if _folded(seen, name) != _folded(was, name))


def _folded(article: Article, name: str) -> str:
    """The words of a field: one more comment, or another minute in "12 min ago", is not an edit."""
    return words(str(getattr(article, name)))


def _next_version(
    seen: Article, was: Article, feeds: tuple[str, ...], changed: tuple[str, ...], *, keep_text: bool
) -> Article:
    edits = readable_edits(was.text, seen.text) if "text" in changed else ()
    article = replace(
        _kept(seen, was, feeds),
        updated=seen.updated or seen.first_seen,
        version=was.version + 1,
        versions=(*was.versions, Version(seen.first_seen, seen.title or was.title, seen.text_hash, changed, edits)),
    )
    if keep_text:
        article = replace(article, text=was.text, text_status=was.text_status)
    return article


def _kept(seen: Article, was: Article, feeds: tuple[str, ...]) -> Article:
    """`seen` with the fields that an article keeps for good, in the stored version."""
    return replace(
        seen,
        title=seen.title or was.title,
        first_seen=was.first_seen,
        published=was.published or seen.published,
        source=was.source,
        link=was.link or seen.link,
        feeds=feeds,
        story_id=was.story_id,
        duplicate_of=was.duplicate_of,
        placed_at=was.placed_at,
        placed_by=was.placed_by,
        version=was.version,
        versions=was.versions,
    )
