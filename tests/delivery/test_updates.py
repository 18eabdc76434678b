"""What an update says: what is new, from which article, and not what was edited into a mailed one since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from delivery.compose import Mail, MailItem
from delivery.message import Message, StoryList
from delivery.plain_text import plain_text
from delivery.story_views import MailStory, repeats_only
from delivery.updates import COMPARED, SHOWN, as_mailed, latest_mailed, news_of
from delivery.writing import message_of
from newswatch.article import Article, Edit, Version
from tests.delivery.test_mail import ANN, LINKS, SETTINGS, TOPICS, a_delivery
from tests.factories import NOW, a_source, an_article

HOUR = timedelta(hours=1)
FIRST = an_article(
    title="A train leaves the rails",
    text="A train left the rails near Avonlea on Friday. Three people were killed, the fire brigade said.",
    tags=(),
)


def a_later(n: int, text: str, **changes: object) -> Article:
    given = {"title": f"Report {n}", "source": a_source(name=f"Paper {n}"), "tags": ()} | changes
    article = an_article(f"https://{n}.example/", text=text, published=NOW + n * HOUR, **given)
    return replace(article, story_id=FIRST.story_id)


SECOND = a_later(1, f"{FIRST.text} Five people were killed, the fire brigade says now. The line is closed.")
THIRD = a_later(2, "The line is closed. The driver is being questioned.")


def an_update(*articles: Article) -> MailStory:
    deliveries = tuple(a_delivery(article, kind="update") for article in articles)
    item = MailItem(FIRST.story_id, deliveries, {FIRST.id: NOW})
    return MailStory(item, articles[-1], 2, articles[:-1], (FIRST,))


def written(story: MailStory) -> Message:
    mail = Mail(ANN, "reply", (story.item,), "one", thread=("<a@x>",))
    return message_of(mail, [story], SETTINGS, LINKS, TOPICS, now=NOW + 3 * HOUR)


def test_an_update_says_what_is_new_and_from_where() -> None:
    message = written(an_update(SECOND, THIRD))
    text = plain_text(message)
    first, second = text.index("New in Paper 1"), text.index("New in Paper 2")
    assert "  + *Five* people were killed, the fire brigade says now." in text[first:second]
    assert "The line is closed." in text[first:second]
    assert "The driver is being questioned." in text[second:]
    assert "The line is closed." not in text[second:], "the same sentence once, from who said it first"
    assert "left the rails near Avonlea" not in text
    assert isinstance(message.body, StoryList)
    assert not message.body.stories[0].quotes


def test_a_paraphrase_is_said_to_be_no_news() -> None:
    later = a_later(1, "Near Avonlea a train left the rails on Friday.", title="A train leaves the rails near Avonlea")
    assert "Nothing in Paper 1 [1] that you were not mailed before." in plain_text(written(an_update(later)))
    assert not repeats_only(an_update(later)), "other words might mean something else"


def test_a_copy_is_recognised() -> None:
    copy = a_later(1, FIRST.text, title=FIRST.title)
    assert repeats_only(an_update(copy))
    assert not repeats_only(an_update(copy, SECOND))
    assert not repeats_only(an_update(replace(copy, title="Five killed as a train leaves the rails")))
    story = an_update(copy)
    assert not repeats_only(replace(story, mailed=())), "nothing is known of what was mailed"


def test_what_was_edited_since_the_mail_is_not_known() -> None:
    edit = Edit("text", "Two", "Three")
    first = Version(NOW - HOUR, "A train leaves", "a", ())
    edited = replace(FIRST, versions=(first, Version(NOW + HOUR, FIRST.title, "b", ("title", "text"), (edit,))))
    assert as_mailed(edited, NOW) == "A train leaves\nA train left the rails near Avonlea on Friday."
    assert as_mailed(edited, NOW + 2 * HOUR) == f"{FIRST.title}\n{FIRST.text}"
    rewritten = replace(edited, versions=(first, Version(NOW + HOUR, FIRST.title, "b", ("text",), ())))
    assert as_mailed(rewritten, NOW) == "A train leaves"
    (news,) = news_of([replace(SECOND, text=FIRST.text)], [edited], {FIRST.id: NOW}, alone=True)
    assert len(news.sentences) == 1


def test_what_does_not_fit_is_counted() -> None:
    words = ["alder", "birch", "cedar", "ebony", "hazel", "larch", "maple", "olive", "poplar", "willow"]
    text = " ".join(f"The {word} tree stands at the {word} gate." for word in words)
    for alone, shown in ((True, SHOWN), (False, 2)):
        (news,) = news_of([a_later(1, text)], [FIRST], {}, alone=alone)
        assert len(news.sentences) == shown
        assert news.more == f"{len(words) - shown} more new sentences in the article."


def test_where_not_all_fits_new_numbers_come_first() -> None:
    text = " ".join(f"The {word} tree stands at the gate." for word in ("alder", "birch", "cedar"))
    (news,) = news_of([a_later(1, f"{text} It is 70 feet high.")], [FIRST], {}, alone=False)
    assert ["".join(p.text for p in s) for s in news.sentences] == [
        "The alder tree stands at the gate.",
        "It is 70 feet high.",
    ]


def test_the_latest_articles_are_compared() -> None:
    times = {str(n): NOW + n * HOUR for n in range(COMPARED + 5)}
    assert set(latest_mailed(times)) == {str(n) for n in range(5, COMPARED + 5)}
