"""Saved searches: in `config/alerts.yaml` to begin with, in Elasticsearch from then on."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from alerts import bounds, schedule
from alerts.bounds import BOUNDS
from alerts.kinds import KINDS
from alerts.query import check
from newswatch import config
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Level
from newswatch.errors import ConfigError, DocumentError, NewswatchError, QueryError
from newswatch.mail_address import mail_address
from newswatch.problems import Bulkhead, Problem, reason_of, report_problem
from search.asking import HeavySearchError, SlowSearchError
from store.client import Client
from store.compare_and_set import put, until_written
from store.documents import Document, Stored, dump, load, problem_of, require_id, values
from store.names import Names
from store.reading import every, get_hit, get_hits, get_one

log = logging.getLogger(__name__)

ID = r"^[a-z0-9][a-z0-9-]{0,63}$"
_FAULTS = 20
"""Wrong fields of a form that are told one by one."""


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_schedule(text: str) -> str:
    schedule.parse(text)
    return text


def _is_kind(name: str) -> str:
    if name not in KINDS:
        *others, last = map(repr, KINDS)
        told = f"Input should be {', '.join(others)} or {last}"
        raise PydanticCustomError("literal_error", "{told}", {"told": told})
    return name


def _lasts(field: str) -> AfterValidator:
    """Checks a length of time against the field's bounds, and leaves it as it is written."""

    def checked(text: str) -> str:
        bounds.duration(field, text)
        return text

    return AfterValidator(checked)


def _at_most(field: str) -> BeforeValidator:
    """Refuses a list that is too long before each of its items is looked at."""

    def checked(items: Any) -> Any:
        if isinstance(items, list | tuple):
            bounds.count(field, items)
        return items

    return BeforeValidator(checked)


def _long(field: str) -> StringConstraints:
    return StringConstraints(max_length=bounds.chars(field))


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=bounds.chars("item"))]
Moment = Annotated[datetime, AfterValidator(bounds.moment)]


class TagSpec(BaseModel):
    """A tag an article must carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)?$")]
    level: Level = "mention"


class AlertSpec(BaseModel):
    """One item of `alerts.yaml`."""

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
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], ...], _at_most("countries")
    ] = ()
    sources: Annotated[tuple[Text, ...], _at_most("sources")] = ()
    kinds: Annotated[tuple[Text, ...], _at_most("kinds")] = ()
    min_sources: int = Field(1, ge=int(BOUNDS["min_sources"].least), le=int(BOUNDS["min_sources"].most))
    recipients: Annotated[
        tuple[Annotated[str, AfterValidator(mail_address)], ...], Field(min_length=1), _at_most("recipients")
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
        """This item as a `SavedSearch`."""
        fields = self.model_dump(exclude={"throttle", "silence", "tags", "recipients"})
        return SavedSearch(
            **fields,
            tags=tuple(TagFilter(t.tag, t.level) for t in self.tags),
            recipients=tuple(dict.fromkeys(self.recipients)),
            throttle_s=schedule.duration(self.throttle),
            silence_s=schedule.duration(self.silence),
        )


class AlertList(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alerts: tuple[AlertSpec, ...]


def with_fields(search: SavedSearch, fields: Mapping[str, Any]) -> SavedSearch:
    """The saved search with these fields of `alerts.yaml` set, checked as the file is.

    Raises:
        UsageError: a field has a value that it can't have; every such field is named.
    """
    was = dump(search) | {"throttle": f"{search.throttle_s}s", "silence": f"{search.silence_s}s"}
    known = {name: value for name, value in was.items() if name in AlertSpec.model_fields}
    try:
        return AlertSpec.model_validate(known | dict(fields)).search()
    except ValidationError as error:
        faults = error.errors(include_url=False)
        more = [f"and {len(faults) - _FAULTS} more"] if len(faults) > _FAULTS else []
        raise UsageError("; ".join([*map(config.fault_text, faults[:_FAULTS]), *more])) from error


class UsageError(NewswatchError):
    """A value that a saved search can't have was given."""

    exit_code = 2


