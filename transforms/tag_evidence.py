"""Which of overlapping hits count, what they weigh, and which of them a tag shows. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from newswatch.article import Evidence, Level
from transforms.scoring import LEAD
from transforms.tag_conditions import any_between
from transforms.tag_rules import Hit
from transforms.tag_text import ArticleText, Sentence

BESIDE = 24
"""Maximum characters between a hit and a context word that counts as directly beside it."""
EVIDENCE_PER_TAG = 24
"""Maximum hits that a tag shows: those in the title first, then each wording once, then the heaviest."""
_APPOSITION = frozenset({"(", "[", "/", '"', '("'})
_ARTICLE = "ال"
"""The Arabic article, which stands between a bracket and a name: «حلف شمال الأطلسي (الناتو)»."""


def longest(hits: list[Hit]) -> list[Hit]:
    """`hits` in order, without those inside a longer one and without duplicates of the same span."""
    kept: list[Hit] = []
    reach = -1
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if hit.end > reach:
            kept.append(hit)
            reach = hit.end
    return kept


def weighted_hits(haystack: str, hits: list[Hit]) -> dict[int, list[tuple[float, Hit]]]:
    """For each topic or sub-topic the hits that count, in order, with their weights.

    Of hits with the same span the form with most letters counts ("terroriser*" beats "terror*"), then the heaviest.
    Cancelled hits don't count, nor do hits that repeat the previous one in other words.
    """
    best: dict[int, dict[tuple[int, int], tuple[float, Hit]]] = defaultdict(dict)
    for hit in hits:
        span = (hit.start, hit.end)
        for path, weight in hit.rule.targets:
            held = best[path].get(span)
            if held is None or _outweighs(weight, hit, *held):
                best[path][span] = (weight, hit)
    return {path: counted for path, spans in best.items() if (counted := _counted(haystack, spans))}


def _outweighs(weight: float, hit: Hit, held_weight: float, held: Hit) -> bool:
    """Whether a hit replaces the held one with the same span."""
    if hit.rule.letters != held.rule.letters:
        return hit.rule.letters > held.rule.letters
    return held_weight > 0 and (weight == 0 or weight > held_weight)


def _counted(haystack: str, spans: dict[tuple[int, int], tuple[float, Hit]]) -> list[tuple[float, Hit]]:
    kept = [spans[h.start, h.end] for h in longest([hit for _, hit in spans.values()])]
    counted = [pair for pair in kept if pair[0] > 0]
    return [pair for n, pair in enumerate(counted) if not (n and _apposed(haystack, counted[n - 1][1], pair[1]))]


def _apposed(haystack: str, before: Hit, after: Hit) -> bool:
    """Whether `after` repeats `before` in other words: "Islamic State (ISIS)", "OTAN/NATO"."""
    between = haystack[before.end : after.start].removesuffix(_ARTICLE)
    return len(between) <= 3 and between.strip(" ") in _APPOSITION


def is_beside(places: Sequence[int], hit: Hit, sentence: Sentence) -> bool:
    """Whether one of the ascending `places` is directly beside the hit, in its sentence."""
    return any_between(places, max(sentence.start, hit.start - BESIDE), min(sentence.end, hit.end + BESIDE))


def is_within(places: Sequence[int], sentence: Sentence) -> bool:
    """Whether one of the ascending `places` is in the sentence."""
    return any_between(places, sentence.start, sentence.end)


def level_of_subtopic(topic: Level, own: list[tuple[float, Hit]], article: ArticleText) -> Level:
    """`main` if the topic is `main` and the sub-topic appears early or often; else `mention`."""
    if topic != "main":
        return "mention"
    sentences = [(weight, article.sentence_at(hit.start)) for weight, hit in own]
    early = any(not s.field or 0 <= s.offset * article.density < LEAD for _, s in sentences)
    said = sum(weight for weight, s in sentences if s.offset >= 0)
    return "main" if early or said >= 3 else "mention"


def evidence_of(
    weighted: list[tuple[float, Hit]], article: ArticleText, probabilities: dict[Sentence, float]
) -> tuple[Evidence, ...]:
    """The hits that a tag shows, at most EVIDENCE_PER_TAG, in order of their places."""
    chosen = sorted(_chosen(weighted, article, probabilities), key=lambda h: h.start)
    return tuple(article.evidence(h.start, h.end) for h in chosen)


def _chosen(weighted: list[tuple[float, Hit]], article: ArticleText, probabilities: dict[Sentence, float]) -> list[Hit]:
    if len(weighted) <= EVIDENCE_PER_TAG:
        return [h for _, h in weighted]
    seen: set[int] = set()
    ranked = []
    for weight, hit in weighted:
        repeated = hit.rule.key in seen
        seen.add(hit.rule.key)
        sentence = article.sentence_at(hit.start)
        passing = probabilities.get(sentence, 0.0) < 0.5
        ranked.append((sentence.field > 0, repeated, passing, -weight, hit.start, hit))
    return [r[-1] for r in sorted(ranked, key=lambda r: r[:5])[:EVIDENCE_PER_TAG]]
