"""Whether the clock is to be believed before anything is taken away for its age: the one rule for all that does so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from jobs.context import Context
from newswatch.errors import NewswatchError
from store.elastic.faults import REFUSALS
from store.pulse import PulseStore

LONGEST_PAUSE: Final = timedelta(days=31)
"""Between two runs of upkeep. After a longer one the clock may be wrong, and with it all that counts as old."""


def doubt_of_clock(now: datetime, last_run: datetime | None) -> str | None:
    """Why nothing is dropped by this clock until somebody has looked at it; None: it is believed. Pure.

    A clock that is set two years ahead would make the whole archive old in one night. `last_run` is upkeep's last good
    one.
    """
    if last_run is None or now - last_run <= LONGEST_PAUSE:
        return None
    return (
        f"Nothing old was dropped: by Elasticsearch's clock it is {now:%Y-%m-%d %H:%M} UTC, and this was last done "
        f"{(now - last_run).days} days ago. If that is so, run `newswatch index upkeep --clock-is-right` once; if not, "
        "set the clock of Elasticsearch's machine right."
    )


def last_upkeep(context: Context) -> datetime | None:
    """When upkeep was last done without an error."""
    return PulseStore(context.es, context.names).of("upkeep").ended_at


def is_clock_doubted(context: Context) -> bool:
    """Whether other jobs keep what is old, too: upkeep tells why. So they do where that can't be read."""
    try:
        return doubt_of_clock(context.clock(), last_upkeep(context)) is not None
    except (NewswatchError, *REFUSALS):
        return True
