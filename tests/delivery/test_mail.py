"""Mails: what a reader sees, and what nobody can smuggle in."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from alerts.failing import Failing
from delivery.channels.email import EMAIL, header
from delivery.compose import Mail, MailItem
from delivery.links import Links
from delivery.made import notice_delivery
from delivery.message import Watch
from delivery.search_notices import failure_notice
from delivery.story_views import MailStory
from delivery.words import in_zone, one_line, safe_url, shortened, when
from delivery.writing import message_of
from newswatch.alert import Passage, SavedSearch
from newswatch.article import Article, Evidence, Tag
from newswatch.delivery import Delivery, DeliveryState
from newswatch.reliability import Credibility
from newswatch.settings import Settings
from store.names import Names
from tests.factories import NOW, a_source, an_article

SETTINGS = Settings(
    mail_from="newswatch@news.example", public_url="https://news.example", secret_key=SecretStr("for tests")
)
LINKS = Links(SETTINGS)
TOPICS = Names().topics()
ANN = "ann@reader.example"


def a_delivery(article: Article, **changes: Any) -> Delivery:
    whole = Delivery("ice", "Ice", article.story_id, article.id, (ANN,), DeliveryState.PENDING, NOW, not_before=NOW)
    return replace(whole, **changes)


def told(article: Article, *deliveries: Delivery, kind: Any = "story", sources: int = 1, **mail: Any) -> EmailMessage:
    """The mail as it arrives: written, sent as bytes, read again."""
    item = MailItem(article.story_id, deliveries or (a_delivery(article),))
    made = Mail(ANN, kind, (item,), "one", **mail)
    message = rendered(made, [MailStory(item, article, sources)], NOW + timedelta(minutes=1))
    return email.message_from_bytes(message.as_bytes(), policy=email.policy.default)


def rendered(mail: Mail, stories: list[MailStory], now: datetime) -> EmailMessage:
    message = EMAIL.render(message_of(mail, stories, SETTINGS, LINKS, TOPICS, now=now), SETTINGS)
    assert isinstance(message.content, EmailMessage)
    assert message.content["Message-ID"] == message.reference
    return message.content


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body
    return str(body.get_content()).replace("\r\n", "\n")


class Tags(HTMLParser):
    """Every element with its attributes, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_headers() -> None:
    message = told(an_article())
    assert message["From"] == "newswatch <newswatch@news.example>"
    assert message["To"] == ANN
    assert message["Subject"] == "Allies agree on a plan for the eastern flank"
    assert message["Date"] == "Wed, 04 Mar 2026 05:07:07 +0000"
    assert message["Message-ID"] == "<one@news.example>"
    assert message["List-Id"] == "<ice.newswatch.news.example>"
    assert re.fullmatch(r"<https://news\.example/newswatch/mail/\S+>", message["List-Unsubscribe"])
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.as_bytes().isascii(), "any server takes it"


def test_unsubscribe_link_says_what_and_who() -> None:
    message = told(an_article())
    link = LINKS.read(str(message["List-Unsubscribe"]).strip("<>").rpartition("/")[2])
    assert (link.action, link.recipient, link.saved_search_ids) == ("unsubscribe", ANN, "ice")


def test_reply_keeps_the_thread() -> None:
    references = ("<a@news.example>", "<b@news.example>")
    message = told(an_article(), kind="reply", thread=references)
    assert message["In-Reply-To"] == "<b@news.example>"
    assert message["References"] == "<a@news.example> <b@news.example>"
    assert message["Subject"] == "Re: Allies agree on a plan for the eastern flank"


