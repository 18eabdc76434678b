"""What a poll's outcome does to a feed's state: the interval, the backoff, redirects, health."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult, Hop, NotModified
from ingest.http.silence import is_our_outage, last_answer, may_be_ours, resting_hosts
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.polling.page_waits import page_retry_s
from ingest.polling.rhythm import WEEK_S, interval
from ingest.polling.schedule import GAPS_KEPT, LAG_S, NEVER, SHRUNK_FOR_GOOD, after_poll, is_newly_broken, retried
from newswatch.entry import Entry
from newswatch.feed import Feed, FeedHealth, FeedState, Gap
from newswatch.settings import Settings

NOW = datetime(2026, 1, 14, 12, tzinfo=UTC)  # a Wednesday
URL = "https://news.example/rss"
FEED = Feed("f", URL, "Example")
SETTINGS = Settings()


def entries(*numbers: int, every: timedelta = timedelta(hours=1)) -> tuple[Entry, ...]:
    return tuple(Entry(str(n), f"https://news.example/{n}", str(n), "", "", published=NOW - n * every) for n in numbers)


def parsed(*numbers: int, **more: Any) -> ParsedFeed:
    return ParsedFeed(URL, "rss 2.0", "Example", None, "en", entries(*numbers), **more)


def fetched(headers: dict[str, str] | None = None, hops: tuple[Hop, ...] = (), elapsed_s: float = 0.1) -> Fetched:
    return Fetched(URL, URL, 200, headers or {}, b"", "hash", NOW, elapsed_s, hops)


def unchanged(headers: dict[str, str] | None = None, hops: tuple[Hop, ...] = ()) -> NotModified:
    return NotModified(URL, URL, 304, headers or {}, NOW, 0.1, hops)


def failed(kind: FailureKind = FailureKind.TRANSIENT, url: str = URL, **more: Any) -> FetchFailed:
    return FetchFailed(url, kind, "it failed", NOW, 0.1, **more)


def poll(
    state: FeedState,
    outcome: FetchResult,
    feed: ParsedFeed | NotAFeed | None = None,
    source: Feed = FEED,
    **more: Any,
) -> FeedState:
    given = {"new_entries": 0, "now": NOW, "settings": SETTINGS, "rng": random.Random(7), **more}
    return after_poll(state, source, outcome, feed, **given)


def steady() -> FeedState:
    """A feed that was polled an hour ago, with one new entry an hour."""
    state = poll(FeedState("f", URL), fetched(), parsed(*range(10)), now=NOW - timedelta(hours=1), new_entries=10)
    return replace(state, last_new_at=NOW - timedelta(hours=1), usual_silence_s=3_600, new_rate=1.0)


def wait_s(state: FeedState, now: datetime = NOW) -> float:
    assert state.next_poll_at
    return (state.next_poll_at - now).total_seconds()


# ── the interval ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_poll_reads_the_rhythm_off_the_dates() -> None:
    busy = poll(FeedState("f", URL), fetched(), parsed(*range(20)), new_entries=20)
    quiet = parsed()
    quiet = replace(quiet, entries=entries(*range(20), every=timedelta(days=3)))
    slow = poll(FeedState("f", URL), fetched(), quiet, new_entries=20)
    assert wait_s(busy) < wait_s(slow)
    assert busy.health is FeedHealth.OK
    assert busy.entry_ids == tuple(map(str, range(20)))


@pytest.mark.parametrize(
    ("published", "at_most", "told"),
    [
        ((), 1_980, "not known yet"),
        ((None,) * 10, 1_980, "not known yet"),
        ((NOW - timedelta(minutes=1),), 1_980, "not known yet"),
        ((NOW - timedelta(days=400),), 1.1 * 86_400, "not known yet"),
        ((NOW - timedelta(days=400),) * 2, 1.1 * 86_400, "every 200 days"),
    ],
)
def test_a_feed_whose_dates_tell_no_rhythm_is_asked_soon(
    published: tuple[datetime | None, ...], at_most: float, told: str
) -> None:
    """A page's headlines have no dates, and a feed that has just begun has one: a day later they would be gone."""
    found = [replace(one, published=when) for one, when in zip(entries(*range(10)), published, strict=False)]
    first = poll(FeedState("f", URL), fetched(), replace(parsed(), entries=tuple(found)), new_entries=len(found))
    assert at_most / 2 < wait_s(first) <= at_most
    assert told in first.interval_why
    state, now = first, NOW
    for _ in range(100):
        assert state.next_poll_at
        assert state.next_poll_at >= now
        now = state.next_poll_at
        state = poll(state, unchanged(), now=now)
    assert wait_s(state, now) > 40_000, "nothing came for weeks"


