"""What every index and alias is called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one installation: `prefix` keeps several apart on one cluster."""

    prefix: str = ""

    @property
    def articles(self) -> str:
        """The alias over every monthly slice."""
        return f"{self.prefix}articles"

    @property
    def slices(self) -> str:
        """The pattern that every monthly slice matches, and nothing else."""
        return f"{self.prefix}articles-*"

    def slice(self, first_seen: datetime) -> str:
        """The slice that holds what was first seen then."""
        return f"{self.prefix}articles-{first_seen:%Y.%m}"

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
    def quarantine(self) -> str:
        """What Elasticsearch refused, with its reason and whole, so that nothing is lost."""
        return f"{self.prefix}quarantine"
