"""The committed evaluation: its page is its JSON, its labels are those at hand, and nothing has dropped since.

The last needs the development data beside the project; each part is skipped by name without it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluate.__main__ import DATA, PAGE, TWIN
from benchmarks.evaluate.floors import below, is_guarded, read_floors
from benchmarks.evaluate.labels import LABELS, rows
from benchmarks.evaluate.readers import reader_figures
from benchmarks.evaluate.report import as_json, figures_of, render
from benchmarks.evaluate.run import PARTS, EvaluationPart, hashes


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    return dict(json.loads(TWIN.read_text(encoding="utf-8")))


def test_the_page_is_rendered_from_its_twin(committed: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == render(committed)


def test_the_committed_figures_are_not_below_their_floors(committed: dict[str, Any]) -> None:
    assert below(read_floors(), figures_of(committed)) == []


def test_every_guarded_figure_has_a_floor(committed: dict[str, Any]) -> None:
    guarded = {path for path, figure in figures_of(committed).items() if is_guarded(path, figure)}
    assert guarded <= read_floors().keys()
    assert len(guarded) >= 150


def test_both_halves_and_every_language_with_enough_texts_are_guarded(committed: dict[str, Any]) -> None:
    floors = read_floors().keys()
    assert {f"tags/nato/{level}/feed/{half}" for level in ("any", "main") for half in ("build", "test")} <= floors
    enough = [name for name, count in committed["languages"].items() if count["texts"] >= 40]
    assert {f"tags/nato/right/feed/language={name}" for name in enough} <= floors
    assert len(enough) >= 17


def test_readers_agree_as_the_page_says(committed: dict[str, Any]) -> None:
    figures = reader_figures()
    assert as_json(figures) == {path: f for path, f in committed["figures"].items() if path.startswith("readers/")}
    assert min(figure.value for figure in figures.values()) >= 0.9


def test_the_labels_are_those_that_were_measured_on(committed: dict[str, Any]) -> None:
    assert committed["counts"]["labelled"] == len(rows("labels"))
    others = {f"tests/transforms/data/{name}_labels.csv" for name in ("read", "third", "fresh")}  # in no evaluation
    labels = {str(path.relative_to(LABELS.parents[2])) for path in LABELS.glob("*labels*.csv")}
    assert labels - others <= committed["data"].keys()


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name.split()[0])
def test_nothing_has_dropped(part: EvaluationPart) -> None:
    if lacking := part.missing(DATA):
        pytest.skip(f"{part.name} needs {', '.join(map(str, lacking))}")
    figures = part.measure(DATA)
    assert [line for name in part.name.split() for line in below(read_floors(), figures, f"{name}/")] == []


@pytest.mark.slow
def test_the_data_are_those_that_were_measured_on(committed: dict[str, Any], shared_data: Path) -> None:
    """Otherwise run `make evaluate`, and say in the commit what has changed."""
    fixed = {name: digest for name, digest in committed["data"].items() if not name.startswith("config/")}
    assert {name: digest for name, digest in hashes(shared_data).items() if name in fixed} == fixed
