"""The short filters of the query language, one entry each. Pure data.

What a query may say (`search.syntax`), what is counted beside the hits (`search.facets`), what a saved search keeps as
its own (`search.extract_filters`), the form's fields, the commands' options, the help and the table in
docs/news-page.md derive from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from newswatch.reliability import GRADES

if TYPE_CHECKING:
    from newswatch.alert import SavedSearch


@dataclass(frozen=True, slots=True)
class State:
    """A value with a meaning of its own, in Elasticsearch's words and in Lucene's."""

    clause: Mapping[str, Any]
    lucene: str


@dataclass(frozen=True, slots=True)
class Personal:
    """A value that asks for what one reader has done; `search.personal` makes its clause for the reader who asks."""

    what: str
    """Of whom it asks what, as it is told where nobody is logged in."""


@dataclass(frozen=True, slots=True)
class Facet:
    """How its values are counted beside the hits."""

    heading: str
    values: int
    """So many are shown, the most frequent."""
    written: Literal["topic", "country", "language", "reliability", "as it is"] = "as it is"
    """What a value is, so that its name can be shown."""
    many: bool = False
    """An article may have several of them, so choosing two asks for both; of others, for any."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The field of a saved search that keeps its values, any of which an article may have."""

    field: str
    """Of `SavedSearch`, and of the form."""
    label: str
    placeholder: str
    option: str
    """Of `newswatch alerts add`."""
    help: str


@dataclass(frozen=True, slots=True)
class ShortFilter:
    """One short filter."""

    meaning: str
    """As it is shown to users."""
    examples: tuple[str, ...]
    """Whole filters."""
    field: str | None = None
    """The field whose values it asks for; None: it asks in a way of its own."""
    case: Callable[[str], str] = str
    """How the field writes values."""
    once: bool = False
    """It takes one value, stands once at most, and can't be negated."""
    choices: Mapping[str, State | Personal | None] = dataclasses.field(default_factory=dict)
    """The values it takes; empty: any."""
    scale: tuple[str, ...] = ()
    """The values it takes, in order: it takes ranges of them too (`a..c`). An article without one has the last."""
    is_time: bool = False
    """It takes a time, and means nothing for what is yet to come: a saved search drops it."""
    adds: bool = False
    """It adds articles instead of excluding some. A saved search drops it, an export refuses it."""
    facet: Facet | None = None
    saved: Saved | None = None
    noun: str = ""
    """What `newswatch explain` calls a condition on the field."""

    @property
    def help(self) -> str:
        """Meaning and examples, on one line."""
        return f"{self.meaning}: {', '.join(self.examples)}" if self.examples else self.meaning


_COPY: Final = {"exists": {"field": "duplicate_of"}}

ANY: Final = "any"
"""The value of `similar:` for all languages."""

