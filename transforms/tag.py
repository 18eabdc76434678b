"""Tags an article with topics, each with a level, a score and the words that are its evidence.

An Aho–Corasick automaton finds every form of the taxonomy in one pass over the folded title, summary and text. A hit
counts if its word boundaries, capitals, language and contexts match. A hit inside a longer one is dropped, so a longer
form of weight 0 cancels it ("non-NATO ally", "terror of the midfield"). A logistic model estimates for each sentence
with hits how likely it says something substantive. Two more models estimate from all sentences how likely the article
says something substantive (`any`) and how likely it is about the topic (`main`). Repeated sentences, such as a summary
that repeats the text, count once.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from newswatch.article import Entity, Evidence, Level, Tag, TextField
from transforms.fold import Folded, fold
from transforms.scoring import (
    HEADLINE,
    LEAD,
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
from transforms.sentences import said_before, spans
from transforms.taxonomy import GazetteerEntity, NameGroup, Taxonomy, TermGroup, written

BESIDE = 24
"""Maximum characters between a hit and a context word that counts as directly beside it."""
EVIDENCE_PER_TAG = 24
"""Maximum hits that a tag shows: those in the title first, then each wording once, then the heaviest."""

TITLE_CHARS, SUMMARY_CHARS, TEXT_CHARS = 2_000, 20_000, 100_000
"""Maximum characters read from each field. A longer field is tagged by its beginning, which `problems` reports."""
MATCHES = 20_000
"""Maximum matches that are examined. A long text entirely about one topic has a tenth of that."""
TITLE_WORD, TITLE_WORDS = 4, 4
"""Minimum letters of a word that title case capitalises, and minimum number of such words to recognise title case."""
STEM = 5
"""Minimum length of a stem if the language is unknown: Turkish "deaş*" would match Romanian "deasupra"."""
WORD_CHARS = 100
"""Maximum characters searched for the beginning or end of a word. Words are shorter, and an unbounded search would take
quadratic time."""

_ARABIC_CLITICS = frozenset(
    head + article
    for head in ("", "و", "ف", "ب", "ل", "ك", "وب", "ول", "فل", "فب", "وك", "لل", "ولل", "فلل", "س", "ا", "وا")
    for article in ("", "ال")
)
_ARABIC = re.compile("[\u0600-\u06ff]")
_APPOSITION = frozenset({"(", "/", '"', '("'})
_LETTERS = re.compile("[^\\W_\u2e80-\ud7ff]+")
_WORD_AFTER = re.compile(r"(?:['’]s)?[ \u00a0](\w)")
_WORD_BEFORE = re.compile(r"(\w[^\w.!?\n]{1,3})?(?<!\w)(\w+)[ \u00a0]\Z")
"""A word and the blank after it; before it the end of another word of the same sentence, if there is one."""
_ALPHABETIC = frozenset(filter(str.isalpha, map(chr, range(0x0600)))).__contains__
"""Whether a character is a letter of the alphabets before Arabic: Latin, Greek, Cyrillic, Armenian, Hebrew."""
_KATAKANA = re.compile("[\u30a1-\u30fe]+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Tagged:
    """The result of tagging: tags in the order of the taxonomy, entities by number of hits."""

    tags: tuple[Tag, ...]
    entities: tuple[Entity, ...]
    problems: tuple[str, ...] = ()
    """What exceeded a limit and was not read."""


_Contexts = dict[int, list[int]]
"""Number of a context → positions of its words, ascending."""


class _Rule(NamedTuple):
    """One form with the conditions that a hit must meet to count."""

    key: int
    """Identifies the wording: all hits of a form share it."""
    form: str
    open_left: bool
    open_right: bool
    brief: bool
    """The stem is so short that in another language it begins an unrelated word."""
    arabic: bool
    capitals: str
    """The form as written, if capitals matter; else empty."""
    tail: re.Pattern[str] | None
    """What must follow the literal part of a form that contains stems."""
    languages: frozenset[str]
    """Empty: any language."""
    targets: tuple[tuple[int, float], ...]
    """(topic or sub-topic, weight)."""
    entity: int
    cancels: bool
    context: int
    conditional: bool
    beside: bool
    """`needs` applies only beside another capitalised word."""
    needs: tuple[int, ...]
    unless: tuple[int, ...]
    near: int
    letters: int
    """Length of the form without stars. Of two forms that match the same words, the longer one is more specific."""


class _Hit(NamedTuple):
    start: int
    end: int
    rule: _Rule


class _Sentence(NamedTuple):
    start: int
    end: int
    field: int
    """0 title, 1 summary, 2 text."""
    offset: int
    """Characters between the title and the sentence, repeated sentences excluded; -1 if the sentence is repeated."""


@dataclass(slots=True)
class _Text:
    """The three fields as one folded haystack, and the position of each field in it."""

    haystack: str
    fields: tuple[tuple[TextField, int, str, Folded], ...]
    language: str | None
    _sentences: list[_Sentence] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _repeats: bool | None = None

    @classmethod
    def of(cls, title: str, summary: str, text: str, language: str | None) -> _Text:
        fields: list[tuple[TextField, int, str, Folded]] = []
        base = 0
        given: tuple[tuple[TextField, str], ...] = (
            ("title", title[:TITLE_CHARS]),
            ("summary", summary[:SUMMARY_CHARS]),
            ("text", text[:TEXT_CHARS]),
        )
        for name, string in given:
            folded = fold(string)
            fields.append((name, base, string, folded))
            base += len(folded.text) + 1
        return cls("\n".join(f[3].text for f in fields), tuple(fields), language)

    @property
    def density(self) -> int:
        """Latin letters that one character counts as: Chinese and Japanese words take about two characters."""
        title, summary, text = (f[3].text for f in self.fields)
        sample = f"{title}\n{max(summary, text, key=len)}"[:400]
        return 3 if 3 * len(_CJK.findall(sample)) > len(sample) else 1

    @property
    def headed(self) -> bool:
        """Whether the title is a headline that says what the article is about, not a number or a single word."""
        return sum(map(str.isalpha, self.fields[0][3].text)) * self.density >= HEADLINE

    @property
    def sentences(self) -> list[_Sentence]:
        """Every sentence of the article, in order."""
        if not self._sentences:
            self._sentences.extend(_sentences_of(self.fields))
            self._starts.extend(s.start for s in self._sentences)
        return self._sentences

    @property
    def repeats(self) -> bool:
        """Whether summary or text says again what the other says."""
        if self._repeats is None:
            both = all(f[3].text for f in self.fields[1:])
            self._repeats = both and any(s.offset < 0 for s in self.sentences)
        return self._repeats

    def unrepeated(self, contexts: _Contexts) -> _Contexts:
        """`contexts` with the places they have if nothing is said twice: a copy moves no word away from another."""
        if not self.repeats:
            return contexts
        return {
            number: sorted(self._place(p) for p in places if self.sentence_at(p).offset >= 0)
            for number, places in contexts.items()
        }

    def placed(self, hit: _Hit) -> _Hit:
        """`hit` at the place it has if nothing is said twice."""
        if not self.repeats:
            return hit
        start = self._place(hit.start)
        return hit._replace(start=start, end=start + hit.end - hit.start)

    def _place(self, position: int) -> int:
        sentence = self.sentence_at(position)
        return position if not sentence.field else self.fields[1][1] + sentence.offset + position - sentence.start

    def sentence_at(self, start: int) -> _Sentence:
        sentences = self.sentences
        return sentences[bisect_right(self._starts, start) - 1]

    def field_at(self, start: int) -> tuple[TextField, int, str, Folded]:
        for field_ in reversed(self.fields):
            if start >= field_[1]:
                return field_
        raise IndexError(start)

    def passage(self, sentence: _Sentence) -> Evidence:
        """The sentence without the blanks around it."""
        raw = self.haystack[sentence.start : sentence.end]
        begin = sentence.start + len(raw) - len(raw.lstrip())
        return self.evidence(begin, begin + len(raw.strip()))

    def evidence(self, start: int, end: int) -> Evidence:
        name, base, string, folded = self.field_at(start)
        a, b = folded.original(start - base, end - base)
        return Evidence(name, a, b, string[a:b])


def _sentences_of(fields: tuple[tuple[TextField, int, str, Folded], ...]) -> Iterator[_Sentence]:
    """The sentences of the fields, in order."""
    split = [[*spans(folded.text)] for _, _, _, folded in fields]
    texts = [[f[3].text[a:b] for a, b in spanned] for f, spanned in zip(fields, split, strict=True)]
    offset = 0
    for number, (spanned, repeated) in enumerate(zip(split, said_before(texts), strict=True)):
        base = fields[number][1]
        for (a, b), again in zip(spanned, repeated, strict=True):
            yield _Sentence(base + a, base + b, number, -1 if again else offset)
            if number and not again:
                offset += b - a


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
    sentence: _Sentence
    hits: list[tuple[float, _Hit]]
    row: Row
    probability: float


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules of each pattern, by the pattern's number."""

    of_pattern: list[tuple[_Rule, ...]]
    closed_left: list[bool]
    """Whether every rule of the pattern must start at a word's beginning, so that a match inside a word fails early."""
    closed_right: list[bool]

    @classmethod
    def of(cls, rules: list[tuple[_Rule, ...]]) -> _Rules:
        return cls(
            rules,
            [not any(r.open_left for r in own) for own in rules],
            [not any(r.open_right or r.tail is not None for r in own) for own in rules],
        )


