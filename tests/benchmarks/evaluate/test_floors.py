"""Floors: they rise with a better evaluation, never fall by themselves, and name what is below them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evaluate.floors import below, is_guarded, raised, read_floors, write_floors
from benchmarks.evaluate.measures import Figure, share


def a_figure(value: float, noise: float | None = None, *, cases: int = 50, texts: int = 100) -> Figure:
    return Figure(value, value - 0.1, value, value - 0.05 if noise is None else noise, cases, texts)


PATH = "tags/nato/main/whole/test"


def test_a_floor_rises_with_its_figure_and_never_falls() -> None:
    first = raised({}, {PATH: a_figure(0.8)})
    assert first == {PATH: 0.75}
    assert raised(first, {PATH: a_figure(0.9)}) == {PATH: 0.85}
    assert raised(first, {PATH: a_figure(0.6)}) == first
    assert raised(first, {}) == first


def test_small_drops_cannot_add_up() -> None:
    floors = raised({}, {PATH: a_figure(0.9)})
    for value in (0.88, 0.86, 0.84):
        floors = raised(floors, {PATH: a_figure(value)})
    assert below(floors, {PATH: a_figure(0.84)}) == [f"{PATH} is 0.8400, below its floor 0.85"]


def test_a_figure_as_it_was_measured_is_never_below_its_floor() -> None:
    figures = {f"languages/sentences/{n}": figure for n in range(50, 90) if (figure := share(n, n))}
    assert below(raised({}, figures), figures) == []
    narrow = {PATH: a_figure(2 / 3, noise=2 / 3)}
    assert below(raised({}, narrow), narrow) == []


def test_what_is_measured_no_longer_is_told() -> None:
    assert below({PATH: 0.75}, {}) == [f"{PATH} is measured no longer; its floor is 0.75"]


def test_only_the_parts_asked_for_are_looked_at() -> None:
    assert below({PATH: 0.75}, {}, "stories/") == []


@pytest.mark.parametrize(
    ("path", "figure", "guarded"),
    [
        (PATH, a_figure(0.8), True),
        (PATH, a_figure(0.8, cases=4), False),
        ("tags/nato/any/feed/language=sv", a_figure(0.8, texts=40), True),
        ("tags/nato/any/feed/language=it", a_figure(0.8, texts=39), False),
        ("tags/nato/right/feed/language=cs", a_figure(0.8, texts=40), True),
        ("languages/articles/whole/it", a_figure(0.8, texts=18), False),
        ("tags/nato/any/whole/year=2024", a_figure(0.8), False),
        ("tags/nato/any/feed/both/precision", a_figure(0.8), False),
        ("traps/all/not-main/feed", a_figure(0.8), True),
        ("traps/all/untagged/feed", a_figure(0.8), False),
        ("searches/nato-main/whole", a_figure(0.8), True),
        ("searches/nato-main/feed", a_figure(0.8), False),
        ("stories/recent/pairs-across-languages/precision", a_figure(0.8), False),
        ("stories/vectors/pairs-across-languages/precision", a_figure(0.8), True),
        ("stories/recent/b-cubed-within-language", a_figure(0.8), True),
        ("extraction/aeb/text", a_figure(0.8), True),
        ("readers/articles/nato/any", a_figure(0.8), False),
    ],
)
def test_what_has_a_floor(path: str, figure: Figure, guarded: bool) -> None:
    assert is_guarded(path, figure) is guarded


def test_floors_are_kept_in_a_file(tmp_path: Path) -> None:
    assert read_floors(tmp_path / "none.json") == {}
    write_floors({"a/b": 0.5}, tmp_path / "floors.json")
    assert read_floors(tmp_path / "floors.json") == {"a/b": 0.5}
