"""A month of the articles is out of reach: what doesn't need it is mailed, the rest waits, and nothing comes twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from delivery.report import DeliverReport
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.delivery import DeliveryState
from newswatch.errors import StoreError
from newswatch.settings import Settings
from store.articles import ArticleStore
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.delivery.post_office import PostOffice
from tests.delivery.test_deliver import ANN, BOB, Desk
from tests.factories import NOW, a_batch
from tests.lost_slice import lost_slice

pytestmark = pytest.mark.slow

MONTH, LAST = f"{NOW:%Y.%m}", "2026.02"
BEFORE = NOW - timedelta(days=20)
HOUR = timedelta(hours=1)


@pytest.fixture
def desk(es: Elasticsearch, names: Names, posted: Settings) -> Desk:
    return Desk(Press(es, names), posted)


def owed(desk: Desk, *searches: SavedSearch) -> tuple[Article, Article]:
    """A story of last month and one of this, each owed."""
    desk.save(*searches)
    old, new = a_story(1, first_seen=BEFORE), a_story(2)
    desk.owe(old, now=BEFORE)
    desk.owe(new)
    return old, new


def titles(office: PostOffice, to: str) -> list[str]:
    return [str(message["Subject"]) for message in office.to(to)]


def test_mails_that_need_no_lost_month_go_and_the_others_wait(desk: Desk, office: PostOffice) -> None:
    old, new = owed(desk, a_search("ice", "glacier", ANN), a_search("fruit", "orchard", BOB))
    with lost_slice(desk.press.es, desk.press.names, LAST):
        report = desk.deliver()
        assert (report.sent, report.failed, report.set_aside, report.out_of_reach) == (1, 0, 0, 1)
        assert (titles(office, ANN), titles(office, BOB)) == ([], [new.title])
        assert desk.deliver(NOW + HOUR).sent == 0
        waiting = desk.delivery(f"ice~{old.story_id}")
        assert (waiting.state, waiting.outcomes[0].attempts) == (DeliveryState.PENDING, 0)
    assert desk.deliver(NOW + 2 * HOUR).sent == 1
    assert desk.deliver(NOW + 3 * HOUR) == DeliverReport()
    assert (titles(office, ANN), titles(office, BOB)) == ([old.title], [new.title])


def test_of_one_mail_the_stories_in_reach_go(desk: Desk, office: PostOffice) -> None:
    old, new = owed(desk, a_search("all"))
    with lost_slice(desk.press.es, desk.press.names, LAST):
        assert desk.deliver().sent == 1
        assert titles(office, ANN) == [new.title]
    assert desk.deliver(NOW + HOUR).sent == 1
    assert titles(office, ANN) == [new.title, old.title]


def test_a_story_is_not_told_without_what_was_mailed_of_it(desk: Desk, office: PostOffice) -> None:
    """Whether an update says anything new can't be seen, and it would say all of it again."""
    desk.save(a_search("ice", "glacier", updates=True))
    first = a_story(1, first_seen=BEFORE)
    desk.owe(first, now=BEFORE)
    assert desk.deliver(BEFORE).sent == 1
    copy = replace(a_story(11), story_id=first.story_id, title=first.title, text=first.text)
    desk.owe(copy)
    with lost_slice(desk.press.es, desk.press.names, LAST):
        assert desk.deliver().out_of_reach == 1
    report = desk.deliver(NOW + HOUR)
    assert (report.sent, report.suppressed) == (0, 1)
    assert titles(office, ANN) == [first.title]


def test_a_mail_that_may_have_been_taken_goes_whole_or_not_at_all(desk: Desk, office: PostOffice) -> None:
    stories = owed(desk, a_search("all"))
    office.on_data = lambda _, before: "drop" if before == 0 else None
    assert desk.deliver().sent == 0
    with lost_slice(desk.press.es, desk.press.names, LAST):
        assert desk.deliver(NOW + HOUR).out_of_reach == 2
    assert desk.deliver(NOW + 2 * HOUR).sent == 1
    first, again = office.to(ANN)
    assert first["Message-ID"] == again["Message-ID"]
    for mail in (first, again):
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert all(story.title in text for story in stories)


def test_what_is_said_of_ids_that_a_lost_month_may_have(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.articles._ROUNDS", 2)
    press, store = Press(es, names), ArticleStore(es, names)
    old, new, other = a_story(1, first_seen=BEFORE), a_story(2), a_story(3)
    press.publish(old, now=BEFORE)
    press.publish(new)
    asked: list[Callable[[list[str]], object]] = [store.get, store.exist, store.stories_now]
    with lost_slice(es, names, LAST) as index:
        assert [*store.get([new.id])] == [new.id]
        found = store.in_reach([old.id, new.id, other.id])
        assert ({*found.articles}, found.unknown) == ({new.id}, frozenset((old.id, other.id)))
        assert store.stories_in_reach([old.id, new.id]) == {new.id: new.story_id}
        for ask in asked:
            with pytest.raises(StoreError, match=rf"can't be read now \({index}\)"):
                ask([new.id, old.id])
        again = replace(old, first_seen=NOW)
        with pytest.raises(StoreError, match="can't be read now"):
            store.write([again], a_batch(9), a_batch(9).seq_of_attempt, now=NOW)
    es.indices.refresh(index=names.articles)
    assert es.count(index=names.articles)["count"] == 2, "no second article"
