"""`python -m benchmarks.evaluate`: measures everything and writes `docs/evaluation.md`, its JSON twin and the floors.

Ends with 1 where a figure is below its floor (the page is written all the same), with 2 where data are missing (nothing
is written).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evaluate.floors import below, raised, read_floors, write_floors
from benchmarks.evaluate.labels import LEVELS, ROOT, TOPICS, LabelError
from benchmarks.evaluate.markdown import cell
from benchmarks.evaluate.measures import Figure
from benchmarks.evaluate.report import figures_of, render
from benchmarks.evaluate.run import PARTS, EvaluationPart, judged, measured, report
from benchmarks.evaluate.tags import Judged

DATA = ROOT.parent / "shared" / "data"
PAGE, TWIN = ROOT / "docs" / "evaluation.md", ROOT / "docs" / "evaluation.json"
BELOW_FLOOR, NO_DATA = 1, 2


def main() -> int:
    """Measure, write, and report figures below their floors. Returns the exit code."""
    options = _options()
    parts = [part for part in PARTS if not options.only or set(options.only) & set(part.name.split())]
    lacking = sorted({path for part in parts for path in part.missing(options.data)})
    if lacking:
        print("\n".join(f"{path} is missing" for path in lacking), file=sys.stderr)
        print("Nothing was measured: docs/evaluation.md stays as it is.", file=sys.stderr)
        return NO_DATA
    try:
        return _run(options, parts)
    except LabelError as error:
        print(error, file=sys.stderr)
        return NO_DATA


def _run(options: argparse.Namespace, parts: Sequence[EvaluationPart]) -> int:
    if options.errors:
        _print_errors(judged(options.data))
        return 0
    figures = measured(options.data, parts)
    if options.only:
        _print_figures(figures)
    if options.write or not options.only:
        kept = _kept(parts) if options.only else {}
        _write(report(options.data, kept | figures, _latency(options.latency)), raised(read_floors(), figures))
    return _verdict(figures, parts)


def _kept(parts: Sequence[EvaluationPart]) -> dict[str, Figure]:
    """The last evaluation's figures of all other parts."""
    others = {name for part in PARTS if part not in parts for name in part.name.split()}
    last = figures_of(json.loads(TWIN.read_text(encoding="utf-8")))
    return {path: figure for path, figure in last.items() if path.split("/")[0] in others}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name for part in PARTS for name in part.name.split()]
    parser.add_argument("--data", type=Path, default=DATA, help="the development data (default: ../shared/data)")
    parser.add_argument("--only", nargs="+", choices=names, help="measure and print these parts; write nothing")
    parser.add_argument(
        "--write", action="store_true", help="with --only: write too; the other parts keep their last figures"
    )
    parser.add_argument("--latency", type=Path, help="what `python -m benchmarks.latency --json` wrote")
    parser.add_argument("--errors", action="store_true", help="list the build half's wrong levels; write nothing")
    return parser.parse_args()


def _latency(file: Path | None) -> Mapping[str, Any] | None:
    """The latency in the file; without a file, that of the last evaluation, with the time of its measurement."""
    if file:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    last = json.loads(TWIN.read_text(encoding="utf-8")) if TWIN.exists() else {}
    return last.get("latency")


def _write(evaluation: Mapping[str, Any], floors: Mapping[str, float]) -> None:
    TWIN.write_text(json.dumps(evaluation, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(render(evaluation), encoding="utf-8")
    write_floors(floors)
    print(f"{PAGE.relative_to(ROOT)} and its twin: {len(evaluation['figures']):,} figures, {len(floors)} floors")


def _print_figures(figures: Mapping[str, Figure]) -> None:
    for path, figure in figures.items():
        print(f"{path:64} {cell(figure):24} {figure.cases:6,} of {figure.texts:,}")


def _print_errors(judged_articles: Sequence[Judged]) -> None:
    """The build half's only: the test half says nothing but its figures."""
    for j in judged_articles:
        if j.article.half != "build" or j.article.origin == "before":
            continue
        for topic in TOPICS:
            for form, got in j.got.items():
                pairs = [j.pair(topic, least, form) for least in LEVELS.values()]
                if any(pair and pair[0] != pair[1] for pair in pairs):
                    grade = j.article.grades[topic]
                    labelled = f"{grade.best}{f' ({grade.doubt})' if grade.doubt else ''}"
                    line = (topic, form, f"{labelled} → {got[topic]}", j.article.language, j.article.trap, j.article.id)
                    print("\t".join((*line, j.article.title[:120])))


def _verdict(figures: Mapping[str, Figure], parts: Sequence[EvaluationPart]) -> int:
    names = [name for part in parts for name in part.name.split()]
    drops = [line for name in names for line in below(read_floors(), figures, f"{name}/")]
    if not drops:
        return 0
    print("\n".join([*drops, "A floor is lowered by an edit of benchmarks/evaluate/floors.json."]))
    return BELOW_FLOOR


if __name__ == "__main__":
    sys.exit(main())
