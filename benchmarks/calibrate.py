"""Fits the scoring in config/taxonomy.yaml to labelled sentences and articles.

`python benchmarks/calibrate.py [--news FOLDER] [--ridge 1]`

The labels are those of `tests/transforms/data` and of FOLDER, the texts are in FOLDER (`../shared/data/news`); only the
build half is read. Each model is a ridge logistic regression; a slope that would say that more evidence makes a topic
less likely is held at 0.

First the model over sentences, from labelled sentences (those of `read_sentences.csv` serve nothing else) and, weighing
less, from the sentences with evidence of articles without the topic and from the titles of articles about it. Then,
over what it says of each article, the models `any` and `main`. An article is fitted whole and as a feed brings it, with
its first 200 characters as summary.

Prints F1 with every article judged by models that were fitted without anything of its kind – its set, or among the
recent articles its family of languages –, and the weights to paste. At random left out articles would flatter: their
neighbours, about the same events in the same words, would stay. Their bias is moved so that at .5 F1, so measured, is
the best within noise on average over whole texts, feed items and what was written for tests, and false and missed
mentions are about as many; the fit alone would make probabilities right, and miss a rare topic too often.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import ne
from pathlib import Path

from benchmarks.evaluate.labels import LEVELS, TOPICS, Grade, LabelledArticle, articles, rows, sentences, texts, written
from benchmarks.regression import Model, TrainingExample, fit
from transforms.language import detect
from transforms.scoring import FEATURES, SENTENCE_FEATURES, Row, features, weight_of
from transforms.tag import Reading, Tagger
from transforms.taxonomy import Taxonomy, load_taxonomy

ROOT = Path(__file__).parents[1]
BESIDE = ("acts",)
"""Contexts that show who acts or is acted on, if they are directly beside evidence."""
CUES = ("law", "harm", "measures", "war", "state", "politics", "culture")
"""Contexts that may distinguish a sentence about a topic from one that only has its words."""
SETS = (
    "recent",
    "abp",
    "ant_multi",
    "masakhanews",
    "10kgnad",
    "muc3",
    "wmt",
    "reuters21578",
    "bbc",
    "agnews_test",
    "re3d",
)
READ = "read"
"""The trap that marks an article of `read_labels.csv`."""
READ_CHARS = 6_000
FAMILIES = {
    "germanic": ("de", "nl", "sv", "da", "no"),
    "romance": ("fr", "es", "it", "pt", "ro"),
    "slavic": ("ru", "uk", "bg", "pl", "cs", "sr"),
    "semitic and persian": ("ar", "fa", "he"),
    "chinese and japanese": ("zh", "ja", "ko"),
    "turkish": ("tr",),
    "greek": ("el",),
    "english": ("en",),
}
"""Languages that share words, and outlets that share events; each family is left out together."""
SMALL_SETS = ("muc3", "reuters21578", "wmt", "bbc", "agnews_test", "re3d", "10kgnad", "masakhanews")
"""Sets of few articles, left out in pairs."""
FEED_CHARS = 200
NOISE = 0.01
"""Smaller differences of F1 are noise."""
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
ORIGIN_WEIGHTS = {"labelled": 1.0, "recent_labelled": 2.0, "before": 1.0, "written": 0.5}
"""The first are a day's mix, mostly about something else; the second were chosen to hold what is recent and hard."""
READ_WEIGHT = 0.5
"""What an article of `read_labels.csv` weighs: single ones that were read as they were hard."""
INFERRED_WEIGHT = 0.25
"""What a sentence weighs whose label follows from its article's; twice that for the title of an article about it."""
INFERRED_SENTENCES = 6
"""Sentences used from an article without the topic."""
RIDGE = 1.0
UNUSED = {"counter-terrorism": frozenset({"known"})}
"""Topic → features of its sentences that gained nothing, cross-validated."""
FALLING = {"silent"}
"""Slopes that must not be positive."""
RISING = {"weight", "peak", "plain", "early", "known", "acts", "best", "lead", "volume", "share", "support", "first"}
"""Slopes that must not be negative; and that of `title` over articles."""


@dataclass(frozen=True, slots=True)
class ArticleForm:
    """An article in one form, as the tagger reads it for one topic."""

    article: LabelledArticle
    name: str
    """`whole` or `feed`."""
    read: tuple[tuple[int | None, Row], ...]
    """Place (None: the title) and numbers of each sentence with evidence."""
    sentences: int
    headed: bool

    def wanted(self, topic: str, least: int) -> bool | None:
        """Whether the reader sees the topic at this level; None in doubt."""
        return self.article.grades[topic].sure(least)


