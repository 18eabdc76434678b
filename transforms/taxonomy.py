"""Loads and checks the taxonomy: the topics that articles are tagged with, and the words that are evidence for them.

The taxonomy is in `config/taxonomy.yaml`; `docs/tagging.md` explains it to its editors. Forms are written as in a text,
with four marks:

    terrorist*              any letters may follow: a stem
    *anschlag*              any letters may precede and follow: a compound
    террорист* атак*        stems within a phrase
    (car/truck) bomb        written out as two forms
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from itertools import combinations
from math import prod
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from newswatch import config
from newswatch.config import Source
from newswatch.languages import languages
from newswatch.topics import Called, TopicCalled, Topics, Word
from transforms.fold import PARTING

ANY = "any"
"""The key in a `terms` mapping for forms with the same meaning in every language; other keys are language codes."""
_BRACKETS = re.compile(r"\(([^()]*)\)")
_NON_JOINER = re.compile(PARTING)
_ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"
MAX_ALTERNATIVES = 1_000
"""Maximum forms that the brackets of one may expand to: `(a/b) (c/d)` expands to four."""


def _checked_form(form: str) -> str:
    alternatives = prod(choices.count("/") + 1 for choices in _BRACKETS.findall(form))
    if alternatives > MAX_ALTERNATIVES:
        raise ValueError(
            f"{form[:60]!r}: its brackets expand to {alternatives:,} forms, the maximum is {MAX_ALTERNATIVES:,}"
        )
    for written in expand(form):
        bare = written.replace("*", "").strip()
        if len(bare) < 2:
            raise ValueError(f"{form!r} has less than two characters without stars")
        if re.search(r"[()]|\*\*|\*\w|\s\s", written.removeprefix("*")):
            raise ValueError(f"{form!r} is malformed: a star ends a word or begins the form, brackets come in pairs")
    return form


def expand(form: str) -> list[str]:
    """The forms that `form` stands for: `(car/truck) bomb` → `car bomb`, `truck bomb`.

    A zero-width non-joiner between Arabic letters stands for none, too: Persian writes one name with it, with a blank
    (which folding makes of it) and as one word.
    """
    brackets = _BRACKETS.search(form)
    if not brackets:
        return [*dict.fromkeys((form, _NON_JOINER.sub("", form)))]
    heads = (form[: brackets.start()] + choice + form[brackets.end() :] for choice in brackets[1].split("/"))
    return [written for head in heads for written in expand(head)]


def _checked_language(language: str) -> str:
    if language != ANY and language not in languages():
        raise ValueError(f"{language!r} is not a known language: add a file for it (docs/languages.md)")
    return language


Form = Annotated[str, AfterValidator(_checked_form)]
Factor = Annotated[float, Field(ge=-1_000, le=1_000, allow_inf_nan=False)]
"""A weight of a scoring model."""
Language = Annotated[str, AfterValidator(_checked_language)]
Forms = dict[Language, tuple[Form, ...]]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Raised(_Part):
    """A higher weight for hits in a telling context: "bomb" beside "killed"."""

    weight: float = Field(gt=0, le=3)
    needs: tuple[str, ...] = Field(min_length=1)
    """Contexts, one of which must occur within `near` characters."""
    unless: tuple[str, ...] = ()
    """Contexts, none of which may occur within `near` characters."""
    near: int = Field(default=150, ge=20, le=100_000)


class TermGroup(_Part):
    """Forms that share their rules."""

    terms: Forms
    weight: float = Field(default=1.0, ge=0, le=3)
    """Weight of one hit: 1 is plain evidence, less only supports other hits, 0 cancels the hits it covers."""
    case: bool = False
    """If True, the text must have a capital wherever the form has one."""
    needs: tuple[str, ...] = ()
    """Contexts, one of which must occur within `near` characters."""
    unless: tuple[str, ...] = ()
    """Contexts, none of which may occur within `near` characters."""
    beside_names: bool = False
    """If True, `needs` applies only to hits beside another capitalised word, which may be part of a person's or firm's
    name."""
    near: int = Field(default=200, ge=20, le=100_000)
    raised: Raised | None = None
    """When a hit weighs more; otherwise it weighs `weight`."""
    note: str = ""

    @model_validator(mode="after")
    def _raised_is_more(self) -> Self:
        if self.raised and (self.raised.weight <= self.weight or self.weight == 0 or self.needs or self.unless):
            raise ValueError("`raised` requires a smaller `weight` above 0, and neither `needs` nor `unless`")
        return self

    @property
    def contexts(self) -> tuple[str, ...]:
        """Every context that the group refers to."""
        raised = (*self.raised.needs, *self.raised.unless) if self.raised else ()
        return (*self.needs, *self.unless, *raised)

    @property
    def readings(self) -> tuple[TermGroup, ...]:
        """The group itself and, if it has a raised weight, a copy with the raised weight and its conditions."""
        if self.raised is None:
            return (self,)
        return (self, self.model_copy(update={**dict(self.raised), "raised": None}))


class Subtopic(_Part, Called):
    """A part of a topic. Its hits also count for the topic."""

    called: dict[Language, tuple[Word, ...]] = Field(default_factory=dict)
    terms: tuple[TermGroup, ...]


class SentenceWeights(_Part):
    """A logistic model that estimates how likely a sentence says something substantive about the topic.

    `docs/tagging.md` explains what each number multiplies. By default a sentence with plain evidence is substantive.
    """

    bias: Factor = -2
    weight: Factor = 0
    peak: Factor = 4
    plain: Factor = 0
    title: Factor = 0
    opening: Factor = 0
    brevity: Factor = 0
    early: Factor = 0
    known: Factor = 0
    beside: dict[str, Factor] = Field(default_factory=dict)
    """Context → weight added if one of its words is directly beside evidence."""
    cues: dict[str, Factor] = Field(default_factory=dict)
    """Context → weight added if one of its words is in the same sentence."""

    @property
    def contexts(self) -> tuple[str, ...]:
        """The contexts of the model: those beside evidence, then those anywhere in the sentence."""
        return (*self.beside, *self.cues)


class Weights(_Part):
    """A logistic model over the sentences of an article; `docs/tagging.md` explains what each number multiplies."""

    bias: Factor
    title: Factor = 0
    best: Factor = 0
    lead: Factor = 0
    volume: Factor = 0
    share: Factor = 0
    support: Factor = 0
    length: Factor = 0
    silent: Factor = 0
    first: Factor = 0


class Scoring(_Part):
    """The models of a topic: `sentence` rates each sentence, `any` decides on the tag, `main` on its level."""

    sentence: SentenceWeights = SentenceWeights()
    any: Weights
    main: Weights


class Topic(_Part, TopicCalled):
    """A subject with which an article can be tagged."""

    called: dict[Language, tuple[Word, ...]] = Field(default_factory=dict)
    scoring: Scoring
    terms: tuple[TermGroup, ...]
    subtopics: dict[Annotated[str, Field(pattern=_ID)], Subtopic] = Field(default_factory=dict)


class Period(_Part):
    """A period: first day, and first day after it. Without `from` it has no beginning; without `until`, no end."""

    begin: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.begin and self.until and self.begin >= self.until:
            raise ValueError(f"`until` {self.until} must be later than `from` {self.begin}: it is the first day after")
        return self

    def holds(self, day: date) -> bool:
        """Whether `day` is in the period: on or after `from`, and before `until`."""
        return (self.begin is None or self.begin <= day) and (self.until is None or day < self.until)

    def meets(self, other: Period) -> bool:
        """Whether the two periods share a day."""
        begin = max(self.begin or date.min, other.begin or date.min)
        return begin < min(self.until or date.max, other.until or date.max)


class Weight(Period):
    """The weight of one hit of an entity's name for a topic, and the period in which it applies."""

    weight: float = Field(ge=0, le=3)