@dataclass(slots=True)
class _Compiled:
    """The taxonomy as patterns for the automaton, with their rules."""

    patterns: list[str] = field(default_factory=list)
    rules: list[list[_Rule]] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    keys: int = 0

    def add(self, pattern: str, rule: _Rule) -> None:
        number = self.index.get(pattern)
        if number is None:
            number = self.index[pattern] = len(self.patterns)
            self.patterns.append(pattern)
            self.rules.append([])
        self.rules[number].append(rule)


class Tagger:
    """Tags articles with one taxonomy. Construction is slow: use one tagger for many articles."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self._paths = taxonomy.paths
        self._path_number = {path: n for n, path in enumerate(self._paths)}
        self._contexts = {name: n for n, name in enumerate(taxonomy.contexts)}
        self._entities = tuple(_entity(key, entity) for key, entity in taxonomy.entities.items())
        self._dated_rules: dict[int, tuple[GazetteerEntity, NameGroup]] = {}
        compiled = _Compiled()
        self._languages = taxonomy.languages
        self._compile(compiled)
        self._topical = _Rules.of([tuple(r for r in rules if r.context < 0) for rules in compiled.rules])
        self._contextual = _Rules.of([tuple(r for r in rules if r.context >= 0) for rules in compiled.rules])
        self._patterns = compiled.patterns
        self._automaton = AhoCorasick(compiled.patterns)
        self._models = {t: SentenceModel.of(topic.scoring.sentence) for t, topic in taxonomy.topics.items()}
        self._beside = {t: self._numbers(topic.scoring.sentence.beside) for t, topic in taxonomy.topics.items()}
        self._cues = {t: self._numbers(topic.scoring.sentence.cues) for t, topic in taxonomy.topics.items()}

    def _numbers(self, contexts: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._contexts[name] for name in contexts)

    # ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _compile(self, into: _Compiled) -> None:
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
        into: _Compiled,
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
            literal, tail = _split(form)
            pattern = fold(literal).text
            rule = _Rule(
                key=into.keys,
                form=form,
                open_left=form.startswith("*"),
                open_right=form.endswith("*"),
                brief=language != "any" and form.endswith("*") and len(literal) < STEM,
                arabic=bool(_ARABIC.match(pattern)),
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
        article = _Text.of(title, summary, text, language)
        problems = [*_too_long(title=title, summary=summary, text=text)]
        hits, contexts = self._hits(article, problems)
        if date is not None:
            hits = self._on_day(hits, _latest_day(date))
        if not hits:
            return Tagged((), (), tuple(problems))
        weighted = _weighted(article.haystack, hits)
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
        article = _Text.of(title, summary, text, language)
        hits, contexts = self._hits(article, [])
        if date is not None:
            hits = self._on_day(hits, _latest_day(date))
        weighted = _weighted(article.haystack, hits)
        reads = self._reads(topic, weighted.get(self._path_number[topic], []), article, contexts)
        return tuple(self._reading(topic, read, article) for read in reads), _features(reads, article)

    def _reading(self, topic: str, read: _Read, article: _Text) -> Reading:
        passing = self._models[topic].against(read.row) if read.probability < PASSING else None
        evidence = tuple(article.evidence(hit.start, hit.end) for _, hit in read.hits)
        offset = read.sentence.offset * article.density
        return Reading(
            topic, article.passage(read.sentence), evidence, round(read.probability, 4), passing, offset, read.row
        )

    def _hits(self, article: _Text, problems: list[str]) -> tuple[list[_Hit], _Contexts]:
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
            _Hit(_word_start(article.haystack, start) if rule.open_left else start, stop, rule)
            for start, stop, rule in _holding(article, topical[:MATCHES], self._topical, language)
        ]
        # Contexts are searched only if there is evidence, which most articles lack.
        contexts = self._context_positions(article, matches, language) if bounded else {}
        apart = article.unrepeated(contexts)
        held = [hit for hit in bounded if not hit.rule.conditional or _in_context(article.placed(hit), apart)]
        doubtful = [hit for hit in held if hit.rule.beside and not _needed(article.placed(hit), apart)]
        if not any(_beside_name(article, hit) for hit in doubtful):
            return held, contexts
        names = {(hit.start, hit.rule.key) for hit in doubtful}
        return [hit for hit in held if (hit.start, hit.rule.key) not in names], contexts

    def _context_positions(
        self, article: _Text, matches: list[tuple[int, int, int]], language: str | None
    ) -> _Contexts:
        contexts: _Contexts = defaultdict(list)
        for start, _, rule in _holding(article, matches, self._contextual, language):
            contexts[rule.context].append(start)
        for places in contexts.values():
            places.sort()
        return contexts

    def _on_day(self, hits: list[_Hit], day: date) -> list[_Hit]:
        """`hits` with their entities' weights on `day`, without hits of entities that did not exist yet."""
        return [dated for dated in (self._dated(hit, day) for hit in hits) if dated]

    def _dated(self, hit: _Hit, day: date) -> _Hit | None:
        held = self._dated_rules.get(hit.rule.key)
        if held is None:
            return hit
        entity, names = held
        if entity.begin and day < entity.begin:
            return None
        weights = _with_parents(entity.weights(names, day), cancels=names.cancels)
        targets = tuple((self._path_number[path], weight) for path, weight in weights)
        return hit._replace(rule=hit.rule._replace(targets=targets))

    def _reads(self, topic: str, hits: list[tuple[float, _Hit]], article: _Text, contexts: _Contexts) -> list[_Read]:
        """The sentences with evidence, without repeated ones, in order."""
        by_sentence: dict[_Sentence, list[tuple[float, _Hit]]] = {}
        for pair in hits:
            sentence = article.sentence_at(pair[1].start)
            if sentence.offset >= 0:
                by_sentence.setdefault(sentence, []).append(pair)
        return [self._read(topic, sentence, own, article, contexts) for sentence, own in by_sentence.items()]

    def _read(
        self,
        topic: str,
        sentence: _Sentence,
        hits: list[tuple[float, _Hit]],
        article: _Text,
        contexts: _Contexts,
    ) -> _Read:
        wordings: dict[str, float] = {}
        for weight, hit in hits:
            wordings[hit.rule.form] = max(weight, wordings.get(hit.rule.form, 0.0))
        plain = [hit for weight, hit in hits if weight >= PLAIN]
        beside = [any(_is_beside(contexts.get(c, ()), hit, sentence) for hit in plain) for c in self._beside[topic]]
        dense = article.density
        row = sentence_row(
            [*wordings.values()],
            at=sentence.offset * dense if sentence.field else None,
            length=(sentence.end - sentence.start) * dense,
            first=(hits[0][1].start - sentence.start) * dense,
            contexts=[*beside, *(_is_within(contexts.get(cue, ()), sentence) for cue in self._cues[topic])],
        )
        return _Read(sentence, hits, row, self._models[topic].probability(row))

    def _topic_tags(
        self, topic: str, weighted: dict[int, list[tuple[float, _Hit]]], article: _Text, contexts: _Contexts
    ) -> Iterator[Tag]:
        hits = weighted.get(self._path_number[topic])
        if not hits:
            return
        reads = self._reads(topic, hits, article, contexts)
        topic_level, score = level(_features(reads, article), self.taxonomy.topics[topic].scoring)
        if topic_level is None:
            return
        probabilities = {r.sentence: r.probability for r in reads}
        yield Tag(topic, topic_level, score, _evidence(hits, article, probabilities))
        for sub in self.taxonomy.topics[topic].subtopics:
            path = f"{topic}/{sub}"
            own = weighted.get(self._path_number[path])
            if own:
                sub_level = _sub_level(topic_level, own, article)
                yield Tag(path, sub_level, score, _evidence(own, article, probabilities))

    def _named_entities(self, hits: list[_Hit]) -> tuple[Entity, ...]:
        named: dict[int, list[_Hit]] = defaultdict(list)
        for hit in hits:
            if hit.rule.entity >= 0:
                named[hit.rule.entity].append(hit)
        counts = {n: sum(not h.rule.cancels for h in _longest(own)) for n, own in named.items()}
        entities = [replace(self._entities[number], count=count) for number, count in counts.items() if count]
        return tuple(sorted(entities, key=lambda e: (-e.count, e.id)))


