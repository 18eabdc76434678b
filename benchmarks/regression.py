"""Ridge logistic regression by Newton's method, with slopes that may be held to one sign. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transforms.scoring import logistic

Vector = list[float]


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One training example of a model."""

    kind: str
    row: Sequence[float]
    wanted: bool
    weight: float = 1.0
    offset: float = 0.0
    """Log odds that are given, beside those of the row."""


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted logistic model: the bias, then a slope for each value of a row."""

    names: tuple[str, ...]
    coefficients: tuple[float, ...]

    def probability(self, row: Sequence[float]) -> float:
        """The model's probability for `row`."""
        return logistic(self.coefficients[0] + sum(c * v for c, v in zip(self.coefficients[1:], row, strict=True)))

    def moved(self, threshold: float) -> Model:
        """The model that gives .5 where this one gives `threshold`."""
        bias = self.coefficients[0] - math.log(threshold / (1 - threshold))
        return Model(self.names, (bias, *self.coefficients[1:]))


def fit(
    examples: Sequence[TrainingExample],
    names: tuple[str, ...],
    rising: frozenset[str],
    ridge: float,
    falling: frozenset[str] = frozenset(),
    zero: frozenset[str] = frozenset(),
) -> Model:
    """The regression's coefficients by Newton's method.

    A slope of `rising` that would be negative, or of `falling` that would be positive, is held at 0, and so are all of
    `zero`.
    """
    size = len(names) + 1
    free = [n for n in range(size) if not n or names[n - 1] not in zero]
    coefficients = [0.0] * size
    for _ in range(60):
        step = _newton_step(coefficients, free, examples, ridge)
        for n, move in zip(free, step, strict=True):
            coefficients[n] += move
        wrong = {n for n in free if n and _wrong(names[n - 1], coefficients[n], rising, falling)}
        if wrong:
            free = [n for n in free if n not in wrong]
            coefficients = [0.0 if n in wrong else v for n, v in enumerate(coefficients)]
        elif max(map(abs, step)) < 1e-6:
            break
    return Model(names, tuple(coefficients))


def _wrong(name: str, slope: float, rising: frozenset[str], falling: frozenset[str]) -> bool:
    return slope < 0 if name in rising else slope > 0 and name in falling


def _newton_step(coefficients: Vector, free: list[int], examples: Sequence[TrainingExample], ridge: float) -> Vector:
    size = len(free)
    penalties = [ridge if n else 0.01 for n in free]
    gradient = [-penalty * coefficients[n] for penalty, n in zip(penalties, free, strict=True)]
    hessian = [[penalties[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
    for example in examples:
        whole = (1.0, *example.row)
        p = logistic(example.offset + sum(coefficients[n] * whole[n] for n in free))
        values = [whole[n] for n in free]
        error, curve = example.weight * (example.wanted - p), example.weight * p * (1 - p)
        for i, value in enumerate(values):
            gradient[i] += error * value
            line = hessian[i]
            for j, other in enumerate(values):
                line[j] += curve * value * other
    return _solved(hessian, gradient)


def _solved(matrix: list[Vector], right: Vector) -> Vector:
    """The solution of a system of linear equations, by elimination with pivots."""
    size = len(right)
    lines = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for n in range(size):
        pivot = max(range(n, size), key=lambda k: abs(lines[k][n]))
        lines[n], lines[pivot] = lines[pivot], lines[n]
        for k in range(n + 1, size):
            factor = lines[k][n] / lines[n][n]
            lines[k] = [a - factor * b for a, b in zip(lines[k], lines[n], strict=True)]
    solution = [0.0] * size
    for n in reversed(range(size)):
        solution[n] = (lines[n][size] - sum(lines[n][k] * solution[k] for k in range(n + 1, size))) / lines[n][n]
    return solution
