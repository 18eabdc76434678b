"""The newsroom's outlets and stories, read from files and checked."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from newswatch import config
from newswatch.article import Level
from newswatch.config import plain
from newswatch.errors import ConfigError
from newswatch.feed import Feed
from newswatch.wording import worded

HERE = Path(__file__).parent
FENCE = "---\n"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outlet(_Record):
    """An outlet: its template and its paths."""

    id: str
    name: str
    domain: str
    motto: str
    owner: str
    country: str
    language: str | None
    topics: tuple[str, ...]
    kind: str
    feed: str
    format: str | None
    """Template of the feed; None: the outlet has closed, and its feed answers 404."""
    page: str | None
    article: str
    """Path of an article, with the placeholders `{section}`, `{language}` and `{slug}`."""
    encoding: str = "utf-8"
    validators: tuple[Literal["etag", "last-modified"], ...]

    @property
    def site(self) -> str:
        """The address that the outlet would have."""
        return f"https://{self.domain}/"

    def as_feed(self, base: str) -> Feed:
        """This outlet's feed for newswatch's configuration, on the server at `base`."""
        return Feed(
            id=self.id,
            url=base + self.feed,
            title=self.name,
            site=self.site,
            country=self.country,
            language=self.language,
            topics=self.topics,
            kind=self.kind,
            owner=self.owner,
        )


class Expected(_Record):
    """What newswatch should make of a story."""

    tags: dict[str, Level]
    """Topic → level; a topic that is missing must not be tagged at all."""
    alerts: tuple[str, ...]
    """The demo's saved searches that match it."""


class Correction(_Record):
    """A correction of a story, ready to be made."""

    note: str
    """Printed below the text."""
    replace: dict[str, str]
    """Text to replace → its replacement."""
    title: str | None = None
    summary: str | None = None


class Story(_Record):
    """One story: its printed form, its form in the feed, and what newswatch should make of it."""

    slug: str
    outlet: str
    title: str
    summary: str
    body: str
    """Markdown."""
    authors: tuple[str, ...]
    section: str
    language: str = "en"
    minutes_ago: int = Field(ge=0)
    """Published so many minutes before the newsroom opened."""
    caption: str | None = None
    credit: str | None = None
    """The agency that it comes from."""
    copy_of: str | None = None
    also_in: tuple[str, ...] = ()
    """Other outlets whose feeds also link to it."""
    feed_link: Literal["plain", "tracking", "relative"] = "plain"
    feed_text: Literal["summary", "full"] = "summary"
    page: Literal["ok", "missing", "consent"] = "ok"
    held: bool = False
    """Not in the feed until it is published."""
    trap: str | None = None
    """Why a keyword search would misjudge it."""
    short: str | None = None
    """Why it is shorter than the others."""
    correction: Correction | None = None
    expected: Expected

    @model_validator(mode="after")
    def _correction_fits(self) -> Story:
        for old in self.correction.replace if self.correction else ():
            if self.body.count(old) != 1:
                raise ValueError(f"the correction replaces {old!r}, which occurs {self.body.count(old)} times")
        return self


class _Outlets(_Record):
    outlets: tuple[Outlet, ...]


@cache
def load_outlets() -> tuple[Outlet, ...]:
    """The outlets of `outlets.yaml`.

    Raises:
        ConfigError: the file is wrong; the message names the line.
    """
    return config.load(HERE / "outlets.yaml", _Outlets).outlets


@cache
def load_stories() -> tuple[Story, ...]:
    """The stories of `stories/`, the newest first.

    Raises:
        ConfigError: a story is wrong; the message names the file.
    """
    return _stories_in("stories")


@cache
def load_world() -> tuple[Story, ...]:
    """The stories of `world/`, printed on request only: one event in four languages, and two earthquakes.

    Raises:
        ConfigError: a story is wrong; the message names the file.
    """
    return _stories_in("world")


def _stories_in(folder: str) -> tuple[Story, ...]:
    stories = (read_story(path) for path in (HERE / folder).glob("*.md"))
    return tuple(sorted(stories, key=lambda story: (story.minutes_ago, story.slug)))


def read_story(path: Path) -> Story:
    """The story in the file at `path`: YAML between two lines of `---`, then Markdown. Its slug is the file's name.

    Raises:
        ConfigError: the file has another form; the message names the file and the field, if there is one.
    """
    _, *parts = path.read_text(encoding="utf-8").split(FENCE, 2)
    if len(parts) != 2:
        raise ConfigError(path, 1, "a story begins with YAML between two lines of ---")
    front, body = parts
    try:
        return Story.model_validate({**plain(front), "slug": path.stem, "body": body.strip()})
    except yaml.MarkedYAMLError as error:
        # The mark counts from the line after the first fence.
        line = error.problem_mark.line + 2 if error.problem_mark else None
        raise ConfigError(path, line, error.problem or "is not YAML") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {worded(f)}" for f in error.errors(include_url=False))
        raise ConfigError(path, None, faults) from error