def _too_long(*, title: str, summary: str, text: str) -> tuple[str, ...]:
    """One problem for each field that is too long to be tagged whole."""
    fields = (("title", title, TITLE_CHARS), ("summary", summary, SUMMARY_CHARS), ("text", text, TEXT_CHARS))
    return tuple(
        f"{name} has {len(string):,} characters: tagged by the first {most:,}"
        for name, string, most in fields
        if len(string) > most
    )


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


def _split(form: str) -> tuple[str, re.Pattern[str] | None]:
    """A form's literal beginning, and the pattern of what follows if the form contains stems."""
    literal, _, rest = form.removeprefix("*").removesuffix("*").partition("*")
    if not rest:
        return literal, None
    return literal, re.compile(r"\w*" + r"\w*".join(re.escape(fold(part).text) for part in rest.split("*")))


def _holding(
    article: _Text,
    matches: Sequence[tuple[int, int, int]],
    rules: _Rules,
    language: str | None,
) -> Iterator[tuple[int, int, _Rule]]:
    """Start, end and rule of each match with the right language, word boundaries and capitals."""
    haystack = article.haystack + "\n"  # haystack[-1], which precedes the first character, is then "\n" as well
    of_pattern, closed_left, closed_right = rules.of_pattern, rules.closed_left, rules.closed_right
    for number, start, end in matches:
        own = of_pattern[number]
        # Most matches begin or end inside an alphabetic word: they fail here, before each rule checks its boundaries.
        if not own:
            continue
        begun = _ALPHABETIC(haystack[start - 1]) and _ALPHABETIC(haystack[start])
        if begun and closed_left[number]:
            continue
        goes_on = _ALPHABETIC(haystack[end]) and _ALPHABETIC(haystack[end - 1])
        if goes_on and closed_right[number]:
            continue
        for rule in own:
            if language and rule.languages and language not in rule.languages:
                continue
            if (begun and not rule.open_left) or (goes_on and not rule.open_right and rule.tail is None):
                continue
            if goes_on and rule.brief and not language:
                continue
            stop = _bounded(haystack, start, end, rule)
            if stop >= 0 and not (rule.capitals and not _capitals_hold(article, start, end, rule.capitals)):
                yield start, stop, rule


