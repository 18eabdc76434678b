"""Runs the watchman with every probe and way that the settings allow, or looks once.

As a separate process of the embedded stack (`embedded.watchman`) it lives as long as its standard input is open.
A line "stop" there asks it to end; without one, the stack has ended by itself, and that is the last thing it tells.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from newswatch import private
from newswatch.clock import Clock, utc_now
from newswatch.errors import NewswatchError
from newswatch.settings import Settings
from newswatch.settings_in_part import settings_or_defaults
from observe.condition import Condition, Severity, worst_first
from observe.episodes import Change, Draft, Episode, Item, Rules
from observe.memory_file import memory_file
from observe.probes.airflow import airflow
from observe.probes.certificates import certificates
from observe.probes.certificates import files as certificate_files
from observe.probes.configuration import READ_S, configuration
from observe.probes.disk import disk
from observe.probes.elasticsearch import elasticsearch
from observe.probes.heartbeat import heartbeat
from observe.probes.mail import channels
from observe.probes.pipeline import pipeline
from observe.probes.probe import DEADLINE_S, Lookout, Probe
from observe.probes.settings import own_settings
from observe.probes.stack import stack
from observe.reading import PATIENCE_S
from observe.tell import Result, Way, ways
from observe.watchman import EVERY_S, Watchman, lock_file
from store.elastic.client import connect
from store.elastic.clock import store_clock
from store.names import Names

log = logging.getLogger(__name__)


ENDED: Final = "ended: "
"""Begins the line by which the stack says why it has ended."""


def all_probes(settings: Settings, watchman: Watchman | None, wrong: Mapping[str, str]) -> list[Probe]:
    """Every probe that the settings allow. Without a watchman nothing is written and no heartbeat sent.

    `wrong` are the settings that have their defaults because what the environment says is wrong.

    Raises:
        StoreError: an address of Elasticsearch can't be read.
    """
    es, names = connect(settings), Names.of(settings)
    clock = store_clock(es.options(request_timeout=PATIENCE_S, max_retries=0))
    found = [
        elasticsearch(settings, es, names, clock, watchman.watched if watchman else None),
        pipeline(settings, es, names, clock),
        airflow(settings),
        *channels(settings),
        *certificates(settings),
        *certificate_files(settings),
        disk(settings),
        configuration(settings, DEADLINE_S if watchman else READ_S),
        stack(settings),
        own_settings(wrong) if wrong else None,
        heartbeat(settings, watchman.is_well) if watchman else None,
    ]
    return [probe for probe in found if probe]


def watchman(
    settings: Settings,
    *,
    every_s: float = EVERY_S,
    rules: Rules | None = None,
    wrong: Mapping[str, str] = MappingProxyType({}),
) -> Watchman:
    """The watchman of the settings.

    Raises:
        NewswatchError: a setting can't be used, or the data folder can't be written.
    """
    return Watchman(
        lambda self: all_probes(settings, self, wrong),
        ways(settings),
        memory_file(settings.data_dir),
        every_s=every_s,
        rules=rules,
    )


def claim(data_dir: Path) -> IO[str]:
    """The lock of the data folder's only watchman, which ends with this process.

    Raises:
        NewswatchError: another one runs, or the folder can't be written.
    """
    try:
        lock = private.lock(lock_file(data_dir))
    except OSError as error:
        raise NewswatchError(
            f"The data folder {data_dir} can't be written ({error.strerror}); set NEWSWATCH_DATA_DIR to another."
        ) from error
    if lock is None:
        raise NewswatchError(
            f"A watchman runs in {data_dir} already (newswatch up starts one); end it, or use another data folder."
        )
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def look_once(settings: Settings) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """What is wrong now, the worst first, and what could not be looked at. Nobody is told and nothing is kept.

    Raises:
        NewswatchError: a setting can't be used.
    """
    lookout = Lookout(all_probes(settings, None, {}))
    seen = lookout.look().sightings.values()
    return worst_first(tuple(sighting.condition for sighting in seen)), lookout.notes()


def try_ways(settings: Settings, *, clock: Clock = utc_now) -> list[tuple[Way, Result]]:
    """Send a message by every way at once; what became of each.

    Raises:
        NewswatchError: a setting can't be used.
    """
    now = clock()
    condition = Condition(
        "test",
        Severity.WARNING,
        "This is a test: nothing is wrong, and the watchman can reach you by this way.",
        "Nothing.",
        now,
    )
    draft = Draft(f"watch.test.{int(now.timestamp())}", now, (Item(Change.NEW, Episode(condition, now)),))
    outcomes: dict[str, Result] = {}
    there = ways(settings)
    threads = [threading.Thread(target=lambda way=way: outcomes.update({way.id: way.send(draft)})) for way in there]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [(way, outcomes[way.id]) for way in there]


def run(
    settings: Settings,
    over: threading.Event,
    *,
    every_s: float = EVERY_S,
    why: Callable[[], str] = str,
    wrong: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Watch until `over` is set; then tell what `why` returns, if it is not empty.

    `wrong` are the settings that have their defaults because what the environment says is wrong: they are told.

    Raises:
        NewswatchError: a setting can't be used, or another watchman runs.
    """
    with closing(claim(settings.data_dir)):
        for variable, fault in wrong.items():
            log.warning("%s: %s", variable, fault)
        there = watchman(settings, every_s=every_s, wrong=wrong)
        there.run(over)
        if reason := why():
            there.end(reason)


def _of_stack(over: threading.Event) -> Callable[[], str]:
    """Watch the standard input, which the stack holds; returns what says why the stack has ended, "" if asked to."""
    said: list[str] = []

    def read() -> None:
        said.extend(line.strip() for line in sys.stdin)
        over.set()

    threading.Thread(target=read, daemon=True).start()

    def asked(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's parameters
        said.append("stop")
        over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    return lambda: (
        "" if "stop" in said else (said[-1].removeprefix(ENDED) if said else "the process of newswatch up was killed")
    )


def main() -> None:
    """The process in the embedded stack."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    over = threading.Event()
    why = _of_stack(over)
    settings, wrong = settings_or_defaults()
    run(settings, over, why=why, wrong=wrong)


if __name__ == "__main__":
    main()
