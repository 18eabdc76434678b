"""Readers are told what was not seen: feeds out of reach, gaps, our own outages, saved searches that fail."""

from __future__ import annotations

import email
import email.policy
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from typing import Any

import pytest

from alerts.saved import SavedSearches
from delivery import digests
from jobs.context import Context
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from newswatch.alert import SavedSearch
from newswatch.delivery import Delivery
from newswatch.errors import StoreError
from newswatch.outages import Cause, added
from store.elastic.turns import OWING, turn
from store.feeds import FeedStore
from store.outages import OutageStore
from tests.jobs.conftest import World, configure
from tests.jobs.newsstand import SYLLABLES
from tests.jobs.test_crash import dies

pytestmark = pytest.mark.slow

ANALYST = "analyst@example.org"


def poll(context: Context) -> None:
    """One poll, as its DAG runs it."""
    for number in plan(context).batches:
        pull(context, number)


def run(context: Context) -> None:
    """One poll, one match, one delivery."""
    poll(context)
    match(context)
    deliver(context)


def mails(world: World) -> list[EmailMessage]:
    return [email.message_from_bytes(mail, policy=email.policy.default) for mail in world.mailbox.mails]


def text_of(mail: EmailMessage) -> str:
    """The text part on one line."""
    body = mail.get_body(("plain",))
    assert body
    return " ".join(str(body.get_content()).split())


