"""What a search finds: one page of results. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from newswatch.article import Article
from search.facets import Facet, Timeline
from search.marking import Opening, StandIn
from search.meant import Meant, Unmeant
from search.missing import Missing
from search.story_view import StoryFacts


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of an article, by its title."""

    article: Article
    title: str
    """With the matching terms between `MARK_START` and `MARK_END`."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One article in the results; with one row per story, it stands for its story."""

    article: Article
    score: float
    highlights: Mapping[str, tuple[str, ...]]
    """Field → the whole title, or passages, with the matching terms between `MARK_START` and `MARK_END`."""
    seq: int = 0
    """Its ingest number."""
    matching: int = 1
    """Number of the story's articles that the query finds, if one row per story was requested."""
    story: StoryFacts = field(default_factory=StoryFacts)
    """All of its story, if requested."""
    indexed_at: datetime | None = None
    """When this version of it was indexed."""
    stand_ins: tuple[StandIn, ...] = ()
    """What stands in the article for words of the query that it does not have."""
    copy: Copy | None = None
    """The copy that says in its title what the article's own title does not: it brought the story to this place."""
    meant: Meant | None = None
    """What its headline and lead mean, if requested and known; `article` comes without its vector."""
    by_meaning: bool = False
    """Its words don't match: it means the same (`similar:`)."""
    opening: Opening = field(default_factory=Opening)
    """How much of the words it says first, if its meaning was requested."""
    lacks_words: bool = False
    """It has only some of the words, where others have all: it fills the page up."""


@dataclass(frozen=True, slots=True)
class Results:
    """One page of results."""

    total: int
    """Number of articles that the query finds."""
    hits: tuple[Hit, ...]
    took_ms: int
    stories: int | None = None
    """Number of their stories, if requested: nearly exact up to 3,000, then within a few percent."""
    relaxed: bool = False
    """No article has all the words; these have most of them."""
    filled: int | None = None
    """Place in `hits` from which on they have only some of the words, as `total` does not count them; by meaning, some
    that lack words stand above (`Hit.lacks_words`). None: no such place."""
    similar: int = 0
    """Rows that are added by meaning; `total` does not count them."""
    raised: tuple[str, ...] = ()
    """Rows of the first page that meaning has brought forward: articles, or stories if those were requested."""
    unmeant: Unmeant | None = None
    """Why the page goes by the words alone, though it was asked to go by their meaning, too; None if it does."""
    missing: Missing | None = None
    """What could not be searched, so that rows and counts lack it."""
    shortened: str = ""
    """What a reader is told of words that were not looked for, because a query has so many."""
    facets: tuple[Facet, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)

    @property
    def rows(self) -> int:
        """Number of rows that the words find, on all pages: articles, or stories if those were requested."""
        return self.total if self.stories is None else self.stories

    def is_close(self, place: int) -> bool:
        """Whether the row there lacks words and yet stands among those that have all."""
        above = self.filled is None or place < self.filled
        return above and self.hits[place].lacks_words and not self.relaxed

    @property
    def has_close(self) -> bool:
        """Whether there are such rows."""
        return any(map(self.is_close, range(len(self.hits))))
