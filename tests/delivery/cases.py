"""A process that can be killed, and what must hold once its work is done: shared by the tests of dying."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from delivery.outbox import Outbox
from newswatch.alert import SavedSearch
from newswatch.batch import Batch
from newswatch.delivery import Delivery, DeliveryState
from store.elastic.documents import dump
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.delivery.post_office import PostOffice
from tests.factories import NOW

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Mortal:
    """The process that dies or stands still on demand: `tests.delivery.mortal`."""

    process: subprocess.Popen[str]
    order: dict[str, Any]

    def run(
        self, searches: list[SavedSearch], batches: list[Batch], now: datetime, step: int = 0, *, stop: bool = False
    ) -> int:
        """Do the job; 0: done, -9: died before `step`, else the PID of the fork that stands still before it."""
        order = self.order | {
            "searches": [dump(search) for search in searches],
            "batches": [dump(batch) for batch in batches],
            "now": now.isoformat(),
            "step": step,
            "stop": stop,
        }
        return self._tell(order)

    def resume(self, pid: int) -> None:
        """Let the one that stands still go on to its end."""
        assert self._tell({"resume": pid}) == 0

    def _tell(self, order: dict[str, Any]) -> int:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        assert code in (0, -9) or code > 1, "it failed instead of dying; see its standard error above"
        return code


@contextmanager
def open_mortal(
    url: str, names: Names, office: PostOffice, lines: int = 1, hooks: tuple[str, ...] = ()
) -> Iterator[Mortal]:
    """The process, with so many lines to the mail server, until the end of the block.

    It may POST to the `hooks`, `host:port`.
    """
    command = [sys.executable, "-m", "tests.delivery.mortal"]
    order = {"url": url, "prefix": names.prefix, "smtp_port": office.port, "lines": lines, "hooks": hooks}
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
    told: dict[str, int]
    """Kind → its deliveries."""

    @property
    def readers(self) -> set[str]:
        return {recipient for search in self.searches for recipient in search.recipients}


def a_case(press: Press, number: int, now: datetime = NOW) -> Case:
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
    batches = [
        press.publish(first, a_story(10 * number + 2), now=now),
        press.publish(a_story(10 * number + 3), later, now=now),
    ]
    return Case(number, searches, batches, {"story": 1 + 3 + 3, "update": 1})


def a_briefing_case(press: Press, number: int, now: datetime = NOW) -> Case:
    """Two stories, one with a second report, for the reader of a briefing at seven."""
    first = a_story(10 * number + 1)
    again = replace(a_story(10 * number + 11, story_id=first.story_id), id=first.id[::-1])
    batch = press.publish(first, a_story(10 * number + 2), again, now=now)
    search = a_search(f"brief-{number}", "plan", f"cat{number}@reader.example", schedule="daily briefing at 07:00 UTC")
    return Case(number, [search], [batch], {"story": 2})


def owed(es: Elasticsearch, names: Names, case: Case) -> list[Delivery]:
    outbox = Outbox(es, names)
    outbox.refresh()
    hits = es.search(index=names.deliveries, size=100, query={"wildcard": {"alert_id": f"*-{case.number}"}})
    return outbox.told(hit["_id"] for hit in hits["hits"]["hits"])


def check(press: Press, office: PostOffice, case: Case, *, windows: int) -> None:
    """Each (saved search, story, recipient) was delivered, by one mail, which names the search and tells the story."""
    deliveries = owed(press.es, press.names, case)
    told = Counter(d.kind for d in deliveries)
    assert told == case.told
    mails: Counter[str] = Counter()
    tellers: dict[tuple[str, str, str], set[str]] = {}
    for received in office.taken:
        (recipient,) = received.recipients
        if recipient not in case.readers:
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
            assert tellers[(delivery.id, outcome.recipient, delivery.article_id)] == {outcome.reference}
        assert {o.recipient for o in delivery.outcomes} == set(delivery.recipients)
    assert sum(mails.values()) - len(mails) <= windows, f"mails sent more than once: {mails}"