def test_a_feed_that_brings_more_is_polled_more_often() -> None:
    more = poll(steady(), fetched(), parsed(*range(20)), new_entries=30)
    less = poll(steady(), unchanged())
    assert wait_s(more) < wait_s(less)
    assert more.new_rate > 1 > less.new_rate


@pytest.mark.parametrize(("new", "days"), [(100_000, 0.01), (0, 40)])
def test_the_interval_stays_within_a_minute_and_a_day(new: int, days: float) -> None:
    state = replace(steady(), last_success_at=NOW - timedelta(days=days))
    state = poll(state, fetched(), parsed(*range(10)), new_entries=new)
    assert SETTINGS.poll_min_interval_s <= state.interval_s <= SETTINGS.poll_max_interval_s
    assert "every" in state.interval_why


def test_a_feed_at_its_shortest_interval_is_due_at_the_next_minute() -> None:
    settings = Settings(poll_max_interval_s=60)
    waits = [wait_s(poll(steady(), unchanged(), settings=settings, rng=random.Random(n))) for n in range(200)]
    assert min(waits) >= 54 - LAG_S
    assert max(waits) <= 60 - LAG_S, "a poll that ends some seconds into its minute must not miss the next"


@pytest.mark.parametrize(
    ("headers", "feed", "least", "told"),
    [
        ({"cache-control": "public, max-age=7200"}, {}, 7_200, "fresh"),
        ({"cache-control": "max-age=7200", "age": "3600"}, {}, 3_600, "fresh"),
        ({"expires": "Wed, 14 Jan 2026 14:00:00 GMT"}, {}, 7_200, "fresh"),
        ({"cache-control": "max-age=31536000"}, {}, 86_400, "fresh"),
        ({}, {"ttl_s": 10_800}, 10_800, "asks"),
    ],
)
def test_what_the_server_or_the_feed_asks_for_is_the_least(
    headers: dict[str, str], feed: dict[str, int], least: float, told: str
) -> None:
    state = poll(replace(steady(), new_rate=50.0), fetched(headers), parsed(*range(10), **feed), new_entries=50)
    assert wait_s(state) >= least
    assert told in state.interval_why


@pytest.mark.parametrize("headers", [{"cache-control": "no-cache, max-age=0"}, {"expires": "0"}, {"expires": "-1"}])
def test_a_server_that_forbids_caching_asks_for_no_wait(headers: dict[str, str]) -> None:
    assert "a new entry every hour: polled every 7 minutes" in poll(steady(), unchanged(headers)).interval_why


def test_what_the_feed_asked_for_holds_when_it_is_unchanged() -> None:
    state = poll(steady(), fetched(), parsed(*range(10), ttl_s=10_800))
    assert wait_s(poll(state, unchanged())) >= 10_800


def test_skipped_hours_and_days_are_kept() -> None:
    feed = parsed(*range(10), skip_hours=frozenset(range(11, 20)), skip_days=frozenset({2, 3}))
    state = poll(replace(steady(), new_rate=50.0), fetched(), feed, new_entries=50)
    assert state.next_poll_at == datetime(2026, 1, 16, tzinfo=UTC)
    assert "skips" in state.interval_why


def test_a_feed_that_skips_everything_is_polled_all_the_same() -> None:
    state = poll(steady(), fetched(), parsed(*range(10), skip_hours=frozenset(range(24))))
    assert wait_s(state) <= SETTINGS.poll_max_interval_s


