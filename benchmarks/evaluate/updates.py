"""How well an update says only what is new: 40 stories labelled sentence by sentence, and changed numbers planted."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, Final

from benchmarks.evaluate.labels import ROOT, Half, LabelError, half, json_lines, texts
from benchmarks.evaluate.measures import Figure, f1, share
from newswatch.languages import languages
from transforms.fold import fold
from transforms.novelty import NUMBER, new_sentences, sentences

LABELLED: Final = ROOT / "tests" / "delivery" / "data" / "updates.csv"
"""Earlier and later article, and for each of the later one's first sentences whether it says something new (1)."""
PLANTED: Final = 200
_STORIES: Final = "stories_dev/articles.jsonl"
_SETS: Final = {"abp": "abp", "ant": "ant_multi", "bbc": "bbc", "muc": "muc3", "R": "recent"}
"""Beginning of an id → its set."""


@dataclass(frozen=True, slots=True)
class LabelledUpdate:
    """A later article on a story, read sentence by sentence."""

    id: str
    language: str
    earlier: str
    """Title and text of the article that was mailed."""
    sentences: tuple[str, ...]
    is_new: tuple[bool, ...]

    @property
    def half(self) -> Half:
        """The half it is in."""
        return half(self.id)


def files(news: Path) -> list[Path]:
    """The files that hold the texts."""
    return [news / _STORIES, *(news / f"{name}_dev.jsonl.gz" for name in _SETS.values())]


def labelled(news: Path) -> list[LabelledUpdate]:
    """The labelled updates with their texts.

    Raises:
        LabelError: a text is missing, or is another than the one that was read.
    """
    with LABELLED.open(encoding="utf-8", newline="") as file:
        return [_update(row, news) for row in csv.DictReader(file)]


def _update(row: Mapping[str, str], news: Path) -> LabelledUpdate:
    earlier, later = (_article(row[name], news) for name in ("earlier", "later"))
    read = sentences(later["text"])[: len(row["new"])]
    digest = hashlib.sha256("\n".join([earlier["text"], *read]).encode()).hexdigest()[:16]
    if digest != row["digest"]:
        raise LabelError(f"{LABELLED.name}: the texts of {row['later']} are others than those that were labelled")
    known = f"{earlier['title']}\n{earlier['text']}"
    return LabelledUpdate(row["later"], row["language"], known, read, tuple(c == "1" for c in row["new"]))


def _article(article_id: str, news: Path) -> Mapping[str, Any]:
    if article_id.startswith("S"):
        return next(a for a in json_lines((news / _STORIES).read_bytes()) if a["id"] == article_id)
    name = next(name for start, name in _SETS.items() if article_id.startswith(start))
    return texts(news, name)[article_id]


def update_figures(updates: Sequence[LabelledUpdate]) -> dict[str, Figure]:
    """F1 of what is new and of what is known in each half, and the share of planted numbers that is not hidden."""
    figures: dict[str, Figure | None] = {}
    for which in ("build", "test"):
        pairs = [pair for update in updates if update.half == which for pair in _judged(update)]
        figures[f"updates/new/{which}"] = f1(pairs)
        figures[f"updates/known/{which}"] = f1((not wanted, not got) for wanted, got in pairs)
    planted = list(islice(_in_turns([list(_planted(update)) for update in updates]), PLANTED))
    figures["updates/changed-numbers"] = share(sum(planted), len(planted))
    return {path: figure for path, figure in figures.items() if figure}


def _judged(update: LabelledUpdate) -> Iterator[tuple[bool, bool]]:
    """For each sentence whether it should be new, and whether it is."""
    new = [one.text for one in new_sentences("\n".join(update.sentences), [update.earlier], update.language)]
    for sentence, wanted in zip(update.sentences, update.is_new, strict=True):
        got = sentence in new
        if got:
            new.remove(sentence)
        yield wanted, got


def _planted(update: LabelledUpdate) -> Iterator[bool]:
    """For each sentence of the earlier article, with one of its numbers changed: whether it is new."""
    known = sentences(update.earlier)
    found = [_written(sentence) for sentence in known]
    others = tuple(dict.fromkeys(chain.from_iterable(found)))
    for sentence, inside in zip(known, found, strict=True):
        for changed in (*_digits(sentence, inside, others), *_words(sentence, update.language)):
            text = "\n".join((*update.sentences, changed))
            # A number before a full stop may end a sentence now.
            parts = set(sentences(changed)) - set(known)
            yield any(one.text in parts for one in new_sentences(text, [update.earlier], update.language))


def _written(sentence: str) -> list[str]:
    """The numbers in digits that the sentence holds once."""
    found = (token for token in NUMBER.findall(fold(sentence).text) if token[0].isdecimal())
    return [number for number in found if sentence.count(number) == 1]


def _digits(sentence: str, inside: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    """The sentence with its first number as another of the story, its last one greater by one, and the two swapped."""
    if not inside:
        return
    first, last = inside[0], inside[-1]
    yield from (sentence.replace(first, other) for other in islice((n for n in others if n not in inside), 1))
    yield sentence.replace(last, f"{last[:-1]}{(int(last[-1]) + 1) % 10}")
    if first not in last and last not in first:
        yield sentence.replace(first, "\0").replace(last, first).replace("\0", last)


def _words(sentence: str, language: str) -> Iterator[str]:
    """The sentence with its first number word as another one of the language."""
    known = languages().get(language)
    values = {word: value for value, words in (known.numbers if known else {}).items() for word in words}
    written = sentence.split()
    for word in islice((word for word in written if word in values and written.count(word) == 1), 1):
        other = next(other for other, value in values.items() if value not in (0, 1, values[word]))
        yield " ".join(other if each == word else each for each in written)


def _in_turns(lists: Sequence[Sequence[bool]]) -> Iterator[bool]:
    """One of each list, then the next of each."""
    return (one for turn in zip_longest(*lists) for one in turn if one is not None)
