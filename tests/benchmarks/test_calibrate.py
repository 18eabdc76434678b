"""Fitting: what is left out together, and the signs that slopes must have."""

from __future__ import annotations

import pytest

from benchmarks.calibrate import best_threshold, kind_of
from benchmarks.regression import TrainingExample, fit


@pytest.mark.parametrize(
    ("set_", "language", "kind"),
    [
        ("recent", "nl", "germanic"),
        ("recent_labelled", "de", "germanic"),
        ("recent", "tr", "turkish"),
        ("recent", "so", "other languages"),
        ("abp", "en", "abp"),
        ("muc3", "en", "small sets 0"),
        ("reuters21578", "en", "small sets 0"),
    ],
)
def test_sets_and_families_of_languages_are_left_out_together(set_: str, language: str, kind: str) -> None:
    assert kind_of(set_, language) == kind


def test_a_slope_with_the_wrong_sign_is_held_at_nothing() -> None:
    data = [((0.0, 1.0), True), ((1.0, 0.0), False)] * 9 + [((1.0, 1.0), True), ((0.0, 0.0), False)]
    examples = [TrainingExample("a", row, wanted) for row, wanted in data]
    free = fit(examples, ("x", "y"), frozenset(), 1.0).coefficients
    assert free[1] < 0 < free[2]
    held = fit(examples, ("volume", "silent"), frozenset({"volume"}), 1.0, frozenset({"silent"})).coefficients
    assert held[1:] == (0.0, 0.0)
    without = fit(examples, ("x", "y"), frozenset(), 1.0, zero=frozenset({"y"})).coefficients
    assert without[2] == 0.0 > without[1]


def test_the_threshold_is_where_false_and_missed_tags_are_even() -> None:
    # From .35 to .5 one is false and one missed; above, none is false.
    judged = [(True, 0.9)] * 100 + [(True, 0.31), (True, 0.62), (False, 0.51), (False, 0.32)]
    same = dict.fromkeys(("recent whole", "older feed", "written whole"), judged)
    assert best_threshold(same) == 0.4
    even = best_threshold({**same, "read whole": [(False, 0.9)] * 99})
    assert even == best_threshold(same)