def test_a_feed_that_rolled_over_may_have_lost_items_and_is_polled_sooner() -> None:
    before = steady()
    state = poll(before, fetched(), parsed(100, 101), new_entries=2)
    assert state.health is FeedHealth.GAP
    assert state.health_why == "may have missed items: no entry of the poll 1 hour before was left"
    assert state.gaps == (Gap(NOW - timedelta(hours=1), NOW),)
    assert state.interval_s <= before.interval_s / 4
    calm = poll(state, fetched(), parsed(100, 101), now=NOW + timedelta(hours=2))
    assert calm.health is FeedHealth.GAP
    assert poll(calm, unchanged(), now=NOW + timedelta(hours=25)).health is FeedHealth.OK


def test_every_gap_is_remembered_until_there_are_very_many() -> None:
    state = steady()
    for hour in range(GAPS_KEPT + 5):
        now = NOW + timedelta(hours=hour)
        state = poll(state, fetched(), parsed(100 + 2 * hour, 101 + 2 * hour), new_entries=2, now=now)
        state = poll(state, unchanged(), now=now + timedelta(minutes=10))
    assert len(state.gaps) == GAPS_KEPT
    assert state.gaps[-1] == Gap(now - timedelta(minutes=50), now), "the poll before found all as it was"


def test_an_empty_feed_is_no_gap() -> None:
    assert poll(steady(), fetched(), parsed()).health is not FeedHealth.GAP


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def failures(kind: FailureKind, count: int) -> Iterable[FeedState]:
    state = steady()
    for _ in range(count):
        state = poll(state, failed(kind))
        yield state


@pytest.mark.parametrize("kind", [FailureKind.TRANSIENT, FailureKind.PERMANENT, FailureKind.REFUSED])
def test_backoff_grows_to_a_week_and_never_ends(kind: FailureKind) -> None:
    waits = [state.interval_s for state in failures(kind, 40)]
    assert waits == sorted(waits)
    assert waits[0] < waits[3]
    assert waits[29:] == [WEEK_S] * 11


def test_two_hiccups_are_not_shown_and_a_third_is() -> None:
    assert [state.health for state in failures(FailureKind.TRANSIENT, 3)] == [
        FeedHealth.OK,
        FeedHealth.OK,
        FeedHealth.FAILING,
    ]


def test_a_feed_that_keeps_failing_shows_the_last_reason() -> None:
    state = poll(poll(steady(), failed(FailureKind.PERMANENT, status=404)), replace(failed(), reason="it is down"))
    assert (state.health, state.health_why) == (FeedHealth.FAILING, "it is down")
    state = poll(state, fetched(), NotAFeed(URL, "it is a page"))
    assert (state.health_why, state.health_since) == ("it is a page", NOW)


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        (30.0, "30 new entries an hour: polled every minute"),
        (0.2, "a new entry every 5 hours"),
        (1e-9, "hardly anything"),
    ],
)
def test_the_rhythm_is_told_in_words(rate: float, told: str) -> None:
    assert told in interval(replace(steady(), new_rate=rate), SETTINGS).why


def test_a_missing_feed_is_shown_at_once_and_tried_again() -> None:
    state = poll(steady(), failed(FailureKind.PERMANENT, status=404))
    assert (state.health, state.last_status) == (FeedHealth.FAILING, 404)
    assert wait_s(state) <= 3_600


def test_a_feed_that_is_gone_stops_until_it_is_asked_for() -> None:
    state = poll(steady(), failed(FailureKind.GONE, status=410))
    assert (state.health, state.next_poll_at) == (FeedHealth.GONE, NEVER)
    assert retried(state).next_poll_at is None
    assert retried(state).health is FeedHealth.NEW


def test_success_forgets_the_failures_and_health_says_since_when() -> None:
    *_, broken = failures(FailureKind.TRANSIENT, 5)
    mended = poll(broken, unchanged(), now=NOW + timedelta(hours=1))
    assert (mended.failures, mended.last_error, mended.health) == (0, None, FeedHealth.OK)
    assert mended.health_since == NOW + timedelta(hours=1)
    assert poll(mended, unchanged(), now=NOW + timedelta(hours=2)).health_since == mended.health_since


