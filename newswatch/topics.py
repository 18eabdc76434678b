"""What people call the topics: the names, colours and words that `config/taxonomy.yaml` gives them.

Reading the whole taxonomy takes a third of a second and is the tagger's; whoever shows a tag, or makes it searchable,
reads the section `topics` alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from newswatch import config
from newswatch.colours import require_legible
from newswatch.config import Source, Written
from newswatch.errors import ConfigError

log = logging.getLogger(__name__)

Word = Annotated[str, Field(min_length=1, max_length=100)]


class Called(BaseModel):
    """What people call a topic or sub-topic."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, max_length=60)
    """As pages, mails and Kibana show it."""
    called: dict[str, tuple[Word, ...]] = Field(default_factory=dict)
    """Language → what people call it there, so that "Lastenteilung" finds the English article too.

    These words are laid beside an article's own in its catch-all field. They name the whole topic, nothing narrower: a
    query for one of them shall find what was tagged, and nothing else. They tag nothing; `terms` do.
    """


class TopicCalled(Called):
    """What people call a topic, its colour, and what its sub-topics are called."""

    colour: Annotated[str, AfterValidator(require_legible)] | None = None
    """On a light page, as `#1a4f94`; the one for a dark page is derived from it. None: the colour of plain text."""
    subtopics: Mapping[str, Called] = Field(default_factory=dict)


class Topics(BaseModel):
    """The topics of an installation, in the order of its taxonomy."""

    model_config = ConfigDict(frozen=True)

    topics: dict[str, TopicCalled] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for name, count in Counter(self.names).items():
            if count > 1:
                raise ValueError(f"topics: {name!r} is the name of two topics, which nobody could tell apart")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Every tag there is: topics, each followed by its sub-topics."""
        return tuple(p for t, topic in self.topics.items() for p in (t, *(f"{t}/{s}" for s in topic.subtopics)))

    @property
    def names(self) -> tuple[str, ...]:
        """The topics' names."""
        return tuple(topic.name for topic in self.topics.values())

    @cached_property
    def called(self) -> tuple[tuple[str, str], ...]:
        """(word, tag) for every word that people call a topic or sub-topic, in every language."""
        return tuple((word, tag) for tag in self.paths for word in self.words([tag]))

    def name(self, tag: str) -> str:
        """A topic or sub-topic as people write it; one that the taxonomy no longer has, by its id."""
        known = self._called(tag)
        return known.name if known else tag.rpartition("/")[2].replace("-", " ").capitalize()

    def path(self, tag: str) -> str:
        """A sub-topic with its topic before it, where it stands alone: "NATO: Operations and missions"."""
        head, _, part = tag.partition("/")
        return f"{self.name(head)}: {self.name(tag)}" if part else self.name(tag)

    def words(self, tags: Iterable[str]) -> list[str]:
        """What people call all these topics and sub-topics, in every language, each word once."""
        known = [called for tag in tags if (called := self._called(tag))]
        return list(dict.fromkeys(word for called in known for words in called.called.values() for word in words))

    def words_of(self, tag: str) -> tuple[str, ...]:
        """`words` of one topic or sub-topic, made once: a page asks for each tag of each of its articles."""
        return self._words.get(tag, ())

    @cached_property
    def _words(self) -> dict[str, tuple[str, ...]]:
        return {tag: tuple(self.words([tag])) for tag in self.paths}

    def _called(self, tag: str) -> Called | None:
        head, _, part = tag.partition("/")
        topic = self.topics.get(head)
        return topic.subtopics.get(part) if topic and part else topic


def read_topics(source: Source) -> Topics:
    """The topics of the taxonomy; those of a path are kept until the file changes.

    Raises:
        ConfigError: the file can't be read, or what it says of a topic's name, colour or words breaks the schema.
    """
    if isinstance(source, Written):
        return _raised(_read(source))
    try:
        stat = source.stat()
    except OSError:
        return config.load_section(source, "topics", Topics)  # which says what is wrong
    return _raised(_read(source, stat.st_mtime_ns, stat.st_size))


def topics_to_show(source: Source) -> Topics:
    """`read_topics` for pages and mails: a slip in the first taxonomy of an installation doesn't stop them.

    While the taxonomy can't be read, there are no topics, so that tags go by their ids; the log says why.
    """
    try:
        return read_topics(source)
    except ConfigError as error:
        log.warning("Topics are shown by their ids, without colours: %s", error)
        return Topics()


def _raised(read: Topics | ConfigError) -> Topics:
    if isinstance(read, ConfigError):
        raise read
    return read


@lru_cache(maxsize=4)
def _read(source: Source, _changed_ns: int = 0, _size: int = 0) -> Topics | ConfigError:
    try:
        return config.load_section(source, "topics", Topics)
    except ConfigError as error:
        return error
