"""Backups: what a snapshot holds comes back on another Elasticsearch, to the document, and what is there is safe."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ConflictError, Elasticsearch
from typer.testing import CliRunner

from cli.main import app
from embedded.elasticsearch import Node, start_elasticsearch
from jobs import backup as backups_job
from jobs.backup import BEFORE, LEAST, _chosen, backup, drill, listed, reopen, restore, settle, surplus
from jobs.context import Context, open_context
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from jobs.upkeep import upkeep
from newswatch.batch import Batch
from newswatch.errors import NewswatchError, StoreError
from observe.reading import read_pulse
from search.ingest_pages import page_after
from store.articles import ArticleStore
from store.audit import AuditLog, Deed
from store.batches import BatchStore
from store.elastic.client import connect
from store.elastic.nodes import NamingTransport
from store.indices.backups import Backup, Backups, backup_name, not_restored
from store.indices.mapping import VERSION
from store.ingest_order import Horizons, read_horizon
from store.milestones import Milestones
from tests.factories import NOW, an_article
from tests.jobs.conftest import World
from tests.jobs.test_crash import publish_another

HOUR = timedelta(hours=1)


def a_backup(days_old: float, state: str = "SUCCESS") -> Backup:
    return Backup(f"b{days_old}", state, NOW - timedelta(days=days_old), 1.0, ("articles",), "1")


def test_old_ones_are_forgotten_but_never_the_last_good_ones() -> None:
    keep = timedelta(days=14)
    old = [a_backup(days) for days in (1, 13, 15, 20, 30)]
    assert surplus(old, now=NOW, keep=keep) == [old[3], old[4]], f"{LEAST} are kept"
    assert surplus(old[2:], now=NOW, keep=keep) == []
    partial = [a_backup(0.5, "IN_PROGRESS"), a_backup(2, "PARTIAL"), a_backup(3, "FAILED")]
    assert surplus([*partial, *old[:2]], now=NOW, keep=keep) == partial[1:]
    damaged = [a_backup(2, "DAMAGED"), a_backup(15, "DAMAGED")]
    assert surplus(damaged, now=NOW, keep=keep) == damaged[1:], "it is shown for as long as it would have been kept"


def test_what_a_restore_has_replaced_is_not_what_it_restores_when_it_is_run_again() -> None:
    replaced = replace(a_backup(0), name=f"newswatch-1{BEFORE}-ab12")
    assert _chosen([replaced, a_backup(1)], None) == a_backup(1)
    assert _chosen([replaced, a_backup(1)], replaced.name) == replaced


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="newswatch-backup-") as name:
        yield Path(name)


def start(folder: Path, backups: Path) -> Node:
    return start_elasticsearch(folder, port=0, heap_mb=256, fast=True, backups=backups)


@contextmanager
def installation(world: World, folder: Path) -> Iterator[Context]:
    """One with an Elasticsearch of its own, whose backups are in `folder`."""
    with start(folder / "data", folder / "backups") as node:
        given = {"elasticsearch_url": node.url, "backup_location": str(folder / "backups")}
        settings = world.context.settings.model_copy(update=given)
        yield replace(open_context(settings), clock=world.clock)


def work(context: Context, world: World, number: int) -> None:
    publish_another(world, number)
    for batch in plan(context).batches:
        pull(context, batch)
    match(context)
    deliver(context)


LEFT_OUT = {"bool": {"must_not": {"exists": {"field": "feed_ids"}}}}
"""The batch that no feed has: it leaves numbers out."""


def holds(context: Context) -> dict[str, int]:
    """How many documents each index has that has any.

    But for the audit log, which a restore leaves alone, and what it writes itself: the batch that leaves ingest numbers
    out, and the milestones before and after them.
    """
    names, counts = context.names, Backups(context.es, context.names).counts()
    counts[names.batches] -= context.es.count(index=names.batches, query=LEFT_OUT)["count"]
    return {index: n for index, n in counts.items() if n and "audit" not in index and index != names.milestones}


def targets(patch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that Elasticsearch is asked from now on."""
    asked: list[str] = []
    perform = NamingTransport.perform_request

    def noted(self: NamingTransport, method: str, target: str, **more: Any) -> Any:
        asked.append(target)
        return perform(self, method, target, **more)

    patch.setattr(NamingTransport, "perform_request", noted)
    return asked


