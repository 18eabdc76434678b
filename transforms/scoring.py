"""Scores evidence with three small logistic models, whose weights are in the taxonomy.

The sentence model estimates how likely a sentence says something substantive about the topic. Two article models
combine the sentences: `any` estimates how likely the article says something substantive, `main` how likely it is about
the topic. `benchmarks/calibrate.py` fits all three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from newswatch.article import Level
from transforms.taxonomy import Scoring, SentenceWeights, Weights

LEAD = 600
"""Length of the lead: characters after the title (a third of it in Chinese and Japanese)."""
OPENING = 250
"""Length of the opening, in the same characters."""
BRIEF = 120
"""Characters of a sentence with brevity 0.5. Brevity approaches 1 for shorter sentences."""
PLAIN = 0.9
"""Minimum weight of a hit that is plain evidence by itself."""
NAMED = 1.0
"""Minimum weight of a hit that names the topic itself, not its members (0.9) or its people."""
PASSING = 0.3
"""Below this probability a sentence is a passing mention, which only supports the other sentences."""
HINT = PASSING / 2
"""Where every sentence is a passing mention, they count only if one of them has at least this probability."""

HEADLINE = 20
"""Minimum letters of a title that says what the article is about (a third of it in Chinese and Japanese)."""

SENTENCE_FEATURES = ("weight", "peak", "plain", "title", "opening", "brevity", "early", "known")
FEATURES = ("title", "best", "lead", "volume", "share", "support", "length", "silent", "first")

Row = tuple[float, ...]
"""The values of SENTENCE_FEATURES, then 1 or 0 for each context of the topic's model: whether it occurs where it
counts."""


def sentence_row(
    weights: Sequence[float], *, at: int | None, length: int, first: int, named: bool, contexts: Sequence[bool]
) -> Row:
    """The features of a sentence.

    `weights` holds the weight of each different wording in the sentence. `at` is the number of characters between the
    title and the sentence, None for the title itself. `first` is the number of characters before the sentence's first
    hit. `named` is True if a sentence before it names the topic: "the alliance" is that one then. All lengths count
    Latin characters.
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
        float(named and peak < PLAIN),
        *map(float, contexts),
    )


def weight_of(row: Row) -> float:
    """Summed weight of the different wordings in a sentence."""
    return math.expm1(row[0])


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """The sentence model of one topic."""

    bias: float
    weights: tuple[float, ...]
    """One for each value of a `Row`, in order."""
    names: tuple[str, ...]

    @classmethod
    def of(cls, weights: SentenceWeights) -> SentenceModel:
        """The model with the taxonomy's weights."""
        own = tuple(float(getattr(weights, name)) for name in SENTENCE_FEATURES)
        added = (*weights.beside.values(), *weights.cues.values())
        return cls(weights.bias, (*own, *added), (*SENTENCE_FEATURES, *weights.contexts))

    def probability(self, row: Row) -> float:
        """The probability that the sentence says something substantive."""
        return logistic(self.bias + sum(w * value for w, value in zip(self.weights, row, strict=True)))

    def against(self, row: Row) -> str:
        """Why the sentence counts as a passing mention: its cues, or how little it says."""
        weighted = list(zip(self.names, self.weights, row, strict=True))
        cues = [name for name, weight, value in weighted[len(SENTENCE_FEATURES) :] if value and weight < 0]
        reasons = []
        if not row[SENTENCE_FEATURES.index("plain")]:
            reasons.append("its words only support or name in passing")
        if cues:
            reasons.append(f"words of {' and '.join(cues)} stand beside them")
        return "; ".join(reasons) or "one word in a long sentence"


@dataclass(frozen=True, slots=True)
class Features:
    """The features of an article for one topic. Sentences that are passing mentions only count as support."""

    title: float = 0.0
    """Confidence that the title says something substantive: log odds above PASSING."""
    best: float = 0.0
    """The same confidence for the best sentence after the title."""
    lead: float = 0.0
    """Sum of the probabilities in the lead, logarithmic."""
    volume: float = 0.0
    """Sum of the probabilities after the title, logarithmic."""
    share: float = 0.0
    """Expected share of the article's sentences that say something substantive, title included."""
    support: float = 0.0
    """Weight of the hits in passing mentions divided by the article's sentences, at most 1; 0 without a HINT."""
    length: float = 0.0
    """Number of sentences, logarithmic: in a long text a single sentence says less about the subject."""
    silent: float = 0.0
    """1 if the article has a headline without any word of the topic."""
    first: float = 0.0
    """Probability that the first sentence after the title says something substantive."""

    def score(self, weights: Weights) -> float:
        """The logistic model's probability."""
        return logistic(weights.bias + sum(getattr(weights, name) * getattr(self, name) for name in FEATURES))


def features(read: Sequence[tuple[int | None, float, float]], sentences: int, *, headed: bool = False) -> Features:
    """The features of an article.

    `read` holds for each sentence with evidence the number of characters before it (None for the title), its
    probability, and the weight of its wordings. `sentences` counts all sentences of the article. `headed` is True if
    its title is a headline.
    """
    said = [(at, p) for at, p, _ in read if p >= PASSING]
    body = [(at, p) for at, p in said if at is not None]
    total = max(1, sentences)
    passing = sum(weight for _, p, weight in read if p < PASSING) if any(p >= HINT for _, p, _ in read) else 0.0
    return Features(
        title=max((_confidence(p) for at, p in said if at is None), default=0.0),
        best=max((_confidence(p) for _, p in body), default=0.0),
        lead=math.log1p(sum(p for at, p in body if at < LEAD)),
        volume=math.log1p(sum(p for _, p in body)),
        share=sum(p for _, p in said) / total,
        support=min(1.0, passing / total),
        length=math.log(total),
        silent=float(headed and all(at is not None for at, _, _ in read)),
        first=max((p for at, p in body if at == 0), default=0.0),
    )


def _confidence(probability: float) -> float:
    """Log odds above those of PASSING; about 4 at .98."""
    return math.log(probability / (1 - probability)) - math.log(PASSING / (1 - PASSING))


def level(article: Features, scoring: Scoring) -> tuple[Level | None, float]:
    """The level (None: no tag) and the score: the expected grade, 0.5 for a sure mention, 1 for a sure main subject."""
    main, any_ = article.score(scoring.main), article.score(scoring.any)
    score = round((main + max(main, any_)) / 2, 4)
    if main >= 0.5:
        return "main", score
    return ("mention" if any_ >= 0.5 else None), score


def logistic(total: float) -> float:
    """The probability for the log odds `total`."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))
