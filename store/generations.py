"""The generations of the monthly slices: which one is in force, and how the next one replaces it.

A slice is one index per month. When a mapping change requires stored articles to be re-indexed, `upgrade` fills the
month's next generation beside the one in force, through our own code, while reading and writing go on. Only for the
last, short step does it block writes to the old generation: it copies what was written since, and moves the alias in
one request. Writers see their index blocked or gone, look up the slices again, and write to the new one; nothing can be
written to the old one any more. It stays for a day, for searches that still read it; then `retention` drops it.

An upgrade may die at any point: copying keeps each document's version, so that copying again changes nothing, and a
generation outside the alias is not searched.
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
from store.article_documents import renewed
from store.elastic import bulk, faults
from store.elastic.documents import Document, read
from store.elastic.reading import pages
from store.indices.mapping import ARTICLE, VERSION, article_template, fingerprint
from store.indices.setup import set_up
from store.names import Names

PATIENCE_S = 120.0
"""How long a writer waits for an upgrade's last step, which takes seconds for a month of 100,000 articles."""
JOINED_S = 10.0
"""How long a worker waits for the slice that another one is making. Afterwards it puts the slice in force itself."""
_PAGE = 1_000
_NEARLY_DONE = 200
"""Articles. After a pass that copies no more than this, the last pass follows, with writes blocked."""
_PASSES = 5

Progress = Callable[[str, int, int], None]
"""Called with the slice, the number of its articles checked so far, and their total."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One index of articles."""

    index: str
    month: str
    generation: int
    version: int
    """Of the mapping it was created with."""
    live: bool
    """It is in the alias: searched and written to."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What `upgrade` did with one slice."""

    old: str
    new: str
    articles: int
    closed_s: float
    """Seconds for which writes to the slice were blocked."""


def all_slices(es: Elasticsearch, names: Names) -> list[Slice]:
    """Every slice, newest month first, within a month the highest generation first."""
    indices = es.indices.get(index=names.slices, features="aliases,mappings")
    slices = []
    for index, facts in indices.body.items():
        if parsed := names.parse_slice(index):
            version = int(facts["mappings"].get("_meta", {}).get("newswatch_version", 0))
            slices.append(Slice(index, *parsed, version, names.alias in facts["aliases"]))
    return sorted(slices, key=lambda slice_: (slice_.month, slice_.generation), reverse=True)


def live_slices(es: Elasticsearch, names: Names) -> list[str]:
    """The slices in force, newest month first."""
    aliased = es.options(ignore_status=404).indices.get_alias(name=names.alias)
    if aliased.meta.status == 404:
        return []
    slices = filter(names.parse_slice, aliased.body)
    return sorted(slices, key=lambda index: names.parse_slice(index) or ("", 0), reverse=True)


def home_of(names: Names, live: Iterable[str], month: str) -> str | None:
    """The slice among `live` for articles first seen in `month`; None if there is none yet."""
    return next((index for index in live if (names.parse_slice(index) or ("",))[0] == month), None)


def create_slice(es: Elasticsearch, names: Names, month: str) -> str:
    """Create the first slice of a month unless the month has one, and put it in force; the name of the one in force.

    An index is known before it can be searched, on a busy machine for a second. In the alias from the start, it would
    make all searches of that moment fail, or miss a part. So it joins when Elasticsearch says that it is up.
    """
    index = names.slice_of_month(month)
    if not _create(es, index) and (joined := _joined(es, names, month)):
        return joined
    es.indices.put_alias(index=index, name=names.alias)
    return index


def _joined(es: Elasticsearch, names: Names, month: str) -> str | None:
    """The slice of a month that another worker is making, once it is in force; None if that worker has died.

    Only the maker puts it in force while it lives: later it would bring back a generation that an upgrade replaced.
    """
    deadline = time.monotonic() + JOINED_S
    pause = 0.02
    while (home := home_of(names, live_slices(es, names), month)) is None and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(2 * pause, 0.5)
    return home


def _create(es: Elasticsearch, index: str, **body: Any) -> bool:
    """Create the index and wait until it can be searched; False if it exists, ready or not."""
    try:
        es.indices.create(index=index, **body)
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        return False
    return True


def await_writable(es: Elasticsearch, names: Names, patience_s: float | None = None) -> None:
    """Wait until every slice in force can be written to.

    Raises:
        StoreError: a slice is blocked by something other than an upgrade, or the upgrade has probably died.
    """
    deadline = time.monotonic() + (PATIENCE_S if patience_s is None else patience_s)
    pause = 0.05
    while blocked := _blocked(es, names):
        for index, block in blocked.items():
            if block != _WRITE or not _is_being_upgraded(es, names, index):
                raise faults.block_error(index, block)
        if time.monotonic() > deadline:
            raise StoreError(
                f"{', '.join(blocked)} can't be written to: an upgrade of the index was interrupted in its last step. "
                "Nothing is lost; run `newswatch index upgrade` to finish it."
            )
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


