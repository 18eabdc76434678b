"""Pages built in other ways than `article` and `p`, after reports of extractors: the article's words, and no others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.pages.extract import extract
from ingest.pages.extracted import Extracted

NOW = datetime(2026, 9, 1, tzinfo=UTC)
URL = "https://www.courier.example/world/frigate-leaves"
LINES = [
    "The frigate left the port of Constanța on Tuesday with two hundred sailors on board, the navy said in Bucharest.",
    "It is to watch the coast between the delta and the strait, and to take part in four exercises of the Alliance.",
    "The minister said that a second ship would follow in autumn, once the crew had been trained in the simulator.",
    "Two other allies have promised aircraft for the same mission, a diplomat said, but no date was agreed upon yet.",
]
CLASSES = ("comment", "related", "sponsor", "footer")
H1 = "<h1>Frigate leaves port</h1>"
COOKIES = "<div><p>We use cookies to improve your visit. You accept our policy.</p><button>Accept all</button></div>"


def paragraphs(lines: list[str]) -> str:
    return "".join(f"<p>{line}</p>" for line in lines)


def read(body: str, lang: str = "en") -> Extracted:
    page = (
        f'<!doctype html><html lang="{lang}"><head><title>Frigate leaves port</title></head><body>{body}</body></html>'
    )
    return extract(page, url=URL, now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        f"<main>{H1}<aside class=story>{paragraphs(LINES)}</aside></main>{COOKIES}",
        f"{H1}<div class='comments-enabled story'>{paragraphs(LINES)}</div>",
        f"<table><tr><td><a href=/a>A</a></td><td>{H1}{paragraphs(LINES)}</td><td>Most read</td></tr></table>",
        f"<main>{H1}"
        + "".join(f"<p class={name}-text>{x}</p>" for name, x in zip(CLASSES, LINES, strict=True))
        + "</main>",
        f"<div class=text>{H1}<p>{LINES[0]}</p><div class=paid>{paragraphs(LINES[1:])}</div></div>",
        f"<article>{H1}<p>{LINES[0]}</p><figure class=image><img src=a.jpg><figcaption>The frigate Regele in port."
        f"</figcaption></figure>{paragraphs(LINES[1:])}</article>",
        f"<article>{H1}<p>{LINES[0]}</p><div class=article-photo><img src=a.jpg><p>The frigate Regele in its port, as "
        f"seen on Monday by a reader.</p></div>{paragraphs(LINES[1:])}</article>",
        f"<article>{H1}<p>{LINES[0]}</p><article><a href=/x><div><h3>Why a third frigate was never built</h3><span>"
        f"Read it</span></div></a></article>{paragraphs(LINES[1:])}</article>",
        f"<article>{H1}" + paragraphs(LINES).replace("navy", "navy<span class=sr-only> (opens a window)</span>")
        + "</article>",
        f"<article>{H1}" + paragraphs(LINES).replace("navy", "navy<span class=u-visually-hidden> (link)</span>")
        + "</article>",
    ],
    ids=["aside", "comments-enabled", "table", "classes", "paid", "figure", "photo", "card", "sr-only", "hidden"],
)  # fmt: skip
def test_the_article_and_nothing_else(body: str) -> None:
    found = read(body)
    assert found.text == "\n".join(LINES)
    assert found.status == "full"


def test_a_table_of_numbers_stays_one() -> None:
    table = "<table><tr><th>Ship</th><th>Crew</th></tr><tr><td>Regele</td><td>240</td></tr></table>"
    assert "| Regele | 240 |" in read(f"<article>{H1}{paragraphs(LINES)}{table}<p>{LINES[0][::-1]}.</p></article>").text


@pytest.mark.parametrize(
    ("ruby", "plain"),
    [
        ("<ruby>弾劾<rp>（</rp><rt>だんがい</rt><rp>）</rp></ruby>", "弾劾（だんがい）"),
        ("<ruby>弾劾<rt>だんがい</rt></ruby>", "弾劾"),
        ("<ruby><rb>弾劾</rb><rtc><rt>だんがい</rt></rtc></ruby>", "弾劾"),
    ],
)
def test_a_reading_ends_no_paragraph(ruby: str, plain: str) -> None:
    line = "野党は政府高官らへの{}訴追案を提出し、自由民主主義体制の転覆を企てていると指摘した。"
    body = (
        f"<article>{H1}<p>{line.format(ruby)}</p><p>大統領は三日夜、緊急談話を出し、非常戒厳を宣言した。</p></article>"
    )
    assert read(body, "ja").text.split("\n")[0] == line.format(plain)


@pytest.mark.parametrize(
    "line", ["نشست بعدی در لاهه برگزار می\u200cشود و سی\u200cودو کشور در آن شرکت می\u200cکنند.", "क्\u200dष की बैठक हुई।"]
)
def test_joiners_are_letters_of_the_word(line: str) -> None:
    assert line in read(f"<article>{H1}<p>{line}</p><p>{line} {LINES[0]}</p></article>", "fa").text


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("<p class=meta>Published: August 30, 2026</p>", 30),
        ("<div>Κυριακή 30 Αυγούστου 2026, 18:00</div>", 30),
        ("<span>2026年8月30日 18:00</span>", 30),
        ("<p>© 2019</p>", None),
        ("<p>Tel. 030 2019 12 24</p>", None),
        (
            "<p>On 22 July 2011 the same ship had come to Oslo. On 22 July 2011 it had left again for the Baltic.</p>",
            None,
        ),
        ("<script>var expires = '2027-01-31';</script>", None),
    ],
)
def test_a_date_is_read_below_the_heading_and_never_guessed(line: str, day: int | None) -> None:
    today = "<header><div>Tuesday, 1 September 2026</div></header>"
    found = read(f"{today}<article>{H1}{line}{paragraphs(LINES)}</article>").published
    assert (found.day if found else None) == day


@pytest.mark.parametrize(
    ("stated", "when"),
    [
        ("<time datetime='2026-08-30T13:55:00-07:00'>Sunday</time>", datetime(2026, 8, 30, 20, 55, tzinfo=UTC)),
        (
            "<abbr itemprop=datePublished title='2026-08-30T03:55:00Z'>x</abbr>",
            datetime(2026, 8, 30, 3, 55, tzinfo=UTC),
        ),
        ("<time datetime='2026-08-29T13:55:00Z'>Saturday</time>", datetime(2026, 8, 30, tzinfo=UTC)),
        ("<time datetime='2026-08-30T01:00Z'>a</time><time datetime='2026-08-30T02:00Z'>b</time>", None),
    ],
)
def test_a_day_in_the_address_takes_its_time_from_the_page(stated: str, when: datetime | None) -> None:
    """AndyTheFactory/newspaper4k#26: the day of the address went before the minute on the page."""
    page = f"<html><body>{H1}{stated}{paragraphs(LINES)}</body></html>"
    found = extract(page, url="https://www.courier.example/2026/08/30/frigate-leaves", now=NOW)
    assert found.published == (when or datetime(2026, 8, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 400 + H1 + paragraphs(LINES) + "</div>" * 400,
        "<div>" * 300 + "</div>" * 300 + H1 + paragraphs(LINES),
        "<span>" * 300 + H1 + paragraphs(LINES),
        H1 + "<!-- </b> --><script>'</b>'</script><b>" * 300 + paragraphs(LINES),
    ],
)
def test_nothing_is_lost_behind_deep_nesting(body: str) -> None:
    """libxml2 stops at 256 elements: three hundred tags that nobody closed hid the article behind them."""
    page = f"<html><body>{body}</body></html>"
    for sent in (page, page.encode()):
        found = extract(sent, url=URL, now=NOW)
        assert (found.text, found.title) == ("\n".join(LINES), "Frigate leaves port")
