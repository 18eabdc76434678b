"""An API key: who it is for, what it opens, and until when. Its text is shown once and never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What a key opens."""

    READ = "read"
    FEEDBACK = "feedback"
    PUSH = "push"
    TAXII = "taxii"


SCOPES: Final[Mapping[Scope, str]] = {
    Scope.READ: "read articles, stories, saved searches and the feeds' health",
    Scope.FEEDBACK: "say which stories were relevant",
    Scope.PUSH: "send articles in",
    Scope.TAXII: "poll the TAXII collections",
}
"""Each scope, and what it allows, for pages and `--help`."""

NAME_CHARS: Final = 100
DEFAULT_DAYS: Final = 90
MOST_DAYS: Final = 730
"""A key that never ends is forgotten and found by somebody else."""
PER_MINUTE: Final = 600
"""Requests a minute that a key is made for, where nothing else was said."""
MOST_PER_MINUTE: Final = 6_000


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored."""

    id: str
    """Public: stands in the key's text and in logs."""
    name: str
    owner: str
    """The user in whose name it acts."""
    scopes: tuple[str, ...]
    hash: str
    """SHA-256 of the key's secret part, in hexadecimal. The secret has 256 random bits, so no slow hash is needed."""
    created_at: datetime
    created_by: str
    expires_at: datetime
    per_minute: int = PER_MINUTE
    """Requests a minute that each web server process grants."""
    last_used_at: datetime | None = None
    """To the hour."""
    used_from: tuple[str, ...] = ()
    """Where it was used from on the day of `last_used_at`, in UTC; the audit log has a record of each."""
    refused_at: datetime | None = None
    """When the audit log got its last record of a use that was refused."""
    revoked_at: datetime | None = None
    revoked_by: str = ""

    def state(self, now: datetime) -> str:
        """`on`, `expired` or `revoked`."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= now else "on"