_WRITE = "index.blocks.write"


def _blocked(es: Elasticsearch, names: Names) -> dict[str, str]:
    """Slice → the block that prevents writes to it."""
    settings = es.options(ignore_status=404).indices.get_settings(
        index=names.articles, name="index.blocks.*", flat_settings=True
    )
    if settings.meta.status == 404:
        return {}
    slices = {index: body["settings"] for index, body in settings.body.items() if names.parse_slice(index)}
    blocks = {index: _write_block(of_slice) for index, of_slice in slices.items()}
    return {index: block for index, block in blocks.items() if block}


def _write_block(settings: Mapping[str, str]) -> str | None:
    stops = (_WRITE, "index.blocks.read_only", "index.blocks.read_only_allow_delete")
    return next((block for block in stops if settings.get(block) == "true"), None)


def _is_being_upgraded(es: Elasticsearch, names: Names, index: str) -> bool:
    """Whether the slice's next generation exists: an upgrade creates it before it blocks the one in force."""
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
    """Build the next generation of every slice with an older version (or of every slice), and put it in force.

    Run it again if it died; finished slices are skipped. Reading and writing go on.

    Raises:
        StoreError: the indices have a newer version; or an article can't be copied, and its slice stays in force.
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
            # Not after `_swap` was requested: it may have been carried out, and a replaced generation stays blocked.
            if self._old in live_slices(self._es, self._names):
                self._es.indices.put_settings(index=self._old, settings={"index.blocks.write": None})
            raise
        self._swap()
        return Upgraded(self._old, self._new, count, time.monotonic() - closed_at)

    def _make_new(self) -> None:
        """Create the new generation; keep what an upgrade that died has filled, unless its mapping differs."""
        body = article_template(self._names, self._settings)["template"]
        present = self._es.options(ignore_status=404).indices.get_mapping(index=self._new)
        if present.meta.status != 404:
            if present[self._new]["mappings"].get("_meta", {}).get("fingerprint") == fingerprint(ARTICLE):
                return
            self._es.indices.delete(index=self._new)
        _create(self._es, self._new, **body)

    def _bring_over(self) -> int:
        """Copy the articles that the new generation lacks or has in an older version; their number."""
        self._es.indices.refresh(index=self._old)
        total = int(self._es.count(index=self._old)["count"])
        copied = seen = 0
        for page in self._pages(self._old):
            copied += self._copy([name for name, version in self._outdated(page)])
            seen += len(page)
            self._progress(self._old, seen, total)
        return copied

    def _pages(self, index: str) -> Iterator[dict[str, int]]:
        """Pages of article id → document version, over the whole index."""
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
            # A conflict: another upgrade has already copied this version or a later one.
            if result.reason and not result.conflict:
                raise StoreError(
                    f"Article {result.id} of {self._old} can't be copied into {self._new}: {result.reason}. "
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
        """Delete copies of articles that were deleted from the old generation meanwhile; the number of articles.

        Raises:
            StoreError: the generations still hold different articles.
        """
        counts = self._counts()
        if counts[0] != counts[1]:
            # Read the copies first. If another upgrade has put the new generation in force meanwhile, the old one is
            # incomplete, and articles created since must not be taken for deleted ones.
            copies = {name for page in self._pages(self._new) for name in page}
            originals = {name for page in self._pages(self._old) for name in page}
            self._require_in_force()
            for name in copies - originals:
                self._es.options(ignore_status=404).delete(index=self._new, id=name)
            counts = self._counts()
        if counts[0] != counts[1]:
            raise StoreError(f"{self._new} has {counts[1]} articles and {self._old} has {counts[0]}: run it again.")
        return counts[0]

    def _counts(self) -> tuple[int, int]:
        self._es.indices.refresh(index=[self._old, self._new])
        old, new = (int(self._es.count(index=index)["count"]) for index in (self._old, self._new))
        return old, new

    def _require_in_force(self) -> None:
        if self._old not in live_slices(self._es, self._names):
            raise StoreError(f"Another upgrade has already replaced {self._old}: run it again for the others.")

    def _swap(self) -> None:
        alias = self._names.articles
        add = {"add": {"index": self._new, "alias": alias}}
        # `must_exist`: if another upgrade has already swapped, nothing changes.
        remove = {"remove": {"index": self._old, "alias": alias, "must_exist": True}}
        self._es.indices.update_aliases(actions=[remove, add])
