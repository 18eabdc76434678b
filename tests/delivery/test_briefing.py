"""Briefings: every sentence verbatim with its source and time, what changed, and a PDF without empty boxes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, timedelta
from email.message import EmailMessage

import pytest
from elasticsearch import Elasticsearch

from alerts import schedule
from alerts.match import match_batch
from alerts.saved import SavedSearches
from delivery import briefing_pdf as pdf
from delivery import composing
from delivery.briefing import LEADING, Moved, changed, said_of
from delivery.briefing_pdf import _Drawn, briefing_pdf
from delivery.compose import MailItem
from delivery.deliver import deliver
from delivery.outbox import Outbox
from newswatch.article import Article
from newswatch.settings import Settings
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.broken_slice import broken_slice
from tests.delivery.channels.mails import a_briefing
from tests.delivery.post_office import PostOffice
from tests.delivery.test_mail import ANN, a_delivery
from tests.factories import NOW, a_source, an_article

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TIMES = "daily briefing at 07:00 UTC"
SEVEN = NOW.replace(hour=7, minute=0, second=0)


def test_a_briefing_is_a_schedule() -> None:
    daily, weekly = schedule.parse(TIMES), schedule.parse("Weekly briefing on friday at 06:30 Europe/Brussels")
    assert (daily.briefing, daily.every, daily.digest) == (True, "daily", True)
    assert (weekly.briefing, weekly.weekday) == (True, 4)
    assert not schedule.parse("daily at 07:00 UTC").briefing
    for wrong in ("instant briefing", "hourly briefing", "briefing at 07:00 UTC", "daily on friday at 07:00 UTC"):
        with pytest.raises(ValueError, match="is not a schedule"):
            schedule.parse(wrong)


def test_sentences_are_verbatim_with_source_and_time() -> None:
    first = an_article(title="A train leaves the rails", text="A train left the rails on Friday. It was empty. " * 2)
    text = "The rails left a train on Friday. The driver is questioned by “the police”."
    other = an_article(
        "https://b.example", title="Questions", text=text, source=a_source(name="B"), published=NOW + HOUR
    )
    said = said_of(first, [other, first], (), UTC)
    assert [(one.text, one.outlet, one.at) for one in said] == [
        ("A train left the rails on Friday.", "The Herald", "Wed 4 Mar 2026, 05:06 UTC"),
        ("It was empty.", "The Herald", "Wed 4 Mar 2026, 05:06 UTC"),
        ("The driver is questioned by “the police”.", "B", "Wed 4 Mar 2026, 06:06 UTC"),
    ]
    assert len(said) <= LEADING + 1


def test_what_changed_is_said_in_numbers() -> None:
    kinds = ("story", "update", "story")
    items = [MailItem(str(n), (a_delivery(an_article(), kind=kind),)) for n, kind in enumerate(kinds)]
    moved = [Moved(f"Story {n}", n + 1) for n in range(12)]
    lines = changed(items, moved, NOW, UTC)
    assert lines[0] == "Since Wed 4 Mar 2026, 05:06 UTC: 2 new stories, 1 story that goes on."
    assert lines[1:3] == ("Story 0: 1 more report.", "Story 1: 2 more reports.")
    assert lines[-1] == "2 more stories of earlier mails go on."
    assert changed([], [], NOW, UTC) == ("Since Wed 4 Mar 2026, 05:06 UTC: no new story.",)


def test_letters_without_a_font_are_counted_and_never_boxes_in_silence() -> None:
    drawn = _Drawn(lambda _: False)
    assert drawn.text("Plain, déjà vu, Ελλάδα, НАТО") == "Plain, déjà vu, Ελλάδα, НАТО"
    assert drawn.text("A flag \U0001f3f3 over the gate") == "A flag □ over the gate"
    for text, script in (("اتفق الوزراء", "Arabic"), ("国防部长", "CJK"), ("外相会合が開かれた", "CJK")):
        assert drawn.text(text).startswith(f"[in {script} script: no font here can show it")
    assert drawn.told() == [
        "1 text in Arabic script could not be shown, for want of a font on the server. The mail has them.",
        "2 texts in CJK script could not be shown, for want of a font on the server. The mail has them.",
        "1 character without a font here: □.",
    ]


@pytest.mark.slow
def test_the_pdf_holds_every_story_and_no_text_is_markup() -> None:
    message = a_briefing(15)
    story = message.body.stories[0]  # type: ignore[union-attr]
    hostile = replace(story, headline='#panic("x") $x$ `y` <z> @w \\ *b* \0')
    body = replace(message.body, stories=(hostile, *message.body.stories[1:]))  # type: ignore[arg-type, union-attr]
    made = briefing_pdf(replace(message, body=body), lambda _: False)
    assert (made.name, made.media_type) == ("briefing-2026-03-04.pdf", "application/pdf")
    assert made.content.startswith(b"%PDF-")
    assert made.content == briefing_pdf(replace(message, body=body), lambda _: False).content


@pytest.mark.slow
def test_a_pdf_has_a_budget_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    message = a_briefing(6)
    with_tags = len(briefing_pdf(message, lambda _: False).content)
    monkeypatch.setattr(pdf, "MOST_BYTES", with_tags - 1)
    assert len(briefing_pdf(message, lambda _: False).content) < with_tags, "first the tags for screen readers go"
    monkeypatch.setattr(pdf, "MOST_BYTES", 1_000)
    with pytest.raises(RuntimeError, match="more than 1,000 bytes"):
        briefing_pdf(message, lambda _: False)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["briefing ", ""])
def test_a_story_told_before_is_told_by_what_is_new(
    form: str, es: Elasticsearch, names: Names, posted: Settings, office: PostOffice
) -> None:
    press, search = Press(es, names), a_search("ice", "glacier", updates=True, schedule=f"daily {form}at 07:00 UTC")
    SavedSearches(es, names).save(search, by="test", now=NOW)
    first = a_story(1)
    told, alike = (
        "The mayor of the valley resigned on Wednesday.",
        "The glacier is watched by several drones this week.",
    )
    publish(press, first, at=0)
    publish(press, replace(a_story(11), story_id=first.story_id, title="The mayor goes", text=told), at=1)
    assert deliver(es, names, posted, now=SEVEN).sent == 1
    later = f"{told} Officials spoke of the glacier plan number 1 on Wednesday. {alike} It cost 70 million crowns."
    publish(press, replace(a_story(12), story_id=first.story_id, title="Drones over the ice", text=later), at=20)
    publish(press, a_story(3, title="A fleet of drones", text=f"{alike} Nobody had expected so many of them."), at=21)
    assert deliver(es, names, posted, now=SEVEN + DAY).sent == 1
    one, two = (re.sub(r"\s+(?:[|+] )?", " ", plain(mail)).replace("*", "") for mail in office.messages)
    assert not office.messages[1]["In-Reply-To"], "a digest stays one mail"
    assert "spoke of the glacier plan" in one
    assert (told in one) == bool(form)
    assert "UPDATE" in two
    assert ("70 million crowns" in two, "Nobody had expected so many" in two) == (True, True)
    assert (two.count(alike), two.count("spoke of the glacier plan")) == (1, 0), "nothing twice in one mail or in two"
    assert (told in two) != bool(form), "a digest has not said what a briefing has"


def publish(press: Press, *articles: Article, at: int) -> None:
    now = NOW + at * HOUR
    searches = SavedSearches(press.es, press.names).enabled(now=now)
    fetched = [replace(article, first_seen=now) for article in articles]
    matches = match_batch(press.es, press.names, press.publish(*fetched, now=now), searches).matches
    Outbox(press.es, press.names).enqueue(matches, searches, now)


@pytest.mark.slow
def test_a_briefing_from_match_to_mail(
    es: Elasticsearch, names: Names, posted: Settings, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    press = Press(es, names)
    SavedSearches(es, names).save(a_search("ice", "glacier", schedule=TIMES), by="test", now=NOW)
    first, second = a_story(1), a_story(2, title="The glacier of plan 2")
    publish(press, first, second, at=0)
    publish(press, replace(a_story(11), story_id=first.story_id, text="The mayor resigned on Wednesday."), at=1)
    assert deliver(es, names, posted, now=SEVEN - HOUR).sent == 0
    assert deliver(es, names, posted, now=SEVEN).sent == 1
    assert deliver(es, names, posted, now=SEVEN + HOUR).sent == 0
    mail = office.messages[0]
    text = plain(mail)
    assert str(mail["Subject"]).endswith(" and 1 more · daily briefing: Ice")
    assert "2 new stories." in text
    assert "  | The mayor resigned on Wednesday." in text
    assert "    - The Herald, Wed 4 Mar 2026, 05:06 UTC [" in text
    assert "WHAT WAS WATCHED" in text
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_content().startswith(b"%PDF-")

    publish(press, a_story(3, title="A third glacier"), at=20)
    publish(press, replace(a_story(12), story_id=first.story_id, text="Another word on it."), at=21)
    monkeypatch.setattr(composing, "briefing_pdf", lambda _: json.loads("no PDF"))
    with broken_slice(es, names):
        assert deliver(es, names, posted, now=SEVEN + DAY).sent == 1
    text = plain(office.messages[1])
    assert composing.TOO_LOW in re.sub(r"\s+", " ", text), "a slice could not be searched this time"
    assert composing.TOO_LOW not in re.sub(r"\s+", " ", plain(mail))
    assert f"{first.title}: 1 more report." in text
    assert "This briefing’s PDF could not be made" in text
    assert not list(office.messages[1].iter_attachments())
    assert ANN in str(mail["To"])


def plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part
    return str(part.get_content())


@pytest.mark.slow
def test_a_briefing_that_is_too_large_for_the_server_comes_without_its_pdf(
    es: Elasticsearch, names: Names, posted: Settings, office: PostOffice
) -> None:
    press = Press(es, names)
    SavedSearches(es, names).save(a_search("ice", "glacier", schedule=TIMES), by="test", now=NOW)
    publish(press, a_story(1), at=0)
    office.on_data = lambda recipient, before: None if before else "552 5.3.4 Message size exceeds fixed limit"
    assert deliver(es, names, posted, now=SEVEN).sent == 1
    (mail,) = office.messages
    assert list(mail.iter_attachments()) == []
    told = " ".join(plain(mail).split())
    assert "briefing-2026-03-04.pdf is left out: the mail server takes no mail of that size." in told
    assert deliver(es, names, posted, now=SEVEN + HOUR).sent == 0, "nothing is repeated"
