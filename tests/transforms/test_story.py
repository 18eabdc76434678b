"""Stories: what belongs together, each article placed once, in the order they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from transforms.story import Background, Profile, Recent, StoryCandidate, place, profile, stems

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
    return profile(id=name, title=title, text=text, published=MORNING + timedelta(hours=hours), **more)


def test_articles_on_one_event_are_one_story_and_others_are_not() -> None:
    recent = Recent()
    stories = {name: recent.place(made(name)).story_id for name in ARTICLES}
    assert stories == {
        "joins": "joins", "awacs": "joins", "quake": "quake", "quake2": "quake", "match": "match", "later": "later",
    }  # fmt: skip


def test_a_copy_names_the_first_of_its_kind_and_takes_its_story() -> None:
    text = " ".join(f"word{n} of the long report" for n in range(40))
    recent = Recent()
    first = profile(id="a", title="Report", text=text, published=MORNING, source="one")
    copy = profile(id="b", title="Other words", text=text, published=MORNING + timedelta(hours=1), source="two")
    third = profile(id="c", title="Third", text=text, published=MORNING + timedelta(hours=2), source="three")
    placed = [recent.place(p) for p in (first, copy, third)]
    assert [(p.story_id, p.duplicate_of) for p in placed] == [("a", None), ("a", "a"), ("a", "a")]
    much_later = profile(id="d", title="Report", text=text, published=MORNING + timedelta(days=8), source="two")
    assert recent.place(much_later).story_id == "d"


def test_placing_does_not_depend_on_the_order_of_the_candidates() -> None:
    background = Background()
    candidates = [StoryCandidate(made(n), n) for n in ("joins", "quake", "match")]
    for candidate in candidates:
        background.add(candidate.profile.terms)
    new = made("awacs")
    found = place(new, candidates, background)
    assert found == place(new, candidates[::-1], background)
    assert (found.story_id, found.duplicate_of) == ("joins", None)


def test_an_article_is_no_candidate_for_itself() -> None:
    article = made("joins")
    assert place(article, [StoryCandidate(article, "x")], Background()).story_id == "joins"


def test_likeness_falls_with_time_and_ends_with_the_window() -> None:
    a, background = made("quake"), Background()

    def after(days: float) -> float:
        title, text, _ = ARTICLES["quake2"]
        later = profile(id="b", title=title, text=text, published=a.published + timedelta(days=days))
        return place(later, [StoryCandidate(a, "quake")], background).score

    assert 1 >= after(0) == after(1) > after(3) > 0 == after(8)


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
