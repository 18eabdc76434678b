"""Saved searches: in `config/alerts.yaml` to begin with, in Elasticsearch from then on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import yaml
from elasticsearch import ConflictError, Elasticsearch, NotFoundError
from elasticsearch.helpers import scan
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from alerts import schedule
from alerts.query import check
from newswatch import config
from newswatch.errors import ConfigError, NewswatchError, QueryError, StoreError
from newswatch.mail_address import mail_address
from newswatch.model import Level, SavedSearch, SearchKind, TagFilter
from newswatch.problems import Bulkhead
from search.documents import Document, Stored, dump, load, stored
from search.names import Names

ID = r"^[a-z0-9][a-z0-9-]{0,63}$"
_TRIES = 20
_PAGE = 1_000


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_schedule(text: str) -> str:
    schedule.parse(text)
    return text


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Duration = Annotated[str, AfterValidator(lambda text: (schedule.duration(text), text)[1])]


class TagSpec(BaseModel):
    """A tag an article must carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)?$")]
    level: Level = "mention"


class AlertSpec(BaseModel):
    """One item of `alerts.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=ID)]
    name: Text
    kind: SearchKind = "query"
    query: str = ""
    tags: tuple[TagSpec, ...] = ()
    min_score: float = Field(0.0, ge=0, le=1)
    languages: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")], ...] = ()
    countries: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], ...] = ()
    sources: tuple[Text, ...] = ()
    kinds: tuple[Text, ...] = ()
    min_sources: int = Field(1, ge=1)
    recipients: tuple[Annotated[str, AfterValidator(mail_address)], ...] = Field(min_length=1)
    schedule: Annotated[str, AfterValidator(_is_schedule)] = "instant"
    throttle: Duration = "0s"
    silence: Duration = "1d"
    mute_until: datetime | None = None
    expires_at: datetime | None = None
    updates: bool = False
    enabled: bool = True
    owner: str = ""
    note: str = ""

    def search(self) -> SavedSearch:
        """This item as a `SavedSearch`."""
        fields = self.model_dump(exclude={"throttle", "silence", "tags", "recipients", "mute_until", "expires_at"})
        return SavedSearch(
            **fields,
            tags=tuple(TagFilter(t.tag, t.level) for t in self.tags),
            recipients=tuple(dict.fromkeys(self.recipients)),
            throttle_s=schedule.duration(self.throttle),
            silence_s=schedule.duration(self.silence),
            mute_until=_utc(self.mute_until),
            expires_at=_utc(self.expires_at),
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
        faults = (f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors(include_url=False))
        raise UsageError("; ".join(faults)) from error


class UsageError(NewswatchError):
    """A value that a saved search can't have was given."""

    exit_code = 2