def load_alerts(path: Path) -> tuple[SavedSearch, ...]:
    """The saved searches listed in the file at `path`, in its order, disabled ones too.

    Raises:
        ConfigError: the file can't be read, breaks the schema, or gives an id twice; it names the line.
    """
    searches = tuple(spec.search() for spec in config.load(path, AlertList).alerts)
    seen: dict[str, int] = {}
    for index, search in enumerate(searches):
        first = seen.setdefault(search.id, index)
        if first != index:
            here, there = _line(path, index), _line(path, first)
            raise ConfigError(path, here, f"line {here}: the id {search.id} stands already in line {there}")
    return searches


@dataclass(frozen=True, slots=True)
class EntryFault:
    """An item of the file that can't be used."""

    subject: str
    """Its id; where it has none that can be read, its place."""
    error: ConfigError


def read_alerts(path: Path) -> tuple[tuple[SavedSearch, ...], tuple[EntryFault, ...]]:
    """The file's saved searches item by item: those that can be used, and what is wrong with each of the others.

    Raises:
        ConfigError: the file as a whole can't be used: it can't be read, is no YAML, or holds no list of alerts.
    """
    root, data = config.document(path)
    if not isinstance(data, dict) or not isinstance(data.get("alerts"), list) or len(data) > 1:
        config.load(path, AlertList)  # says what is wrong
    searches: dict[str, SavedSearch] = {}
    faults: list[EntryFault] = []
    for index, item in enumerate(data["alerts"]):
        try:
            search = AlertSpec.model_validate(item).search()
        except ValidationError as error:
            faults.append(EntryFault(_subject(item, index), config.fault(path, root, error, ("alerts", index))))
            continue
        if search.id in searches:
            line = config.line_of(root, ("alerts", index))
            twice = ConfigError(path, line, f"line {line}: the id {search.id} is given twice; the first one stands")
            faults.append(EntryFault(f"{search.id} (line {line})", twice))
        searches.setdefault(search.id, search)
    return tuple(searches.values()), tuple(faults)


def _subject(item: Any, index: int) -> str:
    found = item.get("id") if isinstance(item, dict) else None
    return found if isinstance(found, str) and re.fullmatch(ID, found) else f"alerts.yaml, item {index + 1}"


def _line(path: Path, index: int) -> int:
    return config.line_of(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader), ("alerts", index))


# ── the store ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Change:
    """A version of a saved search that is no longer in force: who replaced it, when, and which fields."""

    search: SavedSearch
    replaced_at: datetime
    replaced_by: str
    fields: tuple[str, ...]


