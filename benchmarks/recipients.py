"""What one story costs that goes to many recipients: `python -m benchmarks.recipients [--recipients 200 1000 5000]`.

It starts an Elasticsearch of its own, and a mail server in a process of its own, saves one search with so many
recipients, publishes a story that matches, enqueues and delivers it until nobody waits. Measured are the requests to
Elasticsearch and the bytes sent to it from the match on, and the seconds until the last mail was accepted. At the end
each recipient must have one mail, and none two.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from alerts.match import match_batch
from alerts.saved import SavedSearches
from delivery.deliver import deliver
from delivery.outbox import Outbox
from embedded.elasticsearch import start_elasticsearch
from embedded.processes import free_port
from jobs.context import Context, open_context
from newswatch.settings import Settings
from store.elastic.nodes import ProbedNode
from tests.alerts.press import Press, a_search, a_story

NOW = datetime(2026, 3, 4, 6, tzinfo=UTC)
SIZES = (200, 1_000, 5_000)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one story took."""

    recipients: int
    requests: int
    bytes: int
    seconds: float
    cpu_s: float
    """Of this process, without Elasticsearch and the mail server."""


@dataclass
class Meter:
    """Counts the requests to Elasticsearch and the bytes of their bodies."""

    requests: int = 0
    bytes: int = 0
    _send: Any = field(default=ProbedNode.perform_request, repr=False)

    def attach(self) -> None:
        def counted(node: Any, method: str, target: str, body: bytes | None = None, **rest: Any) -> Any:
            self.requests += 1
            self.bytes += len(body or b"")
            return self._send(node, method, target, body, **rest)

        ProbedNode.perform_request = counted  # type: ignore[method-assign, assignment]


class _Handler:
    def __init__(self) -> None:
        self.taken: list[tuple[str, float]] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken += [(recipient, time.time()) for recipient in envelope.rcpt_tos]
        return "250 OK"


def _serve(port: int, line: Connection) -> None:
    handler = _Handler()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    line.send("ready")
    while line.recv() == "taken":
        line.send(handler.taken)
        handler.taken = []
    controller.stop()


@contextmanager
def mail_server() -> Iterator[tuple[int, Connection]]:
    """A server's port, and the line on which it tells whom it has taken mails for, and when (by `time.time`)."""
    here, there = multiprocessing.Pipe()
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port, there), daemon=True)
    process.start()
    here.recv()
    try:
        yield port, here
    finally:
        here.send("end")
        process.join()


def measure(context: Context, line: Connection, meter: Meter, count: int, number: int) -> Cost:
    """Publish one story for `count` recipients of their own, and deliver it.

    Raises:
        AssertionError: somebody has no mail, or two.
    """
    readers = [f"reader-{number}-{each}@readers.example" for each in range(count)]
    searches = SavedSearches(context.es, context.names)
    searches.save(a_search(f"all-{number}", f"number{number}", *readers), by="benchmark", now=NOW)
    story = replace(a_story(number), text=f"number{number}. {a_story(number).text}")
    batch = Press(context.es, context.names).publish(story, now=NOW)
    wanted = [search for search in searches.enabled(now=NOW) if search.id == f"all-{number}"]
    meter.requests = meter.bytes = 0
    began, cpu = time.perf_counter(), time.process_time()
    matches = match_batch(context.es, context.names, batch, wanted).matches
    Outbox(context.es, context.names).enqueue(matches, wanted, NOW)
    sent, now = 0, NOW
    while sent < count:
        report = deliver(context.es, context.names, context.settings, now=now)
        assert report.sent, report
        sent, now = sent + report.sent, now + timedelta(minutes=1)
    cost = Cost(count, meter.requests, meter.bytes, time.perf_counter() - began, time.process_time() - cpu)
    line.send("taken")
    assert Counter(recipient for recipient, _ in line.recv()) == dict.fromkeys(readers, 1)
    return cost


def row(cost: Cost) -> str:
    """A line of the table."""
    each = cost.recipients
    return (
        f"| {each:,} | {cost.requests:,} ({cost.requests / each:.1f}) | {cost.bytes / 1e6:,.1f} MB "
        f"({cost.bytes / each / 1e3:,.1f} kB) | {cost.seconds:,.1f} s ({1e3 * cost.seconds / each:,.0f} ms) "
        f"| {cost.cpu_s:,.1f} s |"
    )


def run(sizes: Sequence[int], heap_mb: int) -> None:
    """Run it and print the table."""
    meter = Meter()
    meter.attach()
    with (
        tempfile.TemporaryDirectory(prefix="newswatch-recipients-") as folder,
        start_elasticsearch(Path(folder), port=0, heap_mb=heap_mb) as node,
        mail_server() as (port, line),
    ):
        settings = Settings(
            elasticsearch_url=node.url,
            secret_key=SecretStr("for this run"),
            data_dir=Path(folder),
            smtp_host="127.0.0.1",
            smtp_port=port,
            mail_from="newswatch@newswatch.example",
        )
        context = open_context(settings, clock=lambda: NOW)
        measure(context, line, meter, 20, 1)  # warms everything up
        print("| recipients | requests (each) | sent to Elasticsearch (each) | took (each) | our processor |")
        print("| ---: | ---: | ---: | ---: | ---: |")
        for number, count in enumerate(sizes, 2):
            print(row(measure(context, line, meter, count, number)), flush=True)
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, nargs="+", default=SIZES)
    parser.add_argument("--heap-mb", type=int, default=1_024)
    options = parser.parse_args()
    run(options.recipients, options.heap_mb)


if __name__ == "__main__":
    main()
