"""A story as it is read: reports and their copies, and what versions changed. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from newswatch.article import Article, Version
from search.story_view import arranged, changes
from tests.factories import NOW, a_source, an_article


def report(name: str, minutes: int, owner: str, copy_of: str | None = None) -> Article:
    source = a_source(feed_id=name, domain=f"{name}.example", owner=owner)
    when = NOW + timedelta(minutes=minutes)
    return replace(
        an_article(f"https://{name}.example/x"), id=name, source=source, published=when, duplicate_of=copy_of
    )


def test_copies_stand_with_what_they_copy_and_count_as_no_source() -> None:
    story = arranged(
        "s",
        [
            report("c", 3, "C", "b"),
            report("a", 0, "A"),
            report("b", 2, "B", "a"),
            report("d", 4, "A"),
            report("e", 5, "E"),
        ],
        5,
    )
    assert [(r.article.id, [c.id for c in r.copies]) for r in story.reports] == [
        ("a", ["b", "c"]),
        ("d", []),
        ("e", []),
    ]
    assert story.independent == 2
    assert [a.id for a in story.articles] == ["a", "b", "c", "d", "e"]


def test_a_copy_of_what_is_gone_or_of_itself_stands_alone() -> None:
    story = arranged("s", [report("a", 0, "A", "gone"), report("b", 1, "B", "c"), report("c", 2, "C", "b")], 3)
    assert [r.article.id for r in story.reports] == ["a", "b", "c"]
    assert story.independent == 1


def test_each_version_says_what_it_changed() -> None:
    first, second = Version(NOW, "Nine held", "h1", ()), Version(NOW, "Ten held", "h2", ("title", "text"))
    (change,) = changes(an_article(versions=(first, second)))
    assert (change.number, change.version) == (2, second)
    assert change.title[0] == ("removed", "Nine")