def test_says_what_who_when_and_why() -> None:
    text = "NATO ministers met in Brussels on Wednesday. The summit is near, and NATO is ready."
    evidence = (Evidence("text", 0, 14, "NATO ministers"), Evidence("text", 49, 55, "summit"))
    tags = (
        Tag("nato", "main", 0.934, evidence),
        Tag("war", "mention", 0.5, ()),
        Tag("nato/summits", "mention", 0.3, ()),
    )
    article = an_article(text=text, tags=tags)
    passage = Passage("text", "NATO ministers met", ((0, 4),))
    found = told(
        article, a_delivery(article, passages=(passage,)), a_delivery(article, alert_id="b", alert_name="B"), sources=3
    )
    plain, html = part(found, "plain"), part(found, "html")
    for words in (
        article.title,
        "The Herald, Belgium",
        "published Wed 4 Mar 2026, 05:06 UTC",
        "3 independent sources",
        f"\n[1] {article.url}\n",
        "You watch: Ice; B",
        "| *NATO* ministers met",
        "NATO (main subject): Summits, because of “NATO ministers”, “summit”",
        "War (mentioned)",
        f"\n[2] https://news.example/news/article/{article.id}?k=",
        "Relevant [4]",
        "\n[4] https://news.example/newswatch/mail/",
    ):
        assert words in plain
    seen = Tags(html)
    assert "3 independent sources" in seen.text
    assert article.url in [a.get("href") for tag, a in seen.elements if tag == "a"]
    assert html.count('class="m"') == 1


def test_a_mail_says_how_reliable_the_outlet_and_how_credible_the_story_is() -> None:
    article = an_article(source=a_source(reliability="C", state_media=True))
    item = MailItem(article.story_id, (a_delivery(article),))
    story = MailStory(item, article, 2, credibility=Credibility(3, "2 independent owners"))
    message = rendered(Mail(ANN, "story", (item,), "one"), [story], NOW)
    for kind in ("plain", "html"):
        text = " ".join(part(message, kind).split())
        assert "reliability C, fairly reliable, state media" in text
        assert "credibility 3 of 6, possibly true" in text
    unrated = part(told(an_article()), "plain")
    assert "reliab" not in unrated, "nothing is said where nobody has judged"
    assert "credib" not in unrated
    group = rendered(Mail(ANN, "group", (item, item), "two"), [story, story], NOW)
    assert "The Herald, Belgium (C)" in " ".join(Tags(part(group, "html")).text.split())
    assert "(The Herald C, 2 independent sources)" in " ".join(part(group, "plain").split())


def test_title_is_marked_where_it_matched() -> None:
    article = an_article()
    passage = Passage("title", article.title, ((0, 6),))
    html = part(told(article, a_delivery(article, passages=(passage,))), "html")
    assert re.search(r"<h2.*<span class=\"m\"[^>]*>Allies</span> agree on a plan", html)


def test_without_a_passage_the_lead_stands_in() -> None:
    assert "  | Ministers met in Brussels." in part(told(an_article(tags=())), "plain")


def test_correction_says_so() -> None:
    article = an_article()
    message = told(article, a_delivery(article, kind="correction"), kind="reply")
    assert message["Subject"] == f"Correction: {article.title}"
    assert part(message, "plain").splitlines()[3] == "CORRECTION"
    assert "Correction" in Tags(part(message, "html")).text


def test_arabic_reads_from_the_right() -> None:
    article = an_article(title="الناتو ينضم إلى التحالف", language="ar")
    message = told(article)
    assert message["Subject"] == "الناتو ينضم إلى التحالف"
    heading = next(attrs for tag, attrs in Tags(part(message, "html")).elements if tag == "h2")
    assert (heading["dir"], heading["lang"]) == ("rtl", "ar")


def test_no_images_no_scripts_and_light_and_dark() -> None:
    html = part(told(an_article(image="https://herald.example/track.gif")), "html")
    assert not {tag for tag, _ in Tags(html).elements} & {"img", "script", "link", "iframe", "form", "object"}
    assert "prefers-color-scheme: dark" in html
    assert "http" not in html.partition("</style>")[0].partition("<style>")[2], "no style is fetched"


HOSTILE = '</h2><script>alert(1)</script><img src=x onerror="alert(1)">"\'{{ 7*7 }}&amp;'


