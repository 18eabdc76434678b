"""What the benchmark of kills reads from `docker-compose.yml`, and how it judges what was mailed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.cluster.compose import filled_in, service
from benchmarks.cluster.ledger import Mailed, Published, counts, delays, peak_s
from benchmarks.cluster.outside import Papers

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
COMPOSE = """\
x-environment: &environment
  PLACES: ${PLACES:-12}
  ADDRESS: redis://:${SECRET:?set it}@valkey:6379/0
  GIVEN:
  ABSENT:
services:
  worker:
    command: ["sh", "-c", 'exec work "$$SECRET"']
    environment:
      <<: *environment
      PLACES: 3
"""


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_service_is_read_as_compose_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    file.write_text(COMPOSE)
    read = service("worker", {"SECRET": "s", "GIVEN": "here"}, {"@valkey:6379": "@127.0.0.1:1"}, file)
    assert read.command == ("sh", "-c", 'exec work "$SECRET"')
    assert read.environment == {"PLACES": "3", "ADDRESS": "redis://:s@127.0.0.1:1/0", "GIVEN": "here"}


def test_a_secret_that_is_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="SECRET: set it"):
        filled_in("${SECRET:?set it}", {})


def test_the_workers_are_those_that_compose_ships() -> None:
    dotenv = dict.fromkeys(
        (
            "NEWSWATCH_ELASTICSEARCH_PASSWORD",
            "NEWSWATCH_SECRET_KEY",
            "AIRFLOW_FERNET_KEY",
            "POSTGRES_PASSWORD",
            "AIRFLOW_SECRET_KEY",
            "AIRFLOW_JWT_SECRET",
            "VALKEY_PASSWORD",
        ),
        "secret",
    )
    shipped = service("airflow-worker", dotenv, {})
    assert shipped.command == ("airflow", "celery", "worker")
    assert shipped.environment["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] == "60"


def test_what_was_lost_what_came_twice_and_what_came_again() -> None:
    published = [Published(f"u{number}", at(number), "a@x.example") for number in range(4)]
    published.append(Published("u9", at(9)))
    mailed = [
        Mailed("u0", at(60), "a@x.example", "<1>"),
        Mailed("u1", at(60), "a@x.example", "<1>"),
        Mailed("u1", at(70), "a@x.example", "<1>"),  # a worker died before it recorded the first
        Mailed("u2", at(60), "a@x.example", "<1>"),
        Mailed("u2", at(80), "a@x.example", "<2>"),
        Mailed("u3", at(60), "b@x.example", "<3>"),
    ]
    became = counts(published, mailed)
    assert (became.published, became.wanted, became.mailed) == (5, 4, 3)
    assert (became.missing, became.twice, became.again, became.strays) == (("u3",), ("u2",), 1, ("u3",))


def test_the_peak_is_of_what_was_on_its_way_then() -> None:
    slow, before, after = (Published(name, at(begun)) for name, begun in (("slow", 0), ("before", -500), ("after", 90)))
    mailed = [Mailed("slow", at(75), "", ""), Mailed("slow", at(500), "", ""), Mailed("before", at(-1), "", "")]
    took = delays([slow, before, after], [*mailed, Mailed("after", at(400), "", "")])
    assert took[slow] == timedelta(seconds=75)
    assert peak_s(took, at(10), at(80)) == 75


def test_every_feed_has_a_host_that_may_be_asked() -> None:
    papers = Papers(feeds=20_001, matching=0.5, port=8080)
    hosts = set(papers.hosts)
    assert len(hosts) == 2_001
    assert papers.publish().url.split("/")[2] in hosts
    assert papers.feeds_yaml().count("/feed.xml") == 20_001
