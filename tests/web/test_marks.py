"""Marks in a text: escaped, overlapping, and where they belong. Pure."""

from __future__ import annotations

from newswatch.article import Article, Evidence, Tag
from search.highlight import MARK_END, MARK_START
from tests.factories import an_article
from web.marks import Mark, anchor_of, evidence_marks, marked, paragraphs, snippets

TEXT = "Ministers met.\nNATO's <b>AWACS</b> & tankers fly over Daesh."


def an_article_with_evidence() -> Article:
    nato = Evidence("text", 15, 19, "NATO")
    flights = Evidence("text", 25, 30, "AWACS")
    return an_article(
        text=TEXT,
        summary="",
        tags=(Tag("nato", "main", 0.9, (nato, flights)), Tag("nato/operations", "mention", 0.5, (flights,))),
    )


def test_all_text_is_escaped_inside_and_outside_of_marks() -> None:
    html = marked("a <i> & <b>", [Mark(2, 5, "q")])
    assert html == 'a <mark class="q">&lt;i&gt;</mark> &amp; &lt;b&gt;'


def test_marks_that_overlap_are_both_there_and_nested() -> None:
    html = marked("abcd", [Mark(0, 3, "nato", "why"), Mark(2, 4, "q")])
    assert html == (
        '<mark class="ev ev-nato" title="why">ab</mark>'
        '<mark class="ev ev-nato" title="why"><mark class="q">c</mark></mark><mark class="q">d</mark>'
    )


def test_a_label_cannot_leave_its_attribute() -> None:
    assert 'title="&#34;&gt;&lt;script&gt;"' in marked("ab", [Mark(0, 1, "nato", '"><script>')])
    assert marked("ab", [Mark(0, 1, '"><script>', "x")]).startswith('<mark class="ev ev-other"')


def test_evidence_of_two_tags_is_one_mark_that_names_both() -> None:
    labels = {(m.start, m.end): m.label for m in evidence_marks(an_article_with_evidence(), "text")}
    assert labels == {(15, 19): "evidence for nato", (25, 30): "evidence for nato, nato/operations"}


def test_paragraphs_keep_their_offsets_and_an_anchor_stands_once() -> None:
    whole = "Ministers met.\nNATO's <b>" + MARK_START + "AWACS" + MARK_END + "</b> & tankers fly over Daesh."
    first, second = paragraphs(an_article_with_evidence(), [whole])
    assert first == "Ministers met."
    assert second.count(f'id="{anchor_of("text", 25)}"') == 1
    assert '<mark class="q">AWACS</mark>' in second
    assert "&lt;b&gt;" in second


def test_a_highlight_of_another_text_marks_nothing() -> None:
    assert "mark" not in "".join(
        paragraphs(an_article(text="New text.", tags=()), [f"{MARK_START}Old{MARK_END} text."])
    )


def test_a_snippet_shows_what_matches_else_the_evidence_else_the_beginning() -> None:
    article = an_article_with_evidence()
    fragment = f"tankers fly over {MARK_START}Daesh{MARK_END}."
    assert snippets(article, {"text": (fragment,)}) == ['tankers fly over <mark class="q">Daesh</mark>.']
    assert snippets(article, {})[0].startswith('<mark class="ev ev-nato" title="evidence for nato">NATO</mark>')
    assert snippets(an_article(tags=(), summary="In short."), {}) == ["In short."]
    assert snippets(an_article(tags=(), summary="", text=""), {}) == []


def test_a_long_paragraph_is_cut_between_words_and_says_so() -> None:
    text = "word " * 100 + "NATO " + "word " * 100
    article = an_article(text=text, tags=(Tag("nato", "main", 1, (Evidence("text", 500, 504, "NATO"),)),))
    (snippet,) = snippets(article, {})
    assert snippet.startswith("… word")
    assert snippet.endswith("word …")
    assert len(snippet) < 330
