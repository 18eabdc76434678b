"""Which stories are joined across languages: the decision, on vectors made for it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from transforms.across import SAME_EVENT, Encoded, apart_from, continued, domain, likeness
from transforms.encoder import Vector

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def at(degrees: float) -> Vector:
    """A vector in that direction: the cosine of two is that of the angle between them."""
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def said(id_: str, language: str, degrees: float, *, story: str = "", hours: float = 0) -> Encoded:
    return Encoded(id_, language, NOON + timedelta(hours=hours), at(degrees), story or id_)


def story_of(new: Encoded, *placed: Encoded) -> str | None:
    found = continued(new, placed)
    return found.story_id if found else None


NEW = said("new", "fr", 0)


def test_a_story_is_joined_in_another_language_only() -> None:
    assert story_of(NEW, said("a", "en", 40)) == "a"
    assert story_of(NEW, said("a", "fr", 40)) is None
    assert story_of(NEW, said("a", "en", 80)) is None
    assert story_of(NEW) is None


def test_the_nearest_one_is_joined() -> None:
    assert story_of(NEW, said("a", "en", 40), said("b", "en", 30), said("c", "de", 35)) == "b"


def test_one_that_is_nearer_to_another_of_our_language_is_not_ours() -> None:
    assert story_of(NEW, said("a", "en", 40), said("rival", "fr", 60)) is None
    assert story_of(NEW, said("a", "en", 40), said("rival", "fr", 100)) == "a"
    assert story_of(NEW, said("a", "en", 40), said("rival", "fr", 60), said("b", "de", 50)) is None
    assert story_of(NEW, said("a", "en", 40), said("rival", "fr", 60), said("b", "de", -50)) == "b"


def test_time_parts() -> None:
    assert story_of(NEW, said("a", "en", 40, hours=-24)) == "a"
    assert story_of(NEW, said("a", "en", 40, hours=-96)) is None  # a third of its likeness is left
    assert story_of(NEW, said("a", "en", 0, hours=-24 * 8)) is None


def test_a_story_is_not_joined_at_its_edge() -> None:
    edge, core = said("edge", "en", 50, story="s"), [said(f"core{n}", "en", 110, story="s") for n in range(3)]
    assert story_of(NEW, edge) == "s"
    assert story_of(NEW, edge, *core) is None


def test_a_story_that_has_our_language_must_be_nearer() -> None:
    # The words of "ours" and "new" were found to differ: a likeness that would do abroad does not do at home.
    abroad = said("abroad", "en", 20, story="s")
    assert story_of(NEW, abroad, said("ours", "fr", 110, story="s")) is None
    assert story_of(NEW, abroad, said("ours", "fr", 70, story="s")) == "s"


def test_what_all_have_in_common_joins_nothing() -> None:
    a, b = said("a", "en", 30), said("b", "fr", -30)
    assert likeness(a, b) > SAME_EVENT
    common = domain([at(degrees) for degrees in range(-50, 51, 5)])
    assert likeness(apart_from(common, a), apart_from(common, b)) < 0
    assert apart_from((), a) is a
    assert domain([]) == ()
