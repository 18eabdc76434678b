"""Stories: what belongs together, each article placed once, in the order they come."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.placing import placed_in_order
from transforms.background import Background, Counts
from transforms.fingerprint import are_copies
from transforms.likeness import contradicts, likeness, weigh
from transforms.profile import Profile, profile, stems
from transforms.story import FITS, StoryCandidate, Stream, place

MORNING = datetime(2025, 5, 25, 8, tzinfo=UTC)
ARTICLES = {
    "joins": ("NATO joins coalition against ISIS", "NATO will join the coalition that fights Daesh, Stoltenberg told "
              "a news conference before the summit in Brussels. The alliance takes no part in combat.", 0),
    "awacs": ("Alliance to fly AWACS for coalition against ISIS", "AWACS planes of NATO will fly longer for the "
              "coalition against ISIS, Stoltenberg said at the summit in Brussels.", 3),
    "quake": ("Quake shakes northern Chile", "An earthquake of magnitude 6.8 shook Antofagasta in northern Chile. "
              "Nobody was hurt, the mayor said, though several walls fell.", 4),
    "quake2": ("Chile: walls fall in quake in Antofagasta", "Several walls fell when an earthquake shook Antofagasta, "
               "in the north of Chile, but nobody was hurt.", 6),
    "match": ("Late goal wins cup final", "A goal in the last minute won the cup for the visitors in Porto.", 7),
    "later": ("NATO summit ends in Brussels", "The coalition against ISIS has a new member, NATO.", 24 * 30),
}  # fmt: skip


def made(name: str, **more: str) -> Profile:
    title, text, hours = ARTICLES[name]
    return written(name, title, text, hours, **more)


def written(name: str, title: str, text: str, hours: float = 0, **more: str) -> Profile:
    moment = MORNING + timedelta(hours=hours)
    return profile(id=name, title=title, text=text, published=moment, **{"language": "en", **more})


def stories(*profiles: Profile) -> dict[str, str]:
    return {name: place.story_id for name, place in placed_in_order(profiles).items()}


def candidate(article: Profile, story: str) -> StoryCandidate:
    return StoryCandidate(weigh(article, Background()), story)


def test_articles_on_one_event_are_one_story_and_others_are_not() -> None:
    assert stories(*map(made, ARTICLES)) == {
        "joins": "joins", "awacs": "joins", "quake": "quake", "quake2": "quake", "match": "match", "later": "later",
    }  # fmt: skip


def test_a_copy_names_the_first_of_its_kind_and_takes_its_story() -> None:
    text = " ".join(f"word{n} of the long report" for n in range(40))
    stream = Stream()
    first = written("a", "Report", text, source="one")
    copy = written("b", "Other words", text, 1, source="two")
    third = written("c", "Third", text, 2, source="three")
    placed = [stream.place(p) for p in (first, copy, third)]
    assert [(p.story_id, p.duplicate_of) for p in placed] == [("a", None), ("a", "a"), ("a", "a")]
    assert stream.place(written("d", "Report", text, 24 * 8, source="two")).story_id == "d"


def test_placing_does_not_depend_on_the_order_of_the_candidates() -> None:
    candidates = [candidate(made(n), n) for n in ("joins", "quake", "match")]
    new = weigh(made("awacs"), Background())
    found = place(new, candidates)
    assert found == place(new, candidates[::-1])
    assert (found.story_id, found.duplicate_of) == ("joins", None)


def test_an_article_is_no_candidate_for_itself() -> None:
    article = made("joins")
    assert place(weigh(article, Background()), [candidate(article, "x")]).story_id == "joins"


def test_likeness_falls_with_time_and_ends_with_the_window() -> None:
    quake = made("quake")

    def after(days: float) -> float:
        title, text, _ = ARTICLES["quake2"]
        later = written("b", title, text, 4 + 24 * days)
        return place(weigh(later, Background()), [candidate(quake, "quake")]).score

    assert 1 >= after(0) > after(1) > 0 == after(8)


def test_a_story_takes_in_what_fits_the_whole_of_it() -> None:
    """Its last report, on two events, must not open it to all reports on the other one."""
    both = written(
        "both", "Quake in Chile as NATO summit ends in Brussels", ARTICLES["quake"][1] + ARTICLES["awacs"][1]
    )
    new = weigh(made("joins"), Background())
    alone = place(new, [candidate(both, "quake")])
    grown = [candidate(replace(made("quake2"), id=f"quake{n}"), "quake") for n in range(6)]
    assert alone.story_id == "quake"
    assert place(new, [candidate(both, "quake"), *grown]).story_id == "joins"


def test_the_subject_and_one_rare_word_are_no_event() -> None:
    def report(seed: int) -> Profile:
        rng = random.Random(seed)
        words = ["".join(rng.choices("abdefgiklmnoprstuvz", k=8)) for _ in range(90)]
        text = " ".join(f"NATO {' '.join(words[n : n + 28])} the Alliance." for n in (3, 31, 59))
        return written(str(seed), f"NATO {' '.join(words[:3])}", text.replace(words[3], "zubrowka"))

    one, other = report(1), report(2)
    assert one.counts.keys() & other.counts.keys() == {"nato", "allian", "the", "zubrow"}
    background = Background({"en": Counts(8, {"nato": 8, "allian": 8, "the": 8})})
    assert likeness(weigh(one, background), weigh(other, background)).probability() < FITS


def test_a_line_that_a_feed_says_of_each_is_no_text_to_copy() -> None:
    line = "Follow it all live here."
    titles = {"group": "Results of group D", "award": "Bravo leads the team of the day", "again": "Results of group D"}
    placed = placed_in_order([written(name, title, line, n) for n, (name, title) in enumerate(titles.items())])
    assert [place.duplicate_of for place in placed.values()] == [None, None, "group"]


QUAKE = ("An earthquake shook the island of Flores in Indonesia on {day}, the agency said. Walls fell in Maumere, "
         "people fled to the hills, and the port of Larantuka was closed. {more}")  # fmt: skip
TABLE = "The index of the bourse opened at {n}4,103 points, {n}3.2 up, {n}7 banks, {n}8.4, {n}9, {n}11, {n}55, {n}66."


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (("Quake of 7.7 in Indonesia", QUAKE.format(day="Friday", more="")),
         ("Quake of 5.7 in Indonesia", QUAKE.format(day="Wednesday", more="")), True),
        (("Quake of 7.7 in Indonesia", QUAKE.format(day="Friday", more="")),
         ("Quake of 7.6 in Indonesia", QUAKE.format(day="Friday", more="It was first put at 7.7.")), False),
        (("The economy in a minute (25 May 2025)", "Prices, wages and the bourse today."),
         ("The economy in a minute (26 May 2025)", "Prices and wages, and the bourse in a minute."), True),
        (("Bourse opens lower", TABLE.format(n=1)), ("Bourse opens higher", TABLE.format(n=2)), True),
        (("Deaths in Flores rise to 51", QUAKE.format(day="Friday", more="51 died.")),
         ("Deaths in Flores rise to 53", QUAKE.format(day="Friday", more="53 died.")), False),
    ],
    ids=["two magnitudes", "one magnitude revised", "issues of a series", "two days of a table", "a count that rises"],
)  # fmt: skip
def test_figures_and_dates_that_contradict_keep_apart(
    one: tuple[str, str], other: tuple[str, str], apart: bool
) -> None:
    first, second = written("a", *one, source="outlet"), written("b", *other, 24, source="outlet")
    assert contradicts(first, second) is contradicts(second, first) is apart
    if apart:
        assert stories(first, second) == {"a": "a", "b": "b"}


def test_an_outlets_partly_equal_texts_on_two_events_are_no_copies() -> None:
    own = {n: " ".join(f"{n}{a}{b}" for a in "abcdefghij" for b in "abcdefghij") for n in "qzxvwyu"}
    frame = " ".join(own[n] for n in "xvwyu")
    texts = {name: f"{ARTICLES[name][1]} {own[n]} {frame}" for name, n in (("joins", "q"), ("quake", "z"))}
    first, second = (written(name, ARTICLES[name][0], text, source="outlet") for name, text in texts.items())
    assert are_copies(first.fingerprint, second.fingerprint, same_outlet=True)
    assert set(first.fingerprint.bands) & set(second.fingerprint.bands)
    stream = Stream()
    assert [stream.place(one).duplicate_of for one in (first, second)] == [None, None]


def test_languages_meet_by_names_and_numbers_alone() -> None:
    text = "Stoltenberg, Daesh, AWACS, Kunduz, Brussels"
    english = written("en", "Stoltenberg: AWACS against Daesh", text)
    dutch = written("nl", "Stoltenberg: AWACS tegen Daesh", "Kunduz, Daesh: Stoltenberg in Brussel", language="nl")
    assert stories(english, dutch)["nl"] == "en"
    assert stories(english, replace(made("quake2"), language="nl"))["quake2"] == "quake2"
    elsewhere = replace(dutch, places=frozenset({"SY"}))
    assert stories(replace(english, places=frozenset({"AF", "BE"})), elsewhere)["nl"] == "nl"
    assert stories(replace(english, places=frozenset({"AF", "SY"})), elsewhere)["nl"] == "en"


def test_the_size_of_the_stream_does_not_move_the_weights() -> None:
    few, many = (Background({"en": Counts(n, {"quake": n // 10})}) for n in (50_000, 500_000))
    for stem in ("quake", "kettle"):
        assert few.rarities("en", [stem])[stem] == pytest.approx(many.rarities("en", [stem])[stem], abs=0.01)
    unknown = [Background({"xx": Counts(n, {"quake": n // 10})}) for n in (2_000, 200_000)]
    for stem in ("quake", "kettle"):
        assert unknown[0].rarities("xx", [stem])[stem] == pytest.approx(
            unknown[1].rarities("xx", [stem])[stem], abs=0.01
        )
    assert few.rarities("en", ["kettle"])["kettle"] > few.rarities("en", ["quake"])["quake"]


def test_the_fingerprint_is_made_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    monkeypatch.setattr("transforms.profile.fingerprint", refuse)
    one, other = (weigh(made(n), Background()) for n in ("joins", "awacs"))
    assert place(one, [replace(StoryCandidate(other, "x"), shares_band=False)]).story_id == "x"
    assert likeness(one, other).probability() == likeness(other, one).probability()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Terrorists and terrorism, 2025", ["terror", "and", "terror", "2025"]),
        ("والناتو للحلف الإرهابيين", ["ناتو", "حلف", "ارهاب"]),
        ("北约峰会", ["北约", "约峰", "峰会"]),
        ("a 7", []),
    ],
)
def test_stems(text: str, found: list[str]) -> None:
    folded = [s for word in found for s in stems(word)] if found and not text.startswith("北") else found
    assert stems(text) == folded or stems(text) == found


def test_an_outlets_words_again_days_later_under_another_headline_are_no_copy() -> None:
    said = "Follow all the matches of the cup live with our reporters in the stadiums, minute by minute, goal by goal."
    first = written("first", "The results of the quarter-finals", said, source="radio")
    later = {
        hours: place(
            weigh(written("later", title, said, hours, source=source), Background()), [candidate(first, "first")]
        )
        for hours, title, source in (
            (24, "The results of the semi-finals", "radio"),
            (100, "The results of the semi-finals", "radio"),
            (101, "The results of the quarter-finals", "radio"),
            (102, "The results of the semi-finals", "press"),
        )
    }
    assert {hours: found.duplicate_of for hours, found in later.items()} == {
        24: "first", 100: None, 101: "first", 102: "first",
    }  # fmt: skip
