"""Seeing an article again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from newswatch.article import Provenance
from store.merge import Carried, Known, New, Updated, merge
from tests.factories import NOW, TEXT, TITLE, a_source, an_article, stored_article

LATER = NOW.replace(day=5)
OTHER_FEED: dict[str, Any] = {"source": a_source(feed_id="other", domain="other.example"), "feeds": ("other",)}
FROM_FEED = Provenance(LATER, page_fetched=False, extractor="feed")


def test_first_time_it_is_new_and_its_first_version_is_noted() -> None:
    decision = merge(an_article(), None)
    assert isinstance(decision, New)
    (version,) = decision.article.versions
    assert (version.title, version.changed) == (TITLE, ())


def test_the_same_again_is_nothing_to_write() -> None:
    assert merge(an_article(first_seen=LATER), stored_article()) == Known()


def test_white_space_is_no_edit() -> None:
    assert merge(an_article(text=TEXT.replace("\n", " \n ")), stored_article()) == Known()


def test_an_edited_title_is_a_new_version_of_the_same_article() -> None:
    decision = merge(an_article(title="Allies fail to agree", first_seen=LATER), stored_article(placed_by="ann"))
    assert isinstance(decision, Updated)
    article = decision.article
    assert article.placed_by == "ann", "the outlet does not undo what a person has decided"
    assert (article.version, article.title, article.first_seen) == (2, "Allies fail to agree", NOW)
    assert [version.changed for version in article.versions] == [(), ("title",)]
    assert article.versions[1].seen_at == LATER


def test_an_edited_text_is_a_new_version() -> None:
    decision = merge(an_article(text=TEXT + "\nCorrected."), stored_article())
    assert isinstance(decision, Updated)
    assert decision.article.versions[-1].changed == ("text",)
    assert not decision.mixed


def test_another_feed_is_noted_without_a_new_version() -> None:
    decision = merge(an_article(**OTHER_FEED), stored_article())
    assert isinstance(decision, Carried)
    assert decision.article.feeds == ("herald", "other")
    assert (decision.article.version, decision.article.source.feed_id) == (1, "herald")


def test_another_feeds_own_summary_changes_nothing() -> None:
    seen = an_article(title="Their own headline", provenance=FROM_FEED, **OTHER_FEED)
    assert isinstance(merge(seen, stored_article()), Carried)
    assert merge(seen, replace(stored_article(), feeds=("herald", "other"))) == Known()


def test_another_feeds_headline_of_the_same_page_is_no_edit() -> None:
    assert isinstance(merge(an_article(title="Their own headline", **OTHER_FEED), stored_article()), Carried)
    decision = merge(an_article(title="Their own headline", text="Edited.", **OTHER_FEED), stored_article())
    assert isinstance(decision, Updated)
    assert decision.mixed
    assert (decision.article.title, decision.article.text) == (TITLE, "Edited.")


def test_a_page_that_cannot_be_read_again_does_not_cost_the_text() -> None:
    seen = an_article(text="Ministers met.", text_status="summary", provenance=FROM_FEED)
    assert merge(seen, stored_article()) == Known()


def test_a_new_title_with_the_old_text_asks_for_new_tags() -> None:
    seen = an_article(title="New headline", text="Ministers met.", text_status="summary", provenance=FROM_FEED)
    decision = merge(seen, stored_article())
    assert isinstance(decision, Updated)
    assert decision.mixed
    assert (decision.article.title, decision.article.text) == ("New headline", TEXT)


def test_a_page_that_is_read_at_last_is_no_edit() -> None:
    was = stored_article(text="Ministers met.", text_status="summary")
    decision = merge(an_article(first_seen=LATER), was)
    assert isinstance(decision, Updated)
    article = decision.article
    assert (article.text, article.text_status) == (TEXT, "full")
    assert (article.version, article.versions, article.first_seen) == (1, was.versions, NOW)


def test_a_page_that_is_read_at_last_gives_the_title_that_was_missing() -> None:
    was = stored_article(title=an_article().url, text="", text_status="summary")
    decision = merge(an_article(), was)
    assert isinstance(decision, Updated)
    assert (decision.article.title, decision.article.version) == (TITLE, 1)


def test_an_edit_that_comes_with_the_page_at_last_is_an_edit_of_what_was_there() -> None:
    was = stored_article(text="Ministers met.", text_status="summary")
    decision = merge(an_article(title="Allies fail to agree"), was)
    assert isinstance(decision, Updated)
    assert decision.article.versions[-1].changed == ("title",)
    assert (decision.article.version, decision.article.text) == (2, TEXT)


def test_a_summary_that_its_feed_edits_is_an_edit() -> None:
    was = stored_article(text="Ministers met.", text_status="summary", provenance=FROM_FEED)
    decision = merge(an_article(text="Ministers did not meet.", text_status="summary", provenance=FROM_FEED), was)
    assert isinstance(decision, Updated)
    assert decision.article.versions[-1].changed == ("text",)
