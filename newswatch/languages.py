"""What newswatch knows of each language: one file each in `config/languages/`, checked and read once.

A file in `languages/` of the configuration folder adds a language, or replaces the shipped file of that name. Text is
matched by the words of all languages, whatever it is in: a feed's language is often wrong or missing.
`docs/languages.md` says how a language is added.

Worker processes are handed what was read, so nothing here imports pydantic, which takes longer to load than a page
takes to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, get_type_hints

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

STRICT: Final = {"extra": "forbid"}
"""Of every part: a key that is not known is a slip. pydantic looks for it under the name `__pydantic_config__`."""


class _Parted:
    """Marks words that a file gives in one text, with blanks between."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from newswatch.language_files import parted

        return parted(handler(source))


class _Patterns:
    """Marks regular expressions."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from newswatch.language_files import compiled

        return compiled(handler(source))


NEEDED: Final = "needed"
"""Marks what a file has to give, or to name under `without`."""
Words = Annotated[tuple[str, ...], _Parted]
Patterns = Annotated[tuple[str, ...], _Patterns]
"""Regular expressions, in which case does not count."""
NeededWords = Annotated[tuple[str, ...], _Parted, NEEDED]
NeededPatterns = Annotated[tuple[str, ...], _Patterns, NEEDED]


@dataclass(frozen=True, slots=True)
class Analyzer:
    """How Elasticsearch makes terms of the words: the token filters of its own analyzer of this name."""

    __pydantic_config__: ClassVar = STRICT
    name: str
    elision: Words = ()
    """Articles that are written with an apostrophe: `l` in `l'OTAN`."""
    possessive: str | None = None
    """The stemmer that takes off `'s`."""
    first: tuple[str, ...] = ()
    """Token filters before all others."""
    lowercase: str | None = None
    """The variant of the `lowercase` filter."""
    before_stop_words: tuple[str, ...] = ()
    after_stop_words: tuple[str, ...] = ()
    stop_words: Words | None = None
    """None: Elasticsearch's own list."""
    stemmer: str | None = ""
    """None: words are not stemmed. Empty: the stemmer has the analyzer's name."""
    accents: bool = True
    """Whether words have apostrophes, or accents that the stemmer sees."""

    @property
    def stemmed_by(self) -> str | None:
        """Elasticsearch's name of the stemmer; None where words are not stemmed."""
        return self.name if self.stemmer == "" else self.stemmer


@dataclass(frozen=True, slots=True)
class SharedAnalyzer:
    """The analyzer that another language's file describes."""

    __pydantic_config__: ClassVar = STRICT
    like: str
    """The code of that language."""


@dataclass(frozen=True, slots=True)
class Dates:
    """What stands in written dates beside the names of days and months, which CLDR has."""

    __pydantic_config__: ClassVar = STRICT
    locales: tuple[str, ...] | None = None
    """CLDR's locales whose names of days and months are known; None: the language itself."""
    month_first: bool = False
    """Whether 06/07 may be June 7."""
    buddhist_years: bool = False
    prefix: str = ""
    """Stands before the name of a month, without a blank."""
    months: Mapping[str, int] = field(default_factory=dict)
    """Names that CLDR lacks."""
    am: Patterns = ()
    pm: Patterns = ()
    hour: Patterns = ()
    minute: Patterns = ()
    second: Patterns = ()
    """What stands behind the hour, the minute, the second."""
    ordinals: Patterns = ()
    """What stands behind the day."""
    days: Patterns = ()
    """Whole dates, with the groups `day`, `month` and `year`."""
    dropped: Patterns = ()
    fillers: Words = ()
    """Words that say nothing."""


