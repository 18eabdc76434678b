"""The generations of the monthly slices: which is in force, and how the next one takes its place.

A slice is one index a month. When the mapping changes so that stored articles must be indexed anew, `upgrade` fills the
month's next generation beside the one in force, through our own code, while reading and writing go on. Only for the
last, short step the old generation is closed to writing: what was written since is brought over, and the alias is moved
in one step. Writers find their index closed or gone, look again, and write to the new one; nothing can be written to
the old one any more. It stays a day, for searches that still read it, then `store.retention` drops it.

Dying anywhere does no harm: copying is by the document's own version, so that doing it again changes nothing, and a
generation that is not in the alias is not searched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch

from newswatch.errors import DocumentError, StoreError
from newswatch.settings import Settings
from store import bulk, faults
from store.client import set_up
from store.documents import Document, read, renewed
from store.mapping import ARTICLE, VERSION, article_template, fingerprint
from store.names import Names
from store.reading import pages

PATIENCE_S = 120.0
"""How long a writer waits for an upgrade's last step: seconds, for a month of a hundred thousand articles."""
_PAGE = 1_000
_NEARLY_DONE = 200
"""Articles. A pass that finds no more than that to bring over is followed by the last one, with writing closed."""
_PASSES = 5

Progress = Callable[[str, int, int], None]
"""Told the slice, how many of its articles are in the new generation, and how many it holds."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One index of articles."""

    index: str
    month: str
    generation: int
    version: int
    """Of the mapping it was made by."""
    live: bool
    """In the alias: it is searched and written to."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What `upgrade` did with one slice."""

    old: str
    new: str
    articles: int
    closed_s: float
    """How long writing to the slice had to wait."""


def all_slices(es: Elasticsearch, names: Names) -> list[Slice]:
    """Every slice there is, newest month first, of one month the highest generation first."""
    found = es.indices.get(index=names.slices, features="aliases,mappings")
    slices = []
    for index, facts in found.body.items():
        if parsed := names.parse_slice(index):
            version = int(facts["mappings"].get("_meta", {}).get("newswatch_version", 0))
            slices.append(Slice(index, *parsed, version, names.articles in facts["aliases"]))
    return sorted(slices, key=lambda one: (one.month, one.generation), reverse=True)


def live_slices(es: Elasticsearch, names: Names) -> list[str]:
    """The slices in force, newest month first."""
    found = es.options(ignore_status=404).indices.get_alias(name=names.articles)
    if found.meta.status == 404:
        return []
    parsed = [
        (month_and_generation, index) for index in found.body if (month_and_generation := names.parse_slice(index))
    ]
    return [index for _, index in sorted(parsed, reverse=True)]


def home_of(names: Names, live: Iterable[str], month: str) -> str | None:
    """The one of `live` that holds what was first seen in `month`; None if nothing was yet."""
    return next((index for index in live if (names.parse_slice(index) or ("",))[0] == month), None)


def create_slice(es: Elasticsearch, names: Names, month: str) -> str:
    """The first slice of a month, made if need be and in the alias; its name."""
    index = names.slice_of_month(month)
    _create(es, index, aliases={names.articles: {}})
    return index


def _create(es: Elasticsearch, index: str, **body: Any) -> None:
    try:
        es.indices.create(index=index, **body)
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise


def await_writable(es: Elasticsearch, names: Names, patience_s: float | None = None) -> None:
    """Return as soon as every slice in force can be written to, or is about to be replaced no more.

    Raises:
        StoreError: one is blocked by somebody else than an upgrade, or the upgrade has probably died.
    """
    deadline = time.monotonic() + (PATIENCE_S if patience_s is None else patience_s)
    pause = 0.05
    while blocked := _blocked(es, names):
        for index, block in blocked.items():
            if block != _WRITE or not _is_being_upgraded(es, names, index):
                raise faults.block_error(index, block)
        if time.monotonic() > deadline:
            raise StoreError(
                f"{', '.join(blocked)} can't be written to: an upgrade of the index was broken off in its last step. "
                "Nothing is lost; run `newswatch index upgrade` to finish it."
            )
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


_WRITE = "index.blocks.write"


def _blocked(es: Elasticsearch, names: Names) -> dict[str, str]:
    """Slice → the block that keeps it from being written to."""
    found = es.options(ignore_status=404).indices.get_settings(
        index=names.articles, name="index.blocks.*", flat_settings=True
    )
    if found.meta.status == 404:
        return {}
    blocks = {index: _of_writing(body["settings"]) for index, body in found.body.items() if names.parse_slice(index)}
    return {index: block for index, block in blocks.items() if block}


def _of_writing(settings: Mapping[str, str]) -> str | None:
    stops = (_WRITE, "index.blocks.read_only", "index.blocks.read_only_allow_delete")
    return next((block for block in stops if settings.get(block) == "true"), None)


def _is_being_upgraded(es: Elasticsearch, names: Names, index: str) -> bool:
    """Whether the slice's next generation is there: an upgrade makes it before it closes the one in force."""
    month, generation = names.parse_slice(index) or ("", 0)
    return bool(es.indices.exists(index=names.slice_of_month(month, generation + 1)))


