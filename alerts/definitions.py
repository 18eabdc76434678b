"""What a saved search may be: `config/alerts.yaml`, forms and the command line are checked against it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from alerts import bounds, schedule
from alerts.bounds import BOUNDS
from alerts.kinds import KINDS
from newswatch import config
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Level
from newswatch.config import Source
from newswatch.countries import iso_country
from newswatch.errors import ConfigError, NewswatchError
from store.elastic.documents import dump

ID = r"^[a-z0-9][a-z0-9-]{0,63}$"
AddressRule = Callable[[str], str]
"""Returns the recipient's address in a text, or raises a ValueError. The channels' rule
(`delivery.channels.registry.parse_address`) is passed in, because `alerts` must not import `delivery`."""
_FAULTS = 20
"""Maximum number of wrong fields of a form to report individually."""


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_schedule(text: str) -> str:
    schedule.parse(text)
    return text


def _is_kind(name: str) -> str:
    if name not in KINDS:
        *others, last = map(repr, KINDS)
        expected = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("literal_error", "must be {expected}", {"expected": expected})
    return name


def _is_recipient(text: str, info: ValidationInfo) -> str:
    assert info.context is not None, "validated without the rule of addresses"
    rule: AddressRule = info.context["recipient"]
    return rule(text)


def _lasts(field: str) -> AfterValidator:
    """Checks a duration against the field's bounds, and keeps it as written."""

    def checked(text: str) -> str:
        bounds.duration(field, text)
        return text

    return AfterValidator(checked)


def _at_most(field: str) -> BeforeValidator:
    """Rejects a list that is too long before its items are validated."""

    def checked(items: Any) -> Any:
        if isinstance(items, list | tuple):
            bounds.count(field, items)
        return items

    return BeforeValidator(checked)


def _long(field: str) -> StringConstraints:
    return StringConstraints(max_length=bounds.chars(field))


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=bounds.chars("item"))]
Moment = Annotated[datetime, AfterValidator(bounds.moment)]


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


