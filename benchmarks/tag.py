"""How fast articles are tagged: `python benchmarks/tag.py [--news FOLDER]`.

Measured on one core, in processor time, on articles of 3 kB: those that the tests' own texts are recombined into (one
in five on a topic in every sentence, the rest made of near-misses), or with `--news` real ones from a folder of
`*.jsonl.gz`. Beside it the usual way to do the same: one compiled regular expression with every form of the taxonomy,
the longest first, and the same rules behind it. Then the growth of both with the number of terms.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import re
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import yaml

from transforms.fold import fold
from transforms.tag import Tagger
from transforms.taxonomy import Taxonomy, TermGroup, load_taxonomy, written

ROOT = Path(__file__).parents[1]
SIZE = 3_000
Articles = Sequence[tuple[str, str, str | None]]


def own_articles(count: int, seed: int = 1) -> Articles:
    """`count` articles of about `SIZE` bytes in one language each, from the texts that the tests grade."""
    rows = yaml.safe_load((ROOT / "tests/transforms/data/labelled_texts.yaml").read_text(encoding="utf-8"))
    on_topic: dict[str, list[tuple[str, str]]] = {}
    others: dict[str, list[tuple[str, str]]] = {}
    for language, nato, terrorism, _, title, text in rows:
        (on_topic if nato or terrorism else others).setdefault(language, []).append((title, text))
    rnd = random.Random(seed)
    languages = ["en"] * 6 + sorted(on_topic.keys() & others.keys())
    chosen = ((rnd.choice(languages), on_topic if rnd.random() < 0.2 else others) for _ in range(count))
    return [_recombined(rnd, texts[language], language) for language, texts in chosen]


def _recombined(rnd: random.Random, texts: list[tuple[str, str]], language: str) -> tuple[str, str, str]:
    parts: list[str] = []
    while sum(len(p.encode()) + 1 for p in parts) < SIZE:
        parts.append(rnd.choice(texts)[1])
    return rnd.choice(texts)[0], "\n".join(parts).encode()[:SIZE].decode(errors="ignore"), language


def news_articles(folder: Path, count: int) -> Articles:
    """The first `count` articles of at least 2 kB in `folder`, cut to `SIZE` bytes."""
    files = (gzip.decompress(f.read_bytes()).decode() for f in sorted(folder.glob("*.jsonl.gz")))
    rows = (json.loads(line) for file in files for line in file.split("\n") if line)
    long = (r for r in rows if len(r["text"].encode()) >= 2_000)
    cut = ((r["title"], r["text"].encode()[:SIZE].decode(errors="ignore"), None) for r in long)
    return list(itertools.islice(cut, count))


def rate(work: Callable[[str, str, str | None], object], articles: Articles) -> float:
    """Articles of `SIZE` bytes a second of processor time; the best of three passes."""
    volume = sum(len(title.encode()) + len(text.encode()) for title, text, _ in articles)
    best = min(_seconds(work, articles) for _ in range(3))
    return volume / SIZE / best


def _seconds(work: Callable[[str, str, str | None], object], articles: Articles) -> float:
    begin = time.process_time()
    for article in articles:
        work(*article)
    return time.process_time() - begin


class RegexTagger(Tagger):
    """The same tagger with one compiled regular expression in the automaton's place."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__(taxonomy)
        patterns = sorted(self._patterns, key=len, reverse=True)
        self._places = {pattern: n for n, pattern in enumerate(self._patterns)}
        self._regex = re.compile("|".join(map(re.escape, patterns)))
        self._automaton = self  # type: ignore[assignment]

    def find_matches_as_indexes(self, haystack: str, overlapping: bool) -> list[tuple[int, int, int]]:  # noqa: ARG002
        """What the automaton's method of this name returns, save for overlapping matches."""
        return [(self._places[m[0]], m.start(), m.end()) for m in self._regex.finditer(haystack)]


