"""Copies: found by bands, decided by their runs of words, named by their agency."""

from __future__ import annotations

import random

import pytest

from transforms.fingerprint import (
    BANDS,
    Fingerprint,
    agency,
    are_copies,
    bands,
    containment,
    fingerprint,
    jaccard,
    own_words,
    text_hash,
)

WORDS = [
    f"{a}{b}" for a in ("bri", "sto", "ka", "lum", "ver", "ni") for b in ("dge", "ne", "ter", "mos", "ral", "gi", "p")
]
rnd = random.Random(7)
STORY = " ".join(rnd.choices(WORDS, k=220))


def test_the_hash_is_of_the_words() -> None:
    assert text_hash("A  b", "c\n\nd ") == text_hash("A b", "c d")
    assert text_hash("A b", "c d") != text_hash("A b", "c d e")
    assert text_hash("A", "b") != text_hash("A b", "")


def edited(text: str, every: int) -> str:
    """`text` with one word in so many put in place of another."""
    return " ".join("changed" if n % every == every - 1 else w for n, w in enumerate(text.split()))


def test_a_copy_shares_a_band_and_most_runs() -> None:
    whole, copy = fingerprint(STORY), fingerprint("BRUSSELS, May 25 (Reuters) - " + edited(STORY, 30))
    assert len(set(whole.bands)) == BANDS
    assert set(whole.bands) & set(copy.bands)
    assert are_copies(whole, copy)
    assert 0.6 < jaccard(whole, copy) < 0.9


def test_a_shortened_copy_is_contained() -> None:
    whole, half = fingerprint(STORY), fingerprint(" ".join(STORY.split()[:80]))
    assert jaccard(whole, half) < 0.45
    assert containment(whole, half) == 1.0
    assert are_copies(whole, half)


def test_other_words_are_no_copy() -> None:
    other = fingerprint(" ".join(random.Random(8).choices(WORDS, k=220)))
    assert not are_copies(fingerprint(STORY), other)
    assert not set(fingerprint(STORY).bands) & set(other.bands)


def test_a_short_text_has_no_bands_and_an_empty_one_is_like_nothing() -> None:
    assert bands("Two words only") == ()
    empty = fingerprint("")
    assert (jaccard(empty, empty), containment(empty, empty), are_copies(empty, empty)) == (0.0, 0.0, False)


def test_bands_are_the_same_in_every_process() -> None:
    assert bands(STORY)[0] == "2.00.5068c1e703e3"


def table(prices: list[str]) -> Fingerprint:
    crops = ("yellow corn at the gulf", "soybeans by barge", "hard red wheat", "white oats by rail", "new crop rye")
    rows = " ".join(
        f"Number two {crop} for delivery in the coming month was quoted by {n} of the dealers asked at {price} cents"
        for n, (crop, price) in enumerate(zip(crops, prices, strict=True))
    )
    return fingerprint("Midwest cash grain, slow country movement, dealers said. " + rows + " at the close today.")


def test_two_tables_of_one_outlet_on_one_template_are_no_copies() -> None:
    monday, tuesday = table(["151", "162", "173", "184", "195"]), table(["251", "262", "273", "284", "295"])
    assert jaccard(monday, tuesday) >= 0.45
    assert not are_copies(monday, tuesday, same_outlet=True)
    assert are_copies(monday, table(["151", "162", "173", "184", "196"]), same_outlet=True)


def test_what_the_outlet_puts_around_is_cut() -> None:
    text = "Image copyright Getty\nLONDON (AP) — The minister resigned.\nRead more: ten facts\nReporting by A. Writer"
    assert own_words(text) == "The minister resigned."
    assert own_words("He said (in part) that it was so.") == "He said (in part) that it was so."


@pytest.mark.parametrize(
    ("text", "authors", "name"),
    [
        ("BRUSSELS, May 25 (Reuters) - NATO will join.", (), "Reuters"),
        ("WASHINGTON (AP) — The president said.", (), "AP"),
        ("Wien (APA/dpa) - Der Minister sagte.", (), "APA"),
        ("Berlin – Der Minister trat zurück.\n(dpa, 25.5.2017)", (), "dpa"),
        ("PARIS (AFP) - Le ministre", (), "AFP"),
        ("قال الوزير إنه استقال (رويترز)", (), "Reuters"),
        ("МОСКВА, 25 мая - ТАСС. Министр заявил", (), "TASS"),
        ("The minister said so.", ("Associated Press",), "AP"),
        ("The minister said so.", ("By Reuters",), "Reuters"),
        ("The minister told Reuters that he would stay.", (), None),
        ("A map (AA) of the town", (), "Anadolu"),
        ("The minister stayed (and smiled).", ("Jane Doe",), None),
        ("", (), None),
    ],
)
def test_the_agency_is_read_from_credit_lines(text: str, authors: tuple[str, ...], name: str | None) -> None:
    assert agency(text, authors) == name
