"""How many of Airflow's places (`core.parallelism`) pulls may take, so that the other tasks always find one.

Pulls wait for slow publishers, up to 15 minutes, and there may be as many as 32. Every other task runs once at a time
(retagging twice), nine in all. With 18 places or more, half of which are free of pulls, none of them ever waits for a
pull. With fewer, half of the places are free of pulls all the same.

It is a limit of the task and no pool: a task whose pool was deleted, or never created, would never run.
"""

from __future__ import annotations

from airflow.sdk import conf


def places_for_pulls() -> int:
    """The number of pulls that may run at once."""
    return max(1, int(conf.getint("core", "parallelism")) // 2)