# ── upgrade ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def upgrade(
    es: Elasticsearch,
    names: Names,
    settings: Settings,
    *,
    everything: bool = False,
    progress: Progress = lambda _slice, _done, _of: None,
) -> list[Upgraded]:
    """Make the next generation of every slice of an older version, or of every one, and put it in force.

    Run it again if it died; what is done is not done again. Reading and writing go on.

    Raises:
        StoreError: the indices are of a newer version; or an article can't be taken over, and its slice stays as it is.
    """
    set_up(es, names, settings)
    closed = [index for index, block in _blocked(es, names).items() if block == _WRITE]
    return [
        _Rebuild(es, names, settings, old, progress).run()
        for old in all_slices(es, names)
        if old.live and (everything or old.version < VERSION or old.index in closed)
    ]


class _Rebuild:
    """One slice on its way to its next generation."""

    def __init__(self, es: Elasticsearch, names: Names, settings: Settings, old: Slice, progress: Progress) -> None:
        self._es, self._names, self._settings, self._progress = es, names, settings, progress
        self._old = old.index
        self._new = names.slice_of_month(old.month, old.generation + 1)

    def run(self) -> Upgraded:
        self._make_new()
        for _ in range(_PASSES):
            if self._bring_over() <= _NEARLY_DONE:
                break
        closed_at = time.monotonic()
        self._es.indices.add_block(index=self._old, block="write")
        try:
            self._bring_over()
            count = self._settle()
        except (StoreError, KeyboardInterrupt):
            # Not after `_swap` was asked for: it may have been done, and a generation that was replaced stays closed.
            if self._old in live_slices(self._es, self._names):
                self._es.indices.put_settings(index=self._old, settings={"index.blocks.write": None})
            raise
        self._swap()
        return Upgraded(self._old, self._new, count, time.monotonic() - closed_at)

    def _make_new(self) -> None:
        """The new generation, empty or as far as an upgrade that died had come; one by another mapping is remade."""
        body = article_template(self._names, self._settings)["template"]
        found = self._es.options(ignore_status=404).indices.get_mapping(index=self._new)
        if found.meta.status != 404:
            if found[self._new]["mappings"].get("_meta", {}).get("fingerprint") == fingerprint(ARTICLE):
                return
            self._es.indices.delete(index=self._new)
        _create(self._es, self._new, **body)

    def _bring_over(self) -> int:
        """Copy what the new generation lacks or has in an older version; how many articles that were."""
        self._es.indices.refresh(index=self._old)
        total = int(self._es.count(index=self._old)["count"])
        copied = seen = 0
        for page in self._pages(self._old):
            copied += self._copy([name for name, version in self._outdated(page)])
            seen += len(page)
            self._progress(self._old, seen, total)
        return copied

    def _pages(self, index: str) -> Iterator[dict[str, int]]:
        """Id → version of every article, page by page."""
        for hits in pages(self._es, index, size=_PAGE, source=False, version=True):
            yield {hit["_id"]: hit["_version"] for hit in hits}

    def _outdated(self, page: dict[str, int]) -> list[tuple[str, int]]:
        answer = self._es.mget(index=self._new, ids=list(page), source=False)
        have = {doc["_id"]: doc["_version"] for doc in answer["docs"] if doc.get("found")}
        return [(name, version) for name, version in page.items() if have.get(name, 0) < version]

    def _copy(self, ids: list[str]) -> int:
        if not ids:
            return 0
        answer = self._es.mget(index=self._old, ids=ids)
        actions = [self._renewed(doc) for doc in answer["docs"] if doc.get("found")]
        for result in bulk.write(self._es, actions):
            # A conflict: another upgrade has copied it already, in this version or a later one.
            if result.reason and not result.conflict:
                raise StoreError(
                    f"Article {result.id} of {self._old} can't be taken over into {self._new}: {result.reason}. "
                    f"{self._old} stays in force."
                )
        return len(actions)

    def _renewed(self, doc: Document) -> Document:
        try:
            document = read(doc, partial(renewed, topics=self._names.topics()))
        except DocumentError as error:
            raise StoreError(f"{error} {self._old} stays in force.") from error
        return bulk.copy(self._new, doc["_id"], document, doc["_version"])

    def _settle(self) -> int:
        """Take out what was deleted from the old generation after it had been copied; how many articles there are.

        Raises:
            StoreError: the generations don't hold the same articles.
        """
        counts = self._counts()
        if counts[0] != counts[1]:
            # In this order: should another upgrade have put the new generation in force meanwhile, the old one is no
            # longer complete, and what was created since must not be taken for deleted.
            copies = {name for page in self._pages(self._new) for name in page}
            originals = {name for page in self._pages(self._old) for name in page}
            self._require_in_force()
            for name in copies - originals:
                self._es.options(ignore_status=404).delete(index=self._new, id=name)
            counts = self._counts()
        if counts[0] != counts[1]:
            raise StoreError(f"{self._new} holds {counts[1]} articles and {self._old} {counts[0]}: run it again.")
        return counts[0]

    def _counts(self) -> tuple[int, int]:
        self._es.indices.refresh(index=[self._old, self._new])
        old, new = (int(self._es.count(index=index)["count"]) for index in (self._old, self._new))
        return old, new

    def _require_in_force(self) -> None:
        if self._old not in live_slices(self._es, self._names):
            raise StoreError(f"Another upgrade has replaced {self._old} already: run it again for the others.")

    def _swap(self) -> None:
        alias = self._names.articles
        add = {"add": {"index": self._new, "alias": alias}}
        # `must_exist`: should another upgrade have swapped already, nothing is changed.
        remove = {"remove": {"index": self._old, "alias": alias, "must_exist": True}}
        self._es.indices.update_aliases(actions=[remove, add])