def lose(context: Context, index: str) -> None:
    """Replace an index by one whose only shard is on no node."""
    context.es.indices.delete(index=index)
    settings = {"index.routing.allocation.require._name": "nowhere"}
    context.es.indices.create(index=index, settings=settings, wait_for_active_shards="0", timeout="0s")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_drill(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop, copy, start elsewhere, restore, compare, and go on: nothing is lost, and nobody is mailed again."""
    here, there = folder / "here", folder / "there"
    with start(here / "data", here / "backups") as node:
        given = {"elasticsearch_url": node.url, "backup_location": str(here / "backups")}
        settings = world.context.settings.model_copy(update=given)
        context = replace(open_context(settings), clock=world.clock)
        work(context, world, 1)
        taken = backup(context)
        assert taken.indices == len(Backups(context.es, context.names).indices()) >= 15
        world.wait(minutes=5)
        work(context, world, 2)  # comes after the backup
        counted = Backups(context.es, context.names).counts()

        context.es.indices.create(index=f"drill-20200101-0a1b2c-{context.names.prefix}feeds")  # of one that was killed
        with monkeypatch.context() as patch:
            patch.setattr("store.indices.backups._AT_ONCE", 4)
            asked = targets(patch)
            tried = drill(settings)
        assert max(map(len, asked)) < 500, "Elasticsearch refuses a request that names a hundred indices"
        assert tried.backup.name == taken.taken
        articles = [index for index in tried.documents if context.names.parse_slice(index)]
        assert [tried.documents[index] for index in articles] == [1]
        assert [tried.live[index] for index in articles] == [2]
        assert not context.es.indices.get(index="drill-*"), "the copy is gone"
        monkeypatch.setattr(backups_job, "AT_WORK", timedelta(0))
        with pytest.raises(NewswatchError, match="`--replace` puts them into a backup"):
            restore(settings)
        assert Backups(context.es, context.names).counts() == counted, "all is as it was"
        told: list[str] = []
        back = restore(settings, taken.taken, replace=True, told=told.append)
        assert [back.documents[index] for index in articles] == [1]
        before = next(each for each in listed(settings) if "-before-restore" in each.name)
        assert before.name in told[-1]
        restore(settings, before.name, replace=True)
        assert holds(context) == {index: count for index, count in counted.items() if count and "audit" not in index}
        log = context.audit
        log.refresh()
        assert [each.subject for each in log.listed(what="backup restored")] == [before.name, taken.taken]
        assert log.check().faults == (), "a restore takes nothing away of what was done before it"
        monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", node.url)
        monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", context.names.prefix)
        result = CliRunner().invoke(app, ["backup", "list", "--json"])
        names = [json.loads(line)["name"] for line in result.stdout.splitlines()]
        assert len(names) == 3, "a command finds them without a setting"
        lose(context, context.names.labels)
        with pytest.raises(NewswatchError, match=f"DELETE {context.names.labels}"):
            restore(settings, replace=True)
    shutil.copytree(here / "backups", there / "backups")
    with start(there / "data", there / "backups") as node:
        given = {"elasticsearch_url": node.url, "backup_location": str(there / "backups")}
        settings = world.context.settings.model_copy(update=given)
        restore(settings, before.name)
        context = replace(open_context(settings), clock=world.clock)
        assert holds(context) == {index: count for index, count in counted.items() if count and "audit" not in index}
        assert context.audit.check().faults == (), "on another machine the log is the backup's, and goes on"
        mails = len(world.mailbox.mails)
        world.wait(minutes=5)
        work(context, world, 3)
        assert len(world.mailbox.mails) == mails + 1, "only the new story"
        store = ArticleStore(context.es, context.names)
        context.es.indices.refresh(index=context.names.articles)
        hits = context.es.search(index=context.names.articles)["hits"]["hits"]
        assert len(store.get(hit["_id"] for hit in hits)) == 3


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_taken_away_for_a_damaged_backup(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups_job, "AT_WORK", timedelta(0))
    with installation(world, folder) as context:
        settings = context.settings
        work(context, world, 1)
        first, second = backup(context).taken, backup(context).taken
        backups, counted = Backups(context.es, context.names), holds(context)
        good = folder / "good"
        shutil.copytree(folder / "backups", good)

        largest = max((folder / "backups" / "indices").rglob("__*"), key=lambda path: path.stat().st_size)
        largest.unlink()
        for again in (drill, lambda settings: restore(settings, replace=True)):
            with pytest.raises(StoreError, match=rf"{second} can't be restored: .*{largest.name}.*an empty folder"):
                again(settings)
        assert holds(context) == counted, "all is as it was"
        assert not context.es.indices.get(index="drill-*"), "the copy is gone"
        assert [each.name for each in listed(settings)] == [second, first], "none was taken of what was not replaced"

        (info,) = [path for path in (folder / "backups").glob("snap-*") if first.encode() in uncompressed(path)]
        info.unlink()
        states = {each.name: each.state for each in listed(settings)}
        assert states == {second: "SUCCESS", first: "DAMAGED"}, "what can't be read is not left out in silence"
        with pytest.raises(NewswatchError, match=r"not complete \(DAMAGED\)"):
            restore(settings, first, replace=True)

        for path in (folder / "backups").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        with pytest.raises(StoreError, match=r"emptied, not mounted.*`newswatch backup reopen`"):
            backup(context)
        shutil.copytree(good, folder / "backups", dirs_exist_ok=True)
        with pytest.raises(StoreError, match="doesn't match any of the locations"):
            reopen(settings.model_copy(update={"backup_location": "/elsewhere"}))
        assert backups.location() == str(folder / "backups"), "a wrong place leaves the one that is known"
        assert [each.name for each in reopen(settings)] == [second, first]
        with monkeypatch.context() as patch:
            patch.setattr(type(Elasticsearch("http://x:1").snapshot), "delete_repository", refused_as_in_use)
            with pytest.raises(StoreError, match=r"can't be read anew now: .*currently used"):
                reopen(settings)
        tried = backups.restore(listed(settings)[0], to_prefix="drill-now-")
        health = context.es.cluster.health(index=tried, level="indices")["indices"]
        assert all(each["active_primary_shards"] == 1 for each in health.values()), "it waits until all can be read"
        context.es.indices.delete(index=tried)
        restore(settings, replace=True, untried=True)
        assert holds(context) == counted


def refused_as_in_use(*_: Any, **__: Any) -> None:
    """What Elasticsearch answers while it takes a snapshot."""
    meta = ApiResponseMeta(409, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 9200))
    reason = "trying to modify or unregister repository that is currently used (snapshot is in progress)"
    raise ConflictError("conflict", meta, {"error": {"type": "repository_conflict_exception", "reason": reason}})


def uncompressed(path: Path) -> bytes:
    """What a file of a repository holds: behind its header, by DEFLATE."""
    held = path.read_bytes()
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(held[held.index(b"DFL\0") + 4 :])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_goes_back_by_the_backup_of_before_an_upgrade(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups_job, "AT_WORK", timedelta(0))
    with installation(world, folder) as context:
        settings = context.settings
        work(context, world, 1)
        before = backup(context).taken
        counted = holds(context)
        for name in (context.names.articles, context.names.plain_template()):  # as a newer newswatch would
            body = context.es.indices.get_index_template(name=name).body["index_templates"][0]["index_template"]
            kept = {key: each for key, each in body.items() if not key.startswith(("created_", "modified_"))}
            context.es.perform_request(
                "PUT",
                f"/_index_template/{name}",
                headers={"content-type": "application/json", "accept": "application/json"},
                body=kept | {"version": VERSION + 1},
            )
        newer = Backups(context.es, context.names).take(backup_name(context.names, world.now), version=VERSION + 1).name
        with pytest.raises(StoreError, match="made by a newer newswatch"):
            open_context(settings)
        with pytest.raises(NewswatchError, match=f"{newer} was made by a newer newswatch"):
            restore(settings, newer, replace=True)
        restore(settings, before, replace=True)
        (replaced,) = [each.name for each in listed(settings) if BEFORE in each.name]
        with pytest.raises(NewswatchError, match=f"{replaced} was made by a newer newswatch"):
            restore(settings, replaced, replace=True)
        context = replace(open_context(settings), clock=world.clock)
        assert holds(context) == counted
        mails = len(world.mailbox.mails)
        world.wait(minutes=5)
        work(context, world, 2)
        assert len(world.mailbox.mails) == mails + 1, "it works again, and repeats nothing"

        first = next(context.audit.all())
        backups = Backups(context.es, context.names)
        backups.delete_indices(backups.indices())  # a new machine, where somebody has done something already
        AuditLog(open_context(settings).es, context.names).record(Deed("ann", "feed added", "herald"))
        restore(settings, before, replace=True)
        log = context.audit
        log.refresh()
        assert next(log.all()) == first, "the installation's log, not the one that began after the backup"
        assert [each.subject for each in log.listed(what="backup restored")] == [before]
        assert log.check().faults == ()


@pytest.mark.slow
def test_by_a_doubtful_clock_no_backup_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    there = [a_backup(days) for days in range(20, 26)]
    forgotten: list[Backup] = []
    monkeypatch.setattr(backups_job, "_is_set_up", lambda *_: True)
    monkeypatch.setattr(Backups, "take", lambda *_, **__: there[0])
    monkeypatch.setattr(Backups, "all", lambda _: there)
    monkeypatch.setattr(Backups, "forget", lambda _, old: forgotten.extend(old))
    upkeep(world.context)
    world.wait(days=800)
    assert (backup(world.context).forgotten, forgotten) == (0, [])
    upkeep(world.context, clock_is_right=True)
    assert backup(world.context).forgotten == len(forgotten) == len(there) - LEAST


ROOM = "Make room for it, and run it again; a restore goes without the copy with --untried."


@pytest.mark.slow
def test_a_closed_month_is_told_and_a_lost_one_comes_back_alone(world: World, folder: Path) -> None:
    """As docs/operations.md says."""
    with installation(world, folder) as context:
        es, names = context.es, context.names
        month, first_seen = names.slice_of_month("2026.01"), NOW.replace(month=1)
        articles, old = ArticleStore(es, names), an_article(first_seen=first_seen)
        batch = BatchStore(es, names).open([], now=world.now, lease_s=60)
        assert articles.write([old], batch, batch.seq_of_attempt, now=first_seen).new
        whole = backup(context)
        es.indices.close(index=month)
        assert (whole.lacking, backup(context).lacking) == ((), (month,))
        assert [each.lacking for each in listed(context.settings)] == [(month,), ()]
        es.indices.delete(index=month)
        es.snapshot.restore(
            repository=f"{names.prefix}newswatch",
            snapshot=whole.taken,
            indices=month,
            include_global_state=False,
            wait_for_completion=True,
        )
        assert articles.slices() == [month]
        assert [*articles.get([old.id])] == [old.id]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"can_allocate": "awaiting_info"}, None),
        ({"can_allocate": "yes", "unassigned_info": {"failed_allocation_attempts": 4, "details": "x"}}, None),
        (
            {"can_allocate": "no", "allocate_explanation": "No node."},
            f"i has no place: No node. {ROOM}",
        ),
        (
            {
                "can_allocate": "no",
                "node_allocation_decisions": [
                    {"deciders": [{"decision": "YES", "explanation": "fine"}]},
                    {"deciders": [{"decision": "NO", "explanation": "The disk is full."}]},
                ],
            },
            "i has no place: The disk is full. Make room",
        ),
        (
            {"can_allocate": "no", "unassigned_info": {"failed_allocation_attempts": 5, "details": "a\nCaused by: b"}},
            "i: b. The folder is damaged",
        ),
        ({"error": {"reason": "it is assigned by now"}, "status": 400}, None),
    ],
)
def test_why_a_shard_is_not_restored(told: dict[str, Any], why: str | None) -> None:
    found = not_restored("i", told)
    assert (found or "").startswith(why or "")
    assert (found is None) == (why is None)


@pytest.mark.slow
def test_what_a_snapshot_holds_in_part_is_done_again(world: World) -> None:
    """Each index is taken at a moment of its own: here the articles and the outbox, and later all that names them."""
    es, names = world.context.es, world.context.names
    work(world.context, world, 1)
    begun_at = world.now + timedelta(hours=1)
    world.wait(hours=1)
    work(world.context, world, 2)
    assert (world.count(names.articles), len(world.mailbox.mails)) == (2, 2)
    latest = es.search(index=names.articles, sort=[{"seq": "desc"}], size=1)["hits"]["hits"][0]
    es.delete(index=latest["_index"], id=latest["_id"], refresh=True)
    settle(world.context, begun_at)
    world.wait(minutes=20)
    for batch in plan(world.context).batches:
        pull(world.context, batch)
    assert world.count(names.articles) == 2
    outbox = f"{names.deliveries},{names.outcomes}"
    es.indices.refresh(index=outbox)
    for owed in es.search(index=outbox, size=100)["hits"]["hits"]:
        es.delete(index=owed["_index"], id=owed["_id"], refresh=True)
    settle(world.context, begun_at)
    match(world.context)
    deliver(world.context)
    assert len(world.mailbox.mails) == 3, "the second, and not what was matched before the snapshot began"


@pytest.mark.slow
def test_after_a_restore_readers_in_ingest_order_miss_nothing(world: World) -> None:
    es, names, now = world.context.es, world.context.names, world.now
    batches, store, stones = BatchStore(es, names), ArticleStore(es, names), Milestones(es, names)

    def bring(number: int) -> Batch:
        batch = batches.begin(batches.open([], now=world.now, lease_s=60).number)
        store.write([an_article(f"https://a.example/{number}")], batch, batch.seq_of_attempt, now=world.now)
        batches.mark_indexed(batch.number, counts={}, now=world.now)
        batches.mark_matched(batches.get(batch.number), now=world.now)
        return batch

    def read(after: str) -> tuple[int, str]:
        page = page_after(es, names, {"match_all": {}}, after, size=9, horizons=Horizons(), now=world.now)
        return len(page.articles), str(page.cursor)

    bring(1)
    lost = bring(2)
    told_us = stones.reach(read_horizon(es, names, now).below, now).at_us
    got, cursor = read("")
    assert got == 2
    for index in (names.batches, names.articles):  # as if the second had never been
        es.indices.refresh(index=index)
        (last,) = es.search(index=index, sort=[{"number" if index == names.batches else "seq": "desc"}], size=1)[
            "hits"
        ]["hits"]
        es.delete(index=last["_index"], id=last["_id"], refresh=True)
    world.wait(hours=1)
    settle(world.context, now)
    world.wait(minutes=6)  # what is matched again holds readers up no longer
    new = bring(3)
    assert new.number > lost.number
    assert read(cursor)[0] == 1
    world.wait(minutes=1)
    end = stones.reach(read_horizon(es, names, world.now).below, world.now).seq
    line = stones.around(0, told_us)
    assert told_us < line.moment(new.seq_of_attempt)
    assert line.first_after(told_us) <= new.seq_of_attempt < end


@pytest.mark.slow
def test_without_a_place_nothing_is_taken_and_a_wrong_one_is_said(world: World) -> None:
    assert backup(world.context).taken == ""
    with pytest.raises(NewswatchError, match="set NEWSWATCH_BACKUP_LOCATION"):
        listed(world.context.settings)
    wrong = world.context.settings.model_copy(update={"backup_location": "/not/there"})
    with pytest.raises(StoreError, match="The folder must lie in its setting"):
        backup(replace(world.context, settings=wrong))
    assert Backups(connect(wrong), world.context.names).all() == []


@pytest.mark.slow
def test_a_restore_is_refused_while_jobs_work(world: World) -> None:
    poll = plan(world.context)
    assert poll
    settings = world.context.settings.model_copy(update={"backup_location": "newswatch"})
    now = world.clock()
    world.context.es.indices.refresh(index=world.context.names.pulse)
    jobs = read_pulse(world.context.es, world.context.names, settings, now).jobs
    with pytest.raises(NewswatchError, match=r"Jobs are running \(plan\)"):
        backups_job._refuse_running([*jobs.values()], now)
    backups_job._refuse_running([*jobs.values()], now + HOUR)
