"""What a run of the outbox did. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from newswatch.latencies import Latencies


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """The results of a run."""

    sent: int = 0
    """Mails sent; a mail can carry many deliveries."""
    postponed: int = 0
    """Mails that a channel refused for now."""
    failed: int = 0
    """Mails that a channel refused for good."""
    suppressed: int = 0
    """Deliveries that a rule suppressed."""
    down: str | None = None
    """Why a channel can't send now; its deliveries stay in the outbox."""
    later: datetime | None = None
    """When the first delivery that waits (for grouping, throttling or a retry) becomes due."""
    left: int = 0
    """Due recipients whom the limits of the run left out; the next run handles them first."""
    stopped: str | None = None
    """The limit that left them out."""
    set_aside: int = 0
    """Recipients, mails and documents that went into quarantine (`newswatch problems` says why)."""
    latency: Latencies = field(default_factory=Latencies)
    """Seconds from reading a story to its instant mail's acceptance, once per recipient."""
    out_of_reach: int = 0
    """Deliveries that wait because an article that they need may be in a month that can't be read."""
    broken: str | None = None
    """Why the line to a channel broke with a recipient; with several in a row the channel is `down`."""

    @property
    def tried(self) -> bool:
        """Whether the run tried to send any mail."""
        return bool(self.sent or self.postponed or self.failed)

    def __add__(self, other: DeliverReport) -> DeliverReport:
        moments = [moment for moment in (self.later, other.later) if moment]
        return DeliverReport(
            self.sent + other.sent,
            self.postponed + other.postponed,
            self.failed + other.failed,
            self.suppressed + other.suppressed,
            self.down or other.down,
            min(moments, default=None),
            self.left + other.left,
            other.stopped or self.stopped,
            self.set_aside + other.set_aside,
            self.latency + other.latency,
            self.out_of_reach + other.out_of_reach,
            self.broken or other.broken,
        )
