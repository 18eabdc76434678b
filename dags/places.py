"""How Airflow's places (`core.parallelism`) are shared out, so that matching and mails never wait for slow publishers.

A pull waits for publishers, up to 15 minutes, and 32 may be due at once. All pulls together may take half of the
places. Of the twelve that our stacks have, six are left: for match, deliver, recheck, two of retag, and one for the
rest, which take seconds. Where places are scarce all the same, matching and mails come first.

It is a limit of the task and not a pool: a task whose pool was deleted, or never created, would never run.
"""

from __future__ import annotations

from airflow.sdk import conf

FIRST = 10
"""`priority_weight` of matching and mails; the other tasks have 1, and `plan` 3 with what follows it."""


def places_for_pulls() -> int:
    """The number of pulls that may run at once."""
    return max(1, int(conf.getint("core", "parallelism")) // 2)
