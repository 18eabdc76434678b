"""The form of a saved search, without a page around it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import FormData

from alerts.definitions import ID, UsageError, with_fields
from alerts.saved import Change
from delivery.channels.registry import parse_address
from newswatch.alert import SavedSearch, TagFilter
from newswatch.durations import exact
from search.extract_filters import extract_filters
from search.syntax import parse
from store.names import Names
from web.drafts import Draft, changed, choices, draft_from, draft_of, spoken
from web.render import mails, when
from web.saved_pages import free_id
from web.search_about import versions
from web.security import Form

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
TOPICS = Names().topics()
PLAIN = SavedSearch("nato", "NATO", "AWACS", ("ann@example.org",))
FULL = replace(
    PLAIN,
    tags=(TagFilter("nato", "main"), TagFilter("nato/operations", "mention")),
    languages=("fr",),
    countries=("FR", "LV"),
    sources=("lemonde.fr",),
    kinds=("press",),
    kind="spike",
    min_score=0.35,
    min_sources=3,
    schedule="weekly on sunday at 06:05 Europe/Riga",
    throttle_s=5_401,
    silence_s=7 * 86_400,
    expires_at=datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
    updates=True,
    note="one\ntwo",
)


@pytest.mark.parametrize(
    "search",
    [
        PLAIN,
        FULL,
        replace(PLAIN, schedule="daily at 23:59 UTC"),
        replace(PLAIN, schedule="weekly briefing on friday at 18:30 Europe/Riga"),
    ],
    ids=lambda s: s.schedule,
)
def test_a_saved_search_comes_out_of_its_form_as_it_went_in(search: SavedSearch) -> None:
    assert with_fields(search, draft_of(search).fields(), parse_address) == search
    assert with_fields(SavedSearch("nato", "", "", ()), draft_of(search).fields(), parse_address) == search
    in_kathmandu = draft_of(search, ZoneInfo("Asia/Kathmandu"))
    assert in_kathmandu.expires_at == ("2027-01-02T08:49:05" if search.expires_at else "")
    assert with_fields(search, in_kathmandu.fields(), parse_address) == search


def test_an_end_in_the_hour_that_clocks_repeat_stays_where_it_is() -> None:
    for hour in (0, 1):
        search = replace(PLAIN, expires_at=datetime(2026, 10, 25, hour, 30, tzinfo=UTC))
        assert with_fields(search, draft_of(search, ZoneInfo("Europe/Brussels")).fields(), parse_address) == search


def test_an_end_in_no_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="'Mars/Olympus' is no time zone"):
        Draft(expires_at="2027-01-02T08:49", ends_in="Mars/Olympus").fields()


def test_a_browsers_line_ends_are_no_change() -> None:
    form = Form(FormData([("note", " one\r\ntwo "), ("tag:nato", "main"), ("tag:nato/command", "")]))
    assert Draft.read(form).note == FULL.note
    assert Draft.read(form).tags == {"nato": "main"}


def test_what_a_search_asks_for_is_in_the_form_and_its_name() -> None:
    query = "AWACS tag:nato/operations level:main lang:fr"
    draft = draft_from(extract_filters(parse(query)), TOPICS, "ann@example.org")
    assert (draft.name, draft.query, draft.languages) == ("AWACS, NATO: Operations and missions, fr", "AWACS", "fr")
    assert draft.tags == {"nato/operations": "main"}
    assert draft_from(extract_filters(parse("NATO planes tag:nato")), TOPICS, "").name == "NATO planes"


def test_only_what_is_set_is_unfolded() -> None:
    assert not draft_of(PLAIN).narrowed
    assert not draft_of(PLAIN).tuned
    assert draft_of(FULL).narrowed
    assert draft_of(FULL).tuned


@pytest.mark.parametrize(
    ("typed", "codes"),
    [("France, DE", ["FR", "DE"]), ("fr de", ["FR", "DE"]), ("United Kingdom\nfr, FR", ["GB", "FR"]), ("", [])],
)
def test_countries_are_named_or_coded(typed: str, codes: list[str]) -> None:
    assert Draft(countries=typed).fields()["countries"] == codes


@pytest.mark.parametrize("draft", [Draft(countries="Ruritania"), Draft(languages="Elvish"), Draft(expires_at="soon")])
def test_what_is_none_is_refused(draft: Draft) -> None:
    with pytest.raises(UsageError):
        draft.fields()


@pytest.mark.parametrize(
    ("seconds", "written", "said"),
    [(0, "0s", "0 seconds"), (90, "90s", "90 seconds"), (5_400, "90m", "90 minutes"), (604_800, "1w", "1 week")],
)
def test_lengths_of_time(seconds: int, written: str, said: str) -> None:
    assert (exact(seconds), spoken(seconds), spoken(written)) == (written, said, said)


def test_a_length_that_is_not_offered_can_still_be_chosen() -> None:
    assert choices((0, 3_600), "1h") == ["0s", "1h"]
    assert choices((0, 3_600), "90m") == ["90m", "0s", "1h"]


def test_versions_say_who_when_and_what() -> None:
    later = replace(PLAIN, version=2, query="AWACS Daesh", updates=True)
    first, second = reversed(versions(later, [Change(PLAIN, NOW, "bob", ("query", "updates"))], TOPICS))
    assert (first.number, first.at, first.changes) == (1, None, ())
    assert (second.number, second.at, second.by) == (2, NOW, "bob")
    assert second.changes == [("words", "AWACS", "AWACS Daesh"), ("later articles", "no", "yes")]
    assert changed(PLAIN, replace(PLAIN, mute_until=NOW), TOPICS) == [("muted until", "none", "2026-03-04 05:06 UTC")]


def test_how_mails_and_this_moment_are_written() -> None:
    rates = [mails(per_day) for per_day in (12.4, 1, 0.3, 0.04, 0)]
    assert rates == ["12 mails a day", "1 mail a day", "2 mails a week", "1 mail a month", "0 mails a month"]
    assert when(NOW, NOW) == "just now"


def test_names_of_all_scripts_make_ids_of_their_own() -> None:
    there: list[SavedSearch] = []
    for name in ("Терроризм", "НАТО", "الناتو", "北约", "NATO", "NATO Балтика", "New", "x" * 70, "x" * 80):
        made = free_id(name, there)
        assert re.fullmatch(ID, made)
        there.append(SavedSearch(made, name, "", ()))
        assert free_id(name, there) == made, "of a form that is sent twice"
    ids = [search.id for search in there]
    assert len(set(ids)) == len(ids)
    assert ids[:7] == ["search", "search-2", "search-3", "search-4", "nato", "nato-2", "new-2"]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("ann@a.example bob@b.example", ["ann@a.example", "bob@b.example"]),
        ("Ann Lee <ann@a.example>; Bob <bob@b.example>", ["ann@a.example", "bob@b.example"]),
        ('"Lee, Ann" <ann@a.example>, person:bob;chat:desk\n', ["ann@a.example", "person:bob", "chat:desk"]),
        ("<ann@a.example>", ["ann@a.example"]),
        ("Ann <ann@a.example", ["Ann", "<ann@a.example"]),
        ("ann@a.example Bob Lee <bob@b.example>", ["ann@a.example", "bob@b.example"]),
        (
            "person:ann Bob <bob@b.example>; group:night, Al <al@a.example>",
            ["person:ann", "bob@b.example", "group:night", "al@a.example"],
        ),
        ("bob@b.example <bob@b.example>; 'al@a.example' <al@a.example>", ["bob@b.example", "al@a.example"]),
        ("Desk: Bob (Riga) <bob@b.example>", ["bob@b.example"]),
        (" ;, ", []),
    ],
)
def test_recipients_are_read_as_mail_programs_copy_them(typed: str, read: list[str]) -> None:
    assert Draft(recipients=typed).fields()["recipients"] == read