@dataclass(frozen=True, slots=True)
class Authors:
    """How people are named."""

    __pydantic_config__: ClassVar = STRICT
    by: NeededPatterns = ()
    """Stands before an author's name."""
    joined_by: NeededWords = ()
    """`and` between two authors."""
    particles: Words = ()
    """Small words within people's names."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The words of counters, ages and stamps; case, dots and accents don't count."""

    __pydantic_config__: ClassVar = STRICT
    counted: NeededWords = ()
    """What sites count. Votes are not among it: those are counted in news too."""
    counted_stems: Words = ()
    """How further words for what sites count begin."""
    none: Words = ()
    """For no number, or for the first."""
    beside_counts: Words = ()
    updated: NeededWords = ()
    """Begins a stamp."""
    beside_stamps: Words = ()
    hours: NeededWords = ()
    """Seconds, minutes and hours, as in CLDR's past relative times ("{0} minutes ago")."""
    days: NeededWords = ()
    now: NeededWords = ()
    """Say of an age that it is none yet."""
    ago: NeededWords = ()
    """Makes of a time span an age."""
    beside_ages: Words = ()


@dataclass(frozen=True, slots=True)
class Prompts:
    """What stands between the lines of an article and is not it."""

    __pydantic_config__: ClassVar = STRICT
    opening: NeededPatterns = ()
    """How prompts begin."""
    slots: NeededPatterns = ()
    """A line that says `advertisement` and nothing else."""
    credits: Patterns = ()
    """Before a colon: who made the picture, or gave the news."""
    read_on: Patterns = ()
    """A line that begins so leads to another article."""
    frame: Patterns = ()
    """Whole lines that an outlet puts around any article."""
    agency: Patterns = ()
    """Stands before the name of the agency that a text is from."""
    ours: Patterns = ()
    """Before `newsletter`: it is the page's own."""
    yours: Patterns = ()
    """Behind `newsletter`: the reader is spoken to."""
    subscribe: Patterns = ()
    """Begins an appeal to subscribe, which a word of `lures` completes."""
    lures: Patterns = ()
    appeals: Patterns = ()
    """Words with which a page sells itself to its reader."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A page that asks for consent has all three."""

    __pydantic_config__: ClassVar = STRICT
    topic: NeededPatterns = ()
    address: NeededPatterns = ()
    button: NeededPatterns = ()


@dataclass(frozen=True, slots=True)
class Robots:
    """A page that wants to know whether a person reads it."""

    __pydantic_config__: ClassVar = STRICT
    title: NeededPatterns = ()
    """A title that says so and nothing else."""
    browser: NeededPatterns = ()
    human: NeededPatterns = ()
    refusal: NeededPatterns = ()


@dataclass(frozen=True, slots=True)
class Paid:
    """A paywall says that there is more, and who may read it."""

    __pydantic_config__: ClassVar = STRICT
    gate: NeededPatterns = ()
    member: NeededPatterns = ()
    offer: NeededPatterns = ()
    label: NeededPatterns = ()


@dataclass(frozen=True, slots=True)
class Walls:
    """The words of pages that are served in an article's place."""

    __pydantic_config__: ClassVar = STRICT
    consent: Consent = Consent()
    robots: Robots = Robots()
    paid: Paid = Paid()


@dataclass(frozen=True, slots=True)
class Notices:
    """How an outlet says that it corrects its own article."""

    __pydantic_config__: ClassVar = STRICT
    retraction: NeededPatterns = ()
    of_others: Patterns = ()
    """Reports on somebody else's retraction, which are none."""
    correction: NeededPatterns = ()
    clarification: NeededPatterns = ()


