"""Fitting: what is left out together, and the signs that slopes must have."""

from __future__ import annotations

import pytest

from benchmarks.calibrate import kind_of
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
