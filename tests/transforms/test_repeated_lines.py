"""Lines that an outlet repeats: known by several stories, blanked in place, without weight for tags and stories."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.factories import an_article
from transforms.enrich import enrich
from transforms.grouping import Report, grouped
from transforms.repeated_lines import LEAST_CHARS, MOST_LINES, line_hashes, repeated_lines, without_lines
from transforms.tag import Tagger

APPEAL = "Support our newsroom: NATO and the fight against terrorism need reporters."
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_line_counts_by_the_stories_it_stands_in_not_by_the_articles() -> None:
    line, *_ = line_hashes(APPEAL)
    two = [("herald", story, line_hashes(APPEAL)) for story in ("a", "b")]
    assert repeated_lines(two) == {"herald": {line}}
    assert repeated_lines([("herald", "a", line_hashes(APPEAL))] * 5) == {}
    assert repeated_lines([(outlet, story, line_hashes(APPEAL)) for outlet, story in ("xa", "yb", "zc")]) == {}


def test_every_other_character_stays_in_place() -> None:
    text = f"The council met.\n{APPEAL}\nIt decided nothing,\n  {APPEAL.upper()}  \nas ever."
    blanked = without_lines(text, line_hashes(APPEAL))
    assert len(blanked) == len(text)
    assert "NATO" not in blanked.upper()
    assert all(text.index(kept) == blanked.index(kept) for kept in ("The council", "It decided", "as ever."))
    assert without_lines(text, ()) == text


def test_work_on_a_text_has_a_bound() -> None:
    text = "\n".join(f"A sentence of its own, number {n}." for n in range(3 * MOST_LINES))
    found = line_hashes(text)
    assert len(found) == MOST_LINES
    assert found[-1] == line_hashes(text.rsplit("\n", 1)[1])[0]
    assert line_hashes("x" * (LEAST_CHARS - 1)) == line_hashes("x " * 5_000) == ()


def test_what_an_outlet_repeats_gives_no_tag_and_is_remembered(tagger: Tagger) -> None:
    article = an_article(title="Council meets", summary="", text=f"The council met on roads.\n{APPEAL}")
    assert {tag.tag for tag in enrich(article, tagger).tags} >= {"nato"}
    without = enrich(article, tagger, repeated=frozenset(line_hashes(APPEAL)))
    assert without.tags == ()
    assert (without.text, without.repeated) == (article.text, line_hashes(APPEAL))
    again = replace(without, text=f"The council met on roads again.\n{APPEAL}")
    assert enrich(again, tagger).tags == ()


def test_teasers_make_no_story_and_no_copy() -> None:
    teaser = "\n".join(
        f"{place} remembers the flood of {n} after the dam of Kettleby broke, and asks who pays for its bridges."
        for n, place in enumerate(("Arden", "Brack", "Corly", "Dunmoor", "Esk", "Farley", "Gowan", "Hulme"), 1901)
    )
    events = {
        "vote": ("Parliament votes on pensions", "Deputies in Oslo raised the pension age after a night of talks."),
        "cup": ("Visitors win cup in Porto", "A late goal by Mendes won the cup final for the visitors in Porto."),
        "quake": ("Quake shakes Antofagasta", "Walls fell in the north of Chile as the earth shook for a minute."),
        "strike": ("Pilots strike in Milan", "Two hundred flights were cancelled when pilots walked out over pay."),
    }
    reports = [
        Report(id, title, f"{text}\n{teaser}", NOON + timedelta(days=8 * n), "herald", "en")
        for n, (id, (title, text)) in enumerate(events.items())
    ]
    last = NOON + timedelta(days=24)
    near = [replace(one, id=f"{one.id}2", published=last + timedelta(hours=n)) for n, one in enumerate(reports)]
    placed = grouped([*reports, *near])
    assert {name: placed[f"{name}2"].story_id for name in ("vote", "cup", "quake")} == {
        name: f"{name}2" for name in ("vote", "cup", "quake")
    }
    assert placed["strike2"].duplicate_of == "strike"
