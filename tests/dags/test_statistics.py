"""The counts of a run reach a collector of OpenTelemetry by Airflow's own switch, and nobody while it is off."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from embedded.airflow import FIXED_ENVIRONMENT

pytestmark = pytest.mark.slow

TASK = """
from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
from dags import statistics
from jobs.pull.report import PullReport
from observe.record import Run

# As Airflow's task runner begins.
legacy = conf.getboolean("metrics", "legacy_names_on")
stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=legacy)
print("on" if statistics.are_on() else "off")
statistics.send(Run("pull", PullReport(1, feeds=9, new=2, bytes=70_000, parse_seconds=0.25), seconds=3.5))
statistics.send(Run("match", None, seconds=1.0))
statistics.send(Run("a bad name\\n", object(), seconds=float("nan")))
print("still here")
"""


@dataclass(slots=True)
class Collector:
    """A collector on loopback that keeps what it is sent."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
def collector() -> Iterator[Collector]:
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def task(folder: Path, **variables: str) -> str:
    env = {**os.environ, **FIXED_ENVIRONMENT, "AIRFLOW_HOME": str(folder), **variables}
    done = subprocess.run([sys.executable, "-c", TASK], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_counts_reach_the_collector_of_opentelemetry(collector: Collector, tmp_path: Path) -> None:
    said = task(
        tmp_path,
        AIRFLOW__METRICS__OTEL_ON="True",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"http://127.0.0.1:{collector.port}/v1/metrics",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}",
    )
    assert "on" in said.splitlines()
    assert "still here" in said.splitlines(), "what can't be sent costs only itself"
    sent = b"".join(collector.bodies)
    for name in ("articles.new", "feed_polls", "fetched_bytes", "parse", "job.pull.runs", "job.pull.duration"):
        assert f"airflow.newswatch.{name}".encode() in sent, name
    assert b"airflow.newswatch.job.match.errors" in sent
    assert b"job.pull.errors" not in sent
    assert b"articles.updated" not in sent, "nothing happened, so nothing is sent"


def test_nothing_is_sent_while_the_switch_is_off(collector: Collector, tmp_path: Path) -> None:
    said = task(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}")
    assert "off" in said.splitlines()
    assert collector.bodies == []