def _bounded(haystack: str, start: int, end: int, rule: _Rule) -> int:
    """The end of the hit if its word boundaries hold, else -1."""
    if (
        start
        and (before := haystack[start - 1]).isalnum()
        and not rule.open_left
        and _joined(before, haystack[start])
        and not (rule.arabic and _only_clitics_before(haystack, start))
    ):
        return -1
    if rule.tail is not None:
        following = rule.tail.match(haystack, end, end + WORD_CHARS)
        if not following:
            return -1
        end = following.end()
    if rule.open_right:
        return _word_end(haystack, end)
    if end < len(haystack) and (after := haystack[end]).isalnum() and _joined(haystack[end - 1], after):
        return -1
    return end


def _joined(left: str, right: str) -> bool:
    """Whether two adjacent characters belong to the same word.

    In scripts without spaces a word may end anywhere ("NATO加盟" contains NATO), but not within a run of katakana:
    "コレステロール" does not contain "テロ".
    """
    if "\u2e80" <= left <= "\ud7ff" or "\u2e80" <= right <= "\ud7ff":
        return "\u30a1" <= left <= "\u30fe" and "\u30a1" <= right <= "\u30fe"
    return left.isalnum() and right.isalnum()


def _word_end(haystack: str, position: int) -> int:
    letters = _KATAKANA if "\u30a1" <= haystack[position - 1] <= "\u30fe" else _LETTERS
    rest = letters.match(haystack, position, position + WORD_CHARS)
    return rest.end() if rest else position


