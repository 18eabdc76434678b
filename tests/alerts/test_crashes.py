"""The process killed before any step of match and deliver, then run again: nothing lost, nothing twice.

The one exception is the SMTP window: killed after the server has taken a mail and before that is written down, the mail
is sent again, with the same Message-ID.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from alerts.deliver import LEASE
from alerts.outbox import Outbox
from newswatch.model import Batch, Delivery, DeliveryState, SavedSearch
from search.documents import dump
from search.names import Names
from tests.alerts.post_office import PostOffice
from tests.alerts.press import Press, a_search, a_story
from tests.factories import NOW

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Mortal:
    """The process that dies on demand."""

    process: subprocess.Popen[str]
    order: dict[str, Any]

    def run(self, searches: list[SavedSearch], batches: list[Batch], now: datetime, die_before: int) -> int:
        order = self.order | {
            "searches": [dump(search) for search in searches],
            "batches": [dump(batch) for batch in batches],
            "now": now.isoformat(),
            "die_before": die_before,
        }
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        assert code in (0, -9), "it failed instead of dying; see its standard error above"
        return code


@pytest.fixture
def mortal(elasticsearch_url: str, names: Names, office: PostOffice) -> Iterator[Mortal]:
    command = [sys.executable, "-m", "tests.alerts.mortal"]
    order = {"url": elasticsearch_url, "prefix": names.prefix, "smtp_port": office.port}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Mortal(process, order)
        assert process.stdin
        process.stdin.close()


@dataclass
class Case:
    """Recipients, saved searches and stories that no other case has."""

    number: int
    searches: list[SavedSearch]
    batches: list[Batch]


def a_case(press: Press, number: int) -> Case:
    """Two batches with three stories, the last article a later one on the first story; three searches, two readers."""
    ann, bob = f"ann{number}@reader.example", f"bob{number}@reader.example"
    searches = [
        a_search(f"follow-{number}", "glacier", ann, updates=True),
        a_search(f"all-{number}", "", ann, bob),
        a_search(f"plan-{number}", "plan", bob),
    ]
    first = a_story(10 * number + 1)
    later = a_story(10 * number + 11, story_id=first.story_id)
    later = replace(later, id=later.id[::-1], url=f"https://herald.example/later/{number}")
    batches = [press.publish(first, a_story(10 * number + 2)), press.publish(a_story(10 * number + 3), later)]
    return Case(number, searches, batches)


def owed(es: Elasticsearch, names: Names, case: Case) -> list[Delivery]:
    outbox = Outbox(es, names)
    outbox.refresh()
    hits = es.search(index=names.deliveries, size=100, query={"wildcard": {"alert_id": f"*-{case.number}"}})
    return [found.value for found in outbox.get(hit["_id"] for hit in hits["hits"]["hits"])]


def check(press: Press, office: PostOffice, case: Case, *, windows: int) -> None:
    """Each (saved search, story, recipient) was delivered, by one mail, which names the search and tells the story."""
    deliveries = owed(press.es, press.names, case)
    told = Counter(d.kind for d in deliveries)
    assert told == {"story": 1 + 3 + 3, "update": 1}
    mails: Counter[str] = Counter()
    tellers: dict[tuple[str, str, str], set[str]] = {}
    for received in office.taken:
        (recipient,) = received.recipients
        if not recipient.partition("@")[0].endswith(tuple(f"{name}{case.number}" for name in ("ann", "bob"))):
            continue
        message_id = str(received.message["Message-ID"])
        mails[message_id] += 1
        text = received.message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        for delivery in deliveries:
            named = delivery.alert_id in str(received.message["X-Newswatch-Alerts"]).split(", ")
            if named and recipient in delivery.recipients and press.articles[delivery.article_id].title in text:
                tellers.setdefault((delivery.id, recipient, delivery.article_id), set()).add(message_id)
    for delivery in deliveries:
        assert delivery.state is DeliveryState.SENT, delivery
        for outcome in delivery.outcomes:
            assert tellers[(delivery.id, outcome.recipient, delivery.article_id)] == {outcome.message_id}
        assert {o.recipient for o in delivery.outcomes} == set(delivery.recipients)
    assert sum(mails.values()) - len(mails) <= windows, f"mails sent more than once: {mails}"


def test_killed_before_any_step(es: Elasticsearch, names: Names, mortal: Mortal, office: PostOffice) -> None:
    press = Press(es, names)
    for step in range(1, 200):
        case = a_case(press, step)
        died = mortal.run(case.searches, case.batches, NOW, step)
        again = NOW + LEASE + timedelta(minutes=1)
        assert mortal.run(case.searches, case.batches, again, 0) == 0
        assert mortal.run(case.searches, case.batches, again + timedelta(hours=1), 0) == 0
        check(press, office, case, windows=1 if died else 0)
        if died == 0:
            break
    else:
        pytest.fail("it never came to an end")
    assert step > 25, "so few steps can't be all of them"
    twice = [m for m, n in Counter(str(m["Message-ID"]) for m in office.messages).items() if n > 1]
    assert 1 <= len(twice) <= 2 * 2, "only a death between the server's yes and our note may send a mail twice"


@pytest.mark.parametrize("seed", range(6))
def test_killed_again_and_again(es: Elasticsearch, names: Names, mortal: Mortal, office: PostOffice, seed: int) -> None:
    """Random deaths, batches matched in any order and more than once."""
    dice = random.Random(seed)
    press = Press(es, names)
    case = a_case(press, seed)
    now, deaths = NOW, 0
    for _ in range(8):
        batches = [*case.batches[: dice.randint(1, 2)]]
        deaths += mortal.run(case.searches, batches, now, dice.randint(1, 30)) == -9
        now += LEASE * dice.choice([0.1, 0.5, 1.1, 2])
    for _ in range(3):
        now += LEASE + timedelta(hours=1)
        assert mortal.run(case.searches, case.batches, now, 0) == 0
    assert deaths
    check(press, office, case, windows=deaths)
