"""What an installation calls things: its indices and aliases, and its topics."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from newswatch.settings import Settings, default_config_dir
from newswatch.topics import Topics, read_topics, topics_to_show

_SLICE = re.compile(r"(?P<month>\d{4}\.\d\d)(?:-g(?P<generation>\d+))?")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one installation: `prefix` keeps several apart on one cluster.

    Whoever writes or reads articles has them, so that nobody does it without the words for the articles' topics.
    """

    prefix: str = ""
    taxonomy: Path = field(default_factory=lambda: default_config_dir() / "taxonomy.yaml")
    """The file that says what the topics are called."""

    @classmethod
    def of(cls, settings: Settings) -> Names:
        """The names of the installation with these settings."""
        return cls(settings.index_prefix, settings.config_dir / "taxonomy.yaml")

    def topics(self) -> Topics:
        """The topics as the taxonomy has them now.

        Raises:
            ConfigError: it can't be read.
        """
        return read_topics(self.taxonomy)

    def shown_topics(self) -> Topics:
        """`topics` for pages and mails: none while the taxonomy can't be read, so that tags go by their ids."""
        return topics_to_show(self.taxonomy)

    @property
    def articles(self) -> str:
        """The alias over every monthly slice."""
        return f"{self.prefix}articles"

    @property
    def slices(self) -> str:
        """The pattern that every monthly slice matches, and nothing else."""
        return f"{self.prefix}articles-*"

    def plain_template(self) -> str:
        """The name of the template of every index that is not sliced by month."""
        return f"{self.prefix}newswatch-plain"

    def slice_of_month(self, month: str, generation: int = 1) -> str:
        """The index of what was first seen in a month such as "2026.03"; an upgrade makes the next generation of it."""
        return f"{self.articles}-{month}" + (f"-g{generation}" if generation > 1 else "")

    def parse_slice(self, index: str) -> tuple[str, int] | None:
        """Month and generation of the slice `index`; None if it is the name of something else."""
        found = _SLICE.fullmatch(index.removeprefix(f"{self.articles}-"))
        return (found["month"], int(found["generation"] or 1)) if found else None

    @property
    def entries(self) -> str:
        """One document per feed entry ever seen: what makes reading a feed again cheap and harmless."""
        return f"{self.prefix}entries"

    @property
    def feeds(self) -> str:
        """One document per feed: its configuration, its state, its lease."""
        return f"{self.prefix}feeds"

    @property
    def batches(self) -> str:
        """One document per batch."""
        return f"{self.prefix}batches"

    @property
    def searches(self) -> str:
        """One document per saved search."""
        return f"{self.prefix}saved-searches"

    @property
    def deliveries(self) -> str:
        """The outbox: one document per (saved search, story)."""
        return f"{self.prefix}deliveries"

    @property
    def mailboxes(self) -> str:
        """One document per mail recipient."""
        return f"{self.prefix}mailboxes"

    @property
    def labels(self) -> str:
        """What readers said of the mails they got."""
        return f"{self.prefix}labels"

    @property
    def rechecks(self) -> str:
        """One document per article that was mailed: when it is to be read again."""
        return f"{self.prefix}rechecks"

    @property
    def notices(self) -> str:
        """What the operator was told last: one document per kind of notice."""
        return f"{self.prefix}notices"

    @property
    def quarantine(self) -> str:
        """What Elasticsearch refused, with its reason and whole, so that nothing is lost."""
        return f"{self.prefix}quarantine"