def _word_start(haystack: str, position: int) -> int:
    first = max(0, position - WORD_CHARS)
    while position > first and _joined(haystack[position - 1], haystack[position]):
        position -= 1
    return position


def _only_clitics_before(haystack: str, start: int) -> bool:
    begin = start
    while begin and start - begin <= 5 and haystack[begin - 1].isalnum():
        begin -= 1
    return haystack[begin:start] in _ARABIC_CLITICS


def _capitals_hold(article: _Text, start: int, end: int, form: str) -> bool:
    """Whether the text has a capital wherever `form` has one. An acronym amid other capitals does not count."""
    text = article.evidence(start, end).text
    if len(text) != len(form):
        return text.isupper()
    if form.isupper():
        return text.isupper() and not _in_capitals(article, start)
    return all(t.isupper() for f, t in zip(form, text, strict=True) if f.isupper())


def _in_capitals(article: _Text, start: int) -> bool:
    """Whether the text around `start` is all in capitals, so that they carry no information."""
    _, base, string, _ = article.field_at(start)
    around = string[max(0, start - base - 40) : start - base + 40]
    return around.isupper() and sum(map(str.isupper, around)) > 12


def _in_context(hit: _Hit, contexts: _Contexts) -> bool:
    if any(_near(hit, contexts.get(c, ())) for c in hit.rule.unless):
        return False
    return hit.rule.beside or _needed(hit, contexts)


