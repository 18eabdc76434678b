"""From evidence in sentences to a level, in numbers."""

from __future__ import annotations

import pytest

from transforms.scoring import PASSING, Features, SentenceModel, features, level, sentence_row
from transforms.taxonomy import Scoring, SentenceWeights, Weights

MODEL = SentenceModel.of(SentenceWeights(bias=-2, peak=4, beside={"acts": 1}, cues={"war": -3}))


def row(
    *weights: float,
    at: int | None = 0,
    length: int = 120,
    first: int = 0,
    named: bool = False,
    contexts: tuple[bool, bool] = (False, False),
) -> tuple[float, ...]:
    return sentence_row(weights, at=at, length=length, first=first, named=named, contexts=contexts)


def test_a_sentence_in_numbers() -> None:
    weight, peak, plain, title, opening, brevity, early, known, acts, war = row(
        1.0, 0.5, first=60, contexts=(True, False)
    )
    assert weight == pytest.approx(0.916, abs=1e-3)
    assert (peak, plain, title, opening, brevity, early) == (1.0, 1.0, 0.0, 1.0, 0.5, 0.5)
    assert (known, acts, war) == (0.0, 1.0, 0.0)
    assert row(0.4, at=None)[1:5] == (0.4, 0.0, 0.4, 0.0)
    assert row(1.0, at=1_000)[4] == 0.0
    assert (row(0.3, named=True)[7], row(1.0, named=True)[7]) == (1.0, 0.0)


def test_cues_and_acts_change_what_a_sentence_says() -> None:
    plain, war, acting = row(1.0), row(1.0, contexts=(False, True)), row(1.0, contexts=(True, False))
    assert MODEL.probability(war) < 0.5 < MODEL.probability(plain) < MODEL.probability(acting)


def test_why_a_sentence_passes_by_is_said() -> None:
    assert MODEL.against(row(0.25)) == "its words only support or name in passing"
    assert MODEL.against(row(1.0, contexts=(False, True))) == "words of war stand beside them"
    assert MODEL.against(row(1.0)) == "one word in a long sentence"


def test_sentences_that_pass_by_only_support() -> None:
    passing = features([(0, PASSING - 0.01, 0.4), (300, PASSING - 0.01, 0.4)], sentences=4)
    assert passing == Features(support=0.2, length=passing.length)
    assert passing.length == pytest.approx(1.386, abs=1e-3)
    said = features([(None, 0.9, 1.0), (0, 0.8, 1.0), (5_000, 0.6, 1.0)], sentences=4)
    assert said.title > said.best > 0
    assert said.volume > said.lead > 0
    assert said.share == pytest.approx(0.575)
    assert said.support == 0


def test_a_silent_headline_is_told_from_none() -> None:
    body = [(0, 0.9, 1.0)]
    assert features(body, sentences=2, headed=True).silent == 1
    assert features(body, sentences=2).silent == 0
    assert features([(None, 0.1, 0.2), *body], sentences=2, headed=True).silent == 0
    assert Features(best=1, silent=1).score(Weights(bias=0, best=1, silent=-2)) < 0.5


def test_levels_and_score() -> None:
    scoring = Scoring(any=Weights(bias=-1, best=1), main=Weights(bias=-3, best=1))
    assert level(Features(best=0.5), scoring)[0] is None
    assert level(Features(best=2), scoring)[0] == "mention"
    found, score = level(Features(best=9), scoring)
    assert found == "main"
    assert 0.99 < score <= 1
