"""A reader's desk: what counts as a visit, what a mark becomes, who has an article."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newswatch.desk import (
    AWAY,
    LOADED_AGAIN,
    MAX_NOTE_CHARS,
    MAX_STEPS,
    DeskError,
    Look,
    Mark,
    Step,
    done,
    handed,
    is_first,
    looked,
    noted,
    seen_all,
)
from newswatch.errors import ChangedMeanwhileError
from tests.factories import NOW

MINUTE = timedelta(minutes=1)


def test_new_is_what_came_since_the_visit_before() -> None:
    first = looked(None, "ann", NOW)
    assert first.since == NOW, "to who never looked, nothing is new"
    assert looked(first, "ann", NOW + MINUTE / 2) is first, "a visit is written down once a minute"
    still = looked(first, "ann", NOW + MINUTE)
    assert still == Look("ann", NOW + MINUTE, NOW)
    assert looked(still, "ann", NOW) is still, "a clock that went back takes nothing"
    back = looked(still, "ann", NOW + MINUTE + AWAY + MINUTE)
    assert back.since == NOW + MINUTE


def test_a_first_page_that_is_loaded_again_is_still_the_first() -> None:
    first = looked(None, "ann", NOW)
    assert is_first(None, NOW)
    assert is_first(first, NOW + LOADED_AGAIN / 2)
    assert not is_first(first, NOW + LOADED_AGAIN)
    assert not is_first(looked(first, "ann", NOW + AWAY + MINUTE), NOW + AWAY + MINUTE), "what came meanwhile is new"


def test_all_seen_holds_until_the_page_was_made_and_never_goes_back() -> None:
    look = Look("ann", NOW, NOW - AWAY)
    assert seen_all(look, "ann", NOW - MINUTE, NOW).since == NOW - MINUTE
    assert seen_all(look, "ann", NOW - 2 * AWAY, NOW).since == NOW - AWAY
    assert seen_all(None, "ann", NOW + AWAY, NOW).since == NOW, "nobody has seen what is yet to come"


def test_a_deed_is_done_once() -> None:
    read = done(None, "ann", "a", "read", NOW)
    assert done(read, "ann", "a", "read", NOW + MINUTE) is read
    starred = done(read, "ann", "a", "star", NOW + MINUTE)
    assert (starred.read_at, starred.starred_at, starred.changed_at) == (NOW, NOW + MINUTE, NOW + MINUTE)
    assert done(starred, "ann", "a", "unstar", NOW).starred_at is None
    assert done(starred, "ann", "a", "unread", NOW).read_at is None


def test_a_note_replaces_only_the_one_that_was_shown() -> None:
    mark = noted(None, "ann", "a", "one", None, NOW)
    with pytest.raises(ChangedMeanwhileError, match="another window"):
        noted(mark, "ann", "a", "two", None, NOW + MINUTE)
    assert noted(mark, "ann", "a", "one", None, NOW + MINUTE) is mark, "the same text again is no change"
    emptied = noted(mark, "ann", "a", "", NOW, NOW + MINUTE)
    assert (emptied.note, emptied.noted_at) == ("", NOW + MINUTE)
    with pytest.raises(DeskError, match="at most 5,000 characters; this one has 5,001"):
        noted(Mark("ann", "a", NOW), "ann", "a", "x" * (MAX_NOTE_CHARS + 1), None, NOW)


def test_an_article_has_one_holder_and_remembers_all_hands() -> None:
    first = handed(None, "a", Step("ann", "bob", NOW), 0)
    with pytest.raises(ChangedMeanwhileError, match="ann handed it to bob \\(2026-03-04 05:06 UTC\\)"):
        handed(first, "a", Step("cem", "dan", NOW), 0)
    closed = handed(first, "a", Step("bob", "", NOW), 1)
    assert (first.holder, closed.holder) == ("bob", "")
    with pytest.raises(DeskError, match="at most 1,000 characters"):
        handed(None, "a", Step("ann", "bob", NOW, "x" * 1_001), 0)
    for n in range(2, MAX_STEPS):
        closed = handed(closed, "a", Step("ann", "bob", NOW), n)
    with pytest.raises(DeskError, match="100 times"):
        handed(closed, "a", Step("ann", "bob", NOW), MAX_STEPS)
