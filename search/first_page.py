"""What later pages of a search have to know of its first one, so that no row is lost and none stands twice. Pure.

A first page may bring rows forward and add some, by their meaning, and articles come in while somebody reads. Whether
meaning can be had again for the next page is uncertain: another process may answer it, or the encoder may fail. So the
addresses of later pages say when the first was read and what it had moved, and need neither memory nor encoder.

The address is checked, not signed: what somebody writes into it changes only which rows he himself sees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

MOST_ADDED: Final = 10
"""Maximum rows that a first page adds."""
MOST_RAISED: Final = 20
"""Maximum rows that it brings forward: each slice of the index gives some, and a page has so many."""
MAX_CHARS: Final = 800
"""Of `written`: the rows are named by hashes of 32 digits."""
KEPT: Final = timedelta(days=1)
"""Age after which a first page is forgotten: its later pages are of now."""
_AHEAD: Final = timedelta(minutes=5)
"""How far the clock of the process that answered the first page may be ahead."""
_WRITTEN: Final = re.compile(rf"([0-9a-f]{{1,12}})\.(\d{{1,2}})((?:\.[\w-]{{1,64}}){{0,{MOST_RAISED}}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The first page of a search."""

    read_at: datetime
    raised: tuple[str, ...] = ()
    """Rows that it has brought forward: articles, or stories where there is a row for each."""
    added: int = 0
    """Rows on it that the words don't find."""

    @property
    def moved(self) -> int:
        """By how many rows later pages begin earlier in the list without `raised`."""
        return len(self.raised) + self.added

    @property
    def came_since(self) -> dict[str, Any]:
        """The clause for articles that came in after it was read; a new version of an older one has not come in."""
        at = self.read_at.isoformat()
        edited = {"bool": {"filter": [{"range": {"version": {"gte": 2}}}, {"range": {"first_seen": {"lte": at}}}]}}
        return {"bool": {"filter": [{"range": {"indexed_at": {"gt": at}}}], "must_not": [edited]}}

    def written(self) -> str:
        """As addresses have it."""
        milliseconds = int(self.read_at.timestamp() * 1_000)
        return ".".join((f"{milliseconds:x}", str(self.added), *self.raised))


def first_page_of(written: str, now: datetime) -> FirstPage | None:
    """The first page that an address tells of; None for nonsense, and for one that is older than `KEPT`."""
    parts = _WRITTEN.fullmatch(written)
    if parts is None:
        return None
    try:
        read_at = datetime.fromtimestamp(int(parts[1], 16) / 1_000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    added, raised = int(parts[2]), tuple(dict.fromkeys(parts[3].split(".")[1:]))
    if added > MOST_ADDED or not now - KEPT <= read_at <= now + _AHEAD:
        return None
    return FirstPage(read_at, raised, added)
