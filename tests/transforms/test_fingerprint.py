"""Copies: found by bands, decided by their runs of words, named by their agency."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

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


def news(folder: Path) -> dict[str, dict[str, str]]:
    files = (gzip.decompress(f.read_bytes()).decode() for f in sorted(folder.glob("*_dev.jsonl.gz")))
    return {r["id"]: r for file in files for r in map(json.loads, file.strip().split("\n"))}


def day(text: str) -> datetime | None:
    for form, length in (("%Y-%m-%d", 10), ("%d-%b-%Y", 11)):
        try:
            return datetime.strptime(text.strip()[:length].title().strip(), form)
        except ValueError:
            continue
    return None


@pytest.mark.slow
def test_real_pairs_are_found_and_random_ones_are_not(shared_news: Path) -> None:
    """Pairs of Jaccard .5 and more within a week; those further apart share only what the outlet puts around."""
    articles = news(shared_news)
    with (shared_news / "neardup_pairs_dev.csv").open(encoding="utf-8", newline="") as file:
        pairs = [r for r in csv.DictReader(file) if r["id1"] in articles and r["id2"] in articles]
    near = [p for p in pairs if float(p["jaccard"]) >= 0.5 and _within_a_week(p)]
    found = [p for p in near if _found(articles[p["id1"]], articles[p["id2"]])]
    assert len(near) >= 20
    assert len(found) >= 0.97 * len(near)

    known = {frozenset((p["id1"], p["id2"])) for p in pairs}
    days: dict[str, list[str]] = defaultdict(list)
    for id, article in articles.items():
        if article.get("ds") in {"abp", "ant_multi"}:
            days[article["date"][:10]].append(id)
    draw = random.Random(1)
    drawn = [tuple(draw.sample(ids, 2)) for ids in days.values() if len(ids) > 1 for _ in range(4)]
    wrong = [p for p in drawn if frozenset(p) not in known and _found(articles[p[0]], articles[p[1]])]
    assert len(drawn) >= 2000
    assert len(wrong) <= 0.01 * len(found)


def _within_a_week(pair: dict[str, str]) -> bool:
    first, second = day(pair["date1"]), day(pair["date2"])
    return first is None or second is None or abs(first - second) <= timedelta(days=7)


def _found(a: dict[str, str], b: dict[str, str]) -> bool:
    first, second = fingerprint(a["text"]), fingerprint(b["text"])
    shared = bool(set(first.bands) & set(second.bands))
    return shared and are_copies(first, second, same_outlet=a["source"] == b["source"])