def grown(taxonomy: Taxonomy, terms: int, seed: int = 2) -> Taxonomy:
    """`taxonomy` cut down or filled up with made-up phrases so that it has about `terms` forms."""
    have = taxonomy.size
    if have > terms:
        return _cut(taxonomy, terms / have)
    rnd = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(rnd.choices(letters, k=rnd.randint(4, 9))) for _ in range(5_000)]
    made_up = tuple(" ".join(rnd.choices(words, k=rnd.randint(1, 3))) for _ in range(terms - have))
    return _with_group(taxonomy, TermGroup(terms={"any": made_up}))


def _cut(taxonomy: Taxonomy, share: float) -> Taxonomy:
    topics = {
        name: topic.model_copy(
            update={
                "terms": tuple(_cut_group(g, share) for g in topic.terms),
                "subtopics": {
                    s: sub.model_copy(update={"terms": tuple(_cut_group(g, share) for g in sub.terms)})
                    for s, sub in topic.subtopics.items()
                },
            }
        )
        for name, topic in taxonomy.topics.items()
    }
    entities = dict(itertools.islice(taxonomy.entities.items(), int(len(taxonomy.entities) * share)))
    return taxonomy.model_copy(update={"topics": topics, "entities": entities})


def _cut_group(group: TermGroup, share: float) -> TermGroup:
    kept = {language: forms[: max(1, int(len(forms) * share * 0.7))] for language, forms in group.terms.items()}
    return group.model_copy(update={"terms": kept})


def _with_group(taxonomy: Taxonomy, group: TermGroup) -> Taxonomy:
    name, topic = next(iter(taxonomy.topics.items()))
    topics = {**taxonomy.topics, name: topic.model_copy(update={"terms": (*topic.terms, group)})}
    return taxonomy.model_copy(update={"topics": topics})


def report(taxonomy: Taxonomy, articles: Articles, sizes: Sequence[int]) -> Iterator[str]:
    """The lines of the report, each as soon as it is measured."""
    few = articles[:40]
    tagger, regex = Tagger(taxonomy), RegexTagger(taxonomy)
    ours, theirs = rate(_tagging(tagger), articles), rate(_tagging(regex), few)
    folding = rate(lambda title, text, _: (fold(title), fold(text)), articles)
    yield f"articles of 3 kB a second, one core: {ours:,.0f} (of which folding alone could do {folding:,.0f})"
    yield f"the same taxonomy as one compiled regular expression: {theirs:,.1f}; ratio {ours / theirs:,.0f}"
    yield "terms     articles/s   regex/s   build s"
    for size in sizes:
        made = grown(taxonomy, size)
        begin = time.process_time()
        tagger = Tagger(made)
        build = time.process_time() - begin
        regex_rate = f"{rate(_tagging(RegexTagger(made)), few[:10]):9.1f}" if size <= 10_000 else "        –"
        yield f"{made.size:7,}   {rate(_tagging(tagger), articles):10,.0f} {regex_rate}   {build:7.2f}"
    yield f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB"


def _tagging(tagger: Tagger) -> Callable[[str, str, str | None], object]:
    return lambda title, text, language: tagger.tag(title=title, text=text, language=language)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--news", type=Path, help="folder of *.jsonl.gz with real articles (title, text)")
    parser.add_argument("--articles", type=int, default=1_000)
    parser.add_argument("--terms", type=int, nargs="+", default=[1_000, 3_000, 10_000, 30_000, 100_000])
    options = parser.parse_args()
    taxonomy = load_taxonomy(ROOT / "config" / "taxonomy.yaml")
    articles = news_articles(options.news, options.articles) if options.news else own_articles(options.articles)
    forms = sum(1 for group, _ in taxonomy.groups() for _ in written(group.terms))
    print(f"{len(articles)} articles, taxonomy {taxonomy.version} with {forms:,} forms")
    for line in report(taxonomy, articles, options.terms):
        print(line, flush=True)


if __name__ == "__main__":
    main()
