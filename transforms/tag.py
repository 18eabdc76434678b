"""Tagging: which topics an article is about, how much, and the words that show it.

One pass of an Aho–Corasick automaton over the folded title, summary and text finds every form of the taxonomy. A hit
counts when its word boundaries, its capitals, its language and its contexts hold; a hit inside a longer one is dropped
(so a longer form of weight 0 cancels it: "non-NATO ally", "terror of the midfield"). What is left is summed up in a few
numbers per topic, and a logistic model in the taxonomy makes them a probability that the article says something
substantive (`any`) and that it is about the topic (`main`).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from newswatch.model import Entity, Evidence, Level, Tag, TextField
from transforms.fold import Folded, fold
from transforms.taxonomy import GazetteerEntity, NameGroup, Scoring, Taxonomy, TermGroup, Weights, written

LEAD = 700
"""How many characters of the text, and all of the summary, are the lead (a third of it in Chinese and Japanese)."""
WINDOW = 400
"""The text is looked at in windows of so many characters to see how far a topic spreads in it."""
EVIDENCE_PER_TAG = 24
"""A tag shows its weightiest hits, at most so many: title first, then the heaviest, each wording at least once."""

TITLE_CHARS, SUMMARY_CHARS, TEXT_CHARS = 2_000, 20_000, 100_000
"""Characters of the fields that are looked at: a longer one is tagged by its beginning, as `problems` tells."""
MATCHES = 20_000
"""Places that are looked at. A long text about nothing else has a tenth of that."""
WORD_CHARS = 100
"""A word is followed no further to its beginning or end: a longer one is none, and to follow it is quadratic."""
SUPPORT_REPEATED = 3
"""So many hits of one wording that only supports are counted."""

_ARABIC_CLITICS = frozenset(
    head + article
    for head in ("", "و", "ف", "ب", "ل", "ك", "وب", "ول", "فل", "فب", "وك", "لل", "ولل", "فلل", "س", "ا", "وا")
    for article in ("", "ال")
)
_ARABIC = re.compile("[\u0600-\u06ff]")
_APPOSITION = frozenset({"(", "/", '"', '("'})
_LETTERS = re.compile("[^\\W_\u2e80-\ud7ff]+")
_KATAKANA = re.compile("[\u30a1-\u30fe]+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Tagged:
    """What the tagger found: tags by weight of evidence, entities by number of hits."""

    tags: tuple[Tag, ...]
    entities: tuple[Entity, ...]
    problems: tuple[str, ...] = ()
    """What was not looked at, as it was too much."""


class _Rule(NamedTuple):
    """One form as it is looked for, with everything that decides whether a hit counts."""

    key: int
    """Distinguishes wordings: hits of one form share it."""
    form: str
    open_left: bool
    open_right: bool
    arabic: bool
    capitals: str
    """The form's own writing where capitals matter, else empty."""
    tail: re.Pattern[str] | None
    """What must follow the literal part of a form with stems inside."""
    languages: frozenset[str]
    """Empty: any."""
    targets: tuple[tuple[int, float], ...]
    """(topic or sub-topic, weight)."""
    entity: int
    cancels: bool
    context: int
    conditional: bool
    needs: tuple[int, ...]
    unless: tuple[int, ...]
    near: int


class _Hit(NamedTuple):
    start: int
    end: int
    rule: _Rule


@dataclass(slots=True)
class _Text:
    """The three fields as one folded haystack, and where each begins in it."""

    haystack: str
    fields: tuple[tuple[TextField, int, str, Folded], ...]
    language: str | None

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

    def base(self, number: int) -> int:
        return self.fields[number][1]

    @property
    def density(self) -> int:
        """How many Latin letters a character is worth: Chinese and Japanese say a word in two."""
        sample = self.haystack[:400]
        return 3 if 3 * len(_CJK.findall(sample)) > len(sample) else 1

    def field_at(self, start: int) -> tuple[TextField, int, str, Folded]:
        for field_ in reversed(self.fields):
            if start >= field_[1]:
                return field_
        raise IndexError(start)

    def evidence(self, start: int, end: int) -> Evidence:
        name, base, string, folded = self.field_at(start)
        a, b = folded.original(start - base, end - base)
        return Evidence(name, a, b, string[a:b])


