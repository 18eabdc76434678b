"""Three nodes, two workers as if on two machines: each is killed at its work, and a node too; the other takes over.

The short form of `python -m benchmarks.cluster`, without Airflow: a worker is a process that matches and delivers all
the time. Its leases are a twelfth of the real ones.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from delivery import due, holding, mailbox
from embedded.elasticsearch import Member, Node, start_elasticsearch
from embedded.processes import free_port
from jobs.context import Context, open_context
from jobs.deliver import deliver
from jobs.match import match
from newswatch.clock import utc_now
from newswatch.errors import StoreError
from store.elastic import beats, turns
from tests.jobs.conftest import World
from tests.jobs.test_crash import poll_only, publish_another

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STORIES = 12
SOON_S = 200.0
"""Generous: all this takes some ten seconds."""
LEASE = timedelta(seconds=5)
_SHORTER: tuple[tuple[ModuleType, str, object], ...] = (
    (turns, "RENEWED_S", 0.5),
    (turns, "LOST_S", 2.0),
    (beats, "LASTS", LEASE),
    (due, "LEASE", LEASE),
    (holding, "LEASE", LEASE),
    (mailbox, "_FIRST_RETRY", LEASE),
)
_STORY = re.compile(r"/(story-\d+)")


@dataclass
class Office:
    """A mail server that never answers the first mail of which it is told, and keeps the others."""

    port: int = field(default_factory=free_port)
    mails: list[bytes] = field(default_factory=list)
    holds_next: bool = False
    held_port: int = 0
    """The port of the worker that waits for an answer."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.holds_next:
            self.holds_next, self.held_port = False, session.peer[1]
            await asyncio.sleep(SOON_S)
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        return "250 OK"


@pytest.fixture
def office() -> Iterator[Office]:
    kept = Office()
    controller = Controller(kept, hostname="127.0.0.1", port=kept.port)
    controller.start()
    yield kept
    controller.stop()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    with ExitStack() as stack:
        started: list[Node] = []
        for name in ("one", "two", "three"):
            member = Member(name, tuple(node.transport for node in started))
            node = start_elasticsearch(tmp_path / name, port=0, heap_mb=256, fast=True, member=member)
            started.append(stack.enter_context(node))
        yield started


@pytest.fixture
def clustered(world: World, nodes: list[Node], office: Office) -> Iterator[World]:
    """The world on the cluster, at the time of the clock on the wall."""
    changed = {
        "elasticsearch_url": ",".join(node.url for node in nodes),
        "number_of_replicas": 1,
        "smtp_port": office.port,
        "mail_group_s": 0,
        "mail_senders": 1,
    }
    world.now = utc_now()
    world.context = open_context(world.context.settings.model_copy(update=changed))
    health = world.context.es.cluster.health(wait_for_status="green", wait_for_nodes="3", timeout="60s")
    assert health["status"] == "green"
    yield world
    world.context.es.close()


def worker(context: Context, machine: str) -> int:
    """Start a worker, whose leases end soon and whose host name is its own; returns its process id."""
    child = os.fork()
    if child:
        return child
    try:
        socket.gethostname = lambda: machine
        for module, name, value in _SHORTER:
            setattr(module, name, value)
        beats.Beat.__init__.__kwdefaults__ = {"every_s": 1.0}
        mine = replace(context, es=open_context(context.settings).es)
        while True:
            with suppress(StoreError):
                match(mine)
            with suppress(StoreError):
                deliver(mine)
            time.sleep(0.5)
    finally:
        os._exit(1)


def await_(what: str, happens: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON_S
    while not happens():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def holder(world: World) -> str:
    """The machine whose turn it is to match."""
    found = world.context.es.options(ignore_status=404).get(index=world.context.names.lane, id="turn~match")
    return str(found["_source"]["holder"]).partition(":")[0] if found.get("found") else ""


def sender(port: int, pids: dict[str, int]) -> str:
    """The machine that has this end of a connection."""
    for machine, pid in pids.items():
        with suppress(psutil.Error):
            if any(connection.laddr.port == port for connection in psutil.Process(pid).net_connections()):
                return machine
    raise AssertionError("no worker has it")


def told(office: Office) -> Counter[str]:
    """Story → the number of mails that tell it."""
    texts = (message_from_bytes(mail, policy=default).get_body(("plain",)) for mail in list(office.mails))
    return Counter(story for text in texts if text for story in set(_STORY.findall(text.get_content())))


def test_each_worker_and_a_node_are_killed(clustered: World, nodes: list[Node], office: Office) -> None:
    names = [f"story-{number}" for number in range(STORIES)]
    half = names[: STORIES // 2]
    for number in range(len(half)):
        publish_another(clustered, number)
    poll_only(clustered.context)  # the batch waits, so whoever has its turn is matching it
    pids = {machine: worker(clustered.context, machine) for machine in ("first", "second")}
    try:
        await_("nobody matches", lambda: holder(clustered))
        os.kill(pids[holder(clustered)], signal.SIGKILL)
        os.kill(nodes[0].pid, signal.SIGKILL)
        await_("the first half is not mailed", lambda: set(told(office)) == set(half))

        pids["third"] = worker(clustered.context, "third")
        for number in range(len(half), STORIES):
            publish_another(clustered, number)
        office.holds_next = True
        clustered.wait(minutes=2)
        poll_only(replace(clustered.context, clock=clustered.clock))
        await_("nobody sends", lambda: office.held_port)
        os.kill(pids[sender(office.held_port, pids)], signal.SIGKILL)
        await_("the other half is not mailed", lambda: set(told(office)) == set(names))
    finally:
        for pid in pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert told(office) == Counter(names)
    assert clustered.count(clustered.context.names.articles) == STORIES
    assert clustered.count(clustered.context.names.deliveries) == STORIES
