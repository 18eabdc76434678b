"""Tags an article with topics, each with a level, a score and the words that are its evidence.

An Aho–Corasick automaton finds every form of the taxonomy in one pass over the folded title, summary and text. A hit
counts if its word boundaries, capitals, language and contexts match. A hit inside a longer one is dropped, so a longer
form of weight 0 cancels it ("non-NATO ally", "terror of the midfield"). A logistic model estimates for each sentence
with hits how likely it says something substantive. Two more models estimate from all sentences how likely the article
says something substantive (`any`) and how likely it is about the topic (`main`). Repeated sentences, such as a summary
that repeats the text, count once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from newswatch.article import Entity, Evidence, Tag
from transforms.fold import fold
from transforms.scoring import (
    NAMED,
    PASSING,
    PLAIN,
    Features,
    Row,
    SentenceModel,
    features,
    level,
    sentence_row,
    weight_of,
)
from transforms.tag_conditions import holding, in_context, is_beside_name, is_needed_near, word_start
from transforms.tag_evidence import evidence_of, is_beside, is_within, level_of_subtopic, longest, weighted_hits
from transforms.tag_rules import ARABIC, STEM, Compiled, Contexts, Hit, Rule, Rules, split_form
from transforms.tag_text import ArticleText, Sentence, too_long
from transforms.taxonomy import GazetteerEntity, NameGroup, Taxonomy, TermGroup, written

MATCHES = 20_000
"""Maximum matches that are examined. A long text entirely about one topic has a tenth of that."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """The result of tagging: tags in the order of the taxonomy, entities by number of hits."""

    tags: tuple[Tag, ...]
    entities: tuple[Entity, ...]
    problems: tuple[str, ...] = ()
    """What exceeded a limit and was not read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence with evidence for a topic, and how the sentence model rated it."""

    topic: str
    passage: Evidence
    """The sentence as written in its field, without the blanks around it."""
    evidence: tuple[Evidence, ...]
    probability: float
    """Probability that the sentence says something substantive."""
    passing: str | None
    """Why it counts as a passing mention; None if it does not."""
    at: int
    """Latin characters between the title and the sentence, repeated sentences excluded (a Chinese one counts three)."""
    row: Row
    """The features on which the sentence model is fitted."""


class _Read(NamedTuple):
    sentence: Sentence
    hits: list[tuple[float, Hit]]
    row: Row
    probability: float


class Tagger:
    """Tags articles with one taxonomy. Construction is slow: use one tagger for many articles."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self._paths = taxonomy.paths
        self._path_number = {path: n for n, path in enumerate(self._paths)}
        self._contexts = {name: n for n, name in enumerate(taxonomy.contexts)}
        self._entities = tuple(_entity(key, entity) for key, entity in taxonomy.entities.items())
        self._dated_rules: dict[int, tuple[GazetteerEntity, NameGroup]] = {}
        compiled = Compiled()
        self._languages = taxonomy.languages
        self._compile(compiled)
        self._topical = Rules.of([tuple(r for r in rules if r.context < 0) for rules in compiled.rules])
        self._contextual = Rules.of([tuple(r for r in rules if r.context >= 0) for rules in compiled.rules])
        self._patterns = compiled.patterns
        self._automaton = AhoCorasick(compiled.patterns)
        self._models = {t: SentenceModel.of(topic.scoring.sentence) for t, topic in taxonomy.topics.items()}
        self._beside = {t: self._numbers(topic.scoring.sentence.beside) for t, topic in taxonomy.topics.items()}
        self._cues = {t: self._numbers(topic.scoring.sentence.cues) for t, topic in taxonomy.topics.items()}

    def _numbers(self, contexts: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._contexts[name] for name in contexts)

    # ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _compile(self, into: Compiled) -> None:
        for name, forms in self.taxonomy.contexts.items():
            self._add(into, TermGroup(terms=forms), (), context=self._contexts[name])
        for t, topic in self.taxonomy.topics.items():
            for group in _readings(topic.terms):
                self._add(into, group, ((t, group.weight),))
            for s, sub in topic.subtopics.items():
                for group in _readings(sub.terms):
                    self._add(into, group, ((t, group.weight), (f"{t}/{s}", group.weight)))
        for n, entity in enumerate(self.taxonomy.entities.values()):
            for names in entity.names:
                first = into.keys
                self._add(into, names, _with_parents(entity.weights(names, None), cancels=names.cancels), entity=n)
                if entity.dated(names):
                    self._dated_rules.update(dict.fromkeys(range(first, into.keys), (entity, names)))

    def _add(
        self,
        into: Compiled,
        group: TermGroup | NameGroup,
        targets: Sequence[tuple[str, float]],
        *,
        entity: int = -1,
        context: int = -1,
    ) -> None:
        numbered = tuple((self._path_number[path], weight) for path, weight in targets)
        needs = tuple(self._contexts[c] for c in group.needs)
        unless = tuple(self._contexts[c] for c in group.unless)
        for language, form in written(group.terms):
            literal, tail = split_form(form)
            pattern = fold(literal).text
            rule = Rule(
                key=into.keys,
                form=form,
                open_left=form.startswith("*"),
                open_right=form.endswith("*"),
                brief=language != "any" and form.endswith("*") and len(literal) < STEM,
                arabic=bool(ARABIC.match(pattern)),
                capitals=literal if group.case and literal != literal.lower() else "",
                tail=tail,
                languages=frozenset() if language == "any" else frozenset((language,)),
                targets=numbered,
                entity=entity,
                cancels=isinstance(group, NameGroup) and group.cancels,
                context=context,
                conditional=bool(needs or unless),
                beside=group.beside_names,
                needs=needs,
                unless=unless,
                near=group.near,
                letters=len(form.replace("*", "")),
            )
            into.keys += 1
            into.add(pattern, rule)

    # ── tagging ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def tag(
        self,
        *,
        title: str,
        summary: str = "",
        text: str = "",
        language: str | None = None,
        date: datetime | None = None,
    ) -> Tagged:
        """The tags and entities of an article, each tag with its evidence. Deterministic.

        Evidence offsets count characters of the given strings: `s[start:end] == evidence.text`.
        `language` is a BCP 47 tag. Without one, or if the taxonomy has no forms for it, forms of every language match.
        `date` is the time of publication, aware of its time zone; entities have their weights of that day. Without a
        date they have the greatest weight they ever had.
        """
        article = ArticleText.of(title, summary, text, language)
        problems = [*too_long(title=title, summary=summary, text=text)]
        hits, contexts = self._hits(article, problems)
        if date is not None:
            hits = self._on_day(hits, _latest_day(date))
        if not hits:
            return Tagged((), (), tuple(problems))
        weighted = weighted_hits(article.haystack, hits)
        tags = tuple(tag for t in self.taxonomy.topics for tag in self._topic_tags(t, weighted, article, contexts))
        return Tagged(tags, self._named_entities(hits), tuple(problems))

    def read(
        self,
        topic: str,
        *,
        title: str,
        summary: str = "",
        text: str = "",
        language: str | None = None,
        date: datetime | None = None,
    ) -> tuple[tuple[Reading, ...], Features]:
        """The sentences with evidence for `topic`, each with its rating and reason, and the article's features.

        Takes the same fields as `tag`. A repeated sentence appears once, at its first occurrence.
        """
        article = ArticleText.of(title, summary, text, language)
        hits, contexts = self._hits(article, [])
        if date is not None:
            hits = self._on_day(hits, _latest_day(date))
        weighted = weighted_hits(article.haystack, hits)
        reads = self._reads(topic, weighted.get(self._path_number[topic], []), article, contexts)
        return tuple(self._reading(topic, read, article) for read in reads), _features(reads, article)

    def _reading(self, topic: str, read: _Read, article: ArticleText) -> Reading:
        passing = self._models[topic].against(read.row) if read.probability < PASSING else None
        evidence = tuple(article.evidence(hit.start, hit.end) for _, hit in read.hits)
        offset = read.sentence.offset * article.density
        return Reading(
            topic, article.passage(read.sentence), evidence, round(read.probability, 4), passing, offset, read.row
        )

    def _hits(self, article: ArticleText, problems: list[str]) -> tuple[list[Hit], Contexts]:
        """Every hit that meets its conditions, in order, and the positions of contexts.

        Adds to `problems` what exceeded a limit.
        """
        primary = (article.language or "").split("-")[0].lower()
        language = primary if primary in self._languages else None
        matches = self._automaton.find_matches_as_indexes(article.haystack, overlapping=True)
        topical = [match for match in matches if self._topical.of_pattern[match[0]]]
        if len(topical) > MATCHES:
            problems.append(f"{len(topical):,} places may name a topic: tagged by the first {MATCHES:,}")
        bounded = [
            Hit(word_start(article.haystack, start) if rule.open_left else start, stop, rule)
            for start, stop, rule in holding(article, topical[:MATCHES], self._topical, language)
        ]
        # Contexts are searched only if there is evidence, which most articles lack.
        contexts = self._context_positions(article, matches, language) if bounded else {}
        apart = article.unrepeated(contexts)
        held = [hit for hit in bounded if not hit.rule.conditional or in_context(article.placed(hit), apart)]
        doubtful = [hit for hit in held if hit.rule.beside and not is_needed_near(article.placed(hit), apart)]
        if not any(is_beside_name(article, hit) for hit in doubtful):
            return held, contexts
        names = {(hit.start, hit.rule.key) for hit in doubtful}
        return [hit for hit in held if (hit.start, hit.rule.key) not in names], contexts

    def _context_positions(
        self, article: ArticleText, matches: list[tuple[int, int, int]], language: str | None
    ) -> Contexts:
        contexts: Contexts = defaultdict(list)
        for start, _, rule in holding(article, matches, self._contextual, language):
            contexts[rule.context].append(start)
        for places in contexts.values():
            places.sort()
        return contexts

    def _on_day(self, hits: list[Hit], day: date) -> list[Hit]:
        """`hits` with their entities' weights on `day`, without hits of entities that did not exist yet."""
        return [dated for dated in (self._dated(hit, day) for hit in hits) if dated]

    def _dated(self, hit: Hit, day: date) -> Hit | None:
        held = self._dated_rules.get(hit.rule.key)
        if held is None:
            return hit
        entity, names = held
        if entity.begin and day < entity.begin:
            return None
        weights = _with_parents(entity.weights(names, day), cancels=names.cancels)
        targets = tuple((self._path_number[path], weight) for path, weight in weights)
        return hit._replace(rule=hit.rule._replace(targets=targets))

    def _reads(
        self, topic: str, hits: list[tuple[float, Hit]], article: ArticleText, contexts: Contexts
    ) -> list[_Read]:
        """The sentences with evidence, without repeated ones, in order."""
        by_sentence: dict[Sentence, list[tuple[float, Hit]]] = {}
        for pair in hits:
            sentence = article.sentence_at(pair[1].start)
            if sentence.offset >= 0:
                by_sentence.setdefault(sentence, []).append(pair)
        reads = []
        named = False
        for sentence, own in by_sentence.items():
            reads.append(self._read(topic, sentence, own, article, contexts, named=named))
            named = named or any(weight >= NAMED for weight, _ in own)
        return reads

    def _read(
        self,
        topic: str,
        sentence: Sentence,
        hits: list[tuple[float, Hit]],
        article: ArticleText,
        contexts: Contexts,
        *,
        named: bool,
    ) -> _Read:
        wordings: dict[str, float] = {}
        for weight, hit in hits:
            wordings[hit.rule.form] = max(weight, wordings.get(hit.rule.form, 0.0))
        plain = [hit for weight, hit in hits if weight >= PLAIN]
        beside = [any(is_beside(contexts.get(c, ()), hit, sentence) for hit in plain) for c in self._beside[topic]]
        dense = article.density
        row = sentence_row(
            [*wordings.values()],
            at=sentence.offset * dense if sentence.field else None,
            length=(sentence.end - sentence.start) * dense,
            first=(hits[0][1].start - sentence.start) * dense,
            named=named,
            contexts=[*beside, *(is_within(contexts.get(cue, ()), sentence) for cue in self._cues[topic])],
        )
        return _Read(sentence, hits, row, self._models[topic].probability(row))

    def _topic_tags(
        self, topic: str, weighted: dict[int, list[tuple[float, Hit]]], article: ArticleText, contexts: Contexts
    ) -> Iterator[Tag]:
        hits = weighted.get(self._path_number[topic])
        if not hits:
            return
        reads = self._reads(topic, hits, article, contexts)
        topic_level, score = level(_features(reads, article), self.taxonomy.topics[topic].scoring)
        if topic_level is None:
            return
        probabilities = {r.sentence: r.probability for r in reads}
        yield Tag(topic, topic_level, score, evidence_of(hits, article, probabilities))
        for sub in self.taxonomy.topics[topic].subtopics:
            path = f"{topic}/{sub}"
            own = weighted.get(self._path_number[path])
            if own:
                sub_level = level_of_subtopic(topic_level, own, article)
                yield Tag(path, sub_level, score, evidence_of(own, article, probabilities))

    def _named_entities(self, hits: list[Hit]) -> tuple[Entity, ...]:
        named: dict[int, list[Hit]] = defaultdict(list)
        for hit in hits:
            if hit.rule.entity >= 0:
                named[hit.rule.entity].append(hit)
        counts = {n: sum(not h.rule.cancels for h in longest(own)) for n, own in named.items()}
        entities = [replace(self._entities[number], count=count) for number, count in counts.items() if count]
        return tuple(sorted(entities, key=lambda e: (-e.count, e.id)))


