"""For any sequence of batches, deaths, pauses and retries, each (saved search, story, recipient) is delivered once.

Hypothesis makes up the sequences: which batches a worker matches in which order, the step before which it dies or
stands still, what another worker does meanwhile, how much time passes, and what the mail server refuses for now. At the
end all is well again for some hours, and then everybody has been told everything by exactly one mail. Sent twice is
only what the SMTP window leaves open, with one Message-ID.

    NEWSWATCH_EXAMPLES=300 pytest tests/delivery/test_exactly_once.py  # others each time; a failure prints its example
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from elasticsearch import Elasticsearch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from store.names import Names
from tests.alerts.press import Press
from tests.delivery.cases import Case, Mortal, a_case, check, open_mortal
from tests.delivery.post_office import PostOffice
from tests.factories import NOW

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("NEWSWATCH_EXAMPLES", "0"))
LINES = 2
"""Of the second worker to the mail server, each of which has its window."""
STEPS = 60
"""Steps of a whole run; the last of the range is rarely reached, which is a run without an end of its own."""


@dataclass(frozen=True)
class Run:
    """One worker's run."""

    batches: tuple[int, ...]
    """Which it matches, in this order."""
    dies_before: int = 0
    minutes: float = 0
    """That pass before it."""


@dataclass(frozen=True)
class Slow:
    """A worker that stands still before a step while another runs, and goes on after that."""

    run: Run
    step: int
    meanwhile: Run


@dataclass(frozen=True)
class Trouble:
    """What the mail server answers to the next offers."""

    where: str
    """`rcpt` or `data`."""
    answer: str
    offers: int


minutes = st.sampled_from([0, 0.5, 1.5, 4, 6, 11, 90])
batches = st.lists(st.integers(0, 1), max_size=3).map(tuple)
runs = st.builds(Run, batches, st.one_of(st.just(0), st.integers(1, STEPS)), minutes)
slow = st.builds(Slow, st.builds(Run, batches, st.just(0), minutes), st.integers(1, STEPS), runs)
trouble = st.builds(
    Trouble,
    st.just("rcpt"),
    st.sampled_from(["451 greylisted", "421 too busy", "drop"]),
    st.integers(1, 4),
) | st.builds(Trouble, st.just("data"), st.sampled_from(["452 no room", "drop", "lose"]), st.integers(1, 2))
sequences = st.lists(st.one_of(runs, runs, slow, trouble), min_size=1, max_size=7)


@dataclass(repr=False)
class World:
    """Two workers, a mail server and an index."""

    press: Press
    office: PostOffice
    workers: tuple[Mortal, Mortal]
    cases: int = 0
    now: datetime = NOW
    windows: int = 0
    """How many mails may have been sent twice so far."""

    def play(self, sequence: list[Run | Slow | Trouble]) -> None:
        """Play the sequence on a case of its own, and check what came of it."""
        self.cases, self.windows = self.cases + 1, 0
        self.now += timedelta(days=1)
        case = a_case(self.press, self.cases, now=self.now)
        for step in sequence:
            match step:
                case Run():
                    self._run(case, step)
                case Slow():
                    self._slow(case, step)
                case Trouble():
                    self._trouble(step)
        self._heal()
        for _ in range(3):
            self._run(case, Run((0, 1), minutes=120))
        check(self.press, self.office, case, windows=self.windows)

    def _run(self, case: Case, run: Run, worker: int = 0) -> None:
        self.now += timedelta(minutes=run.minutes)
        wanted = [case.batches[n] for n in run.batches]
        died = self.workers[worker].run(case.searches, wanted, self.now, run.dies_before) == -9
        self.windows += (1, LINES)[worker] * died

    def _slow(self, case: Case, slow: Slow) -> None:
        self.now += timedelta(minutes=slow.run.minutes)
        wanted = [case.batches[n] for n in slow.run.batches]
        pid = self.workers[0].run(case.searches, wanted, self.now, slow.step, stop=True)
        self._run(case, slow.meanwhile, worker=1)
        if pid:
            self.workers[0].resume(pid)
            # It can have stood between the server's yes and the note of it.
            self.windows += 1

    def _trouble(self, trouble: Trouble) -> None:
        left = [trouble.offers]

        def react(recipient: str, before: int) -> str | None:
            left[0] -= 1
            return trouble.answer if left[0] >= 0 else None

        if trouble.where == "rcpt":
            self.office.on_recipient = react
        else:
            self.office.on_data = react
            self.windows += trouble.offers * (trouble.answer == "drop")

    def _heal(self) -> None:
        self.office.on_recipient = self.office.on_data = lambda recipient, before: None


@pytest.fixture
def world(es: Elasticsearch, elasticsearch_url: str, names: Names, office: PostOffice) -> Iterator[World]:
    with ExitStack() as stack:
        one, two = (stack.enter_context(open_mortal(elasticsearch_url, names, office, lines)) for lines in (1, LINES))
        yield World(Press(es, names), office, (one, two))


@pytest.mark.timeout(300 + 10 * EXAMPLES)
@settings(
    derandomize=not EXAMPLES,
    max_examples=EXAMPLES or 6,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=sequences)
@example([Trouble("data", "drop", 1), Run((0,)), Trouble("rcpt", "451 greylisted", 1), Run((), minutes=1.5)])
def test_everybody_is_told_everything_by_one_mail(world: World, sequence: list[Run | Slow | Trouble]) -> None:
    world.play(sequence)