def _needed(hit: _Hit, contexts: _Contexts) -> bool:
    """Whether one of the contexts that the form needs is near; True if it needs none."""
    return not hit.rule.needs or any(_near(hit, contexts.get(c, ())) for c in hit.rule.needs)


def _beside_name(article: _Text, hit: _Hit) -> bool:
    """Whether a capitalised word is directly beside the hit: "Nato Lomidze", "Nato's Pizza", "chef Prospero Nato".

    The first word of a sentence does not count, nor does a word in a headline in title case.
    """
    _, base, string, folded = article.field_at(hit.start)
    start, end = folded.original(hit.start - base, hit.end - base)
    after = _WORD_AFTER.match(string, end)
    before = _WORD_BEFORE.search(string, max(0, start - WORD_CHARS), start)
    named = (after and after[1].isupper()) or (before and before[1] and before[2][0].isupper())
    return bool(named) and not _title_case(string[max(0, start - WORD_CHARS) : end + WORD_CHARS])


def _title_case(around: str) -> bool:
    """Whether nearly every word starts with a capital."""
    words = [word for word in around.split() if len(word) >= TITLE_WORD]
    return len(words) >= TITLE_WORDS and sum(word[0].isupper() for word in words) >= 0.8 * len(words)


def _near(hit: _Hit, places: Sequence[int]) -> bool:
    """Whether one of the ascending `places` is within the rule's distance of the hit."""
    return _any_between(places, hit.start - hit.rule.near, hit.end + hit.rule.near + 1)


def _any_between(places: Sequence[int], start: int, end: int) -> bool:
    """Whether one of the ascending `places` is in `[start, end)`."""
    number = bisect_left(places, start)
    return number < len(places) and places[number] < end


