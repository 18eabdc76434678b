"""A cluster of two nodes, the first of the addresses dying or hanging: the jobs go on with the other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from elasticsearch import Elasticsearch

from embedded.elasticsearch import Member, Node, start_elasticsearch
from jobs.context import Context, open_context
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from tests.jobs.conftest import World
from tests.jobs.test_crash import publish_another
from tests.pristine import remove

pytestmark = pytest.mark.slow

REMOVED_S = 120
"""Generous: the master takes a node for dead after nine seconds."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Two nodes with the same data; the master goes on without the other, which has no vote."""

    master: Node
    other: Node


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        master = stack.enter_context(_node(folder / "master", Member("master")))
        other = stack.enter_context(_node(folder / "other", Member("other", (master.transport,), ("data",))))
        yield Cluster(master, other)


def _node(folder: Path, member: Member) -> Node:
    return start_elasticsearch(folder, port=0, heap_mb=256, fast=True, member=member)


@pytest.fixture
def clustered(world: World, cluster: Cluster) -> Iterator[World]:
    """The world on the cluster, by both addresses, the one that is to fail first."""
    urls = f"{cluster.other.url},{cluster.master.url}"
    changed = {"elasticsearch_url": urls, "number_of_replicas": 1}
    settings = world.context.settings.model_copy(update=changed)
    world.context = replace(open_context(settings), clock=world.clock)
    yield world
    world.context.es.close()
    os.kill(cluster.other.pid, signal.SIGCONT)
    with Elasticsearch(cluster.master.url, request_timeout=120) as es:
        if is_running(cluster.other.pid):
            es.cluster.health(wait_for_nodes="2", timeout="60s")
        remove(es, world.context.names.prefix)


def is_running(pid: int) -> bool:
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def poll(world: World) -> None:
    """Plan, pull and match, each on a client of its own, as the processes of Airflow's tasks are."""
    batches = plan(_own(world)).batches
    for number in batches:
        pull(_own(world), number)
    match(_own(world))
    deliver(_own(world))


def _own(world: World) -> Context:
    return replace(open_context(world.context.settings), clock=world.clock)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])  # the last one ends the cluster
def test_the_jobs_go_on_when_the_first_node_fails(clustered: World, cluster: Cluster, how: signal.Signals) -> None:
    publish_another(clustered, 1)
    poll(clustered)
    assert len(clustered.mailbox.mails) == 1
    health = clustered.context.es.cluster.health(wait_for_status="green", timeout="60s")
    assert (health["status"], health["number_of_nodes"]) == ("green", 2)

    os.kill(cluster.other.pid, how)
    publish_another(clustered, 2)
    clustered.wait(minutes=2)
    begun = time.monotonic()
    poll(clustered)
    assert time.monotonic() - begun < REMOVED_S
    assert len(clustered.mailbox.mails) == 2

    health = clustered.context.es.cluster.health(wait_for_nodes="1", timeout="60s")
    assert (health["status"], health["number_of_nodes"]) == ("yellow", 1)
    assert clustered.count(clustered.context.names.articles) == 2