@dataclass(frozen=True, slots=True)
class Features:
    """The evidence for one topic in numbers."""

    title: float = 0.0
    """Weight of the title's hits, at most 2."""
    lead: float = 0.0
    """Weight of the lead's hits, logarithmic."""
    volume: float = 0.0
    """Weight of all hits outside the title, logarithmic."""
    density: float = 0.0
    """Weight for each 100 words, at most 5."""
    spread: float = 0.0
    """Share of the text's windows with plain evidence."""
    variety: float = 0.0
    """Number of different wordings of plain evidence, logarithmic."""
    peak: float = 0.0
    """Weight of the weightiest hit outside the title."""
    support: float = 0.0
    """Weight of the hits that only support (less than 1 each), logarithmic."""

    def score(self, weights: Weights) -> float:
        """The logistic model's probability."""
        total = weights.bias
        for name in FEATURES:
            total += getattr(weights, name) * getattr(self, name)
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


FEATURES = ("title", "lead", "volume", "density", "spread", "variety", "peak", "support")


@dataclass(slots=True)
class _Compiled:
    """The taxonomy as the automaton needs it."""

    patterns: list[str] = field(default_factory=list)
    rules: list[list[_Rule]] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    keys: int = 0

    def add(self, pattern: str, rule: _Rule) -> None:
        at = self.index.get(pattern)
        if at is None:
            at = self.index[pattern] = len(self.patterns)
            self.patterns.append(pattern)
            self.rules.append([])
        self.rules[at].append(rule)


