"""The unit of work: a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class BatchState(StrEnum):
    """Where a batch is on its way."""

    PLANNED = "planned"
    INDEXED = "indexed"
    MATCHED = "matched"


SEQ_PER_ATTEMPT = 1_000_000
SEQ_PER_BATCH = 100 * SEQ_PER_ATTEMPT


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit of work: some feeds to poll, and the range of ingest numbers for their articles."""

    number: int
    feed_ids: tuple[str, ...]
    state: BatchState
    created_at: datetime
    lease_until: datetime
    attempts: int = 0
    """How many workers have started it; each attempt numbers its articles in its own range."""
    counts: Mapping[str, int | float] = field(default_factory=dict)
    indexed_at: datetime | None = None
    matched_at: datetime | None = None
    """When it was last matched, also while it waits to be matched again."""
    abandoned: bool = False
    """Its worker was presumed dead; the articles it had written are matched."""
    imported: bool = False
    """Its articles come from another archive: they are placed into stories, and matched and mailed to nobody."""
    unmatched: tuple[str, ...] = ()
    """Saved searches that could not be run on it. Only these are tried again."""
    planned_by: str = ""
    """The run of a scheduler that planned it; if that is repeated, it hands out the same batch. Empty: nobody says."""
    joined: tuple[tuple[str, str], ...] = ()
    """The stories that its articles showed to be one, from which and to which articles moved; noted before they did."""

    months: tuple[str, ...] = ()
    """The months of the articles that it wrote to, such as "2026.03", and that of its end. Empty: nobody knows."""

    @property
    def id(self) -> str:
        """The document id: zero-padded, so that ids sort like numbers."""
        return f"{self.number:012d}"

    @property
    def seq_from(self) -> int:
        """First ingest number of this batch."""
        return self.number * SEQ_PER_BATCH

    @property
    def seq_to(self) -> int:
        """First ingest number after this batch's range."""
        return (self.number + 1) * SEQ_PER_BATCH

    @property
    def seq_of_attempt(self) -> int:
        """First ingest number of the attempt under way."""
        return self.seq_from + self.attempts * SEQ_PER_ATTEMPT