def test_a_page_in_the_feeds_place_is_a_failure_that_says_what_it_advertises() -> None:
    state = poll(steady(), fetched(), NotAFeed(URL, "it is a page", ("https://news.example/new.xml",)))
    assert state.failures == 1
    assert state.last_error == "it is a page; it advertises https://news.example/new.xml"
    assert 600 <= wait_s(state) <= 3_600
    assert state.entry_ids == steady().entry_ids


def test_retry_after_rests_every_feed_of_the_host() -> None:
    state = poll(steady(), failed(status=429, retry_after_s=5_000))
    assert wait_s(state) >= 5_000
    assert "asked to wait" in state.interval_why
    [(host, until)] = resting_hosts([state, steady()], NOW).items()
    assert (host, until) == ("news.example", NOW + timedelta(seconds=5_000))
    assert not resting_hosts([state], NOW + timedelta(hours=2))
    assert not resting_hosts([poll(state, unchanged())], NOW)


def test_no_retry_after_is_longer_than_a_week() -> None:
    assert wait_s(poll(steady(), failed(status=503, retry_after_s=1e9))) <= 1.1 * WEEK_S


def test_an_outage_of_ours_counts_against_no_feed() -> None:
    state = poll(steady(), failed(), our_outage=True)
    assert (state.failures, state.polls, state.health) == (0, steady().polls, FeedHealth.OK)
    assert wait_s(state) <= 60
    assert "our own outage" in state.interval_why
    assert poll(steady(), failed(status=503), our_outage=True).failures == 1


@pytest.mark.parametrize(
    ("silent", "witnesses", "ours"),
    [
        ("a", [True], False),
        ("abcdef", [False, True, False], False),
        ("a", [False, False], True),
        ("a", [False], True),
        ("abc", [], True),
        ("ab", [], False),
        ("a", [], False),
    ],
)
def test_witnesses_say_whether_the_fault_is_ours(silent: str, witnesses: list[bool], ours: bool) -> None:
    assert is_our_outage({f"{host}.example" for host in silent}, witnesses) is ours


BEFORE, AFTER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("outcome", "heard_at", "may_be"),
    [
        (failed(), None, True),
        (failed(), BEFORE, True),
        (failed(), NOW, False),
        (failed(), AFTER, False),
        (failed(status=503), None, False),
        (failed(FailureKind.REFUSED), None, False),
        (failed(FailureKind.PERMANENT, status=404), BEFORE, False),
        (failed(retry_after_s=30), None, False),
        (unchanged(), None, False),
    ],
)
def test_silence_that_nobody_has_broken_since_may_be_ours(
    outcome: FetchResult, heard_at: datetime | None, may_be: bool
) -> None:
    assert may_be_ours(outcome, heard_at) is may_be


def test_the_last_answer_is_the_latest_of_any_kind() -> None:
    assert last_answer([failed()]) is None
    late = replace(failed(status=500), fetched_at=AFTER)
    assert last_answer([unchanged(), late, failed()]) == AFTER


def test_a_feed_that_waits_for_its_host_to_rest_has_not_failed() -> None:
    state = poll(steady(), failed(retry_after_s=500))
    assert (state.failures, state.polls, state.health) == (0, steady().polls, FeedHealth.OK)
    assert wait_s(state) >= 500


# ── redirects ────────────────────────────────────────────────────────────────────────────────────────────────────────

NEW_URL = "https://new.example/rss"


def test_a_permanent_redirect_is_believed_the_third_time() -> None:
    state, urls = steady(), []
    for _ in range(3):
        state = poll(state, unchanged(hops=(Hop(301, NEW_URL),)))
        urls.append(state.url)
    assert urls == [URL, URL, NEW_URL]
    assert state.former_urls == (URL,)