class SavedSearches:
    """The saved searches of one installation."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.searches

    def seed_from_file(self, path: Path, bulkhead: Bulkhead, *, now: datetime | None = None) -> int:
        """`seed` with the file at `path`, item by item: what is wrong costs the item alone and is set aside.

        A file that can't be used at all leaves every saved search as it is stored. Returns how many were written.

        Raises:
            StoreError, elastic_transport's errors: Elasticsearch is in trouble.
        """
        try:
            searches, faults = read_alerts(path)
        except ConfigError as error:
            log.error("The saved searches stay as they are stored: %s", error)
            bulkhead.note(Problem("search", path.name, reason_of(error), "seed"))
            return 0
        for fault in faults:
            log.error("An item of the file is passed over: %s", fault.error)
            bulkhead.note(Problem("search", fault.subject, reason_of(fault.error), "seed"))
        moment = now or datetime.now(UTC)
        return sum(
            bool(bulkhead.attempt("search", search.id, partial(self._seed, search, moment))) for search in searches
        )

    def seed(self, searches: Iterable[SavedSearch], *, now: datetime | None = None) -> int:
        """Create those that don't exist; update those whose file version changed and that no user has changed since.

        Returns how many were written. One whose query can't be run is written too, as a problem, and not matched: it
        must not keep the others from being matched.
        """
        return sum(self._seed(search, now or datetime.now(UTC)) for search in searches)

    def _seed(self, search: SavedSearch, now: datetime) -> bool:
        mark = _fingerprint(search)
        try:
            was = self._find(search.id)
        except DocumentError as error:
            report_problem(problem_of(error))  # a user's change may be in it: it is not written over
            return False
        if was is not None and was.value.get("seed", "") in ("", mark):
            return False
        problem = ""
        try:
            check(self._es, self._names, search)
        except (SlowSearchError, HeavySearchError) as error:
            log.warning("%s is saved all the same, and set aside if matching is slow too: %s", search.id, error)
        except QueryError as error:
            problem = str(error)
        # Where another seeder or a user was quicker, theirs stands.
        return self._write(search, was, by="config/alerts.yaml", seed=mark, now=now, problem=problem) is not None

    def all(self) -> tuple[SavedSearch, ...]:
        """Every saved search, by id."""
        self._es.indices.refresh(index=self._index)
        hits = every(self._es, self._index)
        return tuple(sorted(values(hits, read_search), key=lambda search: search.id))

    def enabled(self, *, now: datetime | None = None) -> tuple[SavedSearch, ...]:
        """Those to be matched: enabled and not expired. A muted one is matched too, and its mails are suppressed."""
        moment, problems = now or datetime.now(UTC), self.problems()
        live = (s for s in self.all() if s.enabled and s.id not in problems)
        return tuple(s for s in live if s.expires_at is None or s.expires_at > moment)

    def problems(self) -> dict[str, str]:
        """Id of each saved search that can't be run → why."""
        self._es.indices.refresh(index=self._index)
        hits = every(self._es, self._index, {"exists": {"field": "problem"}})
        return {hit["_id"]: str(hit["_source"]["problem"]) for hit in hits}

    def get(self, alert_id: str) -> SavedSearch:
        """The saved search, in real time.

        Raises:
            NewswatchError: there is none of that id, or it can't be read.
        """
        found = self._found(alert_id)
        return read_search(found.id, found.value)

    def of(self, alert_ids: Iterable[str]) -> dict[str, SavedSearch]:
        """Those of the saved searches that exist, by id and in real time; one that can't be read is set aside."""
        hits = get_hits(self._es, self._index, (alert_id for alert_id in alert_ids if alert_id))
        return {search.id: search for search in values(hits, read_search)}

    def history(self, alert_id: str) -> tuple[Change, ...]:
        """The versions before the one in force, oldest first; one that can't be read is left out, and set aside."""
        found = self._found(alert_id)
        kept = found.value.get("history", [])
        versions = enumerate(kept if isinstance(kept, list) else [kept])
        hits = ({"_index": found.index, "_id": f"{found.id} history {n}", "_source": item} for n, item in versions)
        return tuple(values(hits, lambda _, item: load(Change, item)))

    def save(self, search: SavedSearch, *, by: str, now: datetime | None = None) -> SavedSearch:
        """Create or change a saved search on a user's behalf; a change that changes nothing makes no new version.

        Raises:
            QueryError: Elasticsearch can't run the query, or it names a field that doesn't exist.
            DocumentError: what is stored under its id can't be read, and stays as it is.
            StoreError: somebody else keeps changing it.
        """

        def attempt() -> SavedSearch | None:
            was = self._find(search.id)
            before = read_search(was.id, was.value) if was else None
            changed = _changed(before, search) if before else tuple(_ASKED)
            if before is not None and not changed:
                return before
            # A search that can't be run can be muted, switched off or given other recipients all the same.
            asks_anew = not _ASKED.isdisjoint(changed) or (search.enabled and "enabled" in changed)
            if asks_anew:
                check(self._es, self._names, search)
            problem = "" if asks_anew or was is None else str(was.value.get("problem", ""))
            return self._write(search, was, by=by, seed="", now=now or datetime.now(UTC), problem=problem)

        return until_written(attempt, lambda: f"Saved search {search.id} keeps being changed by others: try again.")

    def delete(self, alert_id: str) -> None:
        """Forget the saved search; its deliveries stay.

        Raises:
            NewswatchError: there is none of that id.
        """
        if get_hit(self._es, self._index, alert_id) is None:
            raise _none(alert_id)
        self._es.delete(index=self._index, id=alert_id, refresh=True)

    def _find(self, alert_id: str) -> Stored[Document] | None:
        """The document, which can be read; None: there is none.

        Raises:
            DocumentError: it can't be read.
        """
        return get_one(self._es, self._index, alert_id, _readable)

    def _found(self, alert_id: str) -> Stored[Document]:
        found = self._find(alert_id)
        if found is None:
            raise _none(alert_id)
        return found

    def _write(
        self,
        search: SavedSearch,
        was: Stored[Document] | None,
        *,
        by: str,
        seed: str,
        now: datetime,
        problem: str = "",
    ) -> SavedSearch | None:
        """The saved search in its new version; None: somebody else was there first."""
        before = read_search(was.id, was.value) if was else None
        search = replace(search, version=before.version + 1 if before else 1)
        history = was.value.get("history", []) if was else []
        history = list(history) if isinstance(history, list) else [history]
        if before:
            history.append(dump(Change(before, now, by, _changed(before, search))))
        document = _document(search, history, by=by, seed=seed, now=now)
        if problem:
            document["problem"] = problem
        written = put(self._es, self._index, search.id, search, document, was, refresh=True)
        return written.value if written else None