def test_everything_is_escaped() -> None:
    evidence = Evidence("text", 0, len(HOSTILE), HOSTILE)
    article = an_article(
        title=HOSTILE,
        text=HOSTILE,
        source=a_source(name=HOSTILE, country=HOSTILE),
        language='en" onload="x',
        tags=(Tag(HOSTILE, "main", 1.0, (evidence,)),),
    )
    passage = Passage("text", HOSTILE, ((0, 5), (6, 20)))
    html = part(told(article, a_delivery(article, alert_name=HOSTILE, passages=(passage,))), "html")
    seen = Tags(html)
    assert not {tag for tag, _ in seen.elements} & {"script", "img"}
    assert not {name for _, attrs in seen.elements for name in attrs if name.startswith("on")}
    assert "{{ 7*7 }}" in seen.text


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://a.example/b?c=d&e=%20#f", "https://a.example/b?c=d&e=%20#f"),
        ("http://a.example/ü x", "http://a.example/%C3%BC%20x"),
        ('https://a.example/"><script>', "https://a.example/%22%3E%3Cscript%3E"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("//a.example/", None),
        ("https://", None),
        ("http://[::1", None),
        ("", None),
    ],
)
def test_only_the_web_is_linked(url: str, link: str | None) -> None:
    assert safe_url(url) == link


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: eve@evil.example", "a\nb", "a\0b", "\x85x", "=?utf-8?q?=0d=0aBcc:_eve=40evil.example?="]
)
def test_headers_cant_be_injected(name: str) -> None:
    article = an_article(title=name, source=a_source(name=name))
    message = told(article, a_delivery(article, alert_name=name))
    assert "Bcc" not in message
    assert message["Subject"] == header(name)
    assert {key.lower() for key in message.keys()} == {key.lower() for key in told(an_article()).keys()}  # noqa: SIM118


_any_text = st.text(st.characters(codec=None), max_size=200)


@hypothesis_settings(max_examples=60, deadline=None)
@given(title=_any_text, text=_any_text, name=_any_text)
def test_any_text_makes_a_mail_that_can_be_read(title: str, text: str, name: str) -> None:
    article = an_article(title=title, text=text, summary=text, source=a_source(name=name), tags=())
    message = told(article, a_delivery(article, alert_name=name, passages=(Passage("text", text, ()),)))
    assert message["Message-ID"] == "<one@news.example>"
    assert not message.defects
    assert part(message, "plain")
    assert part(message, "html").rstrip().endswith("</html>")


def test_digest_tells_every_story_the_widest_first() -> None:
    articles = [an_article(f"https://herald.example/{n}", title=f"Story number {n}.") for n in range(30)]
    items = [MailItem(a.story_id, (a_delivery(a, schedule="daily at 07:00 Europe/Brussels"),)) for a in articles]
    stories = [MailStory(item, a, 1 + n % 3) for n, (item, a) in enumerate(zip(items, articles, strict=True))]
    message = rendered(Mail(ANN, "digest", tuple(items), "d"), stories, NOW)
    assert message["Subject"] == "Story number 2. and 29 more · daily digest: Ice"
    for kind in ("plain", "html"):
        shown = part(message, kind)
        assert all(f"Story number {n}." in shown for n in range(30))
        assert shown.index("Story number 2.") < shown.index("Story number 1.") < shown.index("Story number 0.")
    assert len(part(message, "html")) < 102_000, "Gmail cuts off what is longer"


def test_long_titles_are_cut_in_the_subject_only() -> None:
    title = "word " * 100
    message = told(an_article(title=title))
    assert len(message["Subject"]) <= 150
    assert str(message["Subject"]).endswith(" …")
    assert one_line(title) in " ".join(part(message, "plain").split())


def test_small_words() -> None:
    assert when(NOW) == "Wed 4 Mar 2026, 05:06 UTC"
    assert when(NOW, ZoneInfo("Europe/Brussels")) == "Wed 4 Mar 2026, 06:06 CET"
    assert when(NOW, ZoneInfo("Asia/Kathmandu")) == "Wed 4 Mar 2026, 10:51 UTC+05:45"
    assert when(datetime(9999, 12, 31, 23, tzinfo=UTC), ZoneInfo("Asia/Kathmandu")) == "Fri 31 Dec 9999, 23:00 UTC"
    assert shortened("one two three", 9) == "one two …"
    assert shortened("one two", 9) == "one two"
    assert one_line(" a\u202e\tb\n\x07c \ud800") == "a b c ?"


# ── what is said besides stories ─────────────────────────────────────────────────────────────────────────────────────

