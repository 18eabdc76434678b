"""Figures and their intervals."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evaluate.measures import (
    BCubed,
    Figure,
    b_cubed,
    b_cubed_f1,
    by_event,
    f1,
    kappa,
    precision,
    recall,
    resampled,
    share,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def test_wilsons_interval_as_newcombe_tabulates_it() -> None:
    """Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3."""
    for hits, of, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        figure = share(hits, of)
        assert figure is not None
        assert (round(figure.low, 4), round(figure.high, 4)) == (low, high)


def test_nothing_to_count_is_no_figure() -> None:
    assert share(0, 0) is None
    assert f1([(False, False)]) is None
    assert precision([(True, False)]) is None
    assert recall([(False, True)]) is None
    assert kappa([]) is None
    assert kappa([(0, 0), (0, 0)]) is None
    assert resampled([], len) is None


@given(PAIRS)
def test_f1_is_the_harmonic_mean_and_lies_in_its_interval(pairs: list[tuple[bool, bool]]) -> None:
    figure, right, whole = f1(pairs), precision(pairs), recall(pairs)
    if figure is None:
        assert right is None
        assert whole is None
        return
    p, r = (share.value if share else 0.0 for share in (right, whole))
    assert figure.value == pytest.approx(2 * p * r / (p + r) if p + r else 0.0)
    assert 0 <= figure.low <= figure.noise <= figure.value <= figure.high <= 1
    assert figure.texts == len(pairs)


def test_the_interval_of_f1_covers_the_true_one() -> None:
    """95 of 100 samples; the rates of hits, misses and false alarms are those of a rare topic."""
    dice = random.Random(1)
    kinds, rates = [(True, True), (True, False), (False, True), (False, False)], [0.09, 0.03, 0.02, 0.86]
    true = 2 * 0.09 / (2 * 0.09 + 0.03 + 0.02)
    drawn = [f1(dice.choices(kinds, rates, k=300)) for _ in range(400)]
    covered = sum(figure is not None and figure.low <= true <= figure.high for figure in drawn)
    assert 0.92 <= covered / len(drawn) <= 0.98


def test_one_error_in_a_perfect_cell_is_noise_and_two_are_not() -> None:
    for size in (5, 20, 100):
        perfect = [(True, True)] * size
        one, two = ([*perfect[wrong:], *[(True, False)] * wrong] for wrong in (1, 2))
        floor = _f1(perfect).noise
        assert _f1(one).value >= floor > _f1(two).value


def _f1(pairs: list[tuple[bool, bool]]) -> Figure:
    figure = f1(pairs)
    assert figure is not None
    return figure


def test_kappa_of_the_textbook() -> None:
    """20 times both say yes, 15 both no, 5 and 10 times they differ: .7 agreed, .5 by chance."""
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    figure = kappa(pairs)
    assert figure is not None
    assert figure.value == pytest.approx(0.4)
    assert figure.low == pytest.approx(0.4 - 1.96 * (0.7 * 0.3 / 50) ** 0.5 / 0.5, abs=1e-3)


def test_b_cubed_of_a_cluster_that_holds_two_events() -> None:
    wanted = {"a": "1", "b": "1", "c": "2", "d": "3"}
    found = b_cubed(wanted, {"a": "x", "b": "x", "c": "x", "d": "y"})
    assert found == [BCubed("1", 2 / 3, 1), BCubed("1", 2 / 3, 1), BCubed("2", 1 / 3, 1), BCubed("3", 1, 1)]
    assert b_cubed_f1(found) == pytest.approx(0.8)
    assert [len(event) for event in by_event(found)] == [2, 1, 1]
    assert by_event(found[::-1]) == by_event(found)
    assert b_cubed_f1([]) == 0


def test_pairs_left_open_count_neither_way() -> None:
    wanted, joined = {"a": "1", "b": "1", "c": "2"}, {"a": "x", "b": "y", "c": "x"}
    found = b_cubed(wanted, joined, frozenset({frozenset("ab"), frozenset("ac")}))
    assert found[0] == BCubed("1", 1, 1)
    assert [(a.precision, a.recall) for a in found[1:]] == [(1, 1), (1, 1)]


def test_resampling_is_the_same_on_every_run_and_holds_the_value() -> None:
    values = [random.Random(n).random() for n in range(80)]
    first, again = (resampled(values, lambda drawn: sum(drawn) / len(drawn)) for _ in range(2))
    assert first == again
    assert first is not None
    assert first.low < first.noise < first.value < first.high
    assert first.high - first.low == pytest.approx(2 * 1.96 * 0.29 / 80**0.5, rel=0.25)
