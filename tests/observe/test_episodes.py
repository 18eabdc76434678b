"""What the watchman makes of its looks: nothing is told twice, no end is lost, consequences go with their cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from observe.condition import Condition, Severity
from observe.episodes import (
    ASLEEP,
    Change,
    Look,
    Memory,
    Rules,
    Sighting,
    advance,
    awake,
    delivered,
    drafted,
    news,
    refused,
    tidied,
)
from observe.memory_file import memory_file, read_memory, write_memory

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = Rules(begin=3, end=4, settle=2, wake=5)
MAIL, URL = "mail-1", "url-1"
WAYS = (MAIL, URL)
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


@dataclass
class Watch:
    """A memory that looks are shown to, and what each way was told."""

    memory: Memory = field(default_factory=Memory)
    ways: Sequence[str] = WAYS
    looks: int = 0
    told: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    def see(self, *conditions: Condition | str, blind: Sequence[str] = (), unknown: Sequence[str] = ()) -> None:
        """One look: ids alone are critical conditions."""
        seen = [c if isinstance(c, Condition) else condition(c) for c in conditions]
        sightings = {c.id: Sighting(c, (source(c.id),)) for c in seen}
        at = START + timedelta(seconds=15 * self.looks)
        self.looks += 1
        look = Look(at, sightings, frozenset(blind), frozenset(unknown))
        self.memory = advance(self.memory, look, RULES, self.ways)

    def tell(self, *ways: str, accepted: bool = True) -> None:
        for way in ways or self.ways:
            self.memory, draft = drafted(self.memory, way, START + timedelta(seconds=15 * self.looks))
            if draft is None:
                continue
            if accepted:
                self.told[way] += [(str(item.change), item.episode.condition.id) for item in draft.items]
                self.memory = delivered(self.memory, way, self.ways)
            else:
                self.memory = refused(self.memory, way)

    def see_and_tell(self, times: int, *conditions: Condition | str, blind: Sequence[str] = ()) -> None:
        for _ in range(times):
            self.see(*conditions, blind=blind)
            self.tell()


def condition(condition_id: str, severity: Severity = CRITICAL, since: datetime | None = None) -> Condition:
    return Condition(condition_id, severity, f"{condition_id} is {severity}.", "Mend it.", since)


def source(condition_id: str) -> str:
    return "pipeline" if condition_id in ("polling", "matching") else condition_id


# ── hysteresis ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_three_looks_begin_and_four_end() -> None:
    watch = Watch()
    watch.see_and_tell(2, "mail-server")
    assert watch.told == {}
    watch.see_and_tell(5, "mail-server")
    assert watch.told == {MAIL: [("new", "mail-server")], URL: [("new", "mail-server")]}
    watch.see_and_tell(3)
    assert len(watch.told[MAIL]) == 1
    watch.see_and_tell(1)
    assert watch.told[MAIL] == [("new", "mail-server"), ("over", "mail-server")]
    assert watch.memory.episodes == ()


def test_what_flickers_neither_begins_nor_ends() -> None:
    watch = Watch()
    for _ in range(10):
        watch.see_and_tell(2, "mail-server")
        watch.see_and_tell(1)
    assert watch.told == {}
    watch.see_and_tell(3, "mail-server")
    for _ in range(10):
        watch.see_and_tell(3)
        watch.see_and_tell(1, "mail-server")
    assert watch.told[MAIL] == [("new", "mail-server")]


def test_it_began_when_it_was_first_seen_or_when_it_says() -> None:
    watch = Watch()
    early = START - timedelta(hours=2)
    for _ in range(3):
        watch.see("disk", condition("network", since=early))
    since = {episode.condition.id: episode.condition.since for episode in watch.memory.standing}
    assert since == {"disk": START, "network": early}


def test_grown_worse_is_told_once_and_only_after_three_looks() -> None:
    watch = Watch()
    watch.see_and_tell(4, condition("disk", WARNING))
    watch.see_and_tell(2, condition("disk"))
    watch.see_and_tell(1, condition("disk", WARNING))
    assert watch.told[MAIL] == [("new", "disk")]
    watch.see_and_tell(5, condition("disk"))
    watch.see_and_tell(5, condition("disk", WARNING))
    watch.see_and_tell(5, condition("disk"))
    assert watch.told[MAIL] == [("new", "disk"), ("worse", "disk")]
    (episode,) = watch.memory.standing
    assert (episode.condition.severity, episode.condition.sentence) == (CRITICAL, "disk is critical.")


def test_grown_milder_is_told_to_nobody_and_explains_nothing_any_more() -> None:
    watch = Watch()
    watch.see_and_tell(3, "scheduler", "polling")
    watch.see_and_tell(RULES.end, condition("scheduler", WARNING), "polling")
    (episode,) = watch.memory.standing
    assert (episode.condition.severity, episode.condition.sentence) == (WARNING, "scheduler is warning.")
    watch.see_and_tell(RULES.settle + RULES.begin, condition("scheduler", WARNING), "polling")
    assert watch.told[MAIL] == [("new", "scheduler"), ("new", "polling")]
    watch.see_and_tell(5, "scheduler")
    assert watch.told[MAIL] == [("new", "scheduler"), ("new", "polling"), ("over", "polling")]


def test_what_can_not_be_seen_is_not_over() -> None:
    watch = Watch()
    watch.see_and_tell(3, "polling")
    watch.see_and_tell(20, "elasticsearch", blind=["pipeline"])
    assert [change for change in watch.told[MAIL] if change[1] == "polling"] == [("new", "polling")]
    watch.see_and_tell(4)
    assert ("over", "polling") in watch.told[MAIL]


def test_an_id_that_could_not_be_judged_is_not_over() -> None:
    watch = Watch()
    watch.see_and_tell(3, "scheduler")
    for _ in range(9):
        watch.see(unknown=["scheduler"])
    assert [episode.over_at for episode in watch.memory.episodes] == [None]


def test_a_blind_probe_keeps_its_row_and_another_does_not() -> None:
    watch = Watch()
    watch.see("polling", "heartbeat")
    watch.see(blind=["pipeline"])
    watch.see("polling", "heartbeat")
    watch.see("polling", "heartbeat")
    assert [episode.condition.id for episode in watch.memory.standing] == ["polling"]


# ── causes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cause_is_told_and_its_consequences_are_not() -> None:
    watch = Watch()
    watch.see_and_tell(10, "elasticsearch", "polling", "matching", "job:recheck", "certificate:a")
    assert watch.told[MAIL] == [("new", "elasticsearch"), ("new", "certificate:a")]


def test_consequences_have_time_to_go_after_their_cause() -> None:
    watch = Watch()
    watch.see_and_tell(5, "scheduler", "polling")
    watch.see_and_tell(RULES.end + RULES.settle, "polling")
    watch.see_and_tell(4)
    assert watch.told[MAIL] == [("new", "scheduler"), ("over", "scheduler")]


def test_a_consequence_that_stays_is_told_in_the_end() -> None:
    watch = Watch()
    watch.see_and_tell(5, "scheduler", "polling")
    watch.see_and_tell(RULES.end + RULES.settle + RULES.begin, "polling")
    assert watch.told[MAIL] == [("new", "scheduler"), ("over", "scheduler"), ("new", "polling")]


def test_a_warning_explains_nothing() -> None:
    watch = Watch()
    watch.see_and_tell(4, condition("disk", WARNING), "polling")
    assert watch.told[MAIL] == [("new", "disk"), ("new", "polling")]


def test_after_a_sleep_rows_begin_anew_and_jobs_get_time() -> None:
    watch = Watch()
    watch.see("mail-server", "polling")
    watch.see("mail-server", "polling")
    watch.memory = awake(watch.memory, RULES)
    assert watch.memory.settling[ASLEEP] == RULES.wake
    watch.see_and_tell(2, "mail-server", "polling")
    assert watch.told == {}
    watch.see_and_tell(1, "mail-server", "polling")
    assert watch.told[MAIL] == [("new", "mail-server")]
    watch.see_and_tell(RULES.wake, "mail-server", "polling")
    assert watch.told[MAIL][1:] == [("new", "polling")]


def test_what_starts_beside_the_watchman_gets_time_to_start() -> None:
    watch = Watch()
    watch.memory = awake(watch.memory, RULES)
    watch.see_and_tell(RULES.wake, "airflow", "elasticsearch")
    watch.see_and_tell(RULES.begin)
    assert watch.told == {}, "a host that starts is no outage"
    watch.memory = awake(watch.memory, RULES)
    watch.see_and_tell(RULES.wake + RULES.begin, "airflow")
    assert watch.told[MAIL] == [("new", "airflow")]


# ── ways ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_way_that_was_closed_is_told_in_one_message_when_all_is_over() -> None:
    watch = Watch()
    for _ in range(5):
        watch.see("mail-server")
        watch.tell(URL)
        watch.tell(MAIL, accepted=False)
    for _ in range(4):
        watch.see()
        watch.tell(URL)
        watch.tell(MAIL, accepted=False)
    assert watch.told == {URL: [("new", "mail-server"), ("over", "mail-server")]}
    watch.memory, draft = drafted(watch.memory, MAIL, START)
    assert draft
    assert [(item.change, item.episode.condition.id) for item in draft.items] == [(Change.PASSED, "mail-server")]
    watch.memory = delivered(watch.memory, MAIL, WAYS)
    assert watch.memory.episodes == ()


def test_many_episodes_behind_a_closed_way_are_told_as_one() -> None:
    watch = Watch()
    for _ in range(50):
        for _ in range(3):
            watch.see("mail-server")
        for _ in range(4):
            watch.see()
    (episode,) = watch.memory.episodes
    assert (episode.times, episode.began_at) == (50, START)
    watch.tell()
    assert watch.told == {MAIL: [("passed", "mail-server")], URL: [("passed", "mail-server")]}


def test_a_new_way_hears_what_stands_and_nothing_of_the_past() -> None:
    watch = Watch(ways=(MAIL,))
    watch.see_and_tell(3, "disk")
    watch.see_and_tell(4)
    watch.see_and_tell(3, "mail-server")
    watch.ways = WAYS
    watch.see_and_tell(1, "mail-server")
    assert watch.told[URL] == [("new", "mail-server")]
    assert watch.told[MAIL][-1] == ("new", "mail-server")


def test_without_ways_nothing_is_kept_but_what_stands() -> None:
    watch = Watch(ways=())
    watch.see_and_tell(3, "disk")
    assert len(watch.memory.standing) == 1
    watch.see_and_tell(4)
    assert watch.memory.episodes == ()


def test_a_way_that_is_gone_holds_nothing_back() -> None:
    watch = Watch()
    for _ in range(3):
        watch.see("disk")
    watch.memory, _ = drafted(watch.memory, URL, START)
    watch.tell(MAIL)
    watch.memory = tidied(watch.memory, (MAIL,))
    assert watch.memory.drafts == {}
    watch.ways = (MAIL,)
    watch.see_and_tell(4)
    assert watch.memory.episodes == ()


def test_an_unknown_outcome_repeats_the_same_message() -> None:
    """A crash between sending and keeping, or a lost connection: the same key, whatever has happened since."""
    watch = Watch()
    for _ in range(3):
        watch.see("disk")
    watch.memory, first = drafted(watch.memory, MAIL, START)
    for _ in range(4):
        watch.see("mail-server")
    watch.memory, again = drafted(watch.memory, MAIL, START + timedelta(hours=1))
    assert again == first
    watch.memory = delivered(watch.memory, MAIL, WAYS)
    watch.memory, rest = drafted(watch.memory, MAIL, START)
    assert rest
    assert {(str(i.change), i.episode.condition.id) for i in rest.items} == {("over", "disk"), ("new", "mail-server")}
    assert first
    assert rest.key != first.key


def test_what_was_refused_is_written_anew() -> None:
    watch = Watch()
    for _ in range(3):
        watch.see("disk")
    watch.memory, first = drafted(watch.memory, MAIL, START)
    watch.memory = refused(watch.memory, MAIL)
    for _ in range(3):
        watch.see("disk", "mail-server")
    watch.memory, second = drafted(watch.memory, MAIL, START)
    assert first
    assert second
    assert [item.episode.condition.id for item in second.items] == ["disk", "mail-server"]


def test_a_message_names_what_stands_besides() -> None:
    watch = Watch()
    watch.see_and_tell(3, "disk")
    for _ in range(3):
        watch.see("disk", "mail-server")
    _, draft = drafted(watch.memory, MAIL, START)
    assert draft
    assert [c.id for c in draft.standing] == ["disk"]


# ── on the disk ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_restart_repeats_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    watch = Watch()
    watch.see_and_tell(3, "disk")
    for _ in range(3):
        watch.see("disk", "mail-server")
    watch.tell(URL)
    watch.memory, draft = drafted(watch.memory, MAIL, START)
    write_memory(memory_file(tmp_path), watch.memory)
    restored = read_memory(memory_file(tmp_path))
    assert restored == replace(watch.memory, counts={}, settling={})
    watch.memory = awake(restored, RULES)
    _, again = drafted(watch.memory, MAIL, START + timedelta(hours=1))
    assert again == draft
    assert news(watch.memory, URL) == ()
    watch.see_and_tell(4)
    assert watch.told[URL][-2:] == [("over", "disk"), ("over", "mail-server")]


def test_a_spoilt_file_is_put_aside(tmp_path: Path) -> None:
    path = memory_file(tmp_path)
    assert read_memory(path) == Memory()
    path.write_text('{"episodes": 7}')
    assert read_memory(path) == Memory()
    assert path.with_name("watch.json.broken").read_text() == '{"episodes": 7}'


# ── whatever happens ─────────────────────────────────────────────────────────────────────────────────────────────────

IDS = ("elasticsearch", "mail-server", "polling", "disk")
looks = st.tuples(
    st.dictionaries(st.sampled_from(IDS), st.sampled_from((WARNING, CRITICAL))),
    st.sets(st.sampled_from(("pipeline", "disk", "mail-server")), max_size=2),
)
outcomes = st.sampled_from(("accepted", "refused", "unknown", "crash", "asleep", "not tried"))
Step = tuple[tuple[dict[str, Severity], set[str]], int, str, str]
steps: st.SearchStrategy[list[Step]] = st.lists(st.tuples(looks, st.integers(1, 5), outcomes, outcomes), max_size=30)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_never_told_twice_without_an_end_between_and_no_end_is_lost(happenings: list[Step]) -> None:
    watch = Watch()
    accepted: dict[str, list[tuple[str, str]]] = {way: [] for way in WAYS}
    received: dict[str, set[str]] = {way: set() for way in WAYS}
    for (seen, blind), times, *outcome in happenings:
        for _ in range(times):
            watch.see(*(condition(id_, severity) for id_, severity in seen.items()), blind=list(blind))
        for way, what in zip(WAYS, outcome, strict=True):
            _try(watch, way, what, accepted[way], received[way])
    for _ in range(RULES.end):
        watch.see()
    for way in WAYS:
        for _ in range(2):
            _try(watch, way, "accepted", accepted[way], received[way])
    assert watch.memory.episodes == ()
    for changes in accepted.values():
        _is_in_order(changes)


def _try(watch: Watch, way: str, what: str, accepted: list[tuple[str, str]], received: set[str]) -> None:
    """One attempt. A message of unknown outcome was received, and must be received again under the same key only."""
    if what == "not tried":
        return
    if what == "asleep":
        watch.memory = awake(watch.memory, RULES)
        return
    watch.memory, draft = drafted(watch.memory, way, START + timedelta(seconds=watch.looks))
    if draft is None:
        return
    if what in ("accepted", "unknown", "crash") and draft.key not in received:
        received.add(draft.key)
        accepted += [(str(item.change), item.episode.condition.id) for item in draft.items]
    if what == "accepted":
        watch.memory = delivered(watch.memory, way, watch.ways)
    elif what == "refused" and draft.key not in received:
        watch.memory = refused(watch.memory, way)
    elif what == "crash":
        watch.memory = awake(replace(watch.memory, counts={}, settling={}), RULES)


def _is_in_order(changes: list[tuple[str, str]]) -> None:
    """Of each condition: new, perhaps worse, over; or passed, all at once."""
    open_: dict[str, str] = {}
    for change, condition_id in changes:
        state = open_.pop(condition_id, "")
        allowed = {"": ("new", "passed"), "new": ("worse", "over"), "worse": ("over",)}[state]
        assert change in allowed, changes
        if change in ("new", "worse"):
            open_[condition_id] = change
    assert not open_, changes
