"""How well articles are tagged: by topic, level, form, half, set, language, length, year and kind of trap.

A text counts for a level where its reader was sure of that level: a doubt between 1 and 2 leaves it out of `main`, not
of `any`. `with-doubts` counts every text by its best grade.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.evaluate.labels import LEVELS, TOPICS, LabelledArticle, Sentence, read_again
from benchmarks.evaluate.measures import Figure, f1, precision, recall, share
from newswatch.article import Level, Tag
from transforms.language import detect
from transforms.tag import Tagger

Figures = dict[str, Figure]
"""Path → figure, e.g. `tags/nato/main/feed/test`."""
FEED_CHARS = 200
"""Characters of the text that a feed's item carries as its summary."""
LONG_CHARS = 1_500
"""From this length on a text is long; a character of Chinese or Japanese counts three times."""
FORMS: Mapping[str, Callable[[str], tuple[str, str]]] = {
    "whole": lambda text: ("", text),
    "feed": lambda text: (text[:FEED_CHARS], ""),
    "stand-in": lambda text: (text[:FEED_CHARS], text[:FEED_CHARS]),
}
"""Form → (summary, text). `stand-in` is a feed's item as it is stored when its page can't be read."""
SHOWN = ("whole", "feed")
"""The forms that are broken down further."""
GRADES: Mapping[Level, int] = {"main": 2, "mention": 1}
_CJK = ("zh", "ja")


@dataclass(frozen=True, slots=True)
class Judged:
    """An article with what the tagger says of it."""

    article: LabelledArticle
    got: Mapping[str, Mapping[str, int]]
    """Form → topic → grade."""
    tags: Mapping[str, tuple[Tag, ...]]
    """Form → tags, sub-topics too."""

    def pair(self, topic: str, least: int, form: str, *, doubts: bool = False) -> tuple[bool, bool] | None:
        """(wanted, got) at a level; None where the reader was in doubt."""
        grade = self.article.grades[topic]
        wanted = grade.as_labelled(least) if doubts else grade.sure(least)
        return None if wanted is None else (wanted, self.got[form][topic] >= least)


def judge(tagger: Tagger, articles: Iterable[LabelledArticle]) -> list[Judged]:
    """Every article tagged in every form, its language detected from what is there."""
    return [_judged(tagger, article) for article in articles]


def _judged(tagger: Tagger, article: LabelledArticle) -> Judged:
    tags = {form: _tags(tagger, article.title, *parts(article.text)) for form, parts in FORMS.items()}
    return Judged(article, {form: _grades(in_form) for form, in_form in tags.items()}, tags)


def _tags(tagger: Tagger, title: str, summary: str, text: str) -> tuple[Tag, ...]:
    language = detect(f"{title}\n{summary}\n{text}")
    return tagger.tag(title=title, summary=summary, text=text, language=language).tags


def _grades(tags: Sequence[Tag]) -> dict[str, int]:
    return {topic: max((GRADES[t.level] for t in tags if t.tag == topic), default=0) for topic in TOPICS}


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def tag_figures(judged: Sequence[Judged]) -> Figures:
    """Every figure of the tags."""
    recent = [j for j in judged if j.article.origin != "before"]
    by_set = [*judged, *_read_again(judged)]
    figures: dict[str, Figure | None] = {}
    for topic in TOPICS:
        for level in LEVELS:
            for form in FORMS:
                figures |= _cell(f"tags/{topic}/{level}/{form}", recent, topic, level, form)
            for form in SHOWN:
                figures |= _slices(f"tags/{topic}/{level}/{form}", by_set, recent, topic, level, form)
        for language, group in sorted(_grouped(recent, lambda j: j.article.language).items()):
            for form in SHOWN:
                figures[f"tags/{topic}/right/{form}/language={language}"] = _right(group, topic, form)
    figures |= _traps(judged) | _agreement(recent) | {"tags/evidence": _evidence(judged)}
    return {path: figure for path, figure in figures.items() if figure}


