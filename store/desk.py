"""Keeps readers' desks: when each last looked, his marks on articles, and who has an article.

Every change goes by compare-and-set, so that two tabs or two readers lose nothing of each other. A search finds a
change after `refresh`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from elasticsearch import Elasticsearch

from newswatch import desk
from newswatch.desk import Deed, Handover, Look, Mark, Step
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, Hit, Reads, dump, load, readable, require_id
from store.elastic.reading import get_hits, get_one
from store.names import Names

T = TypeVar("T")

MOST: Final = 10_000
"""Maximum number of articles in one answer, which is Elasticsearch's own."""
_FEW: Final = 200
"""Articles that are asked for first, as Elasticsearch makes room for as many as it is asked for."""
MOST_READERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Desk:
    """What one reader's desk says of some articles."""

    look: Look | None = None
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """By article."""
    handovers: Mapping[str, Handover] = field(default_factory=dict)
    """By article."""


@dataclass(frozen=True, slots=True)
class Found:
    """Articles of a reader's desk, as ids."""

    ids: tuple[str, ...]
    total: int
    """More than there are `ids` if there are more than `MOST`."""


class DeskStore:
    """The desks of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.readers

    # ── reading, in real time ────────────────────────────────────────────────────────────────────────────────────────

    def read(self, user: str, article_ids: Sequence[str]) -> Desk:
        """The desk of `user` as far as it concerns these articles, in one request; what can't be read is quarantined.

        Raises:
            StoreError: the index can't be read.
        """
        mark_ids = [_mark_id(user, one) for one in article_ids]
        ids = [_look_id(user), *mark_ids, *(_handover_id(one) for one in article_ids)]
        by_kind: dict[str, list[Hit]] = {"look": [], "mark": [], "handover": []}
        for hit in get_hits(self._es, self._index, ids):
            by_kind[hit["_id"].partition("~")[0]].append(hit)
        looks = [look for _, look in readable(by_kind["look"], _read_look)]
        marks = {mark.article_id: mark for _, mark in readable(by_kind["mark"], _read_mark)}
        handovers = {one.article_id: one for _, one in readable(by_kind["handover"], _read_handover)}
        return Desk(looks[0] if looks else None, marks, handovers)

    # ── searching ────────────────────────────────────────────────────────────────────────────────────────────────────

    def refresh(self) -> None:
        """Make every change findable by the searches below."""
        self._es.indices.refresh(index=self._index)

    def marked(self, user: str, what: str, since: datetime | None = None, until: datetime | None = None) -> Found:
        """The articles that `user` has marked, latest first. `what`: "read_at", "starred_at" or "noted_at".

        `since` and `until` leave out what was marked before and after.
        """
        bounds = {"gte": since, "lte": until}
        within = {bound: moment.isoformat() for bound, moment in bounds.items() if moment}
        marked: Document = {"range": {what: within}} if within else {"exists": {"field": what}}
        about: list[Document] = [{"term": {"kind": "mark"}}, {"term": {"user": user}}, marked]
        if what == "noted_at":
            about.append({"term": {"has_note": True}})
        return self._found(about, what)

    def held(self, user: str) -> Found:
        """The articles that were handed to `user` and are not done, latest first."""
        return self._found([{"term": {"kind": "handover"}}, {"term": {"holder": user}}], "changed_at")

    def _found(self, about: list[Document], latest: str, size: int = _FEW) -> Found:
        answer = self._es.search(
            index=self._index,
            query={"bool": {"filter": about}},
            size=size,
            sort=[{latest: "desc"}],
            source=False,
            docvalue_fields=[{"field": "article_id"}],
            track_total_hits=True,
        )
        hits = answer["hits"]["hits"]
        ids = [hit["fields"]["article_id"][0] for hit in hits if "article_id" in hit.get("fields", {})]
        total = int(answer["hits"]["total"]["value"])
        return self._found(about, latest, MOST) if total > size == _FEW else Found(tuple(ids), total)

    def held_count(self, user: str, *, timeout_s: float) -> int:
        """The number of articles that `user` has been handed, as of the last refresh (a second ago at most)."""
        about = [{"term": {"kind": "handover"}}, {"term": {"holder": user}}]
        es = self._es.options(request_timeout=timeout_s, max_retries=0)
        return int(es.count(index=self._index, query={"bool": {"filter": about}})["count"])

    def readers(self) -> list[str]:
        """Who has looked at the news, by name; the latest `MOST_READERS`."""
        self.refresh()
        hits = self._es.search(
            index=self._index,
            query={"term": {"kind": "look"}},
            size=MOST_READERS,
            sort=[{"looked_at": "desc"}],
        )["hits"]["hits"]
        return sorted((look.user for _, look in readable(hits, _read_look)), key=str.casefold)

    def knows(self, user: str) -> bool:
        """Whether `user` has ever looked at the news."""
        return get_one(self._es, self._index, _look_id(user), _read_look) is not None

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def looked(self, user: str, now: datetime) -> Look:
        """Note that `user` looks at the news now; his look, from which on articles are new to him.

        Raises:
            DocumentError: his document can't be read, and stays as it is.
            StoreError: it could not be written.
        """
        return self._change(_look_id(user), _read_look, lambda was: desk.looked(was, user, now))

    def seen_all(self, user: str, until: datetime, now: datetime) -> Look:
        """Note that `user` has seen what came `until` then; raises the errors of `looked`."""
        return self._change(_look_id(user), _read_look, lambda was: desk.seen_all(was, user, until, now))

    def do(self, user: str, article_id: str, deed: Deed, now: datetime) -> Mark:
        """Mark the article; raises the errors of `looked`."""
        return self._change(
            _mark_id(user, article_id), _read_mark, lambda was: desk.done(was, user, article_id, deed, now)
        )

    def note(self, user: str, article_id: str, note: str, shown: datetime | None, now: datetime) -> Mark:
        """Replace the note on the article; raises the errors of `looked` and those of `newswatch.desk.noted`."""
        return self._change(
            _mark_id(user, article_id),
            _read_mark,
            lambda was: desk.noted(was, user, article_id, note, shown, now),
        )

    def hand(self, article_id: str, step: Step, shown: int) -> Handover:
        """Hand the article on, for `held_count` to count at once; raises the errors of `looked` and those of
        `newswatch.desk.handed`.
        """
        return self._change(
            _handover_id(article_id),
            _read_handover,
            lambda was: desk.handed(was, article_id, step, shown),
            refresh=True,
        )

    def _change(
        self, document_id: str, reads: Reads[T], changed: Callable[[T | None], T], *, refresh: bool = False
    ) -> T:
        """What `changed` makes of the document, whoever else writes; nothing is written without a difference."""

        def attempt() -> T | None:
            was = get_one(self._es, self._index, document_id, reads)
            before = was.value if was else None
            after = changed(before)
            if after == before:
                return after
            written = put(self._es, self._index, document_id, after, _document(after), was, refresh=refresh)
            return after if written else None

        return until_written(attempt, lambda: "This keeps being changed by others: try again.")


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _key(user: str) -> str:
    """A name of any length and script as a part of an id."""
    return hashlib.sha256(user.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _look_id(user: str) -> str:
    return f"look~{_key(user)}"


def _mark_id(user: str, article_id: str) -> str:
    return f"mark~{_key(user)}~{article_id}"


def _handover_id(article_id: str) -> str:
    return f"handover~{article_id}"


def _document(value: object) -> Document:
    """The document, with what searches need to know of it."""
    document = dump(value)
    match value:
        case Look():
            return document | {"kind": "look", "changed_at": document["looked_at"]}
        case Mark():
            return document | {"kind": "mark", "has_note": bool(value.note)}
        case Handover():
            last = {"holder": value.holder} if value.holder else {}
            return document | {"kind": "handover", "changed_at": value.last.at.isoformat(), **last}
    raise TypeError(f"not of a desk: {value!r}")


def _read_look(document_id: str, document: Mapping[str, Any]) -> Look:
    look = load(Look, _own(Look, document))
    require_id(document_id, _look_id(look.user))
    return look


def _read_mark(document_id: str, document: Mapping[str, Any]) -> Mark:
    mark = load(Mark, _own(Mark, document))
    require_id(document_id, _mark_id(mark.user, mark.article_id))
    return mark


def _read_handover(document_id: str, document: Mapping[str, Any]) -> Handover:
    handover = load(Handover, _own(Handover, document))
    require_id(document_id, _handover_id(handover.article_id))
    if not handover.steps:
        raise ValueError("it names no step")
    return handover


def _own(kind: type[Any], document: Mapping[str, Any]) -> Document:
    return {name: document[name] for name in kind.__dataclass_fields__ if name in document}
