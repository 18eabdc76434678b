"""From evidence to level: small logistic models whose weights stand in the taxonomy.

One reads sentences: how likely is it that this one says something substantive? Two more take the article's sentences
together: how likely is it that the article says something substantive (`any`), and that it is about the topic (`main`)?
`benchmarks/calibrate.py` fits all three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from newswatch.article import Level
from transforms.taxonomy import Scoring, SentenceWeights, Weights

LEAD = 600
"""How many characters of what is read after the title are the lead (a third of it in Chinese and Japanese)."""
OPENING = 250
"""And how many are its opening."""
BRIEF = 120
"""A sentence of so many characters has brevity 0.5; brevity goes to 1 for the shortest."""
PLAIN = 0.9
"""From that weight on a hit is plain evidence by itself."""
PASSING = 0.3
"""A sentence that is less likely than that to say something substantive passes by: it only supports the others."""

HEADLINE = 20
"""A title of so many letters says what the article is about (a third of it in Chinese and Japanese)."""

SENTENCE_FEATURES = ("weight", "peak", "plain", "title", "opening", "brevity", "early")
FEATURES = ("title", "best", "lead", "volume", "share", "support", "length", "silent", "first")

Row = tuple[float, ...]
"""The values of SENTENCE_FEATURES, then 1 for each context of the topic's model that stands where it counts, else 0."""


def sentence_row(weights: Sequence[float], *, at: int | None, length: int, first: int, contexts: Sequence[bool]) -> Row:
    """A sentence in numbers.

    `weights` holds the weight of each different wording in it, `at` how many characters were read before it, after the
    title; None for the title itself, `first` how many stand in it before its first hit. `at` and `length` count Latin
    characters.
    """
    peak = max(weights)
    return (
        math.log1p(sum(weights)),
        min(2.0, peak),
        float(peak >= PLAIN),
        min(1.0, peak) if at is None else 0.0,
        float(at is not None and at < OPENING),
        1 / (1 + length / BRIEF),
        1 - first / max(1, length),
        *map(float, contexts),
    )


def weight_of(row: Row) -> float:
    """The weight of the different wordings in a sentence."""
    return math.expm1(row[0])


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """The model that reads sentences, for one topic."""

    bias: float
    weights: tuple[float, ...]
    """Of a Row's values, in order."""
    names: tuple[str, ...]

    @classmethod
    def of(cls, weights: SentenceWeights) -> SentenceModel:
        """The model with the taxonomy's weights."""
        own = tuple(float(getattr(weights, name)) for name in SENTENCE_FEATURES)
        added = (*weights.beside.values(), *weights.cues.values())
        return cls(weights.bias, (*own, *added), (*SENTENCE_FEATURES, *weights.contexts))

    def probability(self, row: Row) -> float:
        """That the sentence says something substantive."""
        return logistic(self.bias + sum(w * value for w, value in zip(self.weights, row, strict=True)))

    def against(self, row: Row) -> str:
        """What speaks against a sentence, for whoever asks why it passes by: the cues in it, or how little it says."""
        cues = [
            name
            for name, weight, value in list(zip(self.names, self.weights, row, strict=True))[len(SENTENCE_FEATURES) :]
            if value and weight < 0
        ]
        plain = row[SENTENCE_FEATURES.index("plain")]
        told = [] if plain else ["its words only support or name in passing"]
        told += [f"words of {' and '.join(cues)} stand beside them"] if cues else []
        return "; ".join(told) or "one word in a long sentence"


@dataclass(frozen=True, slots=True)
class Features:
    """What an article's sentences say about one topic, in numbers. Those that pass by only count as support."""

    title: float = 0.0
    """How surely the title says something substantive: log odds above PASSING."""
    best: float = 0.0
    """How surely the best sentence after the title does."""
    lead: float = 0.0
    """Sum of the probabilities in the lead, logarithmic."""
    volume: float = 0.0
    """Sum of the probabilities after the title, logarithmic."""
    share: float = 0.0
    """Expected share of the article's sentences that say something substantive, title included."""
    support: float = 0.0
    """Weight of the hits in sentences that pass by, for each sentence of the article, at most 1."""
    length: float = 0.0
    """Number of sentences, logarithmic: one of them in a long text says less of what it is about."""
    silent: float = 0.0
    """1 where the article has a headline and no word of the topic stands in it."""
    first: float = 0.0
    """Probability that the first sentence after the title says something substantive."""

    def score(self, weights: Weights) -> float:
        """The logistic model's probability."""
        return logistic(weights.bias + sum(getattr(weights, name) * getattr(self, name) for name in FEATURES))


def features(read: Sequence[tuple[int | None, float, float]], sentences: int, *, headed: bool = False) -> Features:
    """An article in numbers.

    `read` holds, for each sentence with evidence, how many characters were read before it (None for the title), its
    probability and the weight of the wordings in it; `sentences` is how many sentences the article has; `headed` tells
    whether its title is a headline.
    """
    said = [(at, p) for at, p, _ in read if p >= PASSING]
    body = [(at, p) for at, p in said if at is not None]
    total = max(1, sentences)
    return Features(
        title=max((_surely(p) for at, p in said if at is None), default=0.0),
        best=max((_surely(p) for _, p in body), default=0.0),
        lead=math.log1p(sum(p for at, p in body if at < LEAD)),
        volume=math.log1p(sum(p for _, p in body)),
        share=sum(p for _, p in said) / total,
        support=min(1.0, sum(weight for _, p, weight in read if p < PASSING) / total),
        length=math.log(total),
        silent=float(headed and all(at is not None for at, _, _ in read)),
        first=max((p for at, p in body if at == 0), default=0.0),
    )


def _surely(probability: float) -> float:
    """How much surer than the least that counts, in log odds; about 4 at .98."""
    return math.log(probability / (1 - probability)) - math.log(PASSING / (1 - PASSING))


def level(found: Features, scoring: Scoring) -> tuple[Level | None, float]:
    """The level, or None; the score is the expected grade: halfway for a sure mention, 1 for a sure main subject."""
    main, any_ = found.score(scoring.main), found.score(scoring.any)
    score = round((main + max(main, any_)) / 2, 4)
    if main >= 0.5:
        return "main", score
    return ("mention" if any_ >= 0.5 else None), score


def logistic(total: float) -> float:
    """The probability that a sum of weighted values stands for."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))
