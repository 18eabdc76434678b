"""Which version of a configuration file is in force, and what is known of the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from hypothesis import given
from hypothesis import strategies as st

from newswatch.config import Written
from newswatch.errors import DocumentError
from store.configuration import (
    CONFIRMED_AFTER,
    FORGOTTEN_AFTER,
    FORGOTTEN_HERE_AFTER,
    SUPERSEDED_KEPT,
    TEXTS_KEPT,
    ConfigurationStore,
    Kept,
    Look,
    Verdict,
    judge,
    observed,
    put_in_force,
    state_of,
)
from store.names import Names
from tests.factories import NOW

PATH = Path("/etc/newswatch/feeds.yaml")
EARLIER, LATER = timedelta(hours=-1), timedelta(hours=1)


def a_file(text: str, changed: timedelta = timedelta(), path: Path = PATH) -> Written:
    return Written(path, text, NOW + changed)


def a_look(file: Written | None, host: str = "a", why: str = "", *, usable: bool = True) -> Look:
    return Look(host, str(PATH), file, why, usable)


def kept_after(*files: Written, now: datetime = NOW + LATER) -> Kept:
    kept = Kept("feeds.yaml")
    for file in files:
        kept = put_in_force(kept, file, "a", now)
    return kept


@pytest.mark.parametrize(
    ("in_force", "file", "verdict"),
    [
        ((), a_file("one"), Verdict.REPLACES),
        ((a_file("one"),), a_file("one"), Verdict.SAME),
        ((a_file("one"),), a_file("one", EARLIER), Verdict.SAME),
        ((a_file("one"),), a_file("two", LATER / 2), Verdict.REPLACES),
        ((a_file("one"),), a_file("two"), Verdict.REPLACES),  # packages and images give all files one time
        ((a_file("one"),), a_file("two", EARLIER), Verdict.OLDER),
        ((a_file("one"), a_file("two")), a_file("one"), Verdict.OLDER),  # a worker that was not upgraded
        ((a_file("one"), a_file("two")), a_file("one", LATER / 2), Verdict.REPLACES),  # a deliberate return
        ((a_file("one", LATER * 9),), a_file("two", LATER), Verdict.REPLACES),  # a time in the future counts as now
        ((a_file("one"),), a_file("two", timedelta(days=9_999)), Verdict.REPLACES),
    ],
)
def test_one_version_is_in_force(in_force: tuple[Written, ...], file: Written, verdict: Verdict) -> None:
    assert judge(kept_after(*in_force), file, NOW + LATER) is verdict


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=2, max_size=4), st.integers(2, 6))
def test_machines_that_keep_their_files_end_with_one_version(files: list[tuple[str, int]], rounds: int) -> None:
    """Whatever the files and their times: after everybody has looked twice, nothing changes any more."""
    kept, now = Kept("feeds.yaml"), NOW + LATER
    seen: list[str] = []
    for _ in range(rounds):
        for host, (text, minutes) in enumerate(files):
            kept = observed(kept, a_look(a_file(text, timedelta(minutes=minutes)), str(host)), now)
            seen.append(kept.hash)
    assert set(seen[len(files) :]) == {kept.hash}


def test_a_time_that_was_edited_to_the_far_future_shuts_nobody_out() -> None:
    kept = replace(kept_after(a_file("one")), changed_at=NOW + timedelta(days=9_999))
    assert judge(kept, a_file("two", EARLIER), NOW + LATER) is Verdict.REPLACES


def test_a_touched_file_keeps_a_former_version_out() -> None:
    kept = observed(kept_after(a_file("one"), a_file("two")), a_look(a_file("two", LATER / 2)), NOW + LATER)
    assert judge(kept, a_file("one", LATER / 3), NOW + LATER) is Verdict.OLDER
    ahead = observed(kept, a_look(a_file("two", LATER * 9)), NOW + LATER)
    assert ahead == kept, "a time in the future would shut out every later edit"


def test_what_is_wrong_is_known_by_machine_until_it_is_well() -> None:
    kept, now = kept_after(a_file("one")), NOW + LATER
    broken = a_look(a_file("["), "b", "feeds.yaml:1: is not YAML", usable=False)
    kept = observed(kept, broken, now)
    assert kept.hash == a_file("one").hash
    state = state_of(kept)
    assert state.wrong_since == now
    assert state.why.startswith("feeds.yaml:1: is not YAML. The version in force since 2")
    assert observed(kept, a_look(a_file("one")), now + timedelta(minutes=1)) == kept, "another machine's is well"
    assert observed(kept, broken, now + CONFIRMED_AFTER / 2) == kept, "nothing is written for what is known"
    again = observed(kept, broken, now + CONFIRMED_AFTER)
    assert state_of(again).wrong_since == now
    assert state_of(observed(again, a_look(a_file("one"), "b"), now + CONFIRMED_AFTER)).wrong_since is None


def test_a_machine_that_is_gone_is_forgotten() -> None:
    now = NOW + LATER
    kept = observed(kept_after(a_file("one")), a_look(None, "gone", "can't be read", usable=False), now)
    later = now + FORGOTTEN_AFTER
    assert state_of(observed(kept, a_look(a_file("one"), "b"), later - timedelta(seconds=1))).wrong_since == now
    assert state_of(observed(kept, a_look(a_file("one"), "b"), later)).wrong_since is None


def test_another_folder_of_the_same_machine_is_forgotten_sooner() -> None:
    now = NOW + LATER
    elsewhere = Look("a", "/old/feeds.yaml", None, "can't be read", is_usable=False)
    kept = observed(kept_after(a_file("one")), elsewhere, now)
    later = now + FORGOTTEN_HERE_AFTER
    assert state_of(observed(kept, a_look(a_file("one"), "b"), later)).wrong_since == now
    assert state_of(observed(kept, a_look(a_file("one"), "a"), later)).wrong_since is None


def test_several_versions_are_told_with_the_machines_and_the_next_step() -> None:
    kept = kept_after(a_file("one"), a_file("two"))
    for host in ("b", "c"):
        kept = observed(kept, a_look(a_file("one"), host), NOW + LATER)
    kept = observed(kept, a_look(None, "d", "can't be read", usable=False), NOW + LATER)
    why = state_of(kept).why
    assert why.startswith(f"on b, c: {PATH}: was last changed on ")
    assert f"newswatch config use {PATH}" in why
    assert "on d: can't be read" in why


def test_a_file_that_is_partly_wrong_is_in_force_and_told() -> None:
    kept = observed(Kept("alerts.yaml"), a_look(a_file("one"), why="line 3: no such key"), NOW)
    assert (kept.hash, state_of(kept).why) == (a_file("one").hash, "line 3: no such key")


def test_former_versions_are_bounded() -> None:
    kept = kept_after(*(a_file(str(n)) for n in range(SUPERSEDED_KEPT + 9)))
    assert len(kept.superseded) == SUPERSEDED_KEPT
    assert kept.superseded[-1] == a_file(str(SUPERSEDED_KEPT + 7)).hash


# ── the store ────────────────────────────────────────────────────────────────────────────────────────────────────────


def keep(store: ConfigurationStore, file: Written) -> Kept:
    store.keep_text("feeds.yaml", file)
    return store.change("feeds.yaml", lambda kept: put_in_force(kept, file, "a", NOW))


def test_the_text_in_force_comes_back_as_it_was(es: Elasticsearch, names: Names) -> None:
    store, file = ConfigurationStore(es, names), a_file("# Ä \u2028 \x85\nfeeds: []\n" * 10_000)
    assert store.text(store.kept("feeds.yaml")) is None
    assert store.text(keep(store, file)) == file
    assert store.kept("feeds.yaml").hash == file.hash


def test_texts_of_long_ago_are_deleted(es: Elasticsearch, names: Names) -> None:
    store = ConfigurationStore(es, names)
    for n in range(TEXTS_KEPT + 4):
        store.drop_text(keep(store, a_file(str(n))))
    es.indices.refresh(index=names.configuration)
    assert es.count(index=names.configuration)["count"] == 1 + 1 + TEXTS_KEPT
    assert store.text(store.kept("feeds.yaml")) == a_file(str(TEXTS_KEPT + 3))


def test_a_text_that_was_edited_is_not_used(es: Elasticsearch, names: Names) -> None:
    store = ConfigurationStore(es, names)
    kept = keep(store, a_file("one"))
    es.update(index=names.configuration, id=f"feeds.yaml~{kept.hash}", doc={"text": "two"})
    assert store.text(kept) is None


def test_many_writers_lose_nothing(es: Elasticsearch, names: Names) -> None:
    store = ConfigurationStore(es, names)

    def look(n: int) -> None:
        found = a_look(None, f"host {n}", f"fault {n}", usable=False)
        store.change("feeds.yaml", lambda kept: observed(kept, found, NOW))

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(look, range(16)))
    assert {wrong.host for wrong in store.kept("feeds.yaml").wrong} == {f"host {n}" for n in range(16)}
    (state,) = store.states()
    assert (state.name, state.wrong_since) == ("feeds.yaml", NOW)


def test_nothing_is_written_where_nothing_changes(es: Elasticsearch, names: Names) -> None:
    store = ConfigurationStore(es, names)
    keep(store, a_file("one"))
    before = es.get(index=names.configuration, id="feeds.yaml")["_version"]
    store.change("feeds.yaml", lambda kept: observed(kept, a_look(a_file("one")), NOW))
    assert es.get(index=names.configuration, id="feeds.yaml")["_version"] == before


def test_a_document_edited_to_nonsense_is_told(es: Elasticsearch, names: Names) -> None:
    es.index(index=names.configuration, id="feeds.yaml", document={"name": "alerts.yaml"}, refresh=True)
    store = ConfigurationStore(es, names)
    with pytest.raises(DocumentError, match=r"feeds\.yaml"):
        store.kept("feeds.yaml")
    assert store.states() == ()
