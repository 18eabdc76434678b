"""Elasticsearch is killed amid the work and comes back on its data; jobs run at once. Nothing is lost or twice."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest

from embedded.elasticsearch import Node, start_elasticsearch
from embedded.processes import free_port
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from newswatch.errors import StoreError
from store.elastic.client import connect
from store.indices.setup import set_up
from tests.jobs.conftest import World
from tests.jobs.test_crash import publish_another, run

T = TypeVar("T")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="newswatch-killed-") as name:
        yield Path(name)


def start(folder: Path, port: int) -> Node:
    return start_elasticsearch(folder, port=port, heap_mb=256, fast=True)


def mail_ids(world: World) -> list[str]:
    return [str(message_from_bytes(mail)["Message-ID"]) for mail in world.mailbox.mails]


def test_killed_amid_bulk_writes(world: World, folder: Path) -> None:
    """The kill comes at one of the first writes of `pull` and `match`; what was acknowledged is there afterwards."""
    port = free_port()
    node = start(folder, port)
    settings = world.context.settings.model_copy(update={"elasticsearch_url": node.url})
    es = connect(settings)
    world.context = replace(world.context, settings=settings, es=es)
    try:
        set_up(es, world.context.names, settings)
        for published, delay_s in enumerate((0.15, 0.4), 1):
            publish_another(world, published)
            world.wait(minutes=20)
            killer = threading.Timer(delay_s, os.kill, (node.pid, signal.SIGKILL))
            killer.start()
            with suppress(StoreError):
                run(world.context)
            killer.join()
            node.stop()
            node = start(folder, port)
            world.wait(minutes=20)
            run(world.context)
            world.wait(minutes=20)
            run(world.context)
            assert world.count(world.context.names.articles) == published, f"an article is lost or twice: {delay_s} s"
            assert len(mail_ids(world)) == len(set(mail_ids(world))) == published
    finally:
        es.close()
        node.stop()


def test_two_of_each_job_at_once(world: World) -> None:
    for published in range(1, 4):
        publish_another(world, published)
        world.wait(minutes=20)
        plans = _at_once(lambda: plan(world.context).batches)
        numbers = [number for batches in plans for number in batches]
        assert plan(world.context).feeds == 0, "the feed is held"
        _at_once(lambda numbers=numbers: [pull(world.context, number) for number in numbers])  # type: ignore[misc]
        _at_once(lambda: match(world.context))
        _at_once(lambda: deliver(world.context))
        assert world.count(world.context.names.articles) == published
        assert len(mail_ids(world)) == len(set(mail_ids(world))) == published


def _at_once(work: Callable[[], T]) -> list[T]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda _: work(), range(2)))
