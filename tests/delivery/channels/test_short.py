"""Messages in short: what is said, in which markup, and what is kept when little fits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from delivery.message import Message, Notice, Piece, Row, Section
from delivery.short import Html, Markup, Mrkdwn, Plain, Short, ShortLink, ShortStory, cut, fitted, short_of
from newswatch.article import Evidence, Tag
from tests.delivery.test_glance import some, written
from tests.factories import NOW, a_source, an_article

LONG = "First it began. Then it went on for a while. At last it came to an end, as things do."


def a_story(number: int = 1, **changes: object) -> ShortStory:
    given = {
        "headline": f"Headline {number}",
        "url": f"https://{number}.example/",
        "facts": "The Herald · one source",
        "evidence": (Piece(LONG, marked=False),),
        "why": ("NATO (main subject), because of “AWACS”", "You watch: Ice"),
        "pages": (ShortLink("The whole story", "https://news.example/story"),),
        "answers": (ShortLink("Relevant", "https://news.example/yes"),),
    }
    return ShortStory(**(given | changes))  # type: ignore[arg-type]


def a_short(count: int = 1) -> Short:
    stories = tuple(a_story(number) for number in range(count))
    return Short("Subject", "" if count == 1 else f"{count} new stories", stories=stories)


def test_a_story_says_who_reports_what_and_why() -> None:
    text = fitted(short_of(written("story", an_article())), Plain(), 4_000)
    assert text.splitlines()[:5] == [
        "Allies agree on a plan for the eastern flank: https://herald.example/flank",
        "The Herald · one source · published Wed 4 Mar 2026, 05:06 UTC",
        "| Ministers met in Brussels.",
        "NATO (main subject), because of “NATO”",
        "You watch: Ice",
    ]
    for link in ("Why, word by word: ", "The whole story: ", "Enough of this story: ", "Stop these messages: "):
        assert f"\n{link}https://news.example/" in text


def test_what_is_written_from_right_to_left_does_not_turn_our_words_around() -> None:
    title, outlet = "حلف الناتو يجتمع في 3 مدن", "الصحيفة"
    article = an_article(title=title, text=title, language="ar", source=a_source(name=outlet))
    article = replace(article, tags=(Tag("nato", "main", 0.9, (Evidence("title", 0, 10, title[:10]),)),))
    lines = fitted(short_of(written("reply", article, kind="correction")), Plain(), 4_000).splitlines()
    assert lines[0].startswith(f"Correction: \u2068{title}\u2069: https://")
    assert lines[1].startswith(f"\u2068{outlet}\u2069 · one source · ")
    text = fitted(short_of(written("story", article)), Plain(), 4_000)
    assert f"\nNATO (main subject), because of “\u2068{title[:10]}\u2069”\n" in text
    chinese = an_article(title="北约开会", source=a_source(name="报"))
    assert "\u2068" not in fitted(short_of(written("story", chinese)), Plain(), 4_000)


def test_the_subject_has_the_headline_in_the_readers_language() -> None:
    assert short_of(written("group", *some("en", "de"), languages=("de",))).subject == "Headline 1 and 1 more"


@pytest.mark.parametrize(("kind", "label"), [("correction", "Correction"), ("retraction", "Retracted")])
def test_what_takes_back_earlier_news_is_grave_and_says_so(kind: str, label: str) -> None:
    short = short_of(written("reply", an_article(), kind=kind))
    assert short.is_grave
    assert short.stories[0].headline.startswith(f"{label}: ")


def test_a_notice_is_said_in_short() -> None:
    notice = Notice((Section("Not read", "bad", (Row("The Herald", "failing", "answered 503"),)),))
    short = short_of(Message("health.1", "op@news.example", "Feeds: 1 failing", NOW, "newswatch", notice))
    assert short.lines == ("The Herald: failing. answered 503",)


@pytest.mark.parametrize("markup", [Plain(), Mrkdwn(), Html()])
@pytest.mark.parametrize("count", [1, 3, 40])
def test_less_is_said_where_less_fits_and_the_link_stays(markup: Markup, count: int) -> None:
    lengths = []
    for most in (20_000, 3_000, 1_000, 400, 120):
        text = fitted(a_short(count), markup, most)
        assert len(text) <= most
        assert "https://0.example/" in text
        lengths.append(len(text))
    assert lengths == sorted(lengths, reverse=True)


def test_what_is_left_out_is_counted() -> None:
    assert fitted(a_short(40), Plain(), 400).endswith("https://7.example/\nand 32 more stories")


@pytest.mark.parametrize(
    ("most", "kept"),
    [(200, LONG), (50, "First it began. Then it went on for a while."), (20, "First it began."), (19, "")],
)
def test_a_passage_is_cut_after_a_sentence(most: int, kept: str) -> None:
    assert "".join(piece.text for piece in cut((Piece(LONG, marked=False),), most)) == kept


def test_marks_survive_the_cut() -> None:
    pieces = (Piece("First it ", marked=False), Piece("began", marked=True), Piece(f". {LONG}", marked=False))
    begun = (Piece("First it ", marked=False), Piece("began", marked=True))
    assert cut(pieces, 30) == (*begun, Piece(".", marked=False))
    assert cut(pieces, 31) == (*begun, Piece(". First it began.", marked=False))


def test_nobody_writes_markup_by_a_headline() -> None:
    hostile = Short("x", stories=(a_story(headline="<!channel> *bold* <b>|</b> @room", url="https://x.example/a|b>c"),))
    slack = fitted(hostile, Mrkdwn(), 4_000)
    assert "<!channel>" not in slack
    assert "&lt;!channel&gt;" in slack
    assert slack.startswith("<https://x.example/a%7Cb%3Ec|")
    plain = fitted(
        Short("x", stories=(a_story(headline="@everyone [a](https://b.example) ann@c.example"),)), Plain(), 4_000
    )
    assert plain.startswith("@\u200beveryone [a]\u200b(https://b.example) ann@c.example: ")
    html = fitted(hostile, Html(), 4_000)
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.text(max_size=400), st.text(max_size=2_000), st.integers(60, 3_000), st.sampled_from([Plain, Mrkdwn, Html]))
def test_no_text_breaks_a_limit(headline: str, passage: str, most: int, markup: type[Plain]) -> None:
    story = a_story(headline=headline, evidence=(Piece(passage, marked=False),))
    text = fitted(Short(headline, stories=(story,)), markup(), most)
    assert len(text) <= most
