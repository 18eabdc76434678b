"""The table of what is killed, and how long it stays away."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.cluster.installation import Cluster

CATCH_S: Final = 300.0
"""Seconds to wait for a task that is to be killed at its work."""
AWAY_S: Final = 10.0
"""Seconds for which a server stays away, until something starts it again."""
AT_ONCE: Final = 0.0
LOST: Final = math.inf
"""It does not come back until everything is measured, as a machine that is lost."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Something to kill."""

    what: str
    """In the table."""
    find: Callable[[Cluster], tuple[str, ...]]
    """The containers and nodes to kill together; waits for the moment to do it."""
    away_s: float = AT_ONCE
    """Seconds until the first of them is started again; the others are at once, as Docker does it."""


def _worker_with(dag: str, also: tuple[str, ...] = ()) -> Callable[[Cluster], tuple[str, ...]]:
    """The worker that runs this DAG's task."""

    def find(cluster: Cluster) -> tuple[str, ...]:
        deadline = time.monotonic() + CATCH_S
        query = "SELECT hostname FROM task_instance WHERE dag_id = %s AND state = 'running' ORDER BY start_date DESC"
        while not (found := [host for (host,) in cluster.rows(query, dag) if host in cluster.workers]):
            if time.monotonic() > deadline:
                raise SystemExit(f"No worker has run {dag} within {CATCH_S:.0f} s.")
            time.sleep(0.05)
        return (found[0], *also)

    return find


def _always(*names: str) -> Callable[[Cluster], tuple[str, ...]]:
    return lambda _: names


KILLS: Final[Mapping[str, Kill]] = {
    "nothing": Kill("nothing", _always()),
    "worker": Kill("a worker", lambda cluster: (cluster.workers[0],), LOST),
    "matching": Kill("the worker that is matching", _worker_with("match_alerts"), LOST),
    "delivering": Kill("the worker that is sending mails", _worker_with("deliver_mails"), LOST),
    "scheduler": Kill("the scheduler, started again at once", _always("scheduler")),
    "machine": Kill(
        "the worker that is matching, and the scheduler, which is started again at once",
        _worker_with("match_alerts", ("scheduler",)),
        LOST,
    ),
    "web": Kill("Airflow's web server, started again at once", _always("api-server")),
    "broker": Kill(f"the broker, away for {AWAY_S:.0f} s", _always("valkey"), AWAY_S),
    "database": Kill(f"PostgreSQL, away for {AWAY_S:.0f} s", _always("postgres"), AWAY_S),
    "node": Kill("the master node of Elasticsearch", lambda cluster: (cluster.master(),), LOST),
}
"""Name → what is killed, in this order."""