class Role(Period):
    """An office that a person holds, or a membership of a state."""

    role: str = Field(min_length=1)
    note: str = ""


class Listing(Period):
    """An entry in a list of terrorist organisations: whose list, and since when."""

    by: Literal["Argentina", "Australia", "Canada", "EU", "UK", "UN", "US"]
    note: str = ""


def _written_out(given: object) -> object:
    """Expands the short forms `0.5` and `{weight: 0.5, until: …}` to a list of weights."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return ({"weight": given},)
    return (given,) if isinstance(given, dict) else given


def _one_at_a_time(weights: tuple[Weight, ...]) -> tuple[Weight, ...]:
    for first, second in combinations(weights, 2):
        if first.meets(second):
            raise ValueError(f"weights {first.weight:g} and {second.weight:g} apply on the same day")
    return weights


Weighings = Annotated[tuple[Weight, ...], BeforeValidator(_written_out), AfterValidator(_one_at_a_time)]


def _weights_on(topics: dict[str, tuple[Weight, ...]], day: date | None) -> dict[str, float]:
    held = {path: [w.weight for w in weights if day is None or w.holds(day)] for path, weights in topics.items()}
    return {path: max(weights) for path, weights in held.items() if weights}


def _dated(topics: dict[str, tuple[Weight, ...]]) -> bool:
    return any(w.begin or w.until for weights in topics.values() for w in weights)


class NameGroup(_Part):
    """Names of an entity that share their rules."""

    terms: Forms
    cancels: bool = False
    """If True, these are not names of the entity: they cancel the hits they cover."""
    topics: dict[str, Weighings] | None = None
    """Weights of these names, if they differ from the entity's `topics`."""
    note: str = ""
    case: bool = False
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    beside_names: bool = False
    near: int = Field(default=200, ge=20, le=100_000)

    @property
    def contexts(self) -> tuple[str, ...]:
        """Every context that the group refers to."""
        return (*self.needs, *self.unless)