def _longest(hits: list[_Hit]) -> list[_Hit]:
    """`hits` in order, without those inside a longer one and without duplicates of the same span."""
    kept: list[_Hit] = []
    reach = -1
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if hit.end > reach:
            kept.append(hit)
            reach = hit.end
    return kept


def _weighted(haystack: str, hits: list[_Hit]) -> dict[int, list[tuple[float, _Hit]]]:
    """For each topic or sub-topic the hits that count, in order, with their weights.

    Of hits with the same span the form with most letters counts ("terroriser*" beats "terror*"), then the heaviest.
    Cancelled hits don't count, nor do hits that repeat the previous one in other words.
    """
    best: dict[int, dict[tuple[int, int], tuple[float, _Hit]]] = defaultdict(dict)
    for hit in hits:
        span = (hit.start, hit.end)
        for path, weight in hit.rule.targets:
            held = best[path].get(span)
            if held is None or _outweighs(weight, hit, *held):
                best[path][span] = (weight, hit)
    return {path: counted for path, spans in best.items() if (counted := _counted(haystack, spans))}


def _outweighs(weight: float, hit: _Hit, held_weight: float, held: _Hit) -> bool:
    """Whether a hit replaces the held one with the same span."""
    if hit.rule.letters != held.rule.letters:
        return hit.rule.letters > held.rule.letters
    return held_weight > 0 and (weight == 0 or weight > held_weight)


def _counted(haystack: str, spans: dict[tuple[int, int], tuple[float, _Hit]]) -> list[tuple[float, _Hit]]:
    kept = [spans[h.start, h.end] for h in _longest([hit for _, hit in spans.values()])]
    counted = [pair for pair in kept if pair[0] > 0]
    return [pair for n, pair in enumerate(counted) if not (n and _apposed(haystack, counted[n - 1][1], pair[1]))]


def _apposed(haystack: str, before: _Hit, after: _Hit) -> bool:
    """Whether `after` repeats `before` in other words: "Islamic State (ISIS)", "OTAN/NATO"."""
    return after.start - before.end <= 3 and haystack[before.end : after.start].strip(" ") in _APPOSITION


def _is_beside(places: Sequence[int], hit: _Hit, sentence: _Sentence) -> bool:
    """Whether one of the ascending `places` is directly beside the hit, in its sentence."""
    return _any_between(places, max(sentence.start, hit.start - BESIDE), min(sentence.end, hit.end + BESIDE))


def _is_within(places: Sequence[int], sentence: _Sentence) -> bool:
    """Whether one of the ascending `places` is in the sentence."""
    return _any_between(places, sentence.start, sentence.end)


def _features(reads: Sequence[_Read], article: _Text) -> Features:
    dense = article.density
    offsets = (r.sentence.offset * dense if r.sentence.field else None for r in reads)
    read = [(offset, r.probability, weight_of(r.row)) for offset, r in zip(offsets, reads, strict=True)]
    return features(read, sum(1 for s in article.sentences if s.offset >= 0), headed=article.headed)


def _sub_level(topic: Level, own: list[tuple[float, _Hit]], article: _Text) -> Level:
    """`main` if the topic is `main` and the sub-topic appears early or often; else `mention`."""
    if topic != "main":
        return "mention"
    sentences = [(weight, article.sentence_at(hit.start)) for weight, hit in own]
    early = any(not s.field or 0 <= s.offset * article.density < LEAD for _, s in sentences)
    said = sum(weight for weight, s in sentences if s.offset >= 0)
    return "main" if early or said >= 3 else "mention"


def _evidence(
    weighted: list[tuple[float, _Hit]], article: _Text, probabilities: dict[_Sentence, float]
) -> tuple[Evidence, ...]:
    chosen = sorted(_chosen(weighted, article, probabilities), key=lambda h: h.start)
    return tuple(article.evidence(h.start, h.end) for h in chosen)


def _chosen(weighted: list[tuple[float, _Hit]], article: _Text, probabilities: dict[_Sentence, float]) -> list[_Hit]:
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
