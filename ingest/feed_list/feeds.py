"""The feed list: `config/feeds.yaml` as `Feed`s, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator

from ingest.addresses import read_address, shown
from ingest.feed_list.css import RuleError, check_css
from ingest.urls import article_id, known_id
from newswatch import config
from newswatch.config import Source
from newswatch.countries import iso_country
from newswatch.errors import ConfigError
from newswatch.feed import Fallback, Feed, FullText, Rating, Read, Rule
from newswatch.reliability import Grade

Kind = Literal[
    "international",
    "government",
    "military",
    "agency",
    "court",
    "parliament",
    "press",
    "broadcaster",
    "wire",
    "specialist",
    "think tank",
    "ngo",
]
"""Kinds of outlets: an international body; a ministry or government; armed forces; an agency or authority; a court or
prosecutor; a parliament; a newspaper or news site; a broadcaster; a news agency; trade and specialist press; a research
institute; a non-governmental organisation."""
KINDS: tuple[str, ...] = get_args(Kind)


def _is_url(url: str) -> str:
    """An address as its user wrote it. Browsers drop a line break from a link; in the list it is an error."""
    given = url.strip()
    read_address(given)
    if not given.isprintable():
        raise ValueError(f"{shown(given)} contains a line break or another invisible character")
    return given


Url = Annotated[str, AfterValidator(_is_url)]


def _on_one_line(given: str) -> str:
    return " ".join(given.split())


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
NAME_CHARS = 1_000
"""As many as a feed may give as its own title (`ingest.bounds`)."""
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_CHARS),
    AfterValidator(_on_one_line),
]
"""A name, which stands in every article, mail and list: on one line."""


RATING_LEAST = 10
RATING_CHARS = 300
"""Minimum and maximum length of the reason for a grade."""
RULES: tuple[str, ...] = tuple(Rule.__dataclass_fields__)


class RuleSpec(BaseModel):
    """Where the items of a list stand; at least one part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: Text | None = None
    link: Text | None = None
    title: Text | None = None
    date: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, name) for name in RULES):
            raise ValueError("says nothing: give `items`, `link`, `title` or `date`, or leave `rule` out")
        return self


class RatingSpec(BaseModel):
    """How far a source can be relied on: never without a reason and a date."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grade: Grade
    rated: date
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=RATING_LEAST, max_length=RATING_CHARS)]


def check_rule(read: Read, rule: RuleSpec | None) -> None:
    """Check that a rule fits what an address leads to; CSS selectors are checked where file and line can be named.

    Raises:
        ValueError: it does not.
    """
    if rule is None:
        return
    if read == "feed":
        raise ValueError("a feed has no rule: say what the address leads to, `read: page`, `sitemap` or `json`")
    given = rule.model_dump(exclude_none=True)
    if read == "sitemap" and given.keys() != {"items"}:
        raise ValueError("the rule of a sitemap has only `items`: what an article's address contains")
    if read == "page":
        for name, selector in given.items():
            try:
                check_css(selector)
            except RuleError as error:
                raise ValueError(f"rule.{name}: {error}") from error


class FallbackSpec(BaseModel):
    """Another way to a source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    read: Read = "feed"
    rule: RuleSpec | None = None

    @model_validator(mode="after")
    def _rule_fits(self) -> Self:
        check_rule(self.read, self.rule)
        return self

    def fallback(self) -> Fallback:
        """As a `Fallback`."""
        return Fallback(self.url, self.read, Rule(**self.rule.model_dump()) if self.rule else None)


class FeedSpec(BaseModel):
    """One item of `feeds.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    title: Name
    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] | None = None
    site: Url | None = None
    country: Annotated[str, BeforeValidator(iso_country), StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    topics: tuple[Name, ...] = ()
    kind: Kind = "press"
    owner: Name | None = None
    full_text: FullText = "auto"
    enabled: bool = True
    read: Read = "feed"
    rule: RuleSpec | None = None
    fallback: FallbackSpec | None = None
    reliability: RatingSpec | None = None
    state_media: bool = False
    fast: bool = False

    @model_validator(mode="after")
    def _rule_fits(self) -> Self:
        check_rule(self.read, self.rule)
        return self

    def feed(self) -> Feed:
        """This item as a `Feed`; without an `id`, its id is derived from its URL."""
        rule = Rule(**self.rule.model_dump()) if self.rule else None
        rating = Rating(**self.reliability.model_dump()) if self.reliability else None
        read: dict[str, Any] = {"id": self.id or feed_id(self.url), "rule": rule, "reliability": rating}
        read |= {"fallback": self.fallback.fallback() if self.fallback else None}
        return Feed(**{**self.model_dump(), **read})


def _not_empty(feeds: tuple[FeedSpec, ...]) -> tuple[FeedSpec, ...]:
    if not feeds:
        raise ValueError("the list contains no feed")
    return feeds


class FeedList(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feeds: Annotated[tuple[FeedSpec, ...], AfterValidator(_not_empty)]


def feed_id(url: str) -> str:
    """The id of a feed without a stated one: 16 hex digits of its canonical URL's hash, which stays as it was."""
    return known_id(url.partition("#")[0])[:16]


def load_feeds(source: Source) -> tuple[Feed, ...]:
    """The feeds in the file, in its order, including disabled ones.

    Raises:
        ConfigError: the file can't be read, breaks the schema, or contains a URL or an id twice; it names the line.
    """
    file = config.written(source)
    listed, root = config.load_with_root(file, FeedList)
    feeds = tuple(spec.feed() for spec in listed.feeds)
    _refuse_duplicates(file.path, root, feeds, "URL", lambda feed: article_id(feed.url))
    _refuse_duplicates(file.path, root, feeds, "id", lambda feed: feed.id)
    return feeds


def _refuse_duplicates(
    path: Path, root: yaml.Node | None, feeds: Iterable[Feed], what: str, key: Callable[[Feed], str]
) -> None:
    seen: dict[str, int] = {}
    for index, feed in enumerate(feeds):
        first = seen.setdefault(key(feed), index)
        if first != index:
            here, there = (config.line_of(root, ("feeds", number)) for number in (index, first))
            value = feed.url if what == "URL" else feed.id
            raise ConfigError(path, here, f"line {here}: the {what} {value} is already in line {there}")
