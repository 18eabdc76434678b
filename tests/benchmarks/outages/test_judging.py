"""The harness of outages judges what was told: when, by which way, how often, and whether all agree."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.outages.faults import CHAT, FAULTS, HEARTBEAT, MAIL, Fault
from benchmarks.outages.installation import OPERATOR, Checked
from benchmarks.outages.measuring import judged
from benchmarks.outages.messages import Told, by_chat, by_heartbeat, by_mail
from benchmarks.outages.receivers import Beat, Posted, TakenMail
from benchmarks.outages.table import row
from delivery.channels import registry
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.episodes import Change, Draft, Episode, Item
from observe.notice import as_json, message_of, title

MADE = datetime(2026, 11, 1, 12, tzinfo=UTC)
MENDED = MADE + timedelta(seconds=100)
NETWORK = Fault("network", "network gone", lambda _: nullcontext(), frozenset(("network",)))
HEALING = Fault("kill", "killed", lambda _: nullcontext(), frozenset(("scheduler",)), heals=True)
MAIL_SERVER = Fault(
    "mail", "mail server dead", lambda _: nullcontext(), frozenset(("mail-server",)), frozenset((CHAT,))
)
DURING = Checked(2, frozenset(("network", "mail-server")), "NEWSWATCH CRITICAL - …", "None of 30 feeds", 200, {})
AFTER = Checked(0, frozenset(), "NEWSWATCH OK - 30 feeds", "", 200, {})


def at(seconds: float) -> datetime:
    return MADE + timedelta(seconds=seconds)


def story(way: str, begin: float, end: float, id: str = "network") -> list[Told]:
    return [Told(at(begin), way, "new", id, "None."), Told(at(end), way, "over", id, "None.")]


def outcome_of(fault: Fault, items: list[Told], during: Checked = DURING, after: Checked = AFTER) -> Any:
    return judged(fault, sorted(items, key=lambda item: item.at), (MADE, MENDED), (during, after))


def test_what_is_told_once_by_each_way_in_time_is_right() -> None:
    outcome = outcome_of(NETWORK, [*story(CHAT, 60, 150), *story(MAIL, 61, 152)])
    assert outcome.wrong == ()
    assert (outcome.told_s, outcome.over_s) == ({CHAT: 60, MAIL: 61}, {CHAT: 50, MAIL: 52})
    assert row(outcome) == "| network gone | chat 60, mail 61 | chat 50, mail 52 | `network` | – |"


@pytest.mark.parametrize(
    ("items", "wrong"),
    [
        (story(CHAT, 60, 150), ["never told by mail", "its end was never told by mail"]),
        ([*story(CHAT, 181, 250), *story(MAIL, 61, 152)], ["told by chat after 181 s"]),
        ([*story(CHAT, 60, 150)[:1], *story(MAIL, 61, 152)], ["its end was never told by chat"]),
        (
            [*story(CHAT, 60, 150), *story(CHAT, 70, 151), *story(MAIL, 61, 152)],
            ["told 2 times: chat: network"],
        ),
        ([], ["never told by chat", "never told by mail"]),
    ],
)
def test_what_is_late_lacking_or_repeated_is_wrong(items: list[Told], wrong: list[str]) -> None:
    assert set(wrong) <= set(outcome_of(NETWORK, items).wrong)


def test_what_comes_again_after_its_end_is_told_again() -> None:
    items = [*story(CHAT, 10, 20), *story(CHAT, 60, 150), *story(MAIL, 61, 152)]
    assert outcome_of(NETWORK, items).wrong == ()


def test_the_broken_way_hears_of_it_when_it_works_again() -> None:
    late = Told(at(150), MAIL, "passed", "mail-server", "")
    assert outcome_of(MAIL_SERVER, [*story(CHAT, 60, 150, "mail-server"), late]).wrong == ()
    assert "its end was never told by mail" in outcome_of(MAIL_SERVER, story(CHAT, 60, 150, "mail-server")).wrong


def test_what_heals_by_itself_may_go_untold_but_not_unfinished() -> None:
    assert outcome_of(HEALING, []).wrong == ()
    begun = story(CHAT, 10, 0, "scheduler")[:1]
    assert "its end was never told by chat" in outcome_of(HEALING, begun).wrong


@pytest.mark.parametrize(
    ("during", "after", "wrong"),
    [
        (AFTER, AFTER, "check did not name it"),
        (Checked(2, frozenset(("network",)), "", "", 200, {}), AFTER, "the page had no banner"),
        (DURING, DURING, "afterwards check said 2"),
        (DURING, Checked(0, frozenset(), "", "Still wrong", 200, {}), "afterwards the page said: Still wrong"),
    ],
)
def test_command_and_page_must_agree(during: Checked, after: Checked, wrong: str) -> None:
    told = [*story(CHAT, 60, 150), *story(MAIL, 61, 152)]
    assert any(what.startswith(wrong) for what in outcome_of(NETWORK, told, during, after).wrong)


@pytest.mark.parametrize("change", list(Change))
def test_the_watchmans_own_messages_are_understood(change: Change) -> None:
    """Both ways name the same change of the same condition, for whatever the watchman writes."""
    condition = Condition("configuration:feeds.yaml", Severity.WARNING, "A key is wrong.", "Correct it.", MADE)
    over = MENDED if change in (Change.OVER, Change.PASSED) else None
    draft = Draft("watch.1", MADE, (Item(change, Episode(condition, MADE, over_at=over)),))
    settings = Settings(operator=OPERATOR)
    said = as_json(draft, settings, "")
    assert [(t.way, t.change, t.id) for t in by_chat(Posted(MADE, said))] == [(CHAT, str(change), condition.id)]
    message = registry.channel_of(OPERATOR).render(message_of(draft, settings, OPERATOR), settings)
    (told,) = by_mail(TakenMail(MADE, (OPERATOR,), message.content), {title(condition.id): condition.id})
    assert (told.way, told.change, told.id) == (MAIL, str(change), condition.id)


def test_a_heartbeat_service_raises_alarm_after_two_minutes_and_only_then() -> None:
    beats = [Beat(at(seconds), "") for seconds in (0, 60, 130, 400)]
    told = list(by_heartbeat(beats, MADE, at(460)))
    assert [(t.change, (t.at - MADE).total_seconds()) for t in told] == [("new", 250), ("over", 400)]
    assert {t.way for t in told} == {HEARTBEAT}
    assert [t.change for t in by_heartbeat(beats, MADE, at(600))] == ["new", "over", "new"]


def test_faults_have_names_of_their_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