def _read_again(judged: Iterable[Judged]) -> list[Judged]:
    """The articles that were tuned on, with the grades of those who read them again."""
    again = read_again()
    return [
        replace(j, article=replace(j.article, origin="before-again", grades=again.get(j.article.id, j.article.grades)))
        for j in judged
        if j.article.origin == "before"
    ]


def _pairs(
    group: Iterable[Judged], topic: str, level: str, form: str, *, doubts: bool = False
) -> list[tuple[bool, bool]]:
    pairs = (j.pair(topic, LEVELS[level], form, doubts=doubts) for j in group)
    return [pair for pair in pairs if pair is not None]


def _cell(path: str, recent: Sequence[Judged], topic: str, level: str, form: str) -> dict[str, Figure | None]:
    """F1 by half; over both halves precision, recall and F1 with the doubts too."""
    figures: dict[str, Figure | None] = {}
    for half in ("build", "test"):
        figures[f"{path}/{half}"] = f1(_pairs((j for j in recent if j.article.half == half), topic, level, form))
    both = _pairs(recent, topic, level, form)
    return figures | {
        f"{path}/both": f1(both),
        f"{path}/both/precision": precision(both),
        f"{path}/both/recall": recall(both),
        f"{path}/both/with-doubts": f1(_pairs(recent, topic, level, form, doubts=True)),
    }


def _slices(
    path: str, by_set: Sequence[Judged], recent: Sequence[Judged], topic: str, level: str, form: str
) -> Iterator[tuple[str, Figure | None]]:
    """F1 by set, language, length and year."""
    groups: list[tuple[str, Sequence[Judged], Callable[[Judged], object]]] = [
        ("set", by_set, lambda j: j.article.origin),
        ("language", recent, lambda j: j.article.language),
        ("length", recent, lambda j: length(j.article)),
        ("year", recent, lambda j: period(j.article.year)),
    ]
    for name, articles, of in groups:
        for value, group in sorted(_grouped(articles, of).items()):
            yield f"{path}/{name}={value}", f1(_pairs(group, topic, level, form))


