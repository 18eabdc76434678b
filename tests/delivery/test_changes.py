"""What a correction says has changed: since the reader was mailed, with before and after, each once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from delivery.changes import SHOWN, Changes, changes_since
from delivery.message import Change
from newswatch.article import Article, Edit, Version
from tests.factories import NOW, an_article

HOUR = timedelta(hours=1)
TEXT = "Ministers of eight states met on Friday.\nThe plan costs 40 million a year.\nNote: a figure was wrong."


def an_edited(*versions: tuple[str, tuple[Edit, ...]], text: str = TEXT, title: str = "The plan") -> Article:
    """An article whose n-th version was seen after n hours."""
    seen = [
        Version(NOW + n * HOUR, was, f"{n}", ("text",) if n else (), edits) for n, (was, edits) in enumerate(versions)
    ]
    return replace(an_article(title=title, text=text), versions=tuple(seen), version=len(seen))


def sides(change: Change) -> tuple[str, str]:
    """Before and after, with the changed words in brackets."""

    def side(pieces: tuple[object, ...]) -> str:
        return "".join(f"[{p.text}]" if p.marked else p.text for p in pieces)  # type: ignore[attr-defined]

    return side(change.before), side(change.after)


def test_a_change_stands_among_its_words() -> None:
    article = an_edited(("The plan", ()), ("The plan", (Edit("text", "30", "40"),)))
    (change,) = changes_since(article, NOW, "").shown
    assert sides(change) == ("The plan costs [30] million a year.", "The plan costs [40] million a year.")


def test_near_changes_are_one() -> None:
    edits = (Edit("text", "nine", "eight"), Edit("text", "Tuesday", "Friday"), Edit("text", "30", "40"))
    shown = changes_since(an_edited(("The plan", ()), ("The plan", edits)), NOW, "").shown
    assert [sides(change)[0] for change in shown] == [
        "Ministers of [nine] states met on [Tuesday].",
        "The plan costs [30] million a year.",
    ]


def test_the_title_word_by_word() -> None:
    article = an_edited(("Nine states agree", ()), ("Eight states agree", ()), title="Eight states agree")
    (change,) = changes_since(article, NOW, "").shown
    assert (change.where, *sides(change)) == ("title", "[Nine] states agree", "[Eight] states agree")


def test_only_what_changed_since_the_mail() -> None:
    """Without a later version it is the last one: it was read before the mail and stored after it."""
    first, second = Edit("text", "nine", "eight"), Edit("text", "30", "40")
    article = an_edited(("Old", ()), ("The plan", (first,)), ("The plan", (second,)))
    for mailed, count in ((NOW, 3), (NOW + HOUR, 1), (NOW + 2 * HOUR, 1), (None, 1)):
        assert len(changes_since(article, mailed, "").shown) == count, mailed


def test_the_announcement_is_not_told_twice() -> None:
    note = Edit("text", "", "Note: a figure was wrong.")
    article = an_edited(("The plan", ()), ("The plan", (note,)))
    assert changes_since(article, NOW, "Note: a figure was wrong.") == Changes()
    assert len(changes_since(article, NOW, "").shown) == 1


def test_what_was_added_and_what_was_removed() -> None:
    edits = (Edit("text", "", "a year"), Edit("text", "It is secret.", ""))
    added, removed = changes_since(an_edited(("The plan", ()), ("The plan", edits)), NOW, "").shown
    assert sides(added) == ("", "The plan costs 40 million [a year].")
    assert sides(removed) == ("[It is secret.]", "")


def test_words_that_stand_in_the_text_twice_stand_alone() -> None:
    article = an_edited(("The plan", ()), ("The plan", (Edit("text", "b", "a"),)))
    (change,) = changes_since(article, NOW, "").shown
    assert sides(change) == ("[b]", "[a]")


def test_what_is_not_shown_is_said() -> None:
    words = [f"word{n}" for n in range(SHOWN + 2)]
    text = "\n".join(f"The {word} stands here." for word in words)
    many = an_edited(("The plan", ()), ("The plan", tuple(Edit("text", "x", word) for word in words)), text=text)
    assert changes_since(many, NOW, "").rest == "2 more changes in the text."
    assert (
        changes_since(an_edited(("The plan", ()), ("The plan", ())), NOW, "").rest == "Much of the text was rewritten."
    )


def test_an_article_without_versions_has_no_changes() -> None:
    moments: tuple[datetime | None, ...] = (NOW, None)
    assert [changes_since(an_article(), moment, "") for moment in moments] == [Changes(), Changes()]
