"""One worker at a time, also when the one before it has died."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from elasticsearch import Elasticsearch

from newswatch.errors import StoreError
from store.elastic import turns
from store.elastic.turns import turn
from store.names import Names

pytestmark = pytest.mark.slow


def test_turns_come_one_after_the_other(es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "RENEWED_S", 0.05)
    monkeypatch.setattr(turns, "LOOK_S", 0.01)
    at_work, most = [], []

    def work() -> None:
        with turn(es, names, "match"):
            at_work.append(1)
            most.append(len(at_work))
            time.sleep(0.12)  # it is renewed meanwhile
            at_work.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]
    assert not es.exists(index=names.lane, id="turn~match")


def test_a_turn_whose_holder_died_here_is_taken_at_once(es: Elasticsearch, names: Names) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    holder = f"{socket.gethostname()}:{child}"
    es.create(index=names.lane, id="turn~match", document={"kind": "turn", "holder": holder, "beats": 3})
    with turn(es, names, "match", pause=lambda _: pytest.fail("it was waited for")):
        pass


def test_a_silent_holder_elsewhere_loses_its_turn_and_a_renewing_one_does_not(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: len(looks) * 0.4 * turns.LOST_S))
    document = {"kind": "turn", "holder": "elsewhere:1", "beats": 0}
    es.create(index=names.lane, id="turn~match", document=document)

    def pause(_: float) -> None:
        looks.append(1)
        if len(looks) <= 5:
            es.index(index=names.lane, id="turn~match", document=document | {"beats": len(looks)})

    with turn(es, names, "match", pause=pause):
        assert len(looks) == 5 + 3, "it was renewed five times, and then silent"


def test_a_turn_that_another_took_is_noticed_before_it_is_used(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "RENEWED_S", 0.01)
    with turn(es, names, "match") as hold:
        hold()
        es.index(index=names.lane, id="turn~match", document={"kind": "turn", "holder": "elsewhere:1", "beats": 0})
        with pytest.raises(StoreError, match="turn~match is lost"):
            _again_and_again(hold)
    assert es.exists(index=names.lane, id="turn~match"), "it is the other's to give back"


def test_a_turn_that_could_not_be_renewed_is_as_good_as_lost(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    with turn(es, names, "match") as hold:
        monkeypatch.setattr(turns, "LOST_S", 0)
        with pytest.raises(StoreError, match="is lost"):
            hold()


def _again_and_again(hold: Callable[[], None]) -> None:
    for _ in range(500):
        hold()
        threading.Event().wait(0.01)
