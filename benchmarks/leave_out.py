"""Does the tagger know the labelled articles by heart? Judges each without the forms that no other article holds.

`python -m benchmarks.leave_out [--news FOLDER] [--taxonomy FILE]`

A form that was added while reading one article, and holds there alone, helps nothing else. So each labelled article is
tagged twice: as it is, and without the forms that occur in it and in none of the other articles (labelled, written and
unlabelled). If the terms were tuned to the half that was read, that half has more such forms and loses more F1 than the
other. Prints both, by half. Takes some minutes.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.evaluate.labels import LEVELS, ROOT, TOPICS, LabelledArticle, articles, texts, written
from benchmarks.evaluate.measures import f1
from benchmarks.evaluate.tags import Judged, judge
from transforms.language import detect
from transforms.tag import Tagger
from transforms.tag_rules import Contexts, Hit
from transforms.tag_text import ArticleText
from transforms.taxonomy import load_taxonomy

READ_CHARS = 8_000
"""Characters of each text in which forms are looked for."""
_WITHOUT_NEWS = "sib200"
"""A set of sentences, not of articles."""


class LeavingOut(Tagger):
    """A tagger that ignores some forms, and remembers which it found."""

    left_out: frozenset[int] = frozenset()
    """Keys of the forms to ignore."""
    found: frozenset[int] = frozenset()
    """Keys of the forms that counted in the last article."""

    def _hits(self, article: ArticleText, problems: list[str]) -> tuple[list[Hit], Contexts]:
        hits, contexts = super()._hits(article, problems)
        self.found = frozenset(hit.rule.key for hit in hits)
        return [hit for hit in hits if hit.rule.key not in self.left_out], contexts

    def forms_in(self, title: str, text: str) -> frozenset[int]:
        """Keys of the forms that count in an article."""
        self.tag(title=title, text=text[:READ_CHARS], language=detect(f"{title}\n{text[:READ_CHARS]}"))
        return self.found


def alone(tagger: LeavingOut, labelled: Iterable[LabelledArticle], news: Path) -> Mapping[str, frozenset[int]]:
    """Id of an article → keys of the forms that no other article holds."""
    holders: dict[int, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for article_id, title, text in (*((a.id, a.title, a.text) for a in labelled), *_unlabelled(news)):
        if article_id not in seen:
            seen.add(article_id)
            for key in tagger.forms_in(title, text):
                holders[key].append(article_id)
    own: dict[str, set[int]] = defaultdict(set)
    for key, ids in holders.items():
        if len(ids) == 1:
            own[ids[0]].add(key)
    return {article_id: frozenset(keys) for article_id, keys in own.items()}


def _unlabelled(news: Path) -> Iterator[tuple[str, str, str]]:
    for path in sorted(news.glob("*_dev.jsonl.gz")):
        name = path.name.removesuffix("_dev.jsonl.gz")
        if name != _WITHOUT_NEWS:
            yield from ((key, row["title"] or "", row["text"] or "") for key, row in texts(news, name).items())


def _print_half(
    name: str, before: Sequence[Judged], after: Sequence[Judged], own: Mapping[str, frozenset[int]]
) -> None:
    forms = sum(len(own.get(j.article.id, ())) for j in before) / max(1, len(before))
    print(f"{name}: {len(before):,} texts, {forms:.2f} forms a text that stand in no other")
    for topic in TOPICS:
        for level, least in LEVELS.items():
            values = [_f1(judged, topic, least) for judged in (before, after)]
            print(f"  {topic:18} {level:5} {' → '.join(values)}")


def _f1(judged: Sequence[Judged], topic: str, least: int) -> str:
    figure = f1(pair for j in judged if (pair := j.pair(topic, least, "whole")) is not None)
    return f"{figure.value:.3f}" if figure else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--news", type=Path, default=ROOT.parent / "shared" / "data" / "news")
    parser.add_argument("--taxonomy", type=Path, default=ROOT / "config" / "taxonomy.yaml")
    options = parser.parse_args()
    tagger = LeavingOut(load_taxonomy(options.taxonomy))
    read, items = articles(options.news), written()
    own = alone(tagger, [*read, *items], options.news)
    for name, labelled in (("articles", [a for a in read if a.origin != "before"]), ("written items", items)):
        for half in ("build", "test"):
            chosen = [a for a in labelled if a.half == half]
            tagger.left_out = frozenset()
            before, after = judge(tagger, chosen), []
            for article in chosen:
                tagger.left_out = own.get(article.id, frozenset())
                after += judge(tagger, [article])
            _print_half(f"{name}, {half} half", before, after, own)


if __name__ == "__main__":
    main()
