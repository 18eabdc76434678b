"""Counts how common words are in news: in news of all kinds, and in the news about the topics of newswatch.

What articles about a topic share is no sign of one event: `Brussels`, `headquarters` and `Daesh` are rare in news of
all kinds and stand in every other article that newswatch stores. So a stem is as common as it is in the commoner of two
places: all news, and the articles that the shipped taxonomy tags. The words of that taxonomy themselves count as
common in each of its languages, since few of them have enough tagged articles to count. Only numbers are kept.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evaluate.labels import ROOT, json_lines, texts
from benchmarks.evaluate.stories import RECENT
from transforms.profile import stems
from transforms.tag import Tagger
from transforms.taxonomy import ANY, Taxonomy, load_taxonomy, written

COUNTED: Mapping[str, Mapping[str, str]] = {
    "recent": {},
    "abp": {},
    "ant_multi": {},
    "bbc": {},
    "10kgnad": {},
    "masakhanews": {"eng": "en", "fra": "fr"},
    "wmt": {"fr": "fr", "ru": "ru", "uk": "uk"},
}
"""Set → the languages that are counted, as the set calls them → as we do; all of them if none is named."""
TAGGED = ("recent", "abp", "ant_multi")
"""The sets whose articles about our topics are counted apart."""
COUNTED_CHARS = 1_200
LEAST_DOCUMENTS = 80
"""A language with fewer articles has no base."""
LEAST_COUNTS = {1_000: 4, 0: 3}
"""Articles of a language → stems of fewer articles are left out: they weigh as unknown ones nearly do."""
TOPICAL_PRIOR = 100
"""Articles of all kinds that are added to a language's tagged ones: few of them say little of a word."""
TAXONOMY_SHARE = 0.02
"""Least part of the articles that a word of the taxonomy is taken to stand in."""
_WHOLE_STEM = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[\u0600-\u06ff]{5}|.{6}")
"""A stem that the end of a cut form can't change."""


@dataclass(frozen=True, slots=True)
class Text:
    """An article of the news beside the project."""

    id: str
    set: str
    language: str
    title: str
    text: str

    @property
    def stems(self) -> frozenset[str]:
        """The different stems of its title and beginning."""
        return frozenset(stems(f"{self.title}\n{self.text[:COUNTED_CHARS]}"))


def stem_counts(news: Path) -> dict[str, dict[str, Any]]:
    """Language → the number of articles and, for each count, the stems that so many of them have."""
    taxonomy = load_taxonomy(ROOT / "config" / "taxonomy.yaml")
    documents, counts = _counted(counted_texts(news))
    tagged_documents, tagged = _counted(tagged_texts(news, Tagger(taxonomy)))
    words = taxonomy_stems(taxonomy)
    base = {}
    for language, total in sorted(documents.items()):
        if total >= LEAST_DOCUMENTS:
            found = _commoner(total, counts[language], tagged_documents[language], tagged[language])
            for stem in words.get(language, frozenset()) | words[ANY]:
                found[stem] = max(found.get(stem, 0), round(TAXONOMY_SHARE * total))
            base[language] = {"documents": total, "stems": _by_count(found)}
    return base


def counted_texts(news: Path) -> Iterator[Text]:
    """The articles that are counted: all but those of the stories that are judged."""
    judged = {row["title"] for name in RECENT[:2] for row in json_lines((news / "stories_dev" / name).read_bytes())}
    for name, languages in COUNTED.items():
        for row in texts(news, name).values():
            language = languages.get(row["lang"], "") if languages else row["lang"]
            if language and row["title"] not in judged:
                yield Text(row["id"], name, language, row["title"], row["text"])


def tagged_texts(news: Path, tagger: Tagger) -> Iterator[Text]:
    """Those of `TAGGED` that have a topic."""
    for one in counted_texts(news):
        if one.set in TAGGED and tagger.tag(title=one.title, text=one.text, language=one.language).tags:
            yield one


def _counted(of: Iterator[Text]) -> tuple[Counter[str], dict[str, Counter[str]]]:
    documents: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in of:
        documents[one.language] += 1
        counts[one.language].update(one.stems)
    return documents, counts


def _commoner(total: int, counts: Counter[str], tagged_total: int, tagged: Counter[str]) -> dict[str, int]:
    """Stem → the number of `total` articles that have it, or would if all were tagged, whichever is more."""
    least = next(fewest for documents, fewest in LEAST_COUNTS.items() if total > documents)
    found = {stem: count for stem, count in counts.items() if count >= least}
    for stem, count in tagged.items():
        if count > 1:
            among = (count + TOPICAL_PRIOR * found.get(stem, 0) / total) / (tagged_total + TOPICAL_PRIOR)
            found[stem] = max(found.get(stem, 0), round(among * total))
    return found


def taxonomy_stems(taxonomy: Taxonomy) -> dict[str, frozenset[str]]:
    """Language → the stems of the taxonomy's words in it; a cut form (`terror*`) counts if it is as long as a stem."""
    found: dict[str, set[str]] = defaultdict(set)
    for group, _ in taxonomy.groups():
        for language, form in written(group.terms):
            for word in form.strip("*").split() if form.startswith("*") else form.split():
                whole = stems(word.strip("*"))
                found[language].update(stem for stem in whole if not word.endswith("*") or _WHOLE_STEM.match(stem))
    return {language: frozenset(of) for language, of in found.items()}


def _by_count(counts: Mapping[str, int]) -> dict[str, str]:
    """Count → its stems, the shortest form of the file."""
    found: dict[int, list[str]] = defaultdict(list)
    for stem, count in sorted(counts.items()):
        found[count].append(stem)
    return {str(count): " ".join(found[count]) for count in sorted(found)}
