"""`python -m benchmarks.cluster`: plays feeds to a cluster, kills its parts, and prints what that cost."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import gettempdir

from benchmarks.cluster.installation import Cluster, open_cluster
from benchmarks.cluster.kills import AT_ONCE, KILLS, LOST, Kill
from benchmarks.cluster.ledger import counts, delays, peak_s, percentiles_s
from benchmarks.cluster.outside import DESKS, PROBE, Outside, Papers, open_outside, publishing

FIRST_S = 900.0
"""Seconds from the start until the first mail has come."""
PROBE_S = 900.0
"""Seconds to wait for the mail on a probe; then it counts as lost."""
BEHIND_S = 60.0
"""What is older than this and the time between two polls must have been mailed before the next kill."""
REST_S = 20.0
"""Seconds of ordinary work between two kills."""
HEAD = "| killed | a story published then was mailed after, s | longest from story to mail, s |\n|---|---:|---:|"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a kill cost."""

    what: str
    probe_s: float
    """From the kill to the mail on a story that was published at the kill."""
    longest_s: float
    """Longest time from a story to its mail, of those that were on their way from the kill to the end of the lag."""


def main() -> int:
    """Run it; returns the exit status."""
    options = _options()
    # A signal takes the usual way out, which ends everything.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = options.folder or Path(gettempdir()) / "newswatch-cluster"
    papers = Papers(options.feeds, options.matching)
    changes = {
        "NEWSWATCH_POLL_MIN_INTERVAL_S": str(options.poll_s),
        "NEWSWATCH_POLL_MAX_INTERVAL_S": str(options.poll_s),
        "NEWSWATCH_FETCH_ALLOW_HOSTS": json.dumps(papers.hosts),
        "NEWSWATCH_FETCH_HOST_DELAY_S": "0.05",
        "NEWSWATCH_NUMBER_OF_REPLICAS": "1",
        "NEWSWATCH_FAST_BY_RHYTHM": "false",
        "NEWSWATCH_VECTORS": "false",
        **dict(each.split("=", 1) for each in options.set),
    }
    with (
        open_outside(home.with_name(home.name + "-outside"), papers) as outside,
        open_cluster(home, outside, options.workers, changes) as cluster,
    ):
        began = time.monotonic()
        with publishing(outside, options.articles_a_day / 1_440):
            if not _until(lambda: bool(outside.mailed()), FIRST_S):
                raise SystemExit(f"No mail has come within {FIRST_S:.0f} s; see the logs in {home / 'logs'}.")
            print(f"The first mail came after {time.monotonic() - began:.0f} s.\n\n{HEAD}", flush=True)
            began_mb, since = cluster.database_mb(), time.monotonic()
            behind = timedelta(seconds=options.poll_s + BEHIND_S)
            costs = [_kill(KILLS[name], cluster, outside, behind) for name in options.only or KILLS]
            time.sleep(max(0.0, began + options.minutes * 60 - time.monotonic()))
            played_s = time.monotonic() - began
            grown = cluster.database_mb() - began_mb, (time.monotonic() - since) / 3600
        _until(lambda: not outside.behind(timedelta()), PROBE_S)
        # What nobody waits for is fetched with its feed's next poll.
        _until(lambda: cluster.stored().articles >= len(outside.papers.published), PROBE_S)
        # What comes twice may come later.
        time.sleep(REST_S)
        print(
            f"\nAirflow's database grew by {grown[0]:.1f} MB in {grown[1]:.2f} hours to {began_mb + grown[0]:.0f} MB."
        )
        return _report(cluster, outside, costs, played_s, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--articles-a-day", type=int, default=43_200)
    parser.add_argument("--minutes", type=float, default=0, help="at least; the kills take some three minutes each")
    parser.add_argument("--workers", type=int, default=2, choices=range(2, 65), metavar="2…64")
    parser.add_argument("--poll-s", type=int, default=60, help="seconds between two polls of a feed")
    parser.add_argument("--matching", type=float, default=0.2, help="share of the articles that some reader waits for")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(KILLS), help=f"of {', '.join(KILLS)}")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="further variables of .env")
    parser.add_argument("--folder", type=Path, help="where everything is (default: in the folder for temporary files)")
    return parser.parse_args()


def _until(is_done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.25)
    return True


def _kill(kill: Kill, cluster: Cluster, outside: Outside, behind: timedelta) -> Cost:
    """Kill something, publish a story at once, and wait for its mail; then until all is as usual."""
    if not _until(lambda: not outside.behind(behind), PROBE_S):
        print("Before this kill something waits for its mail for long already.", flush=True)
    time.sleep(REST_S)
    names = kill.find(cluster)
    probe = outside.publish(PROBE)
    for number, name in enumerate(names):
        cluster.kill(name, stay_away=kill.away_s > 0 and number == 0)
    if names and AT_ONCE < kill.away_s < LOST:
        time.sleep(kill.away_s)
        cluster.start(names[0])
    _until(lambda: probe in delays([probe], outside.mailed()), PROBE_S)
    took = delays([probe], outside.mailed()).get(probe)
    if names and kill.away_s == LOST:
        cluster.start(names[0])
    # What came out before the probe may come later than it.
    _until(lambda: not outside.behind(behind), PROBE_S)
    longest_s = peak_s(delays(outside.papers.published, outside.mailed()), probe.at, datetime.now(UTC))
    cost = Cost(kill.what, took.total_seconds() if took else math.inf, longest_s)
    print(_row(cost), flush=True)
    return cost


def _row(cost: Cost) -> str:
    return f"| {cost.what} | {cost.probe_s:.0f} | {cost.longest_s:.0f} |"


def _report(cluster: Cluster, outside: Outside, costs: list[Cost], played_s: float, options: argparse.Namespace) -> int:
    """Print what was played, what became of it and what each kill cost; returns the exit status."""
    published, mailed = list(outside.papers.published), outside.mailed()
    became, stored = counts(published, mailed), cluster.stored()
    all_delays = delays(published, mailed).values()
    p50, p95 = percentiles_s(all_delays)
    print(
        f"\n{options.feeds:,} feeds polled every {options.poll_s} s, {options.articles_a_day:,} articles a day, "
        f"{DESKS + 1} saved searches, {options.workers} workers, {len(cluster.nodes)} nodes, "
        f"{played_s / 60:.0f} minutes, {os.cpu_count()} cores at load {os.getloadavg()[2]:.1f}\n\n"
        "| published | indexed | of these for readers | enqueued | mailed | not mailed | mailed twice "
        "| again under the same Message-ID |\n|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        f"| {became.published:,} | {stored.articles:,} | {became.wanted:,} | {stored.deliveries:,} "
        f"| {became.mailed:,} | {len(became.missing):,} | {len(became.twice):,} | {became.again:,} |\n\n"
        f"From story to mail, in seconds: {p50:.0f} (p50), {p95:.0f} (p95).\n\n{HEAD}"
    )
    for cost in costs:
        print(_row(cost))
    wrong = (
        *(f"not mailed: {url}" for url in became.missing),
        *(f"mailed twice: {url}" for url in became.twice),
        *(f"mailed to somebody else: {url}" for url in became.strays),
        *(f"{stored.articles} articles in the index" for _ in range(stored.articles != became.published)),
        *(f"{stored.deliveries} deliveries in the outbox" for _ in range(stored.deliveries != became.wanted)),
        *(f"no mail for {PROBE_S:.0f} s: {cost.what}" for cost in costs if cost.probe_s == math.inf),
    )
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