def _document(search: SavedSearch, history: list[Document], *, by: str, seed: str, now: datetime) -> Document:
    shown: dict[str, Any] = {
        "id": search.id,
        "name": search.name,
        "kind": search.kind,
        "query": search.query,
        "tags": [f"{tag.tag}:{tag.level}" for tag in search.tags],
        "recipients": list(search.recipients),
        "owner": search.owner,
        "schedule": search.schedule,
        "enabled": search.enabled,
        "mute_until": search.mute_until and search.mute_until.isoformat(),
        "expires_at": search.expires_at and search.expires_at.isoformat(),
        "version": search.version,
    }
    stamp = {"changed_at": now.isoformat(), "changed_by": by, "seed": seed}
    return shown | stamp | {"definition": dump(search), "history": history}


def _none(alert_id: str) -> NewswatchError:
    return NewswatchError(f"There is no saved search {alert_id!r}: `newswatch alerts list` shows them.")


def read_search(alert_id: str, document: Mapping[str, Any]) -> SavedSearch:
    """The saved search of a document; whether it can be worked with, `alerts.bounds.unusable` says. Pure."""
    search = load(SavedSearch, {"query": "", "name": ""} | dict(document["definition"]))
    require_id(alert_id, search.id)
    if search.kind not in KINDS:
        raise ValueError(f"kind: {search.kind!r} is none of {', '.join(KINDS)}")
    return search


def _readable(alert_id: str, document: Mapping[str, Any]) -> Document:
    """The document of a saved search, which can be read. Pure."""
    read_search(alert_id, document)
    return dict(document)


def _changed(before: SavedSearch, after: SavedSearch) -> tuple[str, ...]:
    names = (name for name in SavedSearch.__dataclass_fields__ if name != "version")
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


_ASKED = frozenset(("query", "tags", "languages", "countries", "sources", "kinds", "min_score", "min_sources", "kind"))
"""Fields that say what Elasticsearch is asked."""


def _fingerprint(search: SavedSearch) -> str:
    """Changes when the file's version of the saved search does."""
    plain = json.dumps(dump(replace(search, version=1)), sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]