class TagSpec(BaseModel):
    """A tag that an article must carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)?$")]
    level: Level = "mention"


class AlertSpec(BaseModel):
    """One saved search in `alerts.yaml`. Validate it with the context `{"recipient": AddressRule}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=ID)]
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=bounds.chars("name"))]
    kind: Annotated[str, AfterValidator(_is_kind)] = "query"
    query: Annotated[str, _long("query")] = ""
    tags: Annotated[tuple[TagSpec, ...], _at_most("tags")] = ()
    min_score: float = Field(0.0, ge=BOUNDS["min_score"].least, le=BOUNDS["min_score"].most)
    languages: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")], ...], _at_most("languages")
    ] = ()
    countries: Annotated[
        tuple[Annotated[str, BeforeValidator(iso_country), StringConstraints(pattern=r"^[A-Z]{2}$")], ...],
        _at_most("countries"),
    ] = ()
    sources: Annotated[tuple[Text, ...], _at_most("sources")] = ()
    kinds: Annotated[tuple[Text, ...], _at_most("kinds")] = ()
    min_sources: int = Field(1, ge=int(BOUNDS["min_sources"].least), le=int(BOUNDS["min_sources"].most))
    min_reliability: Annotated[Literal["", "A", "B", "C", "D", "E"], BeforeValidator(_upper)] = ""
    recipients: Annotated[
        tuple[Annotated[str, AfterValidator(_is_recipient)], ...], Field(min_length=1), _at_most("recipients")
    ]
    schedule: Annotated[str, _long("schedule"), AfterValidator(_is_schedule)] = "instant"
    throttle: Annotated[str, _lasts("throttle")] = "0s"
    silence: Annotated[str, _lasts("silence")] = "1d"
    mute_until: Moment | None = None
    expires_at: Moment | None = None
    updates: bool = False
    enabled: bool = True
    owner: Annotated[str, _long("owner")] = ""
    note: Annotated[str, _long("note")] = ""

    def search(self) -> SavedSearch:
        """The item as a `SavedSearch`."""
        fields = self.model_dump(exclude={"throttle", "silence", "tags", "recipients"})
        return SavedSearch(
            **fields,
            tags=tuple(TagFilter(t.tag, t.level) for t in self.tags),
            recipients=each_once(self.recipients),
            throttle_s=schedule.duration(self.throttle),
            silence_s=schedule.duration(self.silence),
        )


def each_once(recipients: Iterable[str]) -> tuple[str, ...]:
    """The recipients, of spellings that differ in case the first: to mail servers they are one. Pure."""
    found: dict[str, str] = {}
    for recipient in recipients:
        found.setdefault(recipient.casefold(), recipient)
    return tuple(found.values())


class AlertList(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alerts: tuple[AlertSpec, ...]


def with_fields(search: SavedSearch, fields: Mapping[str, Any], recipient: AddressRule) -> SavedSearch:
    """The saved search with these fields of `alerts.yaml` set, validated as the file is.

    Raises:
        UsageError: a field has an invalid value; the message names every such field.
    """
    was = dump(search) | {"throttle": f"{search.throttle_s}s", "silence": f"{search.silence_s}s"}
    known = {name: value for name, value in was.items() if name in AlertSpec.model_fields}
    try:
        return AlertSpec.model_validate(known | dict(fields), context={"recipient": recipient}).search()
    except ValidationError as error:
        faults = error.errors(include_url=False)
        more = [f"and {len(faults) - _FAULTS} more"] if len(faults) > _FAULTS else []
        raise UsageError("; ".join([*map(config.fault_text, faults[:_FAULTS]), *more])) from error


class UsageError(NewswatchError):
    """An invalid value for a saved search."""

    exit_code = 2


def load_alerts(source: Source, recipient: AddressRule) -> tuple[SavedSearch, ...]:
    """The saved searches listed in the file, in its order, disabled ones too.

    Raises:
        ConfigError: the file can't be read, does not fit the schema, or repeats an id; the message names the line.
    """
    file = config.written(source)
    listed, root = config.load_with_root(file, AlertList, context={"recipient": recipient})
    searches = tuple(spec.search() for spec in listed.alerts)
    seen: dict[str, int] = {}
    for index, search in enumerate(searches):
        first = seen.setdefault(search.id, index)
        if first != index:
            here, there = (config.line_of(root, ("alerts", number)) for number in (index, first))
            raise ConfigError(file.path, here, f"line {here}: the id {search.id} is already used in line {there}")
    return searches


@dataclass(frozen=True, slots=True)
class EntryFault:
    """An invalid item of the file."""

    subject: str
    """Its id; its position if it has no valid id."""
    error: ConfigError


def read_alerts(source: Source, recipient: AddressRule) -> tuple[tuple[SavedSearch, ...], tuple[EntryFault, ...]]:
    """The file's valid saved searches, and the faults of the others.

    Raises:
        ConfigError: the file can't be read, is not YAML, or has no list of alerts.
    """
    file = config.written(source)
    listed = config.listed(file, "alerts")
    if listed is None:
        strict = config.load(file, AlertList, context={"recipient": recipient})  # an error that says what is wrong
        return tuple(spec.search() for spec in strict.alerts), ()
    path, root = file.path, listed.root
    searches: dict[str, SavedSearch] = {}
    faults: list[EntryFault] = []
    for index, item in enumerate(listed.items):
        if isinstance(item, ConfigError):
            faults.append(EntryFault(_subject({"id": config.text_at(root, ("alerts", index, "id"))}, index), item))
            continue
        try:
            search = AlertSpec.model_validate(item, context={"recipient": recipient}).search()
        except ValidationError as error:
            wrong = config.fault(path, root, error, ("alerts", index), model=AlertSpec)
            faults.append(EntryFault(_subject(item, index), wrong))
            continue
        if search.id in searches:
            line = config.line_of(root, ("alerts", index))
            twice = ConfigError(path, line, f"line {line}: the id {search.id} is given twice; the first item is used")
            faults.append(EntryFault(f"{search.id} (line {line})", twice))
        searches.setdefault(search.id, search)
    return tuple(searches.values()), tuple(faults)


def _subject(item: Any, index: int) -> str:
    search_id = item.get("id") if isinstance(item, dict) else None
    if isinstance(search_id, str) and re.fullmatch(ID, search_id):
        return search_id
    return f"alerts.yaml, item {index + 1}"
