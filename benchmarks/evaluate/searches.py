"""Precision of the shipped saved searches on the labelled articles.

Pure: of a search its filters by tag, score and language are applied here, as `alerts.query.filters_of` puts them to
Elasticsearch. What labels can't tell is said in `limits`.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.evaluate.labels import LabelledArticle
from benchmarks.evaluate.measures import Figure, share
from benchmarks.evaluate.tags import GRADES, SHOWN, Figures, Judged
from newswatch.alert import SavedSearch
from newswatch.article import Tag


def search_figures(searches: Sequence[SavedSearch], judged: Sequence[Judged]) -> Figures:
    """Of the articles that a search finds, the share that its tags are right about; doubtful ones are left out."""
    figures = {
        f"searches/{search.id}/{form}": _precision(search, judged, form)
        for search in searches
        for form in SHOWN
        if is_judged(search)
    }
    return {path: figure for path, figure in figures.items() if figure}


def _precision(search: SavedSearch, judged: Sequence[Judged], form: str) -> Figure | None:
    matched = [j.article for j in judged if j.article.origin != "before" and matches(search, j.article, j.tags[form])]
    right = [verdict for article in matched if (verdict := wanted(search, article)) is not None]
    return share(sum(right), len(right))


def is_judged(search: SavedSearch) -> bool:
    """Whether labels can judge the search: it must watch a tag, by filters only."""
    return bool(search.tags) and not (search.query.strip() or search.countries or search.sources or search.kinds)


def matches(search: SavedSearch, article: LabelledArticle, tags: Sequence[Tag]) -> bool:
    """Whether the search's filters let the article through."""
    carried = {tag.tag: tag for tag in tags}
    return (not search.languages or article.language in search.languages) and all(
        (tag := carried.get(each.tag)) is not None
        and GRADES[tag.level] >= GRADES[each.level]
        and tag.score >= search.min_score
        for each in search.tags
    )


def wanted(search: SavedSearch, article: LabelledArticle) -> bool | None:
    """Whether the article is what the search watches; None where its reader was in doubt."""
    verdicts = [article.grades[each.tag.split("/")[0]].sure(GRADES[each.level]) for each in search.tags]
    return False if False in verdicts else None if None in verdicts else True


def limits(search: SavedSearch) -> str:
    """What the figure of the search leaves out, as a sentence; empty if nothing."""
    if not is_judged(search):
        return "Not judged: it asks for words or outlets, and no label says which articles are right for those."
    sentences = []
    if subtopics := [each.tag for each in search.tags if "/" in each.tag]:
        sentences.append(f"Labels know no sub-topics: {', '.join(subtopics)} is judged by its topic.")
    if search.min_sources > 1:
        sentences.append("Without the wait for other sources: the articles are single samples.")
    if search.min_reliability:
        sentences.append("Without the least reliability: the articles' outlets have no grades.")
    if search.kind != "query":
        sentences.append(f"What the {search.kind} counts.")
    return " ".join(sentences)