@dataclass(frozen=True, slots=True)
class Stances:
    """Words by which a sentence does not say that what it names is so. Whole words of the folded text
    (`transforms.fold`) are looked at."""

    __pydantic_config__: ClassVar = STRICT
    negated: Patterns = ()
    denied: Patterns = ()
    """Somebody says it is not so, or will not do it."""
    doubted: Patterns = ()
    """It may be so, or somebody says so: modal verbs, `allegedly`."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language's file."""

    __pydantic_config__: ClassVar = STRICT
    also: tuple[str, ...] = ()
    """Other codes of the same language."""
    dense: bool = False
    """Whether few characters say much, as in Chinese."""
    function_words: Words = ()
    """Articles, prepositions, pronouns, auxiliaries, question words: searches in the language do not require them."""
    numbers: Mapping[int, Words] = field(default_factory=dict)
    """Number → its words, in every form but those that are articles too: another number is news. Without them only the
    same words count as said before (`transforms.novelty`)."""
    stances: Stances = Stances()
    """What turns a sentence into another one of nearly the same words: it is news too. Without it, only a sentence with
    all the same words, short ones too, counts as said before."""
    analyzer: Annotated[Analyzer | SharedAnalyzer | None, NEEDED] = None
    zones: Mapping[str, str] = field(default_factory=dict)
    """Name of a time zone → what it means to who writes in this language: offset from UTC, `?` for several."""
    dates: Dates = Dates()
    authors: Authors = Authors()
    labels: Labels = Labels()
    prompts: Prompts = Prompts()
    walls: Walls = Walls()
    notices: Notices = Notices()
    without: tuple[str, ...] = ()
    """The parts that are not known, or that the language doesn't need: `walls`, `walls.paid`, `walls.paid.member`."""


def needed(part: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """Each thing that a language needs, by its path in the file, and whether it is given."""
    marked = _needed_fields(type(part))  # type: ignore[arg-type]  # mypy takes a class for unhashable
    for each in fields(part):
        value, where = getattr(part, each.name), f"{path}{each.name}"
        if each.name in marked:
            yield where, bool(value)
        elif is_dataclass(value):
            yield from needed(value, f"{where}.")


@cache
def _needed_fields(part: Any) -> frozenset[str]:
    hints = get_type_hints(part, include_extras=True)
    return frozenset(name for name, hint in hints.items() if NEEDED in getattr(hint, "__metadata__", ()))


# ── all of them ──────────────────────────────────────────────────────────────────────────────────────────────────────

_handed: dict[str, Mapping[str, Language]] = {}
"""To a worker process, which then reads no files."""


def hand_over(known: Mapping[str, Language]) -> None:
    """Has this process go by `known`, which another one has read."""
    _handed["languages"] = known


@cache
def languages() -> Mapping[str, Language]:
    """Code → every language that is known, read when it is first asked for.

    Raises:
        ConfigError: a file can't be read or breaks the schema; the message names it and the line.
    """
    if _handed:
        return _handed["languages"]
    from newswatch.language_files import folders, load_languages

    return load_languages(*folders())


def gathered(part: Callable[[Language], Iterable[str]]) -> tuple[str, ...]:
    """What `part` gives of every language, each once, in the order of their codes."""
    return tuple(dict.fromkeys(word for language in languages().values() for word in part(language)))


def alternatives(part: Callable[[Language], Iterable[str]], *more: str) -> str:
    """What `part` gives of every language, then `more`, as one regular expression, to be put into a group.

    Where there is nothing it matches nothing.
    """
    return "|".join((*gathered(part), *more)) or "(?!)"


# ── what code asks of them ───────────────────────────────────────────────────────────────────────────────────────────


def known_as(code: str) -> str:
    """The code that newswatch uses for the language `code`: `zh` for `yue`."""
    return _others().get(code, code)


@cache
def _others() -> Mapping[str, str]:
    return {other: code for code, language in languages().items() for other in language.also}


def analyzer_of(code: str) -> Analyzer | None:
    """The analyzer of a language; None where it has none."""
    language = languages().get(code)
    its = language.analyzer if language else None
    return analyzer_of(its.like) if isinstance(its, SharedAnalyzer) else its


def is_dense(code: str | None) -> bool:
    """Whether few characters of the language say much."""
    language = languages().get(code or "")
    return language is not None and language.dense


Direction = Literal["rtl", "auto"]


@cache
def direction(code: str | None) -> Direction:
    """How text in the language is set: from right to left where CLDR says so, else as its first letters are written.

    Kurdish, Punjabi and others are written in two scripts, of which CLDR names the more frequent.
    """
    from babel import Locale, UnknownLocaleError

    try:
        return "rtl" if code and Locale.parse(code).text_direction == "rtl" else "auto"
    except (ValueError, UnknownLocaleError):
        return "auto"
