"""The names of an installation: those of its indices and aliases, and those of its topics."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from newswatch.config import Source
from newswatch.settings import Settings, default_config_dir
from newswatch.topics import Topics, read_topics, topics_to_show

_SLICE = re.compile(r"(?P<month>\d{4}\.\d\d)(?:-g(?P<generation>\d+))?")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one installation; `prefix` separates several installations on one cluster.

    Code that writes or reads articles takes it, so that the words for the articles' topics are never missing.
    """

    prefix: str = ""
    taxonomy: Source | Callable[[], Source] = field(default_factory=lambda: default_config_dir() / "taxonomy.yaml")
    """The file that says what the topics are called, or who knows which version of it is in force."""
    searched: tuple[str, ...] = ()
    """The slices that are searched for articles, while others are out of reach; empty: all in force."""

    @classmethod
    def of(cls, settings: Settings) -> Names:
        """The names of the installation with these settings."""
        return cls(settings.index_prefix, settings.config_dir / "taxonomy.yaml")

    def topics(self) -> Topics:
        """The topics as the taxonomy has them now.

        Raises:
            ConfigError: it can't be read.
        """
        return read_topics(self.taxonomy_in_force())

    def shown_topics(self) -> Topics:
        """`topics` for pages and mails: none while the taxonomy can't be read, so that tags go by their ids."""
        return topics_to_show(self.taxonomy_in_force())

    def taxonomy_in_force(self) -> Source:
        """The taxonomy that applies now: a file, or the text of the version in force."""
        return self.taxonomy() if callable(self.taxonomy) else self.taxonomy

    @property
    def alias(self) -> str:
        """The alias over every monthly slice in force."""
        return f"{self.prefix}articles"

    @property
    def articles(self) -> str:
        """What is searched for articles: the alias, or the slices of `searched`."""
        return ",".join(self.searched) or self.alias

    @property
    def slices(self) -> str:
        """The pattern that matches all monthly slices and nothing else."""
        return f"{self.prefix}articles-*"

    def plain_template(self) -> str:
        """The name of the template of every index that is not sliced by month."""
        return f"{self.prefix}newswatch-plain"

    def slice_of_month(self, month: str, generation: int = 1) -> str:
        """The index of articles first seen in a month such as "2026.03"; upgrades create the further generations."""
        return f"{self.alias}-{month}" + (f"-g{generation}" if generation > 1 else "")

    def parse_slice(self, index: str) -> tuple[str, int] | None:
        """Month and generation of the slice `index`; None if the name is not a slice's."""
        parts = _SLICE.fullmatch(index.removeprefix(f"{self.alias}-"))
        return (parts["month"], int(parts["generation"] or 1)) if parts else None

    @property
    def entries(self) -> str:
        """One document per processed feed entry, so that reading a feed again indexes nothing twice."""
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
    def outcomes(self) -> str:
        """What became of each delivery for each recipient: one document per (saved search, story, recipient)."""
        return f"{self.prefix}outcomes"

    @property
    def mailboxes(self) -> str:
        """One document per mail recipient."""
        return f"{self.prefix}mailboxes"

    @property
    def subscribers(self) -> str:
        """Who gets messages: one document per person, group, and address that is a secret or must confirm."""
        return f"{self.prefix}subscribers"

    @property
    def labels(self) -> str:
        """Readers' feedback on mails: one document per (saved search, story, recipient)."""
        return f"{self.prefix}labels"

    @property
    def rechecks(self) -> str:
        """One document per mailed article: when to read it again."""
        return f"{self.prefix}rechecks"

    @property
    def notices(self) -> str:
        """The last notice to the operator: one document per kind of notice."""
        return f"{self.prefix}notices"

    @property
    def pulse(self) -> str:
        """How each job has fared: one document per job."""
        return f"{self.prefix}pulse"

    @property
    def configuration(self) -> str:
        """The configuration files: which version of each is in force, its text, and what is wrong with others."""
        return f"{self.prefix}configuration"

    @property
    def outages(self) -> str:
        """When newswatch itself stood still: one document per cause."""
        return f"{self.prefix}outages"

    @property
    def readers(self) -> str:
        """Readers' desks: when each last looked, what he marked, and who an article was handed to."""
        return f"{self.prefix}readers"

    @property
    def lane(self) -> str:
        """Whose turn it is to match; the subscriptions to hubs, and what they have pushed."""
        return f"{self.prefix}lane"

    @property
    def keys(self) -> str:
        """API keys, by hashes, and readers' addresses of feeds: one document each."""
        return f"{self.prefix}keys"

    @property
    def months(self) -> str:
        """Which articles a past month has, by hashes of their ids: one document per slice."""
        return f"{self.prefix}months"

    @property
    def milestones(self) -> str:
        """When articles became visible to TAXII's clients, by their ingest numbers."""
        return f"{self.prefix}milestones"

    @property
    def imports(self) -> str:
        """How far each import has come: one document per file, or per other installation."""
        return f"{self.prefix}imports"

    @property
    def audit(self) -> str:
        """The audit log's head: a copy of its last record. Each month's records have an index (`audit-2026.11`)."""
        return f"{self.prefix}audit"

    @property
    def audit_months(self) -> str:
        """The pattern that matches the months of the audit log and nothing else."""
        return f"{self.audit}-2*"

    def audit_of_month(self, month: str) -> str:
        """The index of the audit log's records of a month such as "2026.11"."""
        return f"{self.audit}-{month}"

    @property
    def quarantine(self) -> str:
        """Problems: what could not be used, with the reason, and the whole document where it would be lost."""
        return f"{self.prefix}quarantine"


def month_end(month: str) -> datetime:
    """The first moment after a month such as "2026.03"."""
    start = datetime.strptime(month, "%Y.%m").replace(tzinfo=UTC)
    return (start + timedelta(days=32)).replace(day=1)