class Tagger:
    """Tags articles by one taxonomy. Building it takes a moment; use one for many articles."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self._paths = taxonomy.paths
        self._path_number = {path: n for n, path in enumerate(self._paths)}
        self._contexts = {name: n for n, name in enumerate(taxonomy.contexts)}
        self._entities = tuple(_entity(key, entity) for key, entity in taxonomy.entities.items())
        self._dated_rules: dict[int, tuple[GazetteerEntity, NameGroup]] = {}
        compiled = _Compiled()
        self._languages = {language for group, _ in taxonomy.groups() for language in group.terms} - {"any"}
        self._compile(compiled)
        self._rules = compiled.rules
        self._patterns = compiled.patterns
        self._automaton = AhoCorasick(compiled.patterns)

    # ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _compile(self, into: _Compiled) -> None:
        for name, forms in self.taxonomy.contexts.items():
            self._add(into, TermGroup(terms=forms), (), context=self._contexts[name])
        for t, topic in self.taxonomy.topics.items():
            for group in topic.terms:
                self._add(into, group, ((t, group.weight),))
            for s, sub in topic.subtopics.items():
                for group in sub.terms:
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
                arabic=bool(_ARABIC.match(pattern)),
                capitals=literal if group.case and literal != literal.lower() else "",
                tail=tail,
                languages=frozenset() if language == "any" else frozenset((language,)),
                targets=numbered,
                entity=entity,
                cancels=isinstance(group, NameGroup) and group.cancels,
                context=context,
                conditional=bool(needs or unless),
                needs=needs,
                unless=unless,
                near=group.near,
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
        """The tags and entities of an article, each tag with its evidence; the same for the same strings, always.

        Evidence offsets count characters of the strings as given: `s[start:end] == evidence.text`.
        `language` is a BCP 47 tag; without one, or with one the taxonomy has no forms for, forms of every language
        are looked for. `date` is when it was published, aware of its time zone: entities count as they were then.
        Without one they count by the greatest weight they ever have.
        """
        article = _Text.of(title, summary, text, language)
        problems = [*_too_long(title=title, summary=summary, text=text)]
        hits = self._hits(article, problems)
        if date is not None:
            hits = self._on_day(hits, _latest_day(date))
        if not hits:
            return Tagged((), (), tuple(problems))
        weighted = _weighted(article.haystack, hits)
        tags = tuple(tag for topic in self.taxonomy.topics for tag in self._topic_tags(topic, weighted, article))
        return Tagged(tags, self._found_entities(hits), tuple(problems))

    def features(
        self, topic: str, *, title: str, summary: str = "", text: str = "", language: str | None = None
    ) -> Features:
        """The evidence for `topic` in numbers: what the scoring in the taxonomy is fitted on."""
        article = _Text.of(title, summary, text, language)
        weighted = _weighted(article.haystack, self._hits(article, []))
        return _features(weighted.get(self._path_number[topic], []), article)

    def _hits(self, article: _Text, problems: list[str]) -> list[_Hit]:
        """Every hit whose own rules hold, in order; `problems` takes up what was too much."""
        primary = (article.language or "").split("-")[0].lower()
        language = primary if primary in self._languages else None
        found: list[_Hit] = []
        contexts: dict[int, list[int]] = defaultdict(list)
        haystack = article.haystack
        matches = self._automaton.find_matches_as_indexes(haystack, overlapping=True)
        if len(matches) > MATCHES:
            problems.append(f"{len(matches):,} places may name a topic: tagged by the first {MATCHES:,}")
        for number, start, end in matches[:MATCHES]:
            for rule in self._rules[number]:
                if language and rule.languages and language not in rule.languages:
                    continue
                stop = _bounded(haystack, start, end, rule)
                if stop < 0 or (rule.capitals and not _capitals_hold(article, start, end, rule.capitals)):
                    continue
                if rule.context >= 0:
                    contexts[rule.context].append(start)
                else:
                    found.append(_Hit(_word_start(haystack, start) if rule.open_left else start, stop, rule))
        for places in contexts.values():
            places.sort()
        return [hit for hit in found if not hit.rule.conditional or _in_context(hit, contexts)]

    def _on_day(self, hits: list[_Hit], day: date) -> list[_Hit]:
        """`hits` with the weights that their entities have on `day`, without those of entities yet to come."""
        return [dated for hit in hits if (dated := self._dated(hit, day))]

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

    def _topic_tags(self, topic: str, weighted: dict[int, list[tuple[float, _Hit]]], article: _Text) -> Iterator[Tag]:
        hits = weighted.get(self._path_number[topic])
        if not hits:
            return
        level, score = _level(_features(hits, article), self.taxonomy.topics[topic].scoring)
        if level is None:
            return
        yield Tag(topic, level, score, _evidence(hits, article))
        for sub in self.taxonomy.topics[topic].subtopics:
            path = f"{topic}/{sub}"
            own = weighted.get(self._path_number[path])
            if own:
                yield Tag(path, _sub_level(level, own, article), score, _evidence(own, article))

    def _found_entities(self, hits: list[_Hit]) -> tuple[Entity, ...]:
        named: dict[int, list[_Hit]] = defaultdict(list)
        for hit in hits:
            if hit.rule.entity >= 0:
                named[hit.rule.entity].append(hit)
        counts = {n: sum(not h.rule.cancels for h in _longest(own)) for n, own in named.items()}
        found = [replace(self._entities[number], count=count) for number, count in counts.items() if count]
        return tuple(sorted(found, key=lambda e: (-e.count, e.id)))


def _too_long(*, title: str, summary: str, text: str) -> tuple[str, ...]:
    """Which fields are too long to be tagged whole, a sentence each."""
    fields = (("title", title, TITLE_CHARS), ("summary", summary, SUMMARY_CHARS), ("text", text, TEXT_CHARS))
    return tuple(
        f"{name} has {len(string):,} characters: tagged by the first {most:,}"
        for name, string, most in fields
        if len(string) > most
    )


def _entity(key: str, entity: GazetteerEntity) -> Entity:
    """The entity as an article carries it, with every name that is written out (no stems)."""
    named = (group for group in entity.names if not group.cancels)
    names = dict.fromkeys(form for group in named for _, form in written(group.terms) if "*" not in form)
    return Entity(key, entity.name, entity.type, 0, entity.wikidata, tuple(n for n in names if n != entity.name))


def _latest_day(moment: datetime) -> date:
    """The day of `moment` where it is latest on Earth (UTC+14): what happens there is news at once."""
    utc = moment.astimezone(UTC)
    return utc.date() + timedelta(days=utc.hour >= 10 and utc.date() < date.max)


def _with_parents(topics: dict[str, float], *, cancels: bool) -> tuple[tuple[str, float], ...]:
    """`topics` with a sub-topic's weight given to its topic too, where the topic has none of its own."""
    parents = {path.split("/")[0]: weight for path, weight in topics.items()}
    return tuple((path, 0.0 if cancels else weight) for path, weight in {**parents, **topics}.items())