def kind_of(set_: str, language: str) -> str:
    """The group with which an article is left out: its set, or for recent ones its family of languages."""
    if set_ in SMALL_SETS:
        return f"small sets {SMALL_SETS.index(set_) // 2}"
    if not set_.startswith(("recent", "written")):
        return set_
    return next((family for family, languages in FAMILIES.items() if language in languages), "other languages")


def _kind(article: LabelledArticle) -> str:
    return kind_of(article.set, article.language)


# ── what the tagger reads ────────────────────────────────────────────────────────────────────────────────────────────


def with_cues(taxonomy: Taxonomy) -> Taxonomy:
    """`taxonomy` with every cue in every topic's sentence model, so that its readings carry them."""
    cues, beside = (dict.fromkeys((c for c in names if c in taxonomy.contexts), 0.0) for names in (CUES, BESIDE))
    topics = {}
    for name, topic in taxonomy.topics.items():
        sentence = topic.scoring.sentence.model_copy(update={"cues": cues, "beside": beside})
        topics[name] = topic.model_copy(update={"scoring": topic.scoring.model_copy(update={"sentence": sentence})})
    return taxonomy.model_copy(update={"topics": topics})


def forms(tagger: Tagger, topic: str, labelled: Sequence[LabelledArticle]) -> Iterator[ArticleForm]:
    """Every article, whole and as a feed brings it. What holds no evidence gets no tag, whatever the weights."""
    for article in labelled:
        feed = article.text[:FEED_CHARS]
        for name, text in (("whole", article.text), ("feed", feed)):
            language = detect(f"{article.title}\n{text}")
            summary, body = (text, "") if name == "feed" else ("", text)
            readings, summed = tagger.read(topic, title=article.title, summary=summary, text=body, language=language)
            read = tuple((None if r.passage.field == "title" else r.at, r.row) for r in readings)
            headed = bool(summed.silent) or any(place is None for place, _ in read)
            yield ArticleForm(article, name, read, round(math.exp(summed.length)), headed)


def labelled_sentences(tagger: Tagger, topic: str, news: Path) -> Iterator[TrainingExample]:
    """Every labelled sentence that the tagger finds evidence in."""
    held: dict[str, tuple[Reading, ...]] = {}
    for label, sentence in zip(rows("sentence_labels"), sentences(news), strict=True):
        wanted = sentence.substantive[topic]
        if sentence.half != "build" or wanted is None:
            continue
        if sentence.article not in held:
            whole = texts(news, label["set"])[sentence.article]
            language = detect(f"{whole['title']}\n{whole['text']}")
            readings, _ = tagger.read(topic, title=whole["title"], text=whole["text"], language=language)
            held[sentence.article] = readings
        begin, end = int(label["start"]), int(label["end"])
        for reading in held[sentence.article]:
            if any(e.field == sentence.field and begin <= e.start < end for e in reading.evidence):
                yield TrainingExample(kind_of(label["set"], sentence.language), reading.row, wanted)
                break


def read_sentences(tagger: Tagger, topic: str, labelled: Sequence[LabelledArticle]) -> Iterator[TrainingExample]:
    """The sentences of `read_sentences.csv` about `topic`, save those whose reader was in doubt."""
    by_id = {article.id: article for article in labelled}
    chosen: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows("read_sentences"):
        if row["topic"] == topic and row["grade"]:
            chosen[row["article"]].append(row)
    for article_id, labels in chosen.items():
        article = by_id[article_id]
        language = detect(f"{article.title}\n{article.text}")
        readings, _ = tagger.read(topic, title=article.title, text=article.text, language=language)
        for label in labels:
            begin, end = int(label["start"]), int(label["end"])
            for reading in readings:
                if any(e.field == label["field"] and begin <= e.start < end for e in reading.evidence):
                    yield TrainingExample(_kind(article), reading.row, label["grade"] == "1")
                    break