FILTERS: Final[Mapping[str, ShortFilter]] = {
    "tag": ShortFilter(
        "topic or sub-topic",
        ("tag:TOPIC", "tag:TOPIC/SUB-TOPIC"),
        field="tags",
        case=str.lower,
        facet=Facet("Topic", 60, "topic", many=True),
        noun="tag",
    ),
    "level": ShortFilter(
        "main: the tag (any, if none is asked for) must be what the article is about",
        (),
        once=True,
        choices={"main": None, "mention": None},
    ),
    "source": ShortFilter(
        "outlet by domain, with its sub-domains, or by name",
        ("source:lemonde.fr",),
        field="source.domain",
        facet=Facet("Outlet", 12),
        saved=Saved("sources", "Outlets, by domain", "lemonde.fr", "source", "Domain of the outlet; any of them."),
        noun="source",
    ),
    "country": ShortFilter(
        "country of the outlet",
        ("country:FR",),
        field="source.country",
        case=str.upper,
        facet=Facet("Country", 12, "country"),
        saved=Saved("countries", "Countries of outlets", "France, DE", "country", "Of the outlet: BE, …; any of them."),
        noun="country",
    ),
    "lang": ShortFilter(
        "language",
        ("lang:fr", "lang:fr,de"),
        field="language",
        case=str.lower,
        facet=Facet("Language", 12, "language"),
        saved=Saved("languages", "Languages", "French, de", "language", "en, fr, …; any of them."),
        noun="language",
    ),
    "kind": ShortFilter(
        "kind of the outlet",
        ("kind:agency",),
        field="source.kind",
        case=str.lower,
        facet=Facet("Kind", 8),
        saved=Saved("kinds", "Kinds of outlets", "", "kind", "press, agency, government, …; any of them."),
        noun="kind of source",
    ),
    "owner": ShortFilter("who controls the outlet", ('owner:"…"',), field="source.owner"),
    "reliability": ShortFilter(
        "reliability of the outlet by the Admiralty code, A (completely) to E (not at all), F (cannot be judged)",
        ("reliability:a..b", "reliability:c,d"),
        field="source.reliability",
        case=str.upper,
        scale=tuple(GRADES),
        facet=Facet("Reliability", 6, "reliability"),
        noun="reliability",
    ),
    "feed": ShortFilter("id of a feed that carried it", ("feed:ID",), field="feeds"),
    "agency": ShortFilter("news agency it was taken from", ("agency:AFP",), field="agency"),
    "entity": ShortFilter(
        "named in it",
        ("entity:isaf", 'entity:"Jens Stoltenberg"'),
        field="entities",
        facet=Facet("Named", 12, many=True),
    ),
    "story": ShortFilter("id of a story", ("story:ID",), field="story_id"),
    "is": ShortFilter(
        "a copy or not, changed after it was published, or of a medium that a state controls; on the page also what"
        " came since you last looked (new), what you have not opened (unread), have starred or noted, and what was"
        " handed to you (mine)",
        (
            *("is:original", "is:copy", "is:updated", "is:state-media"),
            *("is:new", "is:unread", "is:starred", "is:noted", "is:mine"),
        ),
        choices={
            "original": State({"bool": {"must_not": [_COPY]}}, "NOT _exists_:duplicate_of"),
            "copy": State(_COPY, "_exists_:duplicate_of"),
            "updated": State({"range": {"version": {"gte": 2}}}, "version:>=2"),
            "state-media": State({"term": {"source.state_media": True}}, "source.state_media:true"),
            "new": Personal("what came since a reader last looked"),
            "unread": Personal("what a reader has not opened"),
            "starred": Personal("what a reader has starred"),
            "noted": Personal("what a reader has noted"),
            "mine": Personal("what a reader was handed"),
        },
    ),
    "since": ShortFilter(
        "published from then on, in UTC", ("since:7d", "since:24h", "since:2026-03-01"), once=True, is_time=True
    ),
    "until": ShortFilter(
        "published until the end of then, in UTC", ("until:2026-03", "until:yesterday"), once=True, is_time=True
    ),
    "similar": ShortFilter(
        "adds articles that mean the same as the words, in any language or in those named; tagged ones only",
        (f"similar:{ANY}", "similar:fr,ru"),
        adds=True,
    ),
}
"""Name → short filter, in the order in which they are shown."""

ONCE: Final = frozenset(name for name, one in FILTERS.items() if one.once)
TIMES: Final = frozenset(name for name, one in FILTERS.items() if one.is_time)
ADDING: Final = frozenset(name for name, one in FILTERS.items() if one.adds)
FACETS: Final[Mapping[str, Facet]] = {name: one.facet for name, one in FILTERS.items() if one.facet}
PERSONAL: Final = frozenset(
    (name, value) for name, one in FILTERS.items() for value, of in one.choices.items() if isinstance(of, Personal)
)
"""Filters (name, value) whose answer depends on who asks."""
SAVED: Final[Mapping[str, Saved]] = {name: one.saved for name, one in FILTERS.items() if one.saved}


def fields_of(name: str) -> str:
    """The field whose values the filter of that name asks for.

    Raises:
        KeyError: it asks for no values of a field.
    """
    asked = FILTERS[name].field
    if asked is None:
        raise KeyError(name)
    return asked


RANGE: Final = ".."


def on_scale(name: str, value: str) -> tuple[str, ...]:
    """The values of a filter with a scale that a typed value or range stands for.

    Raises:
        ValueError: it is neither; the message says what is.
    """
    scale, case = FILTERS[name].scale, FILTERS[name].case
    ends = [case(end.strip()) for end in value.split(RANGE)]
    if len(ends) > 2 or any(end not in scale for end in ends):
        raise ValueError(f"{name}: is one of {', '.join(scale)}, or a range such as a..b, not {value!r}")
    first, last = sorted((scale.index(ends[0]), scale.index(ends[-1])))
    return scale[first : last + 1]


def lists_of(search: SavedSearch) -> Iterator[str]:
    """What a saved search keeps of each filter, as one would type it: `lang:fr,de`."""
    for name, saved in SAVED.items():
        if values := getattr(search, saved.field):
            yield f"{name}:{','.join(values)}"
    if search.min_reliability:
        yield f"reliability:{least(search.min_reliability)}"


def least(grade: str) -> str:
    """The value of `reliability:` that asks for a grade or a better one: `a..c`."""
    return "a" if grade == "A" else f"a{RANGE}{grade.lower()}"


def as_markdown() -> str:
    """The table of docs/news-page.md."""
    examples = {name: " ".join(f"`{example}`" for example in one.examples) for name, one in FILTERS.items()}
    rows = (f"| `{name}:` | {one.meaning} | {examples[name]} |" for name, one in FILTERS.items())
    return "\n".join(("| filter | asks for | for example |", "|---|---|---|", *rows)) + "\n"
