"""Measures the latency from feed to mail on the embedded stack: from a story in a feed to the arrival of its mail.

    python -m benchmarks.latency --stories 30 --minutes 12 --kind minute

Stories are published at random moments, all of them for one reader, so that mails are grouped too. The feeds of the
local newsroom are polled once a minute by Airflow's scheduler (`minute`), asked every ten seconds by the fast lane
(`fast`), or pushed by the newsroom's hub (`pushed`). Measured from the answer to the request that publishes a story to
the moment the mail catcher has the mail that tells it. `--json FILE` writes the table for `make evaluate LATENCY=FILE`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from alerts.saved import SavedSearches
from benchmarks.invented import words
from cli.demo import NewsroomProcess, open_newsroom, open_stack
from cli.demo_steps import wait_until
from delivery.latency import LEGS, latency, percentile
from delivery.listing import deliveries
from delivery.verification import Registrar
from embedded.mail import CaughtMail, list_mails
from embedded.newsroom_site.content import Expected, Story
from embedded.receiver import EventReceiver, open_receiver
from embedded.stack_files import mail_folder
from ingest.urls import article_id
from jobs.context import Context, open_context
from newswatch.alert import SavedSearch
from newswatch.delivery import Delivery
from newswatch.settings import Settings
from store.elastic.reading import every
from store.feeds import FeedStore
from store.hubs import HubStore

READER, OUTLET = "reader@example.org", "ledger"
HOOK = "webhook:bench"
ALERTS = f"""
alerts:
  - id: everything
    name: Everything
    recipients: [{READER}]
"""


KINDS: Mapping[str, Mapping[str, Any]] = {
    "minute": {"fast_by_rhythm": False},
    "fast": {"fast_by_rhythm": False},
    "pushed": {"fast_by_rhythm": False, "websub": True},
}
"""How the feeds come in → the settings for that."""


@dataclass(frozen=True, slots=True)
class StoryLatency:
    """A published story, and when each step was done, in seconds since its publication."""

    fetched: float
    indexed: float
    matched: float
    mailed: float


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--stories", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--kind", choices=[*KINDS], default="minute", help="how the stories come in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the stack keeps its data (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="write the percentiles to this file, too")
    options = parser.parse_args()
    with TemporaryDirectory() as spare:
        home = options.folder or Path(spare) / "stack"
        hub, fast = ([OUTLET] * (options.kind == kind) for kind in ("pushed", "fast"))
        with open_newsroom(home, hub=hub, fast=fast) as newsroom, open_receiver() as receiver:
            (newsroom.config / "alerts.yaml").write_text(ALERTS, encoding="utf-8")
            changes: dict[str, Any] = {"poll_min_interval_s": 60, "poll_max_interval_s": 60, **KINDS[options.kind]}
            changes["channel_allow_hosts"] = (receiver.pair,)
            with open_stack(home, newsroom, **changes) as stack:
                wait_until(f"the feeds are {options.kind}", lambda: is_ready(open_context(stack), options.kind))
                post_to(open_context(stack), receiver)
                result = measure(stack, newsroom, options.stories, options.minutes * 60, random.Random(options.seed))
    result["kind"] = options.kind
    if options.json:
        options.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def is_ready(context: Context, kind: str) -> bool:
    """Whether the stories' feed comes in as it should."""
    records = [one for one in FeedStore(context.es, context.names).all() if f"/{OUTLET}/" in one.feed.url]
    if kind == "pushed":
        known = HubStore(context.es, context.names).all()
        return any(one.feed.id in known and known[one.feed.id].until for one in records)
    held = any(one.lease_until is not None and one.lease_batch is None for one in records)
    return bool(records) and (held if kind == "fast" else all(one.state.polls for one in records))


def post_to(context: Context, receiver: EventReceiver) -> None:
    """Have every story posted to a webhook, too."""
    registrar = Registrar(context.es, context.names, context.settings, context.clock, trusted=True)
    _, receiver.secret = registrar.add_webhook(HOOK.partition(":")[2], receiver.url, "the benchmark")
    registrar.send_code(HOOK)
    SavedSearches(context.es, context.names).save(SavedSearch("posts", "Posts", "", (HOOK,)), by="the benchmark")


def posted(context: Context, began: datetime) -> list[float]:
    """Seconds from the match to the webhook's answer, of each story since then."""
    context.es.indices.refresh(index=context.names.outcomes)
    since = {"range": {"created_at": {"gte": began.isoformat()}}}
    query = {"bool": {"filter": [{"term": {"recipient": HOOK}}, {"exists": {"field": "sent_at"}}, since]}}
    documents = (hit["_source"] for hit in every(context.es, context.names.outcomes, query))
    moments = ((datetime.fromisoformat(one["created_at"]), datetime.fromisoformat(one["sent_at"])) for one in documents)
    return [(sent - matched).total_seconds() for matched, sent in moments]