def _entity(key: str, entity: GazetteerEntity) -> Entity:
    """The entity as an article carries it, with all names except stems."""
    named = (group for group in entity.names if not group.cancels)
    names = dict.fromkeys(form for group in named for _, form in written(group.terms) if "*" not in form)
    return Entity(key, entity.name, entity.type, 0, entity.wikidata, tuple(n for n in names if n != entity.name))


def _latest_day(moment: datetime) -> date:
    """The day of `moment` in the latest time zone (UTC+14), because an event there is news everywhere at once."""
    utc = moment.astimezone(UTC)
    return utc.date() + timedelta(days=utc.hour >= 10 and utc.date() < date.max)


def _with_parents(topics: dict[str, float], *, cancels: bool) -> tuple[tuple[str, float], ...]:
    """`topics`, with a sub-topic's weight also given to its topic if the topic has none of its own."""
    parents = {path.split("/")[0]: weight for path, weight in topics.items()}
    return tuple((path, 0.0 if cancels else weight) for path, weight in {**parents, **topics}.items())


def _readings(groups: Iterable[TermGroup]) -> Iterator[TermGroup]:
    return (reading for group in groups for reading in group.readings)


def _features(reads: Sequence[_Read], article: ArticleText) -> Features:
    dense = article.density
    offsets = (r.sentence.offset * dense if r.sentence.field else None for r in reads)
    read = [(offset, r.probability, weight_of(r.row)) for offset, r in zip(offsets, reads, strict=True)]
    return features(read, sum(1 for s in article.sentences if s.offset >= 0), headed=article.headed)