def _utc(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


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

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.searches

    def seed(self, searches: Iterable[SavedSearch], *, now: datetime | None = None) -> int:
        """Create those that don't exist; update those whose file version changed and that no user has changed since.

        Returns how many were written. One whose query can't be run is written too, as a problem, and not matched: it
        must not keep the others from being matched.
        """
        return sum(self._seed(search, now or datetime.now(UTC)) for search in searches)

    def _seed(self, search: SavedSearch, now: datetime) -> bool:
        mark = _fingerprint(search)
        was = self._find(search.id)
        if was is not None and was.value["seed"] in ("", mark):
            return False
        problem = ""
        try:
            check(self._es, self._names, search)
        except QueryError as error:
            problem = str(error)
        try:
            self._write(search, was, by="config/alerts.yaml", seed=mark, now=now, problem=problem)
        except ConflictError:
            return False  # another seeder or a user was quicker: theirs stands
        return True

    def all(self) -> tuple[SavedSearch, ...]:
        """Every saved search, by id."""
        self._es.indices.refresh(index=self._index)
        hits = scan(self._es, index=self._index, query={"query": {"match_all": {}}}, size=1_000)
        return tuple(sorted((_search(hit["_source"]) for hit in hits), key=lambda search: search.id))

    def enabled(self, *, now: datetime | None = None) -> tuple[SavedSearch, ...]:
        """Those to be matched: enabled and not expired. A muted one is matched too, and its mails are suppressed."""
        moment, problems = now or datetime.now(UTC), self.problems()
        live = (s for s in self.all() if s.enabled and s.id not in problems)
        return tuple(s for s in live if s.expires_at is None or s.expires_at > moment)

    def problems(self) -> dict[str, str]:
        """Id of each saved search that can't be run → why."""
        self._es.indices.refresh(index=self._index)
        query = {"query": {"exists": {"field": "problem"}}}
        hits = scan(self._es, index=self._index, query=query, size=1_000)
        return {hit["_id"]: hit["_source"]["problem"] for hit in hits}

    def get(self, alert_id: str) -> SavedSearch:
        """The saved search, in real time.

        Raises:
            NewswatchError: there is none of that id.
        """
        return _search(self._found(alert_id).value)

    def of(self, alert_ids: Iterable[str], bulkhead: Bulkhead) -> dict[str, SavedSearch]:
        """Those of the saved searches that exist and can be read, by id and in real time."""
        wanted = [alert_id for alert_id in dict.fromkeys(alert_ids) if alert_id]
        found: dict[str, SavedSearch] = {}
        for at in range(0, len(wanted), _PAGE):
            for hit in self._es.mget(index=self._index, ids=wanted[at : at + _PAGE])["docs"]:
                if hit.get("found"):
                    search = bulkhead.attempt("search", hit["_id"], partial(_search, hit["_source"]))
                    found |= {hit["_id"]: search} if search else {}
        return found

    def history(self, alert_id: str) -> tuple[Change, ...]:
        """The versions before the one in force, oldest first."""
        return tuple(load(Change, item) for item in self._found(alert_id).value.get("history", []))

    def save(self, search: SavedSearch, *, by: str, now: datetime | None = None) -> SavedSearch:
        """Create or change a saved search on a user's behalf; a change that changes nothing makes no new version.

        Raises:
            QueryError: Elasticsearch can't run the query, or it names a field that doesn't exist.
            StoreError: somebody else keeps changing it.
        """
        for _ in range(_TRIES):
            was = self._find(search.id)
            if was is not None and not _changed(_search(was.value), search):
                return _search(was.value)
            check(self._es, self._names, search)
            try:
                return self._write(search, was, by=by, seed="", now=now or datetime.now(UTC))
            except ConflictError:
                continue
        raise StoreError(f"Saved search {search.id} keeps being changed by others: try again.")

    def delete(self, alert_id: str) -> None:
        """Forget the saved search; its deliveries stay.

        Raises:
            NewswatchError: there is none of that id.
        """
        self._found(alert_id)
        self._es.delete(index=self._index, id=alert_id, refresh=True)

    def _find(self, alert_id: str) -> Stored[Document] | None:
        try:
            hit = self._es.get(index=self._index, id=alert_id)
        except NotFoundError:
            return None
        return stored(hit["_source"], hit.body)

    def _found(self, alert_id: str) -> Stored[Document]:
        found = self._find(alert_id)
        if found is None:
            raise NewswatchError(f"There is no saved search {alert_id!r}: `newswatch alerts list` shows them.")
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
    ) -> SavedSearch:
        before = _search(was.value) if was else None
        search = replace(search, version=before.version + 1 if before else 1)
        history = list(was.value.get("history", [])) if was else []
        if before:
            history.append(dump(Change(before, now, by, _changed(before, search))))
        document = _document(search, history, by=by, seed=seed, now=now)
        if problem:
            document["problem"] = problem
        if was is None:
            self._es.create(index=self._index, id=search.id, document=document, refresh=True)
        else:
            self._es.index(
                index=self._index,
                id=search.id,
                document=document,
                refresh=True,
                if_seq_no=was.seq_no,
                if_primary_term=was.primary_term,
            )
        return search


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


def _search(document: Mapping[str, Any]) -> SavedSearch:
    return load(SavedSearch, {"query": "", "name": ""} | dict(document["definition"]))


def _changed(before: SavedSearch, after: SavedSearch) -> tuple[str, ...]:
    names = (name for name in SavedSearch.__dataclass_fields__ if name != "version")
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


def _fingerprint(search: SavedSearch) -> str:
    """Changes when the file's version of the saved search does."""
    plain = json.dumps(dump(replace(search, version=1)), sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]
