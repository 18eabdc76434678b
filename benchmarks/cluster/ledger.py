"""Compares what was published with what was mailed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from delivery.latency import percentile


@dataclass(frozen=True, slots=True)
class Published:
    """An article that a paper has published."""

    url: str
    at: datetime
    reader: str = ""
    """Who must get it by mail; empty: nobody."""


@dataclass(frozen=True, slots=True)
class Mailed:
    """An article in a mail that the mail server has accepted."""

    url: str
    at: datetime
    reader: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the articles."""

    published: int
    wanted: int
    """Articles that somebody must get by mail."""
    mailed: int
    """Of these, how many came."""
    missing: tuple[str, ...]
    """Addresses of those that did not."""
    twice: tuple[str, ...]
    """Addresses of those that came in two different mails."""
    again: int
    """Copies of one mail under the same Message-ID: a worker died before it could record that the mail was accepted."""
    strays: tuple[str, ...]
    """Addresses of those that came to somebody else."""


def counts(published: Sequence[Published], mailed: Iterable[Mailed]) -> Counts:
    """What became of the articles."""
    wanted = {one.url: one.reader for one in published if one.reader}
    came: dict[str, list[str]] = defaultdict(list)
    strays = []
    for one in mailed:
        if wanted.get(one.url) == one.reader:
            came[one.url].append(one.message_id)
        else:
            strays.append(one.url)
    return Counts(
        published=len(published),
        wanted=len(wanted),
        mailed=len(came),
        missing=tuple(url for url in wanted if url not in came),
        twice=tuple(url for url, ids in came.items() if len(set(ids)) > 1),
        again=sum(len(ids) - len(set(ids)) for ids in came.values()),
        strays=tuple(strays),
    )


def delays(published: Iterable[Published], mailed: Iterable[Mailed]) -> dict[Published, timedelta]:
    """Article → time from its publication to its first mail."""
    first: dict[str, datetime] = {}
    for mail in mailed:
        first[mail.url] = min(mail.at, first.get(mail.url, mail.at))
    return {one: first[one.url] - one.at for one in published if one.url in first}


def peak_s(took: dict[Published, timedelta], since: datetime, until: datetime) -> float:
    """The longest delay in seconds of an article that was on its way at a moment between the two; 0 without one."""
    on_the_way = (delay for one, delay in took.items() if one.at <= until and one.at + delay >= since)
    return max((delay.total_seconds() for delay in on_the_way), default=0.0)


def percentiles_s(took: Iterable[timedelta], wanted: Sequence[int] = (50, 95)) -> tuple[float, ...]:
    """Percentiles of the delays in seconds; zeros if there are none."""
    ordered = sorted(delay.total_seconds() for delay in took)
    return tuple(percentile(ordered, each) if ordered else 0.0 for each in wanted)