class GazetteerEntity(Period):
    """A body, group, mission, person, attack or place with its names.

    `from` is the day on which it came into being; before that day its names don't count. `until` is the first day after
    its end. News still mentions it then, so its weights end only if they have an `until` of their own.
    """

    name: str
    type: Literal["alliance", "body", "group", "mission", "person", "base", "place", "coalition", "exercise", "attack"]
    wikidata: str | None = Field(default=None, pattern=r"^Q[1-9][0-9]*$")
    topics: dict[str, Weighings] = Field(default_factory=dict)
    """Topic or `topic/subtopic` → weights of one hit, each with its period."""
    roles: tuple[Role, ...] = ()
    listed: tuple[Listing, ...] = ()
    """Who lists it as a terrorist organisation. Information only: the weights of its names are under `topics`."""
    names: tuple[NameGroup, ...]

    def dated(self, names: NameGroup) -> bool:
        """Whether the weights of `names` depend on the day."""
        return self.begin is not None or _dated(self.topics if names.topics is None else names.topics)

    def weights(self, names: NameGroup, day: date | None) -> dict[str, float]:
        """Topic or sub-topic → weight of `names` on `day`; without a day, the greatest weight they ever have."""
        return _weights_on(self.topics if names.topics is None else names.topics, day)

    def on(self, day: date) -> GazetteerEntity:
        """The entity with only those weights, roles and listings that apply on `day`."""
        weights = {path: tuple(w for w in ws if w.holds(day)) for path, ws in self.topics.items()}
        return self.model_copy(
            update={
                "topics": {path: held for path, held in weights.items() if held},
                "roles": tuple(role for role in self.roles if role.holds(day)),
                "listed": tuple(listing for listing in self.listed if listing.holds(day)),
            }
        )


def written(forms: Forms) -> Iterator[tuple[str, str]]:
    """Each (language, form) with the brackets expanded."""
    return ((language, w) for language, listed in forms.items() for form in listed for w in expand(form))


class Taxonomy(_Part):
    """The tagger's topics, entities and contexts."""

    edition: str
    """The analysts' name for this version."""
    contexts: dict[Annotated[str, Field(pattern=_ID)], Forms] = Field(default_factory=dict)
    topics: dict[Annotated[str, Field(pattern=_ID)], Topic]
    entities: dict[Annotated[str, Field(pattern=_ID)], GazetteerEntity] = Field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """`edition` plus a hash of the content except colours: every edit that `retag` applies changes it."""
        content = self.model_dump_json(exclude={"edition": True, "topics": {"__all__": {"colour"}}})
        return f"{self.edition}+{hashlib.sha256(content.encode()).hexdigest()[:10]}"

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every tag: each topic followed by its sub-topics."""
        return tuple(p for t, topic in self.topics.items() for p in (t, *(f"{t}/{s}" for s in topic.subtopics)))

    @cached_property
    def called(self) -> Topics:
        """What people call the topics."""
        return Topics(topics=dict(self.topics))

    def entities_at(self, day: date) -> dict[str, GazetteerEntity]:
        """Id → each entity that existed on `day`, with its weights, roles and listings of that day."""
        return {key: entity.on(day) for key, entity in self.entities.items() if entity.holds(day)}

    @property
    def languages(self) -> frozenset[str]:
        """The languages that it has forms in."""
        return frozenset(language for group, _ in self.groups() for language in group.terms) - {ANY}

    @property
    def size(self) -> int:
        """The number of forms, with brackets expanded."""
        return sum(1 for group, _ in self.groups() for _ in written(group.terms))

    @model_validator(mode="after")
    def _references_resolve(self) -> Taxonomy:
        for group, where in self._groups():
            for context in group.contexts:
                if context not in self.contexts:
                    raise ValueError(f"{where} refers to the context {context!r}, which is not under `contexts`")
        for t, topic in self.topics.items():
            for context in topic.scoring.sentence.contexts:
                if context not in self.contexts:
                    raise ValueError(
                        f"topics.{t}.scoring.sentence refers to the context {context!r}, which is not under `contexts`"
                    )
        for key, entity in self.entities.items():
            for topics, where in (
                (entity.topics, ""),
                *((g.topics or {}, f"names.{n}.") for n, g in enumerate(entity.names)),
            ):
                for path in topics:
                    if path not in self.paths:
                        raise ValueError(
                            f"entities.{key}.{where}topics refers to {path!r}, which is not a topic or sub-topic"
                        )
        return self

    def _groups(self) -> Iterator[tuple[TermGroup | NameGroup, str]]:
        for t, topic in self.topics.items():
            yield from ((g, f"topics.{t}.terms.{n}") for n, g in enumerate(topic.terms))
            for s, sub in topic.subtopics.items():
                yield from ((g, f"topics.{t}.subtopics.{s}.terms.{n}") for n, g in enumerate(sub.terms))
        for e, entity in self.entities.items():
            yield from ((g, f"entities.{e}.names.{n}") for n, g in enumerate(entity.names))

    def groups(self) -> Iterator[tuple[TermGroup | NameGroup, str]]:
        """Every group of terms and names, with its path in the file."""
        return self._groups()


def load_taxonomy(source: Source) -> Taxonomy:
    """The taxonomy in the file.

    Raises:
        ConfigError: the file can't be read or breaks the schema; the message names the line.
    """
    return config.load(source, Taxonomy)
