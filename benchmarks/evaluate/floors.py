"""Floors under the figures: raised by every better evaluation, lowered only by an edit of `floors.json`.

The data and the code are fixed, so a figure changes only when the code does. What a change may cost without notice is
noise: the figure's one-sided 90 % bound when its floor was set. Since a floor never falls by itself, small drops can't
add up.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.evaluate.measures import Figure

FLOORS = Path(__file__).with_name("floors.json")
LEAST_TEXTS = 40
"""Minimum number of texts for floors of a language."""
LEAST_CASES = 5
"""Fewer say nothing: half of them may change by chance."""
_GUARDED = re.compile(
    r"""tags/[^/]+/(any|main)/(whole|feed|stand-in)/(build|test)
    | tags/[^/]+/(any|main)/whole/set=before(-again)?
    | tags/[^/]+/(any|main|right)/(whole|feed)/language=\w+
    | tags/(evidence|same-words)
    | traps/[^/]+/not-main/\w+
    | items/[^/]+/(any|main)
    | sentences/[^/]+/(build|test)
    | written/[^/]+/(any|main)/(build|test|language=\w+)
    | unseen/[^/]+/(any|main)/all
    | searches/[^/]+/whole
    | (extraction|duplicates|languages)/.+
    | updates/.+
    | stories/[^/]+/(b-cubed.*|hard-pairs-apart|.*right|pairs-within-language/.+)
    | stories/vectors/pairs-across-languages/.+""",
    re.VERBOSE,
)
"""Shares of what was found (precision) have none at feed length: a tagger that finds little there is rarely wrong."""
_LANGUAGE = re.compile(r"language=|languages/")


def is_guarded(path: str, figure: Figure) -> bool:
    """Whether the figure has a floor."""
    enough = figure.cases >= LEAST_CASES and (not _LANGUAGE.search(path) or figure.texts >= LEAST_TEXTS)
    return enough and _GUARDED.fullmatch(path) is not None


def raised(floors: Mapping[str, float], figures: Mapping[str, Figure]) -> dict[str, float]:
    """The floors after an evaluation: none lower than before, in the order of their paths."""
    bounds = {path: _down(figure.noise) for path, figure in figures.items() if is_guarded(path, figure)}
    both = floors.keys() | bounds.keys()
    return {path: max(floors.get(path, 0.0), bounds.get(path, 0.0)) for path in sorted(both)}


def _down(value: float) -> float:
    return math.floor(value * 10_000) / 10_000


def below(floors: Mapping[str, float], figures: Mapping[str, Figure], under: str = "") -> list[str]:
    """A sentence for each figure below its floor, or no longer measured, of the paths that begin with `under`."""
    drops = []
    for path, floor in floors.items():
        if not path.startswith(under):
            continue
        figure = figures.get(path)
        if figure is None:
            drops.append(f"{path} is measured no longer; its floor is {floor}")
        elif figure.value < floor:
            drops.append(f"{path} is {figure.value:.4f}, below its floor {floor}")
    return drops


def read_floors(path: Path = FLOORS) -> dict[str, float]:
    """The committed floors; empty before the file exists."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def write_floors(floors: Mapping[str, float], path: Path = FLOORS) -> None:
    """Commit-ready: one floor a line."""
    path.write_text(json.dumps(floors, indent=1) + "\n", encoding="utf-8")