def _split(form: str) -> tuple[str, re.Pattern[str] | None]:
    """A form's literal beginning, and the pattern of what follows it where there are stems inside."""
    literal, _, rest = form.removeprefix("*").removesuffix("*").partition("*")
    if not rest:
        return literal, None
    return literal, re.compile(r"\w*" + r"\w*".join(re.escape(fold(part).text) for part in rest.split("*")))


def _bounded(haystack: str, start: int, end: int, rule: _Rule) -> int:
    """Where the hit ends if its boundaries hold, else -1."""
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
    """Whether a word goes on from one character to the next.

    Scripts without spaces end a word anywhere ("NATO加盟" holds NATO), but not within a run of katakana: "テロ" is no
    part of "コレステロール".
    """
    if "\u2e80" <= left <= "\ud7ff" or "\u2e80" <= right <= "\ud7ff":
        return "\u30a1" <= left <= "\u30fe" and "\u30a1" <= right <= "\u30fe"
    return left.isalnum() and right.isalnum()


def _word_end(haystack: str, at: int) -> int:
    letters = _KATAKANA if "\u30a1" <= haystack[at - 1] <= "\u30fe" else _LETTERS
    found = letters.match(haystack, at, at + WORD_CHARS)
    return found.end() if found else at


def _word_start(haystack: str, at: int) -> int:
    first = max(0, at - WORD_CHARS)
    while at > first and _joined(haystack[at - 1], haystack[at]):
        at -= 1
    return at


def _only_clitics_before(haystack: str, start: int) -> bool:
    begin = start
    while begin and start - begin <= 5 and haystack[begin - 1].isalnum():
        begin -= 1
    return haystack[begin:start] in _ARABIC_CLITICS


def _capitals_hold(article: _Text, start: int, end: int, form: str) -> bool:
    """Whether the text has a capital wherever `form` has one; an acronym's tell nothing where all is in capitals."""
    text = article.evidence(start, end).text
    if len(text) != len(form):
        return text.isupper()
    if form.isupper():
        return text.isupper() and not _in_capitals(article, start)
    return all(t.isupper() for f, t in zip(form, text, strict=True) if f.isupper())


def _in_capitals(article: _Text, start: int) -> bool:
    """Whether capitals say nothing at `start`, since everything around is written in them."""
    _, base, string, _ = article.field_at(start)
    around = string[max(0, start - base - 40) : start - base + 40]
    return around.isupper() and sum(map(str.isupper, around)) > 12


def _in_context(hit: _Hit, contexts: dict[int, list[int]]) -> bool:
    rule = hit.rule
    if rule.needs and not any(_near(hit, contexts.get(c, ())) for c in rule.needs):
        return False
    return not (rule.unless and any(_near(hit, contexts.get(c, ())) for c in rule.unless))


def _near(hit: _Hit, places: Sequence[int]) -> bool:
    """Whether one of the ascending places is near."""
    at = bisect_left(places, hit.start - hit.rule.near)
    return at < len(places) and places[at] <= hit.end + hit.rule.near


def _longest(hits: list[_Hit]) -> list[_Hit]:
    """`hits` in order, without those that lie within a longer one and without seconds of the same span."""
    kept: list[_Hit] = []
    reach = -1
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if hit.end > reach:
            kept.append(hit)
            reach = hit.end
    return kept


def _weighted(haystack: str, hits: list[_Hit]) -> dict[int, list[tuple[float, _Hit]]]:
    """For each topic or sub-topic the hits that count for it, in order, with their weights.

    Of equal spans the heaviest counts; what is cancelled, or only repeats the hit before in other words, does not.
    """
    best: dict[int, dict[tuple[int, int], tuple[float, _Hit]]] = defaultdict(dict)
    for hit in hits:
        span = (hit.start, hit.end)
        for path, weight in hit.rule.targets:
            held = best[path].get(span)
            if held is None or (held[0] and (weight == 0 or weight > held[0])):
                best[path][span] = (weight, hit)
    return {path: counted for path, spans in best.items() if (counted := _counted(haystack, spans))}