WATCH = Watch(
    since="Tue 3 Mar 2026, 07:00 UTC",
    summary="309 of 309 feeds polled; 1 was out of reach for a time.",
    lines=("Le Monde: not reached from Wed 4 Mar, 01:06 to 03:06 UTC (2 hours): <b>503</b>",),
)
GOLDEN_DIGEST = """\
Daily digest · no stories
Wed 4 Mar 2026, 05:06 UTC

A SAVED SEARCH CAN'T BE RUN

“Ice” has not been run since Wed 4 Mar 2026, 03:06 UTC: too slow. Nothing
was matched for it since then. It is tried again by itself, and then run on
what came in during the day before. Change it [1]

------------------------------------------------------------------------

WHAT WAS WATCHED

Since Tue 3 Mar 2026, 07:00 UTC: 309 of 309 feeds polled; 1 was out of reach
for a time.

  Le Monde: not reached from Wed 4 Mar, 01:06 to 03:06 UTC (2 hours):
  <b>503</b>

------------------------------------------------------------------------

[1] https://news.example/news/searches/ice?from=mail

--"""


def a_digest(*, watch: Watch | None = WATCH, zone: str = "UTC") -> EmailMessage:
    """A digest without stories that also says of its search that it failed."""
    search = SavedSearch("ice", "Ice", "", (ANN,), schedule=f"daily at 07:00 {zone}")
    failed = failure_notice(Failing(search, NOW - timedelta(hours=2), "too slow"), NOW)
    poor = notice_delivery(search, "coverage", "coverage-1", "", NOW, NOW)
    mail = Mail(ANN, "digest", (), "one", notices=(failed, poor))
    message = message_of(mail, [], SETTINGS, LINKS, TOPICS, now=NOW, watch=watch)
    content = EMAIL.render(message, SETTINGS).content
    assert isinstance(content, EmailMessage)
    return email.message_from_bytes(content.as_bytes(), policy=email.policy.default)


def test_sentences_of_before_have_the_zone_of_their_mail() -> None:
    text = a_digest(zone="Asia/Kathmandu").get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "has not been run since Wed 4 Mar 2026, 08:51 UTC+05:45" in " ".join(text.split())
    kathmandu = ZoneInfo("Asia/Kathmandu")
    silence = "Ice: nothing since 04 Mar 2026, 18:15 UTC, or 2026-03-04 18:15 UTC; 31 Feb 2026, 05:06 UTC"
    assert in_zone(silence, kathmandu) == (
        "Ice: nothing since Thu 5 Mar 2026, 00:00 UTC+05:45, or 2026-03-05 00:00 UTC+05:45; 31 Feb 2026, 05:06 UTC"
    )
    assert in_zone(silence, UTC) is silence
    said = "See 5 Nov 2026, 10:00 UTC and 2026-11-05 10:00 UTC+02:00"
    assert in_zone(said, kathmandu) == "See Thu 5 Nov 2026, 15:45 UTC+05:45 and 2026-11-05 10:00 UTC+02:00"
    assert in_zone(in_zone(said, kathmandu), kathmandu) == in_zone(said, kathmandu)


def test_a_digest_without_stories() -> None:
    mail = a_digest()
    assert mail["Subject"] == "Daily digest, no stories: Ice"
    assert part(mail, "plain").startswith(GOLDEN_DIGEST)
    seen = Tags(part(mail, "html"))
    for words in (WATCH.summary, WATCH.lines[0], "“Ice” has not been run since"):
        assert words in seen.text
    assert "https://news.example/news/searches/ice?from=mail" in [a.get("href") for _, a in seen.elements]
    assert "b" not in {tag for tag, _ in seen.elements}, "a stranger's markup"


def test_what_was_watched_comes_after_the_stories() -> None:
    article = an_article()
    delivery = a_delivery(article, schedule="daily at 07:00 UTC")
    item = MailItem(article.story_id, (delivery,))
    mail = Mail(ANN, "digest", (item,), "one")
    message = message_of(mail, [MailStory(item, article, 1)], SETTINGS, LINKS, TOPICS, now=NOW, watch=WATCH)
    content = EMAIL.render(message, SETTINGS).content
    assert isinstance(content, EmailMessage)
    assert content["Subject"] == f"{article.title} · daily digest: Ice"
    for kind in ("plain", "html"):
        text = part(content, kind)
        assert text.index(article.title) < text.lower().index("what was watched") < text.index("Stop all mails")


def test_an_instant_mail_says_nothing_of_the_watch() -> None:
    assert "watched" not in part(told(an_article()), "plain").lower()
