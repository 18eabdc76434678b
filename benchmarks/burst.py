"""How long a burst takes until its last mail: `python -m benchmarks.burst [--articles N] [--searches N] [--readers N]`.

All articles of an hour lie in the index, in batches of 500, tagged and with vectors (`benchmarks.stream` invents them).
One process places, joins and matches them. Another sends the mails to a server of its own: whenever a run of `match`
has ended that enqueued something, and each minute, as Airflow's tasks do. Saved searches are of three kinds: whole
topics, in one language or in all; one word of the news; two words. Printed are the seconds from the moment at which
both may begin until all is matched and until the server has taken the last mail, and the processor time of either.

At the end nothing may wait, and nobody may have been told of a story twice by one saved search.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from pydantic import SecretStr

from alerts.saved import SavedSearches
from benchmarks.growth import counted, installation
from benchmarks.recipients import mail_server
from benchmarks.stream import ENCODER, NOW, Invented, batches
from delivery.documents import read_outcome
from jobs import deliver
from jobs.context import Context, open_context
from jobs.match import batch_waits, match
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Article
from newswatch.delivery import DeliveryState
from newswatch.settings import Settings
from store.elastic.documents import values
from store.elastic.reading import every

HOUR = timedelta(hours=1)
BATCH = 500
_WORD = re.compile(r"[^\W\d_]{6,12}")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process did."""

    ended: float
    """By `time.time`."""
    cpu_s: float
    requests: int
    runs: int


def articles(count: int) -> list[Article]:
    """The burst, in the hour that has just passed."""
    later = datetime.now(UTC) - HOUR - NOW
    return [
        replace(
            article,
            first_seen=article.first_seen + later,
            published=article.published and article.published + later,
            provenance=replace(article.provenance, fetched_at=article.provenance.fetched_at + later),
        )
        for article in Invented(1.0).articles(count, HOUR)
    ]


def saved_searches(count: int, readers: int, news: Sequence[Article]) -> Iterator[SavedSearch]:
    """A tenth of whole topics, four tenths of one word, half of two, each for one to three readers."""
    dice = random.Random(1)
    words = [sorted(set(_WORD.findall(article.text.lower()))) for article in dice.choices(news, k=count)]
    for number, known in enumerate(words):
        kind = number % 10
        query = "" if kind == 0 else " ".join(dice.sample(known, 1 if kind < 5 else 2))
        languages = (dice.choice(news).language or "en",) if kind == 0 and number else ()
        to = tuple(f"reader-{each}@readers.example" for each in dice.sample(range(readers), dice.randint(1, 3)))
        yield SavedSearch(f"s{number}", f"Search {number}", query, to, tags=(TagFilter("nato"),), languages=languages)


# ── the two processes ────────────────────────────────────────────────────────────────────────────────────────────────


def _matching(settings: Settings, line: Connection, owed: Connection, profile: str) -> None:
    """Match until nothing waits; whoever is at the other end of `owed` learns of each run that enqueued something."""

    def work(context: Context) -> int:
        runs = 0
        while batch_waits(context):
            runs += 1
            if match(context).owed:
                owed.send("mails")
        owed.send("end")
        return runs

    _measured(settings, line, work, profile)


def _mailing(settings: Settings, line: Connection, owed: Connection, profile: str) -> None:
    """Deliver when something was enqueued and each minute, until matching has ended and nothing waits any more."""

    def work(context: Context) -> int:
        runs, more, held, minute = 0, True, False, time.monotonic() + 60
        while more or held:
            if owed.poll(1 if held else max(0.0, minute - time.monotonic())):
                more = owed.recv() != "end"
            else:
                minute += 60
            if held or deliver.mails_wait(context):
                runs += 1
                held = deliver.run(context).later is not None
        return runs

    _measured(settings, line, work, profile)


def _measured(settings: Settings, line: Connection, work: Callable[[Context], int], profile: str) -> None:
    context = open_context(settings)
    batch_waits(context)
    line.send("ready")
    line.recv()
    before, profiler = time.process_time(), cProfile.Profile()
    with (
        patch("jobs.uniting.encoder_of", lambda _: ENCODER),
        patch("jobs.match.encoder_of", lambda _: ENCODER),
        counted(context.es) as made,
    ):
        if profile:
            profiler.enable()
        runs = work(context)
        profiler.disable()
    if profile:
        profiler.dump_stats(profile)
    line.send(Spent(time.time(), time.process_time() - before, len(made), runs))


@contextmanager
def _process(work: Callable[..., None], *arguments: object) -> Iterator[Connection]:
    """The line to a process that is ready."""
    here, there = multiprocessing.Pipe()
    settings, *others = arguments
    process = multiprocessing.get_context("spawn").Process(target=work, args=(settings, there, *others), daemon=True)
    process.start()
    assert here.recv() == "ready"
    try:
        yield here
    finally:
        process.join()


# ── the measurement ──────────────────────────────────────────────────────────────────────────────────────────────────


def measure(context: Context, count: int, searches: int, readers: int, profile: Mapping[str, str]) -> None:
    """Run it and print the table."""
    news = articles(count)
    kept = SavedSearches(context.es, context.names)
    for search in saved_searches(searches, readers, news):
        kept.save(search, by="benchmark", now=context.clock())
    indexed = sum(1 for _ in batches(context, iter(news), BATCH, now=context.clock()))
    with mail_server() as (port, mails):
        changes = {"smtp_host": "127.0.0.1", "smtp_port": port, "mail_from": "newswatch@newswatch.example"}
        settings = context.settings.model_copy(update=changes | {"secret_key": SecretStr("for this run")})
        ahead, behind = multiprocessing.Pipe()
        with (
            _process(_matching, settings, ahead, profile.get("match", "")) as matching,
            _process(_mailing, settings, behind, profile.get("mail", "")) as mailing,
        ):
            began = time.time()
            matching.send("go")
            mailing.send("go")
            matched, mailed = matching.recv(), mailing.recv()
        mails.send("taken")
        taken = mails.recv()
    told = _told(context)
    first, last = (moment - began for moment in (min(at for _, at in taken), max(at for _, at in taken)))
    print(f"{count:,} articles in {indexed} batches, {searches} saved searches, {readers} readers")
    print(f"matched after {matched.ended - began:.0f} s, first mail after {first:.0f} s, last after {last:.0f} s")
    for name, spent in (("matching", matched), ("mailing", mailed)):
        each = f"{1_000 * spent.cpu_s / count:.1f} ms an article"
        print(f"{name}: {spent.cpu_s:.1f} s CPU ({each}), {spent.requests:,} requests, {spent.runs} runs")
    print(f"{len(taken):,} mails with {told.total():,} stories")
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")


def _told(context: Context) -> Counter[tuple[str, str, str]]:
    """How often each reader was told of a story for a search.

    Raises:
        AssertionError: more than once, or not at all.
    """
    context.es.indices.refresh(index=context.names.outcomes)
    found = values(every(context.es, context.names.outcomes), read_outcome)
    assert {one.outcome.state for one in found} == {DeliveryState.SENT}, Counter(one.outcome.state for one in found)
    told = Counter((one.outcome.recipient, one.delivery_id, one.story_id) for one in found)
    assert set(told.values()) == {1}
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--profile", type=Path, help="a folder for both processes' profiles, which slow them down")
    options = parser.parse_args(arguments)
    profile = {name: str(options.profile / f"{name}.prof") for name in ("match", "mail") if options.profile}
    with TemporaryDirectory() as folder, installation(Path(folder)) as context:
        measure(context, options.articles, options.searches, options.readers, profile)


if __name__ == "__main__":
    main()
