"""Which stories are joined across languages: the decision, on vectors made for it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from transforms.across import MOST, Encoded, Join, apart_from, domain, groups, joins, likeness
from transforms.encoder import DIMENSIONS, Vector, unit

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def at(degrees: float) -> Vector:
    """A vector in that direction: the cosine of two is that of the angle between them."""
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def said(
    id_: str,
    language: str,
    degrees: float,
    *,
    story: str = "",
    hours: float = 0,
    new: bool = False,
    by: str = "",
    places: str = "",
) -> Encoded:
    when, named = NOON + timedelta(hours=hours), frozenset(places.split())
    return Encoded(id_, language, when, at(degrees), story or id_, named, is_new=new, by_person=bool(by))


def joined(*articles: Encoded, touched: str = "new") -> list[tuple[str, str]]:
    """(the story that moves, the one that it moves to)."""
    return [(join.other_id, join.story_id) for join in joins(articles, {touched})]


NEW = said("new", "fr", 0, new=True)


def test_stories_are_joined_in_another_language_only() -> None:
    assert joined(NEW, said("a", "en", 50)) == [("new", "a")]
    assert joined(NEW, said("a", "fr", 0)) == []
    assert joined(NEW, said("a", "en", 80)) == []
    assert joined(NEW) == []
    assert joined(said("a", "en", 0), said("b", "fr", 0)) == [], "neither has a new report"


def test_what_began_earlier_stays_even_if_what_is_new_was_published_before() -> None:
    assert joined(said("new", "fr", 0, hours=-5, new=True), said("a", "en", 40)) == [("new", "a")]
    assert joined(said("new", "fr", 0, hours=-5), said("a", "en", 40)) == [("a", "new")]


def test_a_story_is_not_joined_with_one_that_is_nearer_to_another_of_its_language() -> None:
    assert joined(NEW, said("a", "en", 40), said("rival", "fr", 60)) == []
    assert joined(NEW, said("a", "en", 40), said("rival", "fr", 100)) == [("new", "a")]
    assert joined(NEW, said("a", "en", 40), said("b", "en", 30)) == [("new", "b")]


def test_a_whole_story_is_found_by_what_its_articles_say_together() -> None:
    early, late = said("a", "en", 75, story="a"), said("a2", "en", 25, story="a")
    assert joined(NEW, early) == []
    assert joined(NEW, early, late) == [("new", "a")]


def test_a_story_that_has_taken_in_another_takes_in_a_third() -> None:
    one, two, three = said("new", "fr", 0, hours=1, new=True), said("a", "en", 40), said("b", "ru", -40, hours=2)
    assert joined(one, two, three) == [("new", "a"), ("b", "a")]


def test_time_parts() -> None:
    assert joined(NEW, said("a", "en", 40, hours=-24)) == [("new", "a")]
    assert joined(NEW, said("a", "en", 40, hours=-84)) == []
    assert joined(NEW, said("a", "en", 0, hours=-71)) == [("new", "a")]
    assert joined(NEW, said("a", "en", 0, hours=-73)) == []


def test_stories_that_name_no_country_in_common_are_not_joined() -> None:
    new = said("new", "fr", 0, new=True, places="RU UA")
    assert joined(new, said("a", "en", 10, places="US")) == []
    assert joined(new, said("a", "en", 10, places="US UA")) == [("new", "a")]
    assert joined(new, said("a", "en", 10)) == [("new", "a")], "nothing is known of one"
    elsewhere = [said(f"a{n}", "en", 10, story="a", places=places) for n, places in enumerate(("US", "US CA", "RU"))]
    assert joined(new, *elsewhere) == [], "one of three articles mentions it"
    assert joined(new, *elsewhere[1:]) == [("new", "a")], "one of two"
    assert joined(new, said("a", "en", 10, places="US"), said("b", "en", 40, places="RU")) == [("new", "b")]


def test_large_stories_must_be_near_article_by_article() -> None:
    # Their means point into one direction, their articles into all.
    wide = [said(f"a{n}", "en", degrees, story="a") for n, degrees in enumerate((-80, -75, 75, 80))]
    assert joined(NEW, *wide) == []


def test_stories_with_a_language_in_common_must_be_all_but_the_same() -> None:
    ours = [NEW, said("new2", "en", 5, story="new")]
    assert joined(*ours, said("a", "en", 20, story="a"), said("a2", "ru", 30, story="a")) == [("new", "a")]
    assert joined(*ours, said("a", "en", 50, story="a"), said("a2", "ru", 60, story="a")) == []
    assert joined(*ours, said("a", "en", 5, story="a")) == [], "their words differ, and that is all there is"


def test_what_a_person_formed_only_takes_in_what_has_just_begun() -> None:
    assert joined(NEW, said("a", "en", 30, by="ann")) == [("new", "a")]
    assert joined(said("new", "fr", 0), said("a", "en", 30, by="ann")) == []
    assert joined(said("new", "fr", 0, new=True, by="bob"), said("a", "en", 30, by="ann")) == []


def test_a_story_of_many_articles_is_not_moved() -> None:
    many = [said(f"new{n}", "fr", 0, story="new", hours=1) for n in range(MOST)]
    assert joined(*many, said("a", "en", 10)) == [("a", "new")]
    assert joined(*many, *(said(f"a{n}", "en", 10, story="a") for n in range(MOST))) == []


def test_the_order_in_which_articles_come_in_changes_nothing() -> None:
    some = [
        said(f"{language}{n}", language, 25 * n + 3 * m, new=n > 2)
        for n in range(7)
        for m, language in enumerate("abc")
    ]
    wanted = joins(some, {one.story_id for one in some})
    assert wanted
    assert joins(some[::-1], {one.story_id for one in some}) == wanted
    assert all(isinstance(join, Join) for join in wanted)


def test_what_all_have_in_common_joins_nothing() -> None:
    common, own = (
        [1.0] + [0.0] * (DIMENSIONS - 1),
        [[0.0] * n + [1.0] + [0.0] * (DIMENSIONS - 1 - n) for n in range(1, 40)],
    )
    articles = [unit([2 * c + o for c, o in zip(common, one, strict=True)]) or () for one in own]
    a, b = (Encoded(id_, id_, NOON, articles[n], id_) for n, id_ in enumerate(("en", "fr")))
    assert likeness(*groups([a, b]).values()) > 0.7
    rest = domain(articles)
    assert likeness(*groups([apart_from(rest, a), apart_from(rest, b)]).values()) == 0.0
    assert len(domain([])) == DIMENSIONS, "what comes with the encoder"
