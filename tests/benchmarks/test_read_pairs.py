"""Counting pairs that were read: by set, language and half."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from benchmarks.evaluate.labels import LABELS
from benchmarks.read_pairs import HALVES, SETS, ReadPair, counted, read_pairs


def test_pairs_are_counted_by_what_became_of_them() -> None:
    pairs = [
        ReadPair("a", "b", True, "seen", "s"),
        ReadPair("a", "c", False, "seen", "s"),
        ReadPair("b", "d", True, "seen", "s"),
        ReadPair("c", "d", False, "unseen", "s"),
    ]
    got = counted(pairs, {"a": "1", "b": "1", "c": "1", "d": "2"}, {"a": "en", "b": "en", "c": "en", "d": "fr"})
    rows = {key: of.row() for key, of in got.items()}
    assert rows == {
        ("s", "within", "seen"): "1 of 1 | 1 of 1 | 0.500",
        ("s", "across", "seen"): "0 of 1 | 0 of 0 | –",
        ("s", "across", "unseen"): "0 of 0 | 0 of 1 | –",
    }


def test_open_pairs_and_those_of_both_halves_decide_nothing(tmp_path: Path) -> None:
    for name in SETS:
        (tmp_path / name).write_text(
            "a,b,same,half,second\na,b,yes,seen,same\nc,d,open,seen,affair\ne,f,no,both,another\ng,h,no,unseen,another\n",
            encoding="utf-8",
        )
    found = [(pair.a, pair.set) for pair in read_pairs(tmp_path)]
    stems = [Path(name).stem for name in SETS]
    assert found == [("a", stems[0]), ("g", stems[0]), ("a", stems[1]), ("g", stems[1])]


def test_hard_pairs_agree_with_their_readers_and_leak_into_no_other_half() -> None:
    said = {"same": "yes", "another": "no", "affair": "no", "open": "open"}
    rows: list[dict[str, str]] = []
    for name in SETS:
        with (LABELS / name).open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    hard = [row for row in rows if "first" in row]
    assert len({(row["a"], row["b"]) for row in hard}) == len(hard) == 464
    for row in hard:
        read = {said[row[reader]] for reader in ("first", "second")}
        assert row["same"] == (read.pop() if len(read) == 1 else "open")
    halves: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for side in "ab":
            halves[row[side]] |= {row["half"]} & set(HALVES)
    assert all(len(of) <= 1 for of in halves.values()), "an article is in one half"