def measure(
    settings: Settings, newsroom: NewsroomProcess, count: int, seconds: float, dice: random.Random
) -> dict[str, object]:
    """Publish the stories, wait for their mails, print the latencies, and return them as JSON values."""
    wait_until("the first poll is mailed", lambda: bool(mails(settings)))
    began, shown = datetime.now(UTC), {}
    for due_s, story in zip(sorted(dice.uniform(0, seconds) for _ in range(count)), stories(dice, count), strict=True):
        time.sleep(max(0.0, due_s - (datetime.now(UTC) - began).total_seconds()))
        requests.post(f"{newsroom.url}/-/add", json=story.model_dump(), timeout=10).raise_for_status()
        shown[f"{newsroom.url}/{OUTLET}/article/{story.slug}/"] = datetime.now(UTC)
    wait_until("every story is mailed", lambda: set(shown) <= set(arrivals(settings, shown)))
    context = open_context(settings)
    latencies = told(context, settings, shown)
    report(latencies, mails(settings), context, began)
    wait_until("every story is posted", lambda: len(posted(context, began)) >= count)
    print(f"{'matched → posted':20}", _percentiles(posted(context, began)))
    return as_json(latencies, sum(mail.received_at > began for mail in mails(settings)), began)


def as_json(latencies: Sequence[StoryLatency], mailed: int, began: datetime) -> dict[str, object]:
    """The percentiles of each leg in seconds, with when and under what load they were measured."""
    legs = {name: _percentiles(taken) for name, taken in legs_of(latencies).items()}
    load = round(os.getloadavg()[2], 1)
    return {"measured_at": f"{began:%Y-%m-%d}", "stories": len(latencies), "mails": mailed, "load": load, "legs": legs}


def _percentiles(taken: Sequence[float]) -> dict[str, float]:
    ordered = sorted(taken)
    return {
        "p50": round(percentile(ordered, 50), 1),
        "p95": round(percentile(ordered, 95), 1),
        "longest": round(ordered[-1], 1),
    }


def stories(dice: random.Random, count: int) -> Iterator[Story]:
    """Invents stories in invented words, so that no two are grouped as one story."""

    for number in range(count):
        body = "\n\n".join(f"The {words(dice, 8)} of the {words(dice, 30)}, officials said." for _ in range(6))
        title = f"Report {number}: {words(dice, 6)}"
        yield Story(
            slug=f"report-{number}",
            outlet=OUTLET,
            title=title,
            summary=f"About the {words(dice, 12)}.",
            body=body,
            authors=("A. Writer",),
            section="Security",
            minutes_ago=0,
            expected=Expected(tags={}, alerts=()),
        )


def mails(settings: Settings) -> list[CaughtMail]:
    """The mails that have arrived."""
    return list_mails(mail_folder(settings.data_dir))


def arrivals(settings: Settings, urls: Sequence[str] | dict[str, datetime]) -> dict[str, datetime]:
    """URL → when the first mail with it arrived."""
    arrived: dict[str, datetime] = {}
    for mail in mails(settings):
        for url in urls:
            if url in mail.text:
                arrived.setdefault(url, mail.received_at)
    return arrived


def told(context: Context, settings: Settings, shown: dict[str, datetime]) -> list[StoryLatency]:
    """The latencies of each story."""
    owed = {d.article_id: d for d in deliveries(context.es, context.names, size=1_000).page}
    arrived = arrivals(settings, shown)
    return [_told(owed[article_id(url)], shown_at, arrived[url]) for url, shown_at in shown.items()]


def _told(owed: Delivery, shown: datetime, arrived: datetime) -> StoryLatency:
    assert owed.fetched_at
    assert owed.indexed_at
    moments = (owed.fetched_at, owed.indexed_at, owed.created_at, arrived)
    return StoryLatency(*((moment - shown).total_seconds() for moment in moments))


def legs_of(latencies: Sequence[StoryLatency]) -> dict[str, list[float]]:
    """Leg → the seconds that each story took on it."""
    return {
        "shown → fetched": [t.fetched for t in latencies],
        "fetched → indexed": [t.indexed - t.fetched for t in latencies],
        "indexed → matched": [t.matched - t.indexed for t in latencies],
        "matched → mailed": [t.mailed - t.matched for t in latencies],
        "shown → mailed": [t.mailed for t in latencies],
    }


def report(latencies: Sequence[StoryLatency], caught: Sequence[CaughtMail], context: Context, began: datetime) -> None:
    """Print the percentiles."""
    count = sum(mail.received_at > began for mail in caught)
    print(
        f"\n{len(latencies)} stories in {count} mails; load {os.getloadavg()[2]:.1f} over the last quarter of an hour"
    )
    print(f"{'leg':20} {'p50':>7} {'p95':>7} {'longest':>8}  seconds")
    for name, taken in legs_of(latencies).items():
        ordered = sorted(taken)
        print(f"{name:20} {percentile(ordered, 50):7.1f} {percentile(ordered, 95):7.1f} {ordered[-1]:8.1f}")
    print("\nthe ledger (newswatch alerts latency):")
    for leg in latency(context.es, context.names, began - timedelta(seconds=1)):
        if leg.name in LEGS[1:]:
            print(f"{leg.name:20} {leg.p50:7.1f} {leg.p95:7.1f} {leg.longest:8.1f}")


if __name__ == "__main__":
    main()
