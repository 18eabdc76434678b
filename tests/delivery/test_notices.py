"""Which mail says that a saved search fails, and which says what was watched. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from alerts.failing import Failing
from delivery.compose import MailPlan, plan
from delivery.made import notice_delivery, with_outcome
from delivery.mailbox import Mailbox
from delivery.search_notices import FIRST_ALONE, failure_notice
from newswatch.alert import SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome
from tests.alerts.press import a_search
from tests.factories import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANN = "ann@reader.example"
SLOT = NOW - HOUR
ICE, DAILY = a_search("ice"), a_search("daily", schedule="daily at 04:06 UTC", throttle_s=86_400)


def a_delivery(story: str = "s", search: SavedSearch = ICE, **changes: Any) -> Delivery:
    whole = Delivery(search.id, search.name, story, "a", (ANN,), DeliveryState.PENDING, NOW, not_before=NOW)
    return replace(whole, schedule=search.schedule, **changes)


def failed(since: timedelta, search: SavedSearch = DAILY) -> Delivery:
    return failure_notice(Failing(search, NOW - since, "too slow"), NOW)


COVERAGE = notice_delivery(DAILY, "coverage", "coverage-1", "said", NOW, SLOT)


def planned(*waiting: Delivery, box: Mailbox | None = None) -> MailPlan:
    searches = {"ice": ICE, "daily": DAILY}
    return plan(box or Mailbox(ANN), waiting, {}, searches, now=NOW, group=timedelta(minutes=1))


def test_a_failure_joins_the_next_mail_whatever_that_is_about() -> None:
    notice = failed(timedelta(minutes=1))
    for story in (a_delivery(), a_delivery(search=DAILY)):
        (mail,) = planned(story, notice).mails
        assert mail.notices == (notice,)
        assert {d.id for d in mail.deliveries} == {story.id, notice.id}
        assert mail.matched == (story,)


def test_alone_it_waits_for_an_hour() -> None:
    young = planned(failed(timedelta(minutes=1)))
    assert (young.mails, young.later) == ((), NOW - timedelta(minutes=1) + FIRST_ALONE)
    (mail,) = planned(failed(FIRST_ALONE)).mails
    assert (mail.kind, mail.items) == ("notice", ())


def test_a_throttle_does_not_hold_it_back_and_a_mute_does() -> None:
    throttled = Mailbox(ANN, last_by_alert={"daily": NOW - HOUR})
    assert planned(failed(FIRST_ALONE), box=throttled).mails
    muted = Mailbox(ANN, muted={"daily": NOW + HOUR})
    assert planned(failed(FIRST_ALONE), box=muted).suppressed


def test_each_day_has_its_own_notice() -> None:
    ids = [failed(since).id for since in (HOUR, DAY - HOUR, DAY, 2 * DAY)]
    assert [notice_id.rpartition("~")[2] for notice_id in ids] == ["1", "1", "2", "3"]


def test_a_search_that_anything_was_done_to_by_hand_is_told_of_too() -> None:
    assert failure_notice(Failing(replace(DAILY, schedule="nonsense"), NOW, "too slow"), NOW).schedule == "hourly"


def test_a_poor_watch_is_a_digest_of_its_own_or_joins_one() -> None:
    (alone,) = planned(COVERAGE).mails
    assert (alone.kind, alone.items, alone.notices) == ("digest", (), (COVERAGE,))
    story = a_delivery(search=DAILY)
    (mail,) = planned(story, COVERAGE).mails
    assert (mail.kind, mail.notices, mail.deliveries) == ("digest", (COVERAGE,), (story, COVERAGE))
    instant, digest = planned(a_delivery(), COVERAGE).mails
    assert (instant.kind, instant.notices) == ("story", ())
    assert (digest.kind, digest.notices) == ("digest", (COVERAGE,))


def test_what_a_digest_said_already_is_not_said_again() -> None:
    told = Mailbox(ANN, last_digests={"daily": SLOT})
    assert planned(COVERAGE, box=told).suppressed == {COVERAGE.id: "a digest has said it meanwhile"}
    earlier = Mailbox(ANN, last_digests={"daily": SLOT - timedelta(seconds=1)})
    assert planned(COVERAGE, box=earlier).mails


def test_a_digest_says_what_was_watched_since_the_last_one() -> None:
    (first,) = planned(a_delivery(search=DAILY)).mails
    assert first.watched_since == SLOT.replace(minute=6, second=0) - DAY
    last = NOW - 3 * DAY
    (later,) = planned(a_delivery(search=DAILY), box=Mailbox(ANN, last_digests={"daily": last})).mails
    assert later.watched_since == last
    (instant,) = planned(a_delivery()).mails
    assert instant.watched_since is None


def test_a_mail_that_was_begun_is_the_same_mail_again() -> None:
    (mail,) = planned(a_delivery(), failed(HOUR), COVERAGE).mails[:1]
    begun = [with_outcome(d, Outcome(ANN, key=mail.key, reference="r")) for d in mail.deliveries]
    (again,) = planned(*begun).mails
    assert (again.kind, again.key, again.again) == (mail.kind, mail.key, True)
    assert [d.id for d in again.notices] == [d.id for d in mail.notices]
    notice = with_outcome(failed(HOUR), Outcome(ANN, key="k", reference="r"))
    assert [m.kind for m in planned(notice).mails] == ["notice"]
    coverage = with_outcome(COVERAGE, Outcome(ANN, key="k", reference="r"))
    assert [m.kind for m in planned(coverage).mails] == ["digest"]
