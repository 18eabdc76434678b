"""Profiles: names, figures and dates that tell the event."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, replace
from datetime import UTC, datetime

import pytest

from transforms.profile import Gist, Profile, gist_of, profile, profile_from


def made(title: str, text: str = "") -> Profile:
    return profile(id="a", title=title, text=text, published=datetime(2026, 8, 18, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("title", "days"),
    [
        ("60 saniyede ekonomide bugün (18 Ağustos 2026)", {18}),
        ("The economy today, August 18, 2026", {18}),
        ("Wekdienst 19/8: EU-leiders praten", {19}),
        ("8月17日新闻", {17}),
        ("Paris marks 13 November 2015", set()),
        ("Quake of 7.7", set()),
    ],
)
def test_a_headline_with_its_own_date(title: str, days: set[int]) -> None:
    assert made(title).figures.days == days


def test_names_are_words_of_the_title_that_have_a_capital_within_a_sentence() -> None:
    assert made("Storm closes the port of Kettleby").title_names == {"kettle"}
    assert made("Storm Closes Port Of Kettleby", "Boats left Kettleby at noon.").title_names == {"kettle"}
    assert made("2Pac mural found", "A mural of Pac was found.").title_names <= made("2Pac mural found").title


@pytest.mark.parametrize(
    "text", ["", "北约峰会在海牙举行。" * 900, "Ж" * 9_000, "a\u2028b 7,7\x00 " * 3_000, "NATO " * 40_000]
)
def test_a_profile_is_made_of_its_gist_which_is_small(text: str) -> None:
    when = datetime(2026, 8, 18, 12, tzinfo=UTC)
    gist = gist_of(f"Storm of 7.7 closes Kettleby {text[:50]}", text, when)
    assert sum(len(part.encode()) for part in astuple(gist)) < 16_000
    again = Gist(**json.loads(json.dumps(asdict(gist))))
    whole = profile(id="a", title=f"Storm of 7.7 closes Kettleby {text[:50]}", text=text, published=when)
    parts = profile_from(again, id="a", published=when, source="", language=None)
    assert replace(parts, body=whole.body) == whole


def test_the_countries_are_those_of_title_and_lead_and_unknown_of_what_was_stored_before() -> None:
    when = datetime(2026, 8, 18, 12, tzinfo=UTC)
    gist = gist_of("Troops leave Norway", f"They went to Poland. {'So it goes. ' * 40} Spain follows.", when)
    assert gist.places == "NO PL"
    before = Gist(**{name: value for name, value in asdict(gist).items() if name != "places"})
    found = profile_from(before, id="a", published=when, source="", language="en")
    assert found.places == frozenset()


def test_figures_are_read_as_they_are_written() -> None:
    figures = made("Quake of 7,7 kills 51", "In 2026 the 7.7 quake, at 14:05, killed 51.").figures
    assert figures.title_decimals == figures.decimals == {"7.7"}
    assert figures.all == {"7,7", "7.7", "51", "14:05"}


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_the_calendar_have_days_too(year: int) -> None:
    edge = datetime(year, 1, 1, tzinfo=UTC) if year == 1 else datetime(year, 12, 31, tzinfo=UTC)
    title = f"News of {edge.day}/{edge.month}"
    assert profile(id="edge", title=title, text="", published=edge).figures.days >= {edge.day}