def _grouped(judged: Iterable[Judged], of: Callable[[Judged], object]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = defaultdict(list)
    for item in judged:
        groups[str(of(item))].append(item)
    return groups


def length(article: LabelledArticle) -> str:
    """`short` or `long`."""
    weight = 3 if article.language in _CJK else 1
    return "long" if weight * len(article.text) >= LONG_CHARS else "short"


def period(year: int | None) -> str:
    """The year, or the span of years of which the sets say no more or hold few texts each."""
    if year is None:
        return "undated"
    spans = {2015: "until 2015", 2021: "2016–2021", 2024: "2022–2024"}
    return next((span for last, span in spans.items() if year <= last), str(year))


def _right(group: Iterable[Judged], topic: str, form: str) -> Figure | None:
    """Share of texts whose level is right; it counts in a language without a single text on the topic, too."""
    levels = [[j.pair(topic, least, form) for least in LEVELS.values()] for j in group]
    certain = ([pair for pair in pairs if pair] for pairs in levels)
    sure = [[wanted == got for wanted, got in pairs] for pairs in certain if pairs]
    return share(sum(map(all, sure)), len(sure))


def _traps(judged: Sequence[Judged]) -> dict[str, Figure | None]:
    """Texts of each trap that are on neither topic: the shares without any tag, and without a main one."""
    traps = [j for j in judged if j.article.trap and is_negative(j.article)]
    figures: dict[str, Figure | None] = {}
    for kind, group in sorted({"all": traps, **_grouped(traps, lambda j: j.article.trap)}.items()):
        for form in SHOWN:
            most = [max(j.got[form].values()) for j in group]
            figures[f"traps/{kind}/untagged/{form}"] = share(most.count(0), len(most))
            figures[f"traps/{kind}/not-main/{form}"] = share(sum(m < 2 for m in most), len(most))
    return figures


def is_negative(article: LabelledArticle) -> bool:
    """Whether its reader was sure that it says nothing of either topic."""
    return all(grade.sure(1) is False for grade in article.grades.values())


def _agreement(recent: Sequence[Judged]) -> dict[str, Figure | None]:
    """The same words as summary, or as summary and text: share of articles with the same levels."""
    return {"tags/same-words": share(sum(j.got["feed"] == j.got["stand-in"] for j in recent), len(recent))}


def _evidence(judged: Sequence[Judged]) -> Figure | None:
    """Share of evidence whose offsets lead to its words in the stored field."""
    checks = [
        {"title": j.article.title, "summary": summary, "text": text}[e.field][e.start : e.end] == e.text
        for j in judged
        for form, parts in FORMS.items()
        for summary, text in [parts(j.article.text)]
        for tag in j.tags[form]
        for e in tag.evidence
    ]
    return share(sum(checks), len(checks))


def confusion(judged: Iterable[Judged], topic: str, form: str, half: str) -> dict[str, int]:
    """`labelled>got` → texts, of the grades that are sure."""
    counts: Counter[str] = Counter()
    for j in judged:
        grade = j.article.grades[topic]
        if j.article.origin != "before" and j.article.half == half and grade.best is not None and not grade.doubt:
            counts[f"{grade.best}>{j.got[form][topic]}"] += 1
    return dict(sorted(counts.items()))


def written_figures(name: str, judged: Sequence[Judged]) -> Figures:
    """F1 of texts written with their labels, under `name`: for all, by half, and for each language."""
    figures: dict[str, Figure | None] = {}
    for topic in TOPICS:
        for level in LEVELS:
            groups = {
                "all": judged,
                **_grouped(judged, lambda j: j.article.half),
                **{f"language={k}": group for k, group in _grouped(judged, lambda j: j.article.language).items()},
            }
            for last, group in groups.items():
                figures[f"{name}/{topic}/{level}/{last}"] = f1(_pairs(group, topic, level, "whole"))
    return {path: figure for path, figure in sorted(figures.items()) if figure}


# ── sentences ────────────────────────────────────────────────────────────────────────────────────────────────────────


def sentence_figures(tagger: Tagger, sentences: Sequence[Sentence]) -> Figures:
    """Whether a sentence that stands alone gets the topic's tag where it says something substantive."""
    rows = [(sentence, _grades(_alone(tagger, sentence))) for sentence in sentences]
    figures: dict[str, Figure | None] = {}
    for topic in TOPICS:
        judged = ((s, s.substantive[topic], got[topic] > 0) for s, got in rows)
        sure = [(s.half, (wanted, got)) for s, wanted, got in judged if wanted is not None]
        for half in ("build", "test"):
            figures[f"sentences/{topic}/{half}"] = f1(pair for h, pair in sure if h == half)
        both = [pair for _, pair in sure]
        figures[f"sentences/{topic}/both/precision"] = precision(both)
        figures[f"sentences/{topic}/both/recall"] = recall(both)
    return {path: figure for path, figure in (figures | _silent(rows)).items() if figure}


def _silent(rows: Sequence[tuple[Sentence, Mapping[str, int]]]) -> dict[str, Figure | None]:
    """Sentences that surely say nothing of either topic, by the kind of word in them: the share without a tag."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for sentence, got in rows:
        if sentence.why and set(sentence.substantive.values()) == {False}:
            kinds[sentence.why].append(not any(got.values()))
    return {f"sentences/silent/{why}": share(sum(silent), len(silent)) for why, silent in sorted(kinds.items())}


def _alone(tagger: Tagger, sentence: Sentence) -> tuple[Tag, ...]:
    title, text = (sentence.text, "") if sentence.field == "title" else ("", sentence.text)
    return _tags(tagger, title, "", text)