def _counted(haystack: str, spans: dict[tuple[int, int], tuple[float, _Hit]]) -> list[tuple[float, _Hit]]:
    kept = [spans[h.start, h.end] for h in _longest([hit for _, hit in spans.values()])]
    counted = [pair for pair in kept if pair[0] > 0]
    return [pair for n, pair in enumerate(counted) if not (n and _apposed(haystack, counted[n - 1][1], pair[1]))]


def _apposed(haystack: str, before: _Hit, after: _Hit) -> bool:
    """Whether `after` only repeats `before` in other words: "Islamic State (ISIS)", "OTAN/NATO"."""
    return after.start - before.end <= 3 and haystack[before.end : after.start].strip(" ") in _APPOSITION


def _saturated(weighted: list[tuple[float, _Hit]]) -> list[tuple[float, _Hit]]:
    """`weighted` without the further hits of a wording that only supports: saying it again makes it no plainer."""
    seen: dict[str, int] = defaultdict(int)
    kept = []
    for weight, hit in weighted:
        seen[hit.rule.form] += 1
        if weight >= 1 or seen[hit.rule.form] <= SUPPORT_REPEATED:
            kept.append((weight, hit))
    return kept


def _features(hits: list[tuple[float, _Hit]], article: _Text) -> Features:
    weighted = _saturated(hits)
    title_end, text_start = article.base(1), article.base(2)
    dense = article.density
    in_title = sum(w for w, h in weighted if h.start < title_end)
    in_lead = sum(w for w, h in weighted if title_end <= h.start < text_start + LEAD // dense)
    in_body = sum(w for w, h in weighted if h.start >= text_start)
    plain = [h for w, h in weighted if w >= 1]
    supporting = sum(w for w, _ in weighted if w < 1)
    length = (len(article.haystack) - text_start) * dense
    windows = max(1, math.ceil(length / WINDOW))
    reached = {(h.start - text_start) * dense // WINDOW for h in plain if h.start >= text_start}
    return Features(
        title=min(2.0, in_title),
        lead=math.log1p(in_lead),
        volume=math.log1p(in_body),
        density=min(5.0, (in_title + in_body) / max(0.5, length / 600)),
        spread=len(reached) / windows,
        variety=math.log1p(len({h.rule.key for h in plain})),
        peak=max((w for w, h in weighted if h.start >= title_end), default=0.0),
        support=math.log1p(supporting),
    )


def _level(features: Features, scoring: Scoring) -> tuple[Level | None, float]:
    """The level, or None; the score is the expected grade: halfway for a sure mention, 1 for a sure main subject."""
    main, any_ = features.score(scoring.main), features.score(scoring.any)
    score = round((main + max(main, any_)) / 2, 4)
    if main >= 0.5:
        return "main", score
    return ("mention" if any_ >= 0.5 else None), score


def _sub_level(topic: Level, own: list[tuple[float, _Hit]], article: _Text) -> Level:
    """A sub-topic of a main topic is main where it shows early or often."""
    if topic != "main":
        return "mention"
    early = any(h.start < article.base(2) + LEAD // article.density for _, h in own)
    return "main" if early or sum(w for w, _ in own) >= 3 else "mention"


def _evidence(weighted: list[tuple[float, _Hit]], article: _Text) -> tuple[Evidence, ...]:
    chosen = sorted(_chosen(weighted, article), key=lambda h: h.start)
    return tuple(article.evidence(h.start, h.end) for h in chosen)


def _chosen(weighted: list[tuple[float, _Hit]], article: _Text) -> list[_Hit]:
    if len(weighted) <= EVIDENCE_PER_TAG:
        return [h for _, h in weighted]
    seen: set[int] = set()
    ranked = []
    for weight, hit in weighted:
        repeated = hit.rule.key in seen
        seen.add(hit.rule.key)
        ranked.append((hit.start >= article.base(1), repeated, -weight, hit.start, hit))
    return [r[-1] for r in sorted(ranked, key=lambda r: r[:4])[:EVIDENCE_PER_TAG]]