def test_a_permanent_redirect_to_a_page_moves_no_feed() -> None:
    state = steady()
    for _ in range(9):
        state = poll(state, fetched(hops=(Hop(301, "https://news.example/"),)), NotAFeed(URL, "it is a page"))
    assert (state.url, state.redirect_seen, state.failures) == (URL, 0, 9)


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_temporary_redirect_never_moves_a_feed(status: int) -> None:
    state = steady()
    for _ in range(9):
        state = poll(state, unchanged(hops=(Hop(status, NEW_URL), Hop(301, "https://third.example/"))))
    assert state.url == URL


def test_only_the_permanent_beginning_of_a_chain_counts() -> None:
    state = steady()
    for _ in range(3):
        state = poll(state, unchanged(hops=(Hop(308, NEW_URL), Hop(302, "https://cdn.example/x"))))
    assert state.url == NEW_URL


def test_a_redirect_that_pauses_or_turns_starts_to_count_anew() -> None:
    state = steady()
    for hops in [(Hop(301, NEW_URL),), (Hop(301, NEW_URL),), (), (Hop(301, NEW_URL),), (Hop(301, URL + "?x"),)]:
        state = poll(state, unchanged(hops=hops))
    assert (state.url, state.redirect_seen) == (URL, 1)


def test_where_a_redirect_led_to_a_dead_end_the_configured_url_is_tried_again() -> None:
    state = replace(steady(), url=NEW_URL, former_urls=(URL,))
    for _ in range(5):
        state = poll(state, failed())
    assert state.url == URL
    assert state.former_urls == (URL, NEW_URL)


# ── health ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feed_that_falls_silent_is_stale_by_its_own_rhythm() -> None:
    busy = replace(steady(), last_new_at=NOW - timedelta(days=4), usual_silence_s=3_600)
    weekly = replace(busy, usual_silence_s=7 * 86_400)
    stale = poll(busy, unchanged())
    assert stale.health is FeedHealth.STALE
    assert "4 days" in stale.health_why
    assert poll(weekly, unchanged()).health is FeedHealth.OK


def test_a_slow_answer_is_shown() -> None:
    assert poll(steady(), fetched(elapsed_s=25), parsed(*range(10))).health is FeedHealth.SLOW


def test_validators_are_those_of_the_last_body() -> None:
    state = poll(steady(), fetched({"etag": '"1"', "last-modified": "x"}), parsed(*range(10)))
    assert (state.etag, state.last_modified, state.body_hash) == ('"1"', "x", "hash")
    assert poll(state, unchanged()).etag == '"1"'
    assert poll(state, unchanged({"etag": '"2"'})).etag == '"2"'
    assert poll(state, fetched(), parsed(*range(10))).etag is None
    assert poll(state, failed()).etag == '"1"'


def a_failed_page(kind: FailureKind = FailureKind.TRANSIENT, retry_after_s: float | None = None) -> FetchFailed:
    return FetchFailed("https://a.example/1", kind, "it failed", NOW, 0.1, retry_after_s=retry_after_s)


def test_a_page_is_tried_again_ever_later_and_then_no_more() -> None:
    waits = [page_retry_s(a_failed_page(), tries) for tries in range(1, 6)]
    assert waits == [600, 3_600, 21_600, 86_400, None]


def test_a_page_that_is_gone_or_forbidden_is_not_tried_again() -> None:
    for kind in (FailureKind.PERMANENT, FailureKind.GONE, FailureKind.REFUSED):
        assert page_retry_s(a_failed_page(kind), 1) is None


def test_a_page_is_not_tried_before_its_server_allows_it() -> None:
    assert page_retry_s(a_failed_page(retry_after_s=5_000), 1) == 5_000
    assert page_retry_s(a_failed_page(retry_after_s=5), 1) == 600


# ── lists that are not feeds ─────────────────────────────────────────────────────────────────────────────────────────


