"""`python -m benchmarks.evaluate` without data, and what its page shows."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.evaluate import __main__ as command
from benchmarks.evaluate.floors import read_floors
from benchmarks.evaluate.markdown import cell, number, table
from benchmarks.evaluate.measures import Figure
from benchmarks.evaluate.report import chance
from benchmarks.evaluate.run import PARTS
from tests.benchmarks.evaluate.test_tags import NATO_MAIN, NONE, an_article, judged


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
    return command.main()


def test_without_data_it_says_what_is_missing_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = command.PAGE.read_bytes(), command.TWIN.read_bytes(), read_floors()
    assert run(monkeypatch, "--data", str(tmp_path)) == command.NO_DATA
    told = capsys.readouterr().err
    for name in ("news/recent_dev.jsonl.gz", "news/stories_dev/events.csv", "extraction/aeb"):
        assert f"{tmp_path / name} is missing" in told
    assert (command.PAGE.read_bytes(), command.TWIN.read_bytes(), read_floors()) == before


def test_a_part_that_needs_no_data_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--data", str(tmp_path), "--only", "readers") == 0
    assert "readers/articles/nato/grade" in capsys.readouterr().out


def test_a_figure_below_its_floor_ends_it_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "read_floors", lambda: {"readers/articles/nato/any": 0.99, "stories/x": 0.9})
    assert run(monkeypatch, "--data", str(tmp_path), "--only", "readers") == command.BELOW_FLOOR
    told = capsys.readouterr().out
    assert "readers/articles/nato/any is 0.94" in told
    assert "stories/x" not in told


def test_parts_that_were_not_measured_keep_their_last_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure(0.5, 0.4, 0.6, 0.45, 9, 9)
    last = {"figures": dict.fromkeys(("stories/x", "tags/x", "traps/x"), asdict(figure))}
    monkeypatch.setattr(command, "TWIN", tmp_path / "evaluation.json")
    command.TWIN.write_text(json.dumps(last), encoding="utf-8")
    tags = [part for part in PARTS if part.name == "tags traps"]
    assert command._kept(tags) == {"stories/x": figure}


def test_latency_is_the_new_run_or_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "TWIN", tmp_path / "evaluation.json")
    assert command._latency(None) is None
    command.TWIN.write_text(json.dumps({"latency": {"load": 1}}), encoding="utf-8")
    assert command._latency(None) == {"load": 1}
    (tmp_path / "new.json").write_text(json.dumps({"load": 2}), encoding="utf-8")
    assert command._latency(tmp_path / "new.json") == {"load": 2}


def test_errors_are_listed_of_the_build_half_alone(capsys: pytest.CaptureFixture[str]) -> None:
    build, test = an_article("R00c9484b0d2c", title="Read me"), an_article("R008362b50b92", title="Sealed")
    tuned_on, right = an_article("R00c9484b0d2c", origin="before", title="Old"), an_article(title="Right")
    command._print_errors([*(judged(a, NONE) for a in (build, test, tuned_on)), judged(right, NATO_MAIN)])
    told = capsys.readouterr().out
    assert "2 → 0" in told
    assert "Read me" in told
    assert not any(title in told for title in ("Sealed", "Old", "Right"))


def test_figures_as_they_are_shown() -> None:
    assert [number(value) for value in (0.9167, 1.0, 0.0, 0.9999)] == [".917", "1.0", ".000", "1.000"]
    assert cell(Figure(0.5, 0.25, 0.75, 0.3, 5, 9)) == ".500 (.250–.750)"
    assert cell(Figure(0.5, 0.25, 0.75, 0.3, 4, 9)) == ".500 (.250–.750) ·"
    assert cell(None) == "–"
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
    assert "| --- | --- |" in table(["a", "b"], [["x", "y"]], text=2)


def test_chance_joins_both_intervals() -> None:
    wide, narrow = Figure(0.5, 0.4, 0.6, 0.4, 9, 9), Figure(0.5, 0.5, 0.5, 0.5, 9, 9)
    assert chance(wide, narrow) == pytest.approx(0.1)
    assert chance(wide, wide) == pytest.approx(0.1 * 2**0.5)
