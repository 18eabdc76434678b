"""The rules that cut, complete and trim, each by itself."""

from __future__ import annotations

import pytest
from lxml import html

from ingest.pages.missed import complete, paragraphs_of, with_standfirst
from ingest.pages.prose import visible_text
from ingest.pages.prune import prune
from ingest.pages.trim import trim

ARTICLE = "<p>" + "The ministers spoke about the mission for a long while. " * 8 + "</p>"
LINES = [
    f"This is line {n} of an article, and it is surely long enough to be a whole sentence of it." for n in range(4)
]


@pytest.mark.parametrize(
    "clutter",
    [
        "<div hidden>Sign in</div>",
        "<div aria-hidden='true'><p>Sign in</p></div>",
        "<div style='Display : none'>Sign in</div>",
        "<aside>Sign in</aside>",
        "<ul><li><a href='/a'>Sign in</a></li></ul>",
        "<ol><li>Topic: <a href='/a'>Sign in to this other story</a></li></ol>",
        "<p><a href='/a'>Sign in to read this other story</a></p>",
        "<p>Live: <a href='/a'>Sign in to follow the war</a></p>",
    ],
)
def test_clutter_is_pruned_and_what_stands_behind_it_stays(clutter: str) -> None:
    tree = html.document_fromstring(f"<html><body>{ARTICLE}{clutter} tail{ARTICLE}</body></html>")
    prune(tree)
    text = visible_text(tree)
    assert "Sign in" not in text
    assert "tail" in text
    assert text.count("ministers") == 16


@pytest.mark.parametrize(
    "kept",
    [
        f"<div hidden>{ARTICLE}</div>",
        f"<aside>{ARTICLE}{ARTICLE}</aside>",
        "<ul><li>The first demand, which <a href='/a'>he</a> made, is money.</li></ul>",
        "<p><a href='#note'>A note at the end of this very page</a></p>",
        "<p><a href='/b'>„Wir zahlen keinen Cent“, sagte die Ministerin in Brüssel.</a></p>",
        "<p>He told <a href='/a'>the newspaper that first reported it</a> so.</p>",
    ],
)
def test_what_may_be_the_article_is_not_pruned(kept: str) -> None:
    tree = html.document_fromstring(f"<html><body>{ARTICLE}{kept}</body></html>")
    before = visible_text(tree)
    prune(tree)
    assert visible_text(tree) == before


def test_lost_paragraphs_come_back_in_their_place() -> None:
    chunks = "".join(f"<div class='chunk'><p>{line}</p></div>" for line in LINES)
    other = "<div class='teaser'><p>This is the beginning of quite another story, told elsewhere.</p></div>"
    paragraphs = paragraphs_of(html.document_fromstring(f"<html><body>{chunks}{other}</body></html>"))
    assert complete(f"{LINES[1]}\n{LINES[2]}", paragraphs, at_least=1) == "\n".join(LINES)
    assert complete(f"{LINES[1]}\n{LINES[2]}", paragraphs, at_least=500) == f"{LINES[1]}\n{LINES[2]}"
    assert complete("\n".join(LINES), paragraphs, at_least=0) == "\n".join(LINES)


def test_the_paragraphs_before_an_inner_container_come_back() -> None:
    rest = "".join(f"<p>{line}</p>" for line in LINES[1:])
    ours = "<p>Write to us what you think about this story of ours.</p>"
    body = f"<div class='text'><p>{LINES[0]}</p><div class='paid'>{rest}</div>{ours}</div>"
    paragraphs = paragraphs_of(html.document_fromstring(f"<html><body>{body}</body></html>"))
    assert complete("\n".join(LINES[1:]), paragraphs, at_least=1) == "\n".join(LINES)


def test_the_standfirst_is_what_the_description_says() -> None:
    standfirst = "The allies have found a way that all can live with."
    lines = ["Menu", f"Brussels. {standfirst}", *LINES]
    assert with_standfirst(LINES[0], [standfirst], lines) == f"Brussels. {standfirst}\n{LINES[0]}"
    assert with_standfirst(LINES[0], ["News from everywhere, around the clock."], lines) == LINES[0]
    assert with_standfirst(LINES[0], [standfirst], [*LINES, standfirst]) == LINES[0]
    assert with_standfirst(f"{standfirst} More.", [standfirst], lines) == f"{standfirst} More."


@pytest.mark.parametrize(
    ("lines", "trimmed"),
    [
        (["Allies agree", *LINES], LINES),
        (["By Ann Reporter", "14 January 2026", *LINES, "AR"], LINES),
        ([LINES[0], "A heading", LINES[1]], [LINES[0], "A heading", LINES[1]]),
        ([LINES[0], "Read more: what came before it", LINES[1]], LINES[:2]),
        ([LINES[0], "Читайте также: другая новость", LINES[1]], LINES[:2]),
        ([LINES[0], "Abonnez-vous à notre lettre d’information.", LINES[1]], LINES[:2]),
        ([LINES[0], "Подпишитесь на наш канал в Telegram.", LINES[1]], LINES[:2]),
        ([LINES[0], "Abonnez-vous à la guerre, disait l’affiche.", LINES[1]],) * 2,
        ([LINES[0], "Подпишитесь под этим, сказал он пленным.", LINES[1]],) * 2,
        ([LINES[0], "Iscriviti o muori, gli disse il reclutatore.", LINES[1]],) * 2,
        ([LINES[0], LINES[0], LINES[1], LINES[0]], [LINES[0], LINES[1], LINES[0]]),
        (["One", "Two"], ["Two"]),
        ([], []),
    ],
)
def test_lines_around_the_article_are_trimmed(lines: list[str], trimmed: list[str]) -> None:
    assert trim("\n".join(lines), ["Allies agree - News Example", "Allies agree"]) == "\n".join(trimmed)
