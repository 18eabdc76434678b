"""The committed labels, and how they find their texts."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluate import labels
from benchmarks.evaluate.labels import (
    LEVELS,
    TOPICS,
    Grade,
    LabelError,
    day,
    half,
    json_lines,
    last_year,
    rows,
    sentence_id,
    written,
)

TRAPS = {
    "", "metaphor", "entity-collision", "political-rhetoric", "conventional-war", "crime", "historical",
    "listed-party-politics", "cyber", "passing", "sanctions", "state-terror",
}  # fmt: skip
REASONS = {
    "", "label", "time-place", "list", "standard", "state-terror", "war", "metaphor", "crime", "politics", "collision",
    "other",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("labels", 2_800),
        ("labels_second", 300),
        ("labels_again", 1_180),
        ("feed_labels", 650),
        ("sentence_labels", 2_000),
        ("sentence_labels_second", 500),
    ],
)
def test_there_are_enough_and_each_once(name: str, least: int) -> None:
    ids = [row["id"] for row in rows(name)]
    assert len(set(ids)) == len(ids) >= least
    assert ids == sorted(ids)


def test_sentences_read_to_fit_are_each_one_place_of_the_half_that_may_be_read() -> None:
    read = rows("read_sentences")
    places = [(r["topic"], r["article"], r["field"], int(r["start"])) for r in read]
    assert len(set(places)) == len(places) >= 300
    assert {half(row["article"]) for row in read} == {"build"}
    assert {row["grade"] for row in read} == {"", "0", "1"}
    assert {row["topic"] for row in read} <= set(TOPICS)


def test_the_third_reading_is_of_the_unread_half_and_the_fresh_articles_of_none() -> None:
    third, fresh = rows("third_labels"), rows("fresh_labels")
    assert len({row["id"] for row in third}) == len(third) == 61
    assert {half(row["id"]) for row in third} == {"test"}
    assert not {row["id"] for row in fresh} & {row["id"] for row in rows("labels")}


def test_the_two_readings_of_labelled_dev_are_of_the_same_articles() -> None:
    read = rows("labelled_dev_again")
    assert [(row["id"], row["reading"]) for row in read] == sorted((row["id"], row["reading"]) for row in read)
    first, second = ([row["id"] for row in read if row["reading"] == n] for n in ("1", "2"))
    assert first == second
    assert len(set(first)) == 157
    assert {row[f"{c}_doubt"] for row in read for c in TOPICS.values()} == {"", "01", "12", "02"}


def test_what_two_readings_differ_in_is_in_doubt() -> None:
    again = labels.read_again()
    assert again["D0040"]["nato"] == Grade(1)
    assert again["D0122"]["nato"] == Grade(0)
    assert again["D0110"]["counter-terrorism"] == Grade(0, "01")


def test_grades_doubts_and_traps_are_well_formed() -> None:
    for row in [*rows("labels"), *rows("labels_second"), *rows("labels_again"), *rows("feed_labels")]:
        for column in TOPICS.values():
            assert row[column] in {"0", "1", "2"}
            assert row[f"{column}_doubt"] in {"", "01", "12"}
            assert not row[f"{column}_doubt"] or row[column] in row[f"{column}_doubt"]
        assert row.get("trap", "") in TRAPS


@pytest.mark.parametrize(("folder", "least"), [(labels.WRITTEN, 44), (labels.UNSEEN, 12)])
def test_every_language_has_as_many_written_texts_on_both_topics(folder: Path, least: int) -> None:
    articles = written(folder)
    texts = Counter(article.language for article in articles)
    assert len(texts) >= 26
    assert min(texts.values()) >= least
    for topic in TOPICS:
        main = Counter(article.language for article in articles if article.grades[topic].best == 2)
        assert set(main) == set(texts)


def test_languages_are_named_by_their_shortest_code() -> None:
    """`eng` for `en` counted as a language that is never detected."""
    assert {row["lang"] for row in rows("labels") if len(row["lang"]) > 2} == {"pcm"}


def test_items_say_no_more_than_the_whole_text() -> None:
    whole = {row["id"]: row for row in rows("labels")}
    for row in rows("feed_labels"):
        assert row["sample"] in {"drawn", "missed", "tagged"}
        for column in TOPICS.values():
            if row["sample"] == "drawn":
                assert int(row[column]) <= int(whole[row["id"]][column])


def test_two_texts_of_one_title_are_refused(tmp_path: Path) -> None:
    line = '- [en, 0, 0, "", "Harvest begins", "Farmers brought in the first barley on Monday."]\n'
    (tmp_path / "en.yaml").write_text(line * 2, encoding="utf-8")
    with pytest.raises(LabelError, match="Harvest begins"):
        written(tmp_path)


def test_what_two_readers_see_otherwise_is_in_doubt() -> None:
    first = {"nato": "0", "nato_doubt": "", "ct": "2", "ct_doubt": ""}
    again = {"nato": "1", "nato_doubt": "12", "ct": "2", "ct_doubt": ""}
    assert labels._grade(first, "nato", None) == Grade(0)
    assert labels._grade(first, "nato", again) == Grade(0, "02")
    assert labels._grade(first, "ct", again) == Grade(2)
    assert Grade(0, "02").sure(1) is None
    assert Grade(0, "02").sure(2) is None


def test_sentences_are_well_formed() -> None:
    for row in rows("sentence_labels"):
        assert row["field"] in {"title", "text"}
        assert 0 <= int(row["start"]) < int(row["end"])
    for row in [*rows("sentence_labels"), *rows("sentence_labels_second")]:
        assert {row["nato"], row["ct"]} <= {"0", "1"}
        assert row["doubt"] in {"", "n", "c", "nc"}
        assert row["why"] in REASONS


def test_the_halves_are_the_hashes() -> None:
    assert [row["half"] for row in rows("labels")] == [half(row["id"]) for row in rows("labels")]
    assert [row["half"] for row in rows("sentence_labels")] == [half(row["article"]) for row in rows("sentence_labels")]
    assert (half("R00c9484b0d2c"), half("R008362b50b92")) == ("build", "test")


def test_what_a_second_reader_read_was_read_first() -> None:
    for name in ("labels", "sentence_labels"):
        assert {row["id"] for row in rows(f"{name}_second")} <= {row["id"] for row in rows(name)}


def test_some_articles_were_drawn_without_any_keyword() -> None:
    assert Counter(row["stratum"] for row in rows("labels"))["none"] >= 300


@pytest.mark.parametrize(
    ("grade", "any_", "main"),
    [
        (Grade(2), True, True),
        (Grade(1), True, False),
        (Grade(0), False, False),
        (Grade(1, "12"), True, None),
        (Grade(2, "12"), True, None),
        (Grade(1, "01"), None, False),
        (Grade(None, "01"), None, False),
        (Grade(None, "12"), True, None),
        (Grade(None), None, None),
    ],
)
def test_a_doubt_leaves_out_only_the_level_it_is_about(grade: Grade, any_: bool | None, main: bool | None) -> None:
    assert [grade.sure(least) for least in LEVELS.values()] == [any_, main]


def test_as_labelled_a_doubt_is_its_best_grade() -> None:
    assert [Grade(1, "12").as_labelled(least) for least in LEVELS.values()] == [True, False]
    assert Grade(None, "12").as_labelled(1) is None


def test_days_of_both_kinds_of_sets() -> None:
    assert day("2016-10-09T10:00") == datetime(2016, 10, 9, tzinfo=UTC)
    assert day("9-APR-1987 11:02") == datetime(1987, 4, 9, tzinfo=UTC)
    assert day("last week") is None


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("2024-12-04T14:11", 2024),
        ("27-MAR-1987 08:57:02.39", 1987),
        ("December 22, 2017", 2017),
        ("2022", 2022),
        ("2015-2016", 2016),
        ("2022-24", 2024),
        ("2022-11", 2022),
        ("120240", None),
        ("", None),
    ],
)
def test_the_last_year_of_a_date(date: str, year: int | None) -> None:
    assert last_year(date) == year


def test_only_a_line_feed_ends_a_line() -> None:
    assert list(json_lines('{"a": "x\u2028y\x85"}\n\n{"a": 2}\n'.encode())) == [{"a": "x\u2028y\x85"}, {"a": 2}]


# ── texts of our own, labelled in a folder of the test ───────────────────────────────────────────────────────────────

TEXT = "Allies met on Monday. They agreed on a plan."
SENTENCE = "They agreed on a plan."


@pytest.fixture
def news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one set and labels of it."""
    row = {"id": "T1", "title": "Plan", "text": TEXT, "lang": "en", "date": "15 May 2024"}
    (tmp_path / "mine_dev.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    for name, doubts in (("labelled", None), ("recent_labelled", {"nato": "12", "counter-terrorism": None})):
        graded: dict[str, Any] = {"nato": 2 if doubts is None else None, "counter-terrorism": 0, "hard_case": None}
        other = {**row, "id": name, "date": "", "labels": graded, "doubt": doubts}
        (tmp_path / f"{name}_dev.jsonl").write_text(json.dumps(other) + "\n", encoding="utf-8")
    committed = tmp_path / "labels"
    committed.mkdir()
    monkeypatch.setattr(labels, "LABELS", committed)
    write_labels(committed, "T1", "mine")
    at = TEXT.index(SENTENCE)
    write_sentences(committed, sentence_id("T1", SENTENCE), at, at + len(SENTENCE))
    return tmp_path


def write_labels(folder: Path, id: str, set_: str) -> None:
    head = "id,set,lang,half,stratum,nato,ct,nato_doubt,ct_doubt,trap"
    (folder / "labels_again.csv").write_text("id,nato,ct,nato_doubt,ct_doubt,trap\n", encoding="utf-8")
    (folder / "labels.csv").write_text(f"{head}\n{id},{set_},en,build,nato,2,0,12,,passing\n", encoding="utf-8")


def write_sentences(folder: Path, id: str, start: int, end: int) -> None:
    head = "id,article,set,lang,half,field,start,end,nato,ct,doubt,why"
    line = f"{id},T1,mine,en,build,text,{start},{end},1,0,c,other"
    (folder / "sentence_labels.csv").write_text(f"{head}\n{line}\n", encoding="utf-8")


def test_labels_meet_their_texts(news: Path) -> None:
    ours, recent, before = labels.articles(news)
    assert ours.published is None
    assert (ours.id, ours.text, ours.year, ours.trap, ours.origin) == ("T1", TEXT, 2024, "passing", "labelled")
    assert ours.grades == {"nato": Grade(2, "12"), "counter-terrorism": Grade(0)}
    assert (recent.origin, recent.grades["nato"], recent.year) == ("recent_labelled", Grade(None, "12"), None)
    assert (before.origin, before.grades["nato"]) == ("before", Grade(2))


def test_a_sentence_is_cut_by_its_offsets(news: Path) -> None:
    (sentence,) = labels.sentences(news)
    assert (sentence.text, sentence.half) == (SENTENCE, half("T1"))
    assert sentence.substantive == {"nato": True, "counter-terrorism": None}


def test_a_text_that_has_changed_is_told_by_its_id(news: Path) -> None:
    write_sentences(news / "labels", sentence_id("T1", SENTENCE), 0, len(SENTENCE))
    with pytest.raises(LabelError, match=sentence_id("T1", SENTENCE)):
        labels.sentences(news)


def test_a_label_without_its_text_is_told(news: Path) -> None:
    write_labels(news / "labels", "T2", "mine")
    with pytest.raises(LabelError, match=r"mine_dev\.jsonl\.gz holds no article 'T2'"):
        labels.articles(news)
    write_labels(news / "labels", "T1", "other")
    with pytest.raises(LabelError, match=r"other_dev\.jsonl\.gz is missing"):
        labels.articles(news)
    write_labels(news / "labels", "T1", "mine")
    (news / "labelled_dev.jsonl").unlink()
    with pytest.raises(LabelError, match=r"labelled_dev\.jsonl is missing"):
        labels.articles(news)


def test_every_committed_label_finds_its_text(shared_data: Path) -> None:
    assert len(labels.articles(shared_data / "news")) >= 1_900
    assert len(labels.sentences(shared_data / "news")) == len(rows("sentence_labels"))