def read_before(news: Path, known: Sequence[LabelledArticle]) -> Iterator[LabelledArticle]:
    """The articles of `read_labels.csv`, each graded for one topic only."""
    sets = {a: (name, row) for name in SETS for a, row in texts(news, name).items()}
    ids = {article.id for article in known}
    for label in rows("read_labels"):
        article_id = label["id"]
        if article_id in ids or article_id not in sets:
            continue
        name, row = sets[article_id]
        grades = {t: Grade(int(label["grade"]) if t == label["topic"] else None) for t in TOPICS}
        yield LabelledArticle(
            article_id, name, "before", "", row["title"], row["text"][:READ_CHARS], None, None, grades, READ
        )


def inferred_sentences(topic: str, read: Sequence[ArticleForm]) -> Iterator[TrainingExample]:
    """Sentences whose label follows from that of their article."""
    for form in read:
        grade = form.article.grades[topic]
        if form.name != "whole" or grade.doubt:
            continue
        kind = _kind(form.article)
        if grade.best == 0:
            yield from (TrainingExample(kind, row, False, INFERRED_WEIGHT) for _, row in form.read[:INFERRED_SENTENCES])
        elif grade.best == 2:
            titles = (row for place, row in form.read if place is None)
            yield from (TrainingExample(kind, row, True, 2 * INFERRED_WEIGHT) for row in titles)


def article_example(form: ArticleForm, sentence_model: Model, wanted: bool) -> TrainingExample:
    """The article as the models over articles see it."""
    read = [(place, sentence_model.probability(row), weight_of(row)) for place, row in form.read]
    summed = features(read, form.sentences, headed=form.headed)
    weight = READ_WEIGHT if form.article.trap == READ else ORIGIN_WEIGHTS[form.article.origin]
    return TrainingExample(_kind(form.article), [getattr(summed, name) for name in FEATURES], wanted, weight)


# ── fitting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def sentence_model(
    examples: Sequence[TrainingExample], names: tuple[str, ...], ridge: float, zero: frozenset[str]
) -> Model:
    """The model over sentences, without the features of `zero`."""
    return fit(examples, names, frozenset(RISING), ridge, frozenset(FALLING), zero)


def article_model(examples: Sequence[TrainingExample], ridge: float) -> Model:
    """A model over articles."""
    return fit(examples, FEATURES, frozenset(RISING | {"title"}), ridge, frozenset(FALLING))


# ── report ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def f1(judged: Sequence[tuple[bool, float]], threshold: float) -> float:
    """F1 with the answer yes from `threshold` on; 0 without any yes."""
    hits = sum(so and p >= threshold for so, p in judged)
    ends = sum(so for so, _ in judged) + sum(p >= threshold for _, p in judged)
    return 2 * hits / ends if ends else 0.0


def pasted(model: Model) -> str:
    """The model's weights as the taxonomy writes them."""
    weights = {n: f"{v:.2f}" for n, v in zip(("bias", *model.names), model.coefficients, strict=True)}
    beside, cues = (", ".join(f"{n}: {weights.pop(n)}" for n in names if n in weights) for names in (BESIDE, CUES))
    plain = ", ".join(f"{n}: {v}" for n, v in weights.items())
    return f"{{{plain}, beside: {{{beside}}}, cues: {{{cues}}}}}" if cues or beside else f"{{{plain}}}"


def report(
    topic: str, read: Sequence[ArticleForm], said: Sequence[TrainingExample], names: tuple[str, ...], ridge: float
) -> None:
    """Print the weights to paste, and their cross-validated figures."""
    zero = UNUSED.get(topic, frozenset())
    print(f"{topic}\n      sentence: {pasted(sentence_model(said, names, ridge, zero))}")
    for level, least in sorted(LEVELS.items()):
        judged_forms = [(form, wanted) for form in read if (wanted := form.wanted(topic, least)) is not None]
        held_out = _held_out(judged_forms, said, names, ridge, zero)
        best = best_threshold(held_out)
        _, model = _fitted(judged_forms, said, names, ridge, zero, lambda _: True)
        print(f"      {level}: {pasted(model.moved(best))}  # of the fit's probabilities {best:.2f} is .5")
        for name, judged in sorted(held_out.items()):
            by_threshold = "  ".join(f"{t:.2f}: {f1(judged, t):.3f}" for t in THRESHOLDS)
            print(f"        held out, {name:22} {len(judged):4}  F1 by threshold  {by_threshold}")


