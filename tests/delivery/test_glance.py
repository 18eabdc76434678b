"""Mails that are understood at a glance: what the subject says, what comes first, and nothing twice."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from wcwidth import width

from delivery.compose import Mail, MailItem, plan
from delivery.mailbox import Mailbox
from delivery.message import Message, Piece, StoryList, StoryView
from delivery.outcomes import Sent
from delivery.passages import clipped, repeats
from delivery.plain_text import plain_text
from delivery.story_views import MailStory, topic_views
from delivery.writing import message_of
from newswatch.alert import Passage
from newswatch.article import Article, Edit, Evidence, Tag, Version
from newswatch.settings import Settings
from tests.delivery.channels.mails import a_mixed_lot
from tests.delivery.test_mail import ANN, LINKS, SETTINGS, TOPICS, a_delivery
from tests.factories import NOW, a_source, an_article

HOUR = timedelta(hours=1)


def written(
    sort: Any, *articles: Article, settings: Settings = SETTINGS, languages: Any = (), **changes: Any
) -> Message:
    """The message on these articles, the first one with most sources."""
    items = [MailItem(a.story_id, (a_delivery(a, **changes),)) for a in articles]
    stories = [MailStory(item, a, len(articles) - n) for n, (item, a) in enumerate(zip(items, articles, strict=True))]
    mail = Mail(ANN, sort, tuple(items), "one")
    return message_of(mail, stories, settings, LINKS, TOPICS, now=NOW, languages=languages)


def views(message: Message) -> tuple[StoryView, ...]:
    assert isinstance(message.body, StoryList)
    return message.body.stories


def some(*languages: str) -> list[Article]:
    return [
        an_article(f"https://{n}.example/", title=f"Headline {n}", language=language, text=f"Text number {n}.", tags=())
        for n, language in enumerate(languages)
    ]


@pytest.mark.parametrize(
    ("kind", "languages", "subject"),
    [
        ("group", (), "Headline 0 and 2 more"),
        ("group", ("de",), "Headline 1 and 2 more"),
        ("group", ("ja",), "Headline 0 and 2 more"),
        ("digest", ("de", "fr"), "Headline 1 and 2 more · daily digest: Ice"),
    ],
)
def test_the_subject_is_the_best_headline_in_the_readers_language(kind: str, languages: Any, subject: str) -> None:
    schedule = "daily at 07:00 UTC" if kind == "digest" else "instant"
    assert written(kind, *some("en", "de", "fr"), languages=languages, schedule=schedule).subject == subject


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("correction", "Correction: Headline 0"),
        ("retraction", "Retracted: Headline 0"),
        ("update", "Update: Headline 0"),
    ],
)
def test_later_news_is_named_after_its_own_headline(kind: str, subject: str) -> None:
    assert written("reply", *some("en"), kind=kind).subject == subject


def test_a_correction_comes_first_even_in_a_group() -> None:
    first, second = some("en", "de")
    items = [
        MailItem(first.story_id, (a_delivery(first),)),
        MailItem(second.story_id, (a_delivery(second, kind="correction"),)),
    ]
    stories = [MailStory(items[0], first, 9), MailStory(items[1], second, 1)]
    message = message_of(
        Mail(ANN, "group", tuple(items), "one"), stories, SETTINGS, LINKS, TOPICS, now=NOW, languages=["en"]
    )
    assert message.subject == "Correction: Headline 1 and 1 more"
    assert plain_text(message).index("1. Correction: Headline 1") < plain_text(message).index("2. Headline 0")


def test_a_label_is_not_said_twice() -> None:
    article = an_article(title="Correction: the plan")
    assert written("reply", article, kind="correction").subject == "Correction: the plan"


@pytest.mark.parametrize("told", ["staying", "gone"])
def test_what_comes_after_a_parting_is_no_reply_to_the_mail_that_told_of_what_has_left(told: str) -> None:
    article = an_article(title="Eight states agree")
    others = [Sent("<gone@x>", NOW - HOUR, frozenset(("gone",)), has_left=True)]
    if told == "staying":
        others.append(Sent("<stays@x>", NOW, frozenset(("another",))))
    sent = {article.story_id: others}
    for kind in ("update", "correction"):
        (mail,) = plan(Mailbox(ANN), [a_delivery(article, kind=kind)], sent, {}, now=NOW + 2 * HOUR, group=HOUR).mails
        if told == "staying":
            assert (mail.kind, mail.thread, [*mail.items[0].mailed]) == ("reply", ("<stays@x>",), ["another"])
        else:
            assert (mail.kind, mail.thread, mail.items[0].was_told) == ("story", (), False)
    of_the_gone = replace(a_delivery(article, kind="correction"), article_id="gone")
    (mail,) = plan(Mailbox(ANN), [of_the_gone], sent, {}, now=NOW + 2 * HOUR, group=HOUR).mails
    assert "<gone@x>" in mail.thread, "a correction follows the mail that it corrects"


def test_a_long_headline_leaves_room_for_what_else_is_there() -> None:
    first, *others = some("en", "de")
    subject = written("group", replace(first, title="word " * 90), *others).subject
    assert subject.endswith(" … and 1 more")
    assert len(subject) <= 150


def test_a_correction_shows_before_and_after_and_no_tags() -> None:
    note = "Correction: the number of states was wrong."
    versions = (
        Version(NOW - HOUR, "Nine states agree", "a", ()),
        Version(NOW + HOUR, "Eight states agree", "b", ("title",), (Edit("text", "nine", "eight"),)),
    )
    text = "Ministers of eight states met on Friday."
    article = replace(an_article(title="Eight states agree", text=text), versions=versions, version=2)
    delivery = a_delivery(article, kind="correction", passages=(Passage("text", note, ()),))
    sent = {article.story_id: [Sent("<a@x>", NOW, frozenset((article.id,)))]}
    (mail,) = plan(Mailbox(ANN), [delivery], sent, {}, now=NOW + 2 * HOUR, group=HOUR).mails
    assert (mail.kind, mail.thread, mail.items[0].mailed) == ("reply", ("<a@x>",), {article.id: NOW})
    story = MailStory(mail.items[0], article, 1)
    text = plain_text(message_of(mail, [story], SETTINGS, LINKS, TOPICS, now=NOW))
    for line in (
        f"  | {note}",
        "  in the title, before: *Nine* states agree",
        "  in the title, now: *Eight* states agree",
        "  in the text, before: Ministers of *nine* states met on Friday.",
        "  in the text, now: Ministers of *eight* states met on Friday.",
    ):
        assert line in text.splitlines()
    assert "NATO (main subject)" not in text


def test_headlines_come_first_each_with_outlet_and_sources() -> None:
    text = plain_text(written("group", *some("en", "de", "fr")))
    assert text.split("-----")[0] == (
        "3 new stories\nWed 4 Mar 2026, 05:06 UTC\n\n"
        "1. Headline 0 (The Herald, 3 independent sources)\n"
        "2. Headline 1 (The Herald, 2 independent sources)\n"
        "3. Headline 2 (The Herald, one source)\n\n"
    )


def test_the_same_passage_is_shown_once() -> None:
    wire = "Ministers agreed on a plan for the eastern flank on Wednesday, the agency reports."
    articles = some("en", "en")
    passages = (Passage("text", wire, ((0, 9),)), Passage("summary", wire.upper(), ()))
    shown = [story.quotes for story in views(written("group", *articles, passages=passages))]
    assert [len(quotes) for quotes in shown] == [1, 0]
    article = replace(articles[0], title=wire.rstrip("."))
    assert views(written("story", article, passages=passages[:1]))[0].quotes == (), "the headline says it"
    summarised = replace(articles[0], summary=wire, title=wire)
    assert views(written("story", summarised))[0].about.lead == ""


def test_passages_that_overlap() -> None:
    assert repeats(
        "… the plan for the Eastern flank of all.", "Ministers agreed on the plan for the eastern flank of all. So"
    )
    assert not repeats("Ministers agreed on the plan for the eastern flank. So it is.", "Ministers agreed on the plan")
    assert not repeats("NATO", "NATO is a short word that may well come again")
    short, long = (
        "Ministers agreed on a plan for the flank.",
        "Ministers agreed on a plan for the flank. It costs a lot.",
    )
    passages = (Passage("text", short, ()), Passage("text", long, ()))
    (story,) = views(written("story", *some("en"), passages=passages))
    assert [quote.text for quote in story.quotes] == [long]


@pytest.mark.parametrize("text", ["plain words of a sentence " * 20, "外相会合が水曜日に首都で開かれ" * 20])
@pytest.mark.parametrize("at", [0, 100, 290])
def test_a_long_passage_is_cut_around_what_matched(text: str, at: int) -> None:
    pieces = (Piece(text[:at], marked=False), Piece("MATCH", marked=True), Piece(text[at:], marked=False))
    cut = clipped([piece for piece in pieces if piece.text], 100)
    whole = "".join(piece.text for piece in cut)
    assert [piece.text for piece in cut if piece.marked] == ["MATCH"]
    assert whole.strip("… ") in f"{text[:at]}MATCH{text[at:]}"
    assert 60 <= sum(2 if ord(c) > 0x2E80 else 1 for c in whole) <= 106


def test_evidence_takes_one_line_for_each_topic() -> None:
    def tag(name: str, level: Any, score: float, *words: str) -> Tag:
        return Tag(name, level, score, tuple(Evidence("text", 0, len(w), w) for w in words))

    tags = [
        tag("counter-terrorism", "mention", 0.9, "bomb"),
        tag("nato", "main", 0.7, "NATO", "Nato", "Article 5"),
        tag("nato/summits", "mention", 0.6, "summit", "Article 5", "NATO chief", "The Hague"),
    ]
    nato, terror = topic_views(tags, TOPICS)
    assert (nato.name, nato.role, nato.parts) == ("NATO", "main subject", ("Summits",))
    assert nato.because == ("NATO", "Article 5", "summit")
    assert (terror.role, terror.because) == ("mentioned", ("bomb",))


def test_lines_are_short_and_links_stand_below_their_numbers() -> None:
    for kind in ("story", "group"):
        text = plain_text(written(kind, *a_mixed_lot(1 if kind == "story" else 6)))
        links = dict(re.findall(r"^\[(\d+)\] (https://\S+)$", text, re.MULTILINE))
        words = re.sub(r"^\[\d+\] https://\S+$", "", text, flags=re.MULTILINE)
        assert "://" not in words
        assert set(re.findall(r"\[(\d+)\]", words)) == set(links)
        assert len(set(links.values())) == len(links), "the same link has one number"
        assert max(width(line) for line in words.splitlines()) <= 76
        assert not re.search(r"\d\.\d\d\b", words), "scores are no words"


def test_times_are_in_a_named_zone() -> None:
    brussels = SETTINGS.model_copy(update={"time_zone": "Europe/Brussels"})
    (article,) = some("en")
    assert "found Wed 4 Mar 2026, 06:06 CET" in plain_text(written("story", article, settings=brussels))
    text = plain_text(written("digest", article, settings=brussels, schedule="daily at 07:00 America/New_York"))
    assert "found Wed 4 Mar 2026, 00:06 EST" in text
    assert "(all times: America/New_York)" in text
    assert "found Wed 4 Mar 2026, 05:06 UTC" in plain_text(written("story", article))


def test_a_digests_outlet_is_named_where_a_story_has_one() -> None:
    article = an_article(source=a_source(name=""))
    assert "()" not in plain_text(written("group", article, *some("en")))
