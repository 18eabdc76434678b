"""A rule: what is wrong in a reading of the pulse. What all rules share. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from newswatch.texts import cut_short
from observe.condition import Condition
from observe.pulse import Pulse

Rule = Callable[[Pulse, Settings], Iterator[Condition]]
REASON_CHARS: Final = 400
"""Maximum number of characters of a reason in a sentence."""


def job_of(pulse: Pulse, name: str) -> JobPulse:
    return pulse.jobs.get(name) or JobPulse(name)


def older(moment: datetime | None, now: datetime, than: timedelta) -> bool:
    return moment is not None and now - moment >= than


def reason(why: str) -> str:
    """A reason as the end of a sentence, on one line."""
    text = cut_short(" ".join(why.split()), REASON_CHARS)
    return text if text.endswith((".", "…", "!", "?")) else f"{text}." if text else "the reason is unknown."