def test_half_a_document_is_asked_for_whole() -> None:
    """With its ETag sent back, a server that had cached it while it was written would answer 304 for the rest."""
    tags = {"etag": '"1"', "last-modified": "Wed, 14 Jan 2026 10:00:00 GMT"}
    state = poll(steady(), fetched(tags), parsed(1, is_cut_off=True))
    assert (state.etag, state.last_modified, state.body_hash) == (None, None, None)
    assert poll(state, fetched(tags), parsed(1, 2)).etag == '"1"'


def test_a_list_that_shows_less_than_half_is_failing_at_the_third_poll_and_well_again_when_it_is_whole() -> None:
    page = replace(FEED, read="page")

    def polled(state: FeedState, count: int) -> FeedState:
        return poll(state, fetched(), parsed(*range(count)), page)

    state = polled(FeedState("f", URL), 20)
    assert state.health_why == "first read: its 20 items are remembered, what comes after them is news"
    healths = []
    for count in (18, 9, 9, 9, 20):
        before, state = state, polled(state, count)
        healths.append((state.health, is_newly_broken(page, before, state)))
    assert [health for health, _ in healths] == ["ok", "ok", "ok", "failing", "ok"]
    assert [broken for _, broken in healths] == [False, False, False, True, False]
    assert poll(FeedState("f", URL), fetched(), parsed(1)).usual_entries is None, "feeds may be short"


def test_a_list_that_stays_short_is_as_usual_at_last() -> None:
    page = replace(FEED, read="page")
    state = poll(FeedState("f", URL), fetched(), parsed(*range(20)), page)
    for _ in range(SHRUNK_FOR_GOOD + 1):
        state = poll(state, fetched(), parsed(1, 2), page)
    assert (state.health, state.usual_entries) == ("ok", 2)


def test_a_push_says_nothing_of_the_feeds_own_answers() -> None:
    """A hub may push only what is new: no gap, no other validators, and the poll comes when it was planned."""
    read = after_poll(
        FeedState("f", URL), FEED, fetched({"etag": '"a"'}), parsed(1, 2), new_entries=2, now=NOW, settings=SETTINGS,
        rng=random.Random(1),
    )  # fmt: skip
    later = NOW + timedelta(minutes=3)
    state = replace(read, paused_until=later, failures=1)
    push = replace(fetched({"content-type": "text/xml"}), pushed=True)
    after = after_poll(state, FEED, push, parsed(3), new_entries=1, now=later, settings=SETTINGS, rng=random.Random(1))
    assert after.new_articles == read.new_articles + 1
    assert after.last_new_at == later
    assert after.entry_ids == ("3", "1", "2")
    changed = {"new_articles", "last_new_at", "entry_ids", "new_rate", "usual_silence_s"}
    same = {name: getattr(state, name) for name in FeedState.__dataclass_fields__ if name not in changed}
    assert {name: getattr(after, name) for name in same} == same


def test_how_long_its_server_calls_an_answer_fresh_is_remembered() -> None:
    ahead = {"date": "Wed, 14 Jan 2026 20:00:00 GMT", "expires": "Wed, 14 Jan 2026 20:01:00 GMT"}
    kept = {"date": "Wed, 14 Jan 2026 11:01:00 GMT", "expires": "Wed, 14 Jan 2026 12:01:00 GMT"}  # for 59 minutes
    for headers, fresh in (
        ({"cache-control": "max-age=40"}, 40),
        ({"cache-control": "max-age=0"}, None),
        ({"cache-control": "private, no-cache, max-age=86400"}, None),
        ({"cache-control": 'no-cache="set-cookie", max-age=40'}, 40),
        (ahead, 60),  # a clock of local time, called GMT
        (ahead | {"date": "x"}, 8 * 3_600 + 60),
        (ahead | {"age": "20"}, 40),
        (kept, 60),
        (kept | {"age": "3540"}, 60),
        (kept | {"age": "9" * 10}, None),
        ({}, None),
    ):
        after = after_poll(
            FeedState("f", URL), FEED, unchanged(headers), None, new_entries=0, now=NOW, settings=SETTINGS,
            rng=random.Random(1),
        )  # fmt: skip
        assert after.fresh_s == fresh