def best_threshold(held_out: Mapping[str, Sequence[tuple[bool, float]]]) -> float:
    """Of the thresholds whose F1 is the best within noise the most even one; of equally even ones the middle.

    Even is where whole texts of publishers get about as many false tags as they miss. F1 hardly tells there, since at a
    feed's length most mentions are not said and no threshold finds them.
    """
    pooled = _pooled(held_out)
    figures = {threshold: _mean_f1(pooled, threshold) for threshold in THRESHOLDS}
    good = [threshold for threshold, figure in figures.items() if figure >= max(figures.values()) - NOISE]
    uneven = {threshold: abs(_excess(pooled["whole"], threshold)) for threshold in good}
    even = [threshold for threshold in good if uneven[threshold] == min(uneven.values())]
    return even[(len(even) - 1) // 2]


def _pooled(held_out: Mapping[str, Sequence[tuple[bool, float]]]) -> Mapping[str, Sequence[tuple[bool, float]]]:
    """What publishers printed, `whole` and `feed`, and what was `written` for tests.

    A mean over the origins would give one of the few texts of `before` the weight of six others.
    """
    pooled: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for name, judged in held_out.items():
        origin, form = name.split()
        if origin != READ:
            pooled["written" if origin == "written" else form].extend(judged)
    return pooled


def _excess(judged: Sequence[tuple[bool, float]], threshold: float) -> int:
    """How many more texts get a tag than should."""
    return sum(p >= threshold for _, p in judged) - sum(so for so, _ in judged)


def _mean_f1(pooled: Mapping[str, Sequence[tuple[bool, float]]], threshold: float) -> float:
    """The mean of F1 over the kinds of text; what was written for tests counts half."""
    weights = {name: 0.5 if name == "written" else 1.0 for name in pooled}
    return sum(w * f1(pooled[name], threshold) for name, w in weights.items()) / sum(weights.values())


def _fitted(
    judged_forms: Sequence[tuple[ArticleForm, bool]],
    said: Sequence[TrainingExample],
    names: tuple[str, ...],
    ridge: float,
    zero: frozenset[str],
    keep: Callable[[str], bool],
) -> tuple[Model, Model]:
    over_sentences = sentence_model([e for e in said if keep(e.kind)], names, ridge, zero)
    known = (article_example(form, over_sentences, wanted) for form, wanted in judged_forms if form.read)
    return over_sentences, article_model([e for e in known if keep(e.kind)], ridge)


def _news(article: LabelledArticle) -> str:
    """`recent`, `older` or `before`: the kinds of news whose F1 count alike."""
    if article.trap == READ or article.origin == "before":
        return READ if article.trap == READ else "before"
    if article.origin == "written":
        return "written"
    return "recent" if article.set.startswith("recent") else "older"


def _held_out(
    judged_forms: Sequence[tuple[ArticleForm, bool]],
    said: Sequence[TrainingExample],
    names: tuple[str, ...],
    ridge: float,
    zero: frozenset[str],
) -> dict[str, list[tuple[bool, float]]]:
    """Origin and form → (wanted, probability when it was held out) of each article."""
    judged: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for out in sorted({_kind(form.article) for form, _ in judged_forms}):
        over_sentences, over_articles = _fitted(judged_forms, said, names, ridge, zero, partial(ne, out))
        for form, wanted in judged_forms:
            if _kind(form.article) == out:
                example = article_example(form, over_sentences, wanted)
                p = over_articles.probability(example.row) if form.read else 0.0
                judged[f"{_news(form.article)} {form.name}"].append((wanted, p))
    return judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--news", type=Path, default=ROOT.parent / "shared" / "data" / "news")
    parser.add_argument("--taxonomy", type=Path, default=ROOT / "config" / "taxonomy.yaml")
    parser.add_argument("--ridge", type=float, default=RIDGE)
    options = parser.parse_args()
    taxonomy = with_cues(load_taxonomy(options.taxonomy))
    tagger = Tagger(taxonomy)
    names = (*SENTENCE_FEATURES, *(c for c in (*BESIDE, *CUES) if c in taxonomy.contexts))
    labelled = articles(options.news)
    build = [a for a in (*labelled, *read_before(options.news, labelled), *written()) if a.half == "build"]
    for topic in taxonomy.topics:
        read = list(forms(tagger, topic, build))
        said = [
            *labelled_sentences(tagger, topic, options.news),
            *read_sentences(tagger, topic, labelled),
            *inferred_sentences(topic, read),
        ]
        report(topic, read, said, names, options.ridge)


if __name__ == "__main__":
    main()
