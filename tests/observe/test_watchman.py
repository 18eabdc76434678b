"""The watchman's shell: when each way is tried, and that none holds up another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from observe import watchman
from observe.condition import Condition, Severity
from observe.episodes import Draft, Rules
from observe.memory_file import memory_file, read_memory
from observe.probes.probe import Probe, Report
from observe.tell import ACCEPTED, Outcome, Result, Way
from observe.watchman import Watchman

RULES = Rules(begin=1, end=1, settle=1, wake=1)
REFUSED = Result(Outcome.REFUSED, "no")


@dataclass
class House:
    """What is wrong, as the one probe sees it."""

    wrong: set[str] = field(default_factory=set)
    looks: int = 0

    def probes(self, _: Watchman) -> list[Probe]:
        return [Probe("house", self.look)]

    def look(self) -> Report:
        self.looks += 1
        return Report(tuple(Condition(id_, Severity.CRITICAL, f"{id_}.", "Mend it.") for id_ in sorted(self.wrong)))


@dataclass
class Recorder:
    """A way that keeps what it is told, and answers as a test tells it."""

    answer: Callable[[], Result] = lambda: ACCEPTED
    keys: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def way(self, name: str, needs: str = "") -> Way:
        return Way(name, name, self.send, needs)

    def send(self, draft: Draft) -> Result:
        result = self.answer()
        self.keys.append(draft.key)
        if result is ACCEPTED:
            self.told += [(str(item.change), item.episode.condition.id) for item in draft.items]
        return result


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_looks(house: House, number: int) -> None:
    """Until so many looks have begun from now on; what the one before the last has seen was told, or refused."""
    before = house.looks
    wait_until(lambda: house.looks >= before + number)


@pytest.fixture
def house() -> House:
    return House()


class Running:
    """A watchman that runs in a thread, a look each tenth of a second."""

    def __init__(self, house: House, folder: Path, *ways: Way) -> None:
        self.watchman = Watchman(house.probes, ways, memory_file(folder), every_s=0.1, rules=RULES)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self.watchman.run, args=(self._over,), daemon=True)

    def __enter__(self) -> Watchman:
        self._thread.start()
        return self.watchman

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)


def test_it_tells_by_every_way_and_remembers(house: House, tmp_path: Path) -> None:
    first, second = Recorder(), Recorder()
    ways = (first.way("a"), second.way("b"))
    with Running(house, tmp_path, *ways):
        house.wrong = {"disk"}
        wait_until(lambda: first.told and second.told)
    assert read_memory(memory_file(tmp_path)).standing
    with Running(house, tmp_path, *ways):
        wait_for_looks(house, 4)
        house.wrong = set()
        wait_until(lambda: len(first.told) == len(second.told) == 2)
    assert first.told == second.told == [("new", "disk"), ("over", "disk")]
    assert read_memory(memory_file(tmp_path)).episodes == ()


def test_a_way_that_hangs_holds_up_no_other(house: House, tmp_path: Path) -> None:
    hold = threading.Event()

    def wait() -> Result:
        hold.wait(120)
        return ACCEPTED

    hanging, other = Recorder(wait), Recorder()
    house.wrong = {"disk"}
    with Running(house, tmp_path, hanging.way("a"), other.way("b")):
        wait_until(lambda: other.told)
        house.wrong = set()
        wait_until(lambda: len(other.told) == 2)
        assert hanging.told == []
        hold.set()
        wait_until(lambda: len(hanging.told) == 2)


def test_a_way_that_never_comes_back_is_given_up_and_tried_under_the_same_key(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchman, "STUCK_S", 0.3)
    monkeypatch.setattr(watchman, "PAUSES_S", (0.1,))
    hold, calls = threading.Event(), []

    def answer() -> Result:
        calls.append(1)
        if len(calls) == 1:
            hold.wait(120)
        return ACCEPTED

    way = Recorder(answer)
    house.wrong = {"disk"}
    with Running(house, tmp_path, way.way("a")):
        wait_until(lambda: way.told)
        hold.set()
        wait_until(lambda: len(way.keys) == 2)
        assert len(set(way.keys)) == 1
        house.wrong = set()
        wait_until(lambda: way.told[-1] == ("over", "disk"))


def test_a_way_that_refuses_is_tried_again_with_what_is_true_then(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchman, "PAUSES_S", (0.2,))
    answers = [REFUSED]
    way = Recorder(lambda: answers[0])
    house.wrong = {"disk"}
    with Running(house, tmp_path, way.way("a")):
        wait_until(lambda: way.keys)
        house.wrong = {"disk", "heartbeat"}
        wait_for_looks(house, 4)
        answers[0] = ACCEPTED
        wait_until(lambda: way.told)
    assert way.told == [("new", "disk"), ("new", "heartbeat")]


def test_a_way_that_a_probe_calls_closed_is_tried_once_and_then_when_it_opens(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchman, "PAUSES_S", (0.1,))
    mail = Recorder(lambda: REFUSED if house.wrong else ACCEPTED)
    house.wrong = {"mail-server"}
    with Running(house, tmp_path, mail.way("a", "mail-server")):
        wait_until(lambda: mail.keys)
        wait_for_looks(house, 9)
        assert len(mail.keys) == 1
        house.wrong = set()
        wait_until(lambda: mail.told)
    assert mail.told == [("passed", "mail-server")]


def test_a_way_that_fails_in_vain_is_told_by_the_other(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong address would else be noticed when it is needed most."""
    monkeypatch.setattr(watchman, "PAUSES_S", (0.1,))
    monkeypatch.setattr(watchman, "IN_VAIN_S", 0.5)
    answers = [REFUSED]
    good, bad = Recorder(), Recorder(lambda: answers[0])
    house.wrong = {"disk"}
    with Running(house, tmp_path, good.way("a"), bad.way("b")):
        wait_until(lambda: ("new", "telling:b") in good.told)
        answers[0] = ACCEPTED
        wait_until(lambda: ("over", "telling:b") in good.told and len(bad.told) == 3)
    assert bad.told[0] == ("new", "disk")
    assert good.told[0] == ("new", "disk")


