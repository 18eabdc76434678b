"""The result of a batch, in counts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace


@dataclass(frozen=True, slots=True)
class PullReport:
    """The result of a batch, in counts."""

    batch: int
    feeds: int = 0
    unchanged: int = 0
    """The feed answered 304, or with the same body."""
    failed: int = 0
    silent: int = 0
    """Failures in which nothing at all came back from the feed's host."""
    offline: int = 0
    """Failures that our own network caused; they count against no feed."""
    reached: int = 0
    """Feeds whose host answered anything, and other hosts that did when asked: our network works."""
    not_a_feed: int = 0
    entries: int = 0
    """Entries in the parsed bodies, seen before or not."""
    new_entries: int = 0
    waiting: int = 0
    """Entries that wait for a month of the articles which is out of reach."""
    pages: int = 0
    pages_failed: int = 0
    pages_again: int = 0
    """Pages of earlier polls that had failed or had to wait, and were tried again."""
    pages_later: int = 0
    """Pages that wait for the next poll, because their feed had too many or the batch too little time."""
    new: int = 0
    updated: int = 0
    carried: int = 0
    known: int = 0
    quarantined: int = 0
    set_aside: int = 0
    """Feeds, pages and stored documents in quarantine."""
    unfinished: int = 0
    """Feeds that were not finished, because the lease ended or another worker took them; they stay due."""
    bytes: int = 0
    """Size of the documents and pages that were fetched, unpacked; a feed with the same body as before is among them
    only if its server did not say so."""
    parse_seconds: float = field(default=0.0, compare=False)
    """Seconds that parsing took, over all feeds, also of those parsed side by side."""
    page_seconds: float = field(default=0.0, compare=False)
    """Seconds that fetching pages took, over all pages."""
    extract_seconds: float = field(default=0.0, compare=False)
    """Seconds that extracting the texts of pages took, with the wait for a worker."""

    def plus(self, **counts: float) -> PullReport:
        """The report with the counts added."""
        return replace(self, **{name: getattr(self, name) + count for name, count in counts.items()})

    def counts(self) -> dict[str, float]:
        """All counts, without the batch's number."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "batch"}