def html_of(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body
    return str(body.get_content())


def publish(world: World, slug: str, feed: str = "one") -> None:
    """A story that has no name and no event in common with any other."""
    rng = random.Random(slug)
    words = iter(["".join(rng.choices(SYLLABLES, k=4)) for _ in range(100)])
    story = world.press.publish(slug, feed, title=f"NATO {slug} {next(words)} {next(words)}")
    story.paragraphs = tuple(
        f"NATO {' '.join(next(words) for _ in range(20))} the Alliance {' '.join(next(words) for _ in range(8))}."
        for _ in range(3)
    )


def save(world: World, **changes: object) -> SavedSearch:
    """The search of the file with these changes."""
    saved = SavedSearches(world.context.es, world.context.names)
    whole = replace(saved.get("nato"), **changes)  # type: ignore[arg-type]
    return saved.save(whole, by="test", now=world.now)


def start(world: World, *feeds: str, **changes: object) -> None:
    """Feeds with a story each, everything polled and mailed once, and the search a daily digest at 09:00 UTC."""
    world.press.feeds = {feed: [] for feed in feeds}
    for feed in feeds:
        publish(world, f"first-{feed}", feed)
    configure(world.context.settings.config_dir, world.press)
    run(world.context)
    save(world, schedule="daily at 09:00 UTC", **changes)
    deliver(world.context)
    world.mailbox.mails.clear()


def live(world: World, minutes: int) -> None:
    """Poll, match and deliver on for some time; often enough that nothing counts as standing still."""
    for _ in range(minutes // STEP):
        world.wait(minutes=STEP)
        run(world.context)


STEP = 13
"""Minutes."""


def digest(world: World) -> list[EmailMessage]:
    """The mails of the next slot, when no time is to be lost on what comes before it."""
    before = len(mails(world))
    world.now = world.now.replace(hour=9, minute=0, second=1) + timedelta(days=world.now.hour >= 9)
    match(world.context)
    deliver(world.context)
    nap(world)
    return mails(world)[before:]


def test_a_digest_says_that_everything_was_watched(world: World) -> None:
    start(world, "one", "two")
    publish(world, "second", "one")
    live(world, 26)
    (mail,) = digest(world)
    assert str(mail["Subject"]).startswith("NATO second ")
    assert str(mail["Subject"]).endswith(" · daily digest: NATO")
    said = "Since Tue 3 Mar 2026, 09:00 UTC: 2 of 2 feeds polled; none was out of reach."
    assert f"WHAT WAS WATCHED {said}" in text_of(mail)
    assert said in html_of(mail)
    live(world, 13)
    assert digest(world) == []


def test_a_feed_out_of_reach_is_named_with_its_hours_once(world: World) -> None:
    start(world, "one", "two")
    live(world, 13)
    world.press.broken["/two.xml"] = 503
    live(world, 117)
    world.press.broken.clear()
    live(world, 39)
    publish(world, "second", "one")
    live(world, 13)
    (mail,) = digest(world)
    assert "2 of 2 feeds polled; 1 was out of reach for a time." in text_of(mail)
    assert "two: not reached from Wed 4 Mar, 05:32 to 07:29 UTC (2 hours): 127.0.0.1 answered 503" in text_of(mail)
    publish(world, "third", "one")
    live(world, 13)
    (mail,) = digest(world)
    assert "Since Wed 4 Mar 2026, 09:00 UTC: 2 of 2 feeds polled; none was out of reach." in text_of(mail)


def test_without_stories_a_poor_watch_is_told_when_it_begins_and_when_it_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_turn(*told: Any) -> Iterator[Delivery]:
        """An erasure waits for the turn."""
        with pytest.raises(StoreError), turn(world.context.es, world.context.names, OWING, most_s=0):
            pytest.fail("the recipients are read outside of the turn")
        return poor(*told)

    poor = digests._poor
    monkeypatch.setattr(digests, "_poor", in_turn)
    start(world, "one", "two")
    live(world, 13)
    assert digest(world) == []
    world.press.broken["/two.xml"] = 503
    live(world, 78)
    (mail,) = digest(world)
    assert mail["Subject"] == "Daily digest, no stories: NATO"
    assert "2 of 2 feeds polled; 1 was out of reach." in text_of(mail)
    assert "two: not reached since Wed 4 Mar, 09:13 UTC (1 day): 127.0.0.1 answered 503" in text_of(mail)
    live(world, 26)
    assert digest(world) == [], "as yesterday"
    world.press.broken.clear()
    live(world, 26)
    (mail,) = digest(world)
    assert "two: not reached from Wed 4 Mar, 09:13 UTC to Fri 6 Mar, 09:" in text_of(mail)


def nap(world: World) -> None:
    """Make all feeds due now, so that the time which the test has skipped is no standstill."""
    store = FeedStore(world.context.es, world.context.names)
    records = store.due(world.now.replace(year=2030), 9)
    store.save([(found, replace(found.value.state, next_poll_at=world.now)) for found in records])


def test_a_digest_of_certain_outlets_names_only_its_own(world: World) -> None:
    start(world, "one", "two", countries=("BE",))
    path = world.context.settings.config_dir / "feeds.yaml"
    text = path.read_text()
    two = next(line for line in text.splitlines() if "title: two" in line)
    path.write_text(text.replace(two, two.replace("country: BE", "country: FR")))
    world.press.broken["/two.xml"] = 503
    live(world, 78)
    publish(world, "second", "one")
    live(world, 13)
    (mail,) = digest(world)
    assert "1 of 1 feed polled; none was out of reach." in text_of(mail)
    assert "two" not in text_of(mail)


def test_our_own_outage_is_told_once_with_its_hours(world: World) -> None:
    start(world, "one")
    path = world.context.settings.config_dir / "feeds.yaml"
    reachable = path.read_text()
    silent = (f"  - {{id: f{n}, url: 'http://nowhere{n}.invalid/feed.xml', title: f{n}}}\n" for n in range(4))
    path.write_text("feeds:\n" + "".join(silent))
    live(world, 52)
    path.write_text(reachable)
    nap(world)
    live(world, 13)
    states = [record.state for record in FeedStore(world.context.es, world.context.names).all()]
    assert [state.outages for state in states] == [()] * 5, "ours once, not of each feed"
    (mail,) = digest(world)
    assert "From Wed 4 Mar, 05:19 to 06:11 UTC (52 minutes) not one feed could be reached: our own" in text_of(mail)
    live(world, 13)
    assert digest(world) == []


def test_that_nothing_was_polled_and_matched_is_told(world: World) -> None:
    start(world, "one")
    world.wait(hours=1)  # the machine sleeps
    publish(world, "second", "one")
    poll(world.context)
    world.wait(hours=2)  # matching is stuck
    (mail,) = digest(world)
    assert "From Wed 4 Mar, 05:06 to 06:06 UTC (59 minutes) not one feed was polled: newswatch stood" in text_of(mail)
    assert "From Wed 4 Mar, 06:06 to 09:00 UTC (3 hours) articles waited to be matched" in text_of(mail)


def test_a_gap_is_told(world: World) -> None:
    start(world, "one")
    live(world, 13)
    world.press.feeds["one"].clear()
    for number in range(3):
        publish(world, f"other-{number}", "one")
    live(world, 13)
    (mail,) = digest(world)
    missed = "one: items may have been missed between Wed 4 Mar, 05:19 UTC and Wed 4 Mar, 05:32 UTC"
    assert missed in text_of(mail)


def test_a_digest_that_comes_late_says_so(world: World) -> None:
    start(world, "one")
    publish(world, "second", "one")
    live(world, 13)
    settings = world.context.settings
    world.context = replace(world.context, settings=settings.model_copy(update={"smtp_port": 9}))
    assert digest(world) == []
    world.wait(hours=2)
    world.context = replace(world.context, settings=settings)
    deliver(world.context)
    (mail,) = mails(world)
    assert "This mail was due Wed 4 Mar 2026, 09:00 UTC and comes 2 hours late" in text_of(mail)
    (outage,) = OutageStore(world.context.es, world.context.names).read()[Cause.MAIL]
    assert outage.until


# ── saved searches that fail ─────────────────────────────────────────────────────────────────────────────────────────


def rewrite(world: World, search_id: str, query: str) -> None:
    """Give the search this query without the check that would refuse it, as an upgrade of Elasticsearch may do."""
    index = world.context.names.searches
    world.context.es.update(index=index, id=search_id, doc={"definition": {"query": query}}, refresh=True)


BROKEN = "title:(unfinished"


@pytest.fixture
def desk(world: World) -> World:
    """Two searches of one analyst, one of which watches for a silence, as these are asked in each run."""
    start(world, "one")
    saved = SavedSearches(world.context.es, world.context.names)
    save(world, schedule="instant")
    quiet = SavedSearch("quiet", "Quiet", "nothing", (ANALYST,), kind="silence", silence_s=86_400)
    saved.save(quiet, by="test", now=world.now)
    return world


def test_a_failing_search_is_named_in_the_next_mail(desk: World) -> None:
    rewrite(desk, "quiet", BROKEN)
    desk.wait(minutes=20)
    run(desk.context)
    assert mails(desk) == []
    publish(desk, "second")
    desk.wait(minutes=20)
    run(desk.context)
    (mail,) = mails(desk)
    assert "NATO second" in mail["Subject"]
    assert "“Quiet” has not been run since Wed 4 Mar 2026, 05:26 UTC" in text_of(mail)
    assert "/news/searches/quiet" in html_of(mail)
    publish(desk, "third")
    desk.wait(minutes=20)
    run(desk.context)
    assert "Quiet" not in text_of(mails(desk)[1]), "said once a day"


def test_without_another_mail_it_is_told_after_an_hour_then_daily_and_when_it_is_over(desk: World) -> None:
    rewrite(desk, "quiet", BROKEN)
    live(desk, 52)
    assert mails(desk) == []
    live(desk, 26)
    (mail,) = mails(desk)
    assert mail["Subject"] == "Saved search fails: Quiet"
    desk.wait(hours=20)
    live(desk, 13)
    assert len(mails(desk)) == 1
    desk.wait(hours=3)
    live(desk, 13)
    assert [m["Subject"] for m in mails(desk)] == ["Saved search fails: Quiet"] * 2
    rewrite(desk, "quiet", "nothing")
    desk.wait(hours=2)  # it rests for two hours after so many failures
    publish(desk, "second")
    live(desk, 26)
    told = [text_of(m) for m in mails(desk)]
    (last,) = [text for text in told if "is run again" in text]
    assert "“Quiet” is run again. It was not from Wed 4 Mar 2026, 05:19 UTC on" in last
    desk.wait(hours=26)
    live(desk, 13)
    assert len(mails(desk)) == len(told)


def test_a_failure_that_was_over_before_anybody_was_told_is_not_told(desk: World) -> None:
    rewrite(desk, "quiet", BROKEN)
    live(desk, 13)
    rewrite(desk, "quiet", "nothing")
    publish(desk, "second")
    desk.wait(minutes=20)
    poll(desk.context)
    match(desk.context)
    live(desk, 78)
    assert not [m for m in mails(desk) if "Quiet" in text_of(m)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("job", [match, deliver], ids=["match", "deliver"])
def test_killed_anywhere_each_notice_comes_once(desk: World, job: Callable[[Context], object]) -> None:
    """For each step of a job: it dies there, is run again, and each failure has been told by one mail."""
    saved = SavedSearches(desk.context.es, desk.context.names)
    for step in range(1, 60):
        search_id = f"watch-{step}"
        search = SavedSearch(search_id, f"Watch {step}", "nothing", (f"reader{step}@example.org",), kind="silence")
        saved.save(search, by="test", now=desk.now)
        rewrite(desk, search_id, BROKEN)
        desk.wait(minutes=20)
        if job is deliver:
            match(desk.context)
            desk.wait(hours=2)
        died = dies(job, desk.context, step)
        desk.wait(hours=2)
        match(desk.context)
        deliver(desk.context)
        desk.wait(hours=2)
        deliver(desk.context)
        told = [m["Message-ID"] for m in mails(desk) if f"Watch {step}”" in text_of(m)]
        assert len(set(told)) == 1, f"killed after step {step}: {told}"
        assert len(told) <= 2
        saved.delete(search_id, by="ann")
        if not died:
            return
    pytest.fail("it never came to its end")


@pytest.mark.timeout(600)
def test_killed_anywhere_each_digest_without_stories_comes_once(world: World) -> None:
    """For each step of `deliver`: it dies there, is run again, and each poor hour has been told by one mail."""
    start(world, "one")
    save(world, schedule="hourly")
    deliver(world.context)
    outages = OutageStore(world.context.es, world.context.names)
    for step in range(1, 60):
        world.now = world.now.replace(minute=0, second=1) + timedelta(hours=1)
        since, until = world.now - timedelta(minutes=40), world.now - timedelta(minutes=20)
        outages.change(Cause.MATCHING, partial(added, since=since, until=until))
        died = dies(deliver, world.context, step)
        for _ in range(2):
            world.wait(minutes=20)
            deliver(world.context)
        told = {mail["Message-ID"] for mail in mails(world) if "no stories" in mail["Subject"]}
        assert len(told) == step, f"killed after step {step}"
        if not died:
            return
    pytest.fail("it never came to its end")