def test_a_way_that_a_probe_calls_closed_does_not_fail_in_vain(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchman, "CLOSED_S", 0.1)
    monkeypatch.setattr(watchman, "IN_VAIN_S", 0.2)
    chat, mail = Recorder(), Recorder(lambda: REFUSED)
    house.wrong = {"mail-server"}
    with Running(house, tmp_path, chat.way("a"), mail.way("b", "mail-server")):
        wait_until(lambda: len(mail.keys) > 5)
    assert chat.told == [("new", "mail-server")]


def test_a_memory_that_can_not_be_written_is_told(house: House, tmp_path: Path) -> None:
    way = Recorder()
    folder = tmp_path / "gone"
    house.wrong = {"disk"}
    with Running(house, folder, way.way("a")):
        wait_until(lambda: ("new", "watchman") in way.told)
        folder.mkdir()
        wait_until(lambda: ("over", "watchman") in way.told)
    assert way.told[0] == ("new", "disk")


def test_a_disk_that_does_not_answer_keeps_nobody_from_being_told(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, way = threading.Event(), Recorder()
    monkeypatch.setattr(watchman, "KEEP_S", 0.1)
    monkeypatch.setattr("observe.memory_file.write_memory", lambda *_: hold.wait(60))
    house.wrong = {"heartbeat"}
    with Running(house, tmp_path, way.way("a")):
        wait_until(lambda: ("new", "watchman") in way.told)
        hold.set()
        wait_until(lambda: ("over", "watchman") in way.told)
    assert way.told[0] == ("new", "heartbeat")


def test_the_last_word_is_told_at_once_or_at_the_next_start(house: House, tmp_path: Path) -> None:
    way, closed = Recorder(), Recorder(lambda: REFUSED)
    told = Watchman(house.probes, (way.way("a"), closed.way("b")), memory_file(tmp_path), every_s=0.1, rules=RULES)
    told.end("the database died", 1)
    assert way.told == [("new", "stack")]
    later = Recorder()
    with Running(house, tmp_path, way.way("a"), later.way("b")):
        wait_until(lambda: later.told and len(way.told) == 2)
    assert way.told == [("new", "stack"), ("over", "stack")]
    assert later.told in ([("new", "stack"), ("over", "stack")], [("passed", "stack")])


def test_warnings_are_well_enough(house: House, tmp_path: Path) -> None:
    there = Watchman(house.probes, (), memory_file(tmp_path), every_s=0.1, rules=RULES)
    there.look()
    assert there.is_well()
    house.wrong = {"disk"}
    there.look()
    assert not there.is_well()
    assert [condition.id for condition in there.watched().conditions] == ["disk"]
