"""Index names that one test after the other has, each finding the indices as if it were the first.

To make all indices and templates takes Elasticsearch longer than most tests take. So what a test has not touched stays
for the next one; what it wrote to, changed or made is deleted, and made anew by `set_up` as always. Nothing is emptied:
an index that has ever held a document is a new one for the next test.

Indices may be furnished: what they hold at first stays as long as no test touches any index that holds some of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.settings import Settings
from store.indices.mapping import article_template, plain_indices, plain_template
from store.indices.setup import set_up
from store.names import Names

NEVER_WRITTEN = -1
"""The sequence number of an index that has never taken a document, nor a deletion of one."""
UNKNOWN = -2
MOST_NAMES = 50
"""In one request: Elasticsearch refuses addresses of more than 4,096 bytes."""


@dataclass(slots=True)
class Pristine:
    """The indices and templates of one prefix, and how they were made."""

    es: Elasticsearch
    url: str
    furnish: Callable[[Names], object] = lambda names: None
    """Writes what every test finds."""
    _names: Names | None = None
    _made_by: tuple[Any, ...] = ()
    _indices: dict[str, Any] = field(default_factory=dict)
    """Aliases, mappings and settings of each index as it was made."""
    _templates: list[Any] = field(default_factory=list)
    _held: dict[str, list[int]] = field(default_factory=dict)
    """The sequence numbers of each index that holds what was furnished."""
    _is_clean: bool = False
    """Whether `clean` was the last to look: the templates are as they were."""
    _is_untouched: bool = False
    """Whether it has found every index as it was, too."""

    def names(self) -> Names:
        """Names whose indices are in place, and empty but for what was furnished."""
        if self._names and self._wanted(self._names) != self._made_by:
            self._discard(self._names)
        if self._names is None:
            self._names = Names(f"t{secrets.token_hex(4)}-")
            self._made_by = self._wanted(self._names)
            set_up(self.es, self._names, self._settings(self._names))
            self.furnish(self._names)
            numbers = self._numbers(indices(self.es, self._names.prefix))
            self._held = {index: those for index, those in numbers.items() if set(those) != {NEVER_WRITTEN}}
        if not self._is_untouched:
            set_up(self.es, self._names, self._settings(self._names))
            prefix = self._names.prefix
            self._indices = indices(self.es, prefix)
            self._templates = self._templates if self._is_clean else templates(self.es, prefix)
        self._is_clean = self._is_untouched = False
        return self._names

    def clean(self) -> None:
        """Delete what is no longer as it was made: single indices, or everything if a template is another."""
        if self._names is None:
            return
        prefix = self._names.prefix
        if templates(self.es, prefix) != self._templates:
            self._discard(self._names)
            return
        found = indices(self.es, prefix)
        changed = {index for index, state in found.items() if state != self._indices.get(index)}
        touched = changed | self._written(found.keys() - changed)
        if self._held.keys() & touched or self._held.keys() - found.keys():
            self._discard(self._names)
        else:
            delete(self.es, touched)
            self._is_clean = True
            self._is_untouched = not touched and found.keys() == self._indices.keys()

    def end(self) -> None:
        """Delete everything."""
        if self._names:
            self._discard(self._names)

    def _discard(self, names: Names) -> None:
        remove(self.es, names.prefix)
        self._names, self._is_clean, self._is_untouched = None, False, False

    def _settings(self, names: Names) -> Settings:
        return Settings(elasticsearch_url=self.url, index_prefix=names.prefix)

    def _wanted(self, names: Names) -> tuple[Any, ...]:
        """What `set_up` puts there: a test may have made its newswatch one of another version before it asked."""
        settings = self._settings(names)
        return article_template(names, settings), plain_template(names, settings), plain_indices(names)

    def _written(self, names: set[str]) -> set[str]:
        numbers = self._numbers(names)
        return {name for name in names if numbers[name] != self._held.get(name, [NEVER_WRITTEN] * len(numbers[name]))}

    def _numbers(self, names: Iterable[str]) -> dict[str, list[int]]:
        """The highest sequence number in each shard; an index that is not allocated has written something."""
        wanted = sorted(names)
        stats = self.es.indices.stats(index=wanted, metric="docs", level="shards")["indices"] if wanted else {}
        return {name: sorted(_numbers(stats.get(name))) for name in wanted}


def _numbers(stats: dict[str, Any] | None) -> Iterator[int]:
    copies = [copy for copies in (stats or {}).get("shards", {}).values() for copy in copies]
    for copy in copies or [{}]:
        yield copy.get("seq_no", {}).get("max_seq_no", UNKNOWN)


def indices(es: Elasticsearch, prefix: str) -> dict[str, Any]:
    """Each index of the prefix, with its aliases, mappings and settings."""
    return dict(es.indices.get(index=f"{prefix}*", expand_wildcards="all"))


def templates(es: Elasticsearch, prefix: str) -> list[Any]:
    """The templates of the prefix, of whole indices and of their parts."""
    patient = es.options(ignore_status=404)
    whole = patient.indices.get_index_template(name=f"{prefix}*").body.get("index_templates", [])
    parts = patient.cluster.get_component_template(name=f"{prefix}*").body.get("component_templates", [])
    return sorted([*whole, *parts], key=lambda template: str(template["name"]))


def delete(es: Elasticsearch, names: Iterable[str]) -> None:
    """Delete these indices, many by one request: each request is a new state of the cluster, written to disk."""
    # By their names, as deletion by wildcard is off by default, here as on a cluster.
    left = sorted(names)
    while left:
        some, left = left[:MOST_NAMES], left[MOST_NAMES:]
        es.indices.delete(index=some)


def remove(es: Elasticsearch, prefix: str) -> None:
    """Delete every index and template of the prefix."""
    delete(es, es.indices.get(index=f"{prefix}*", expand_wildcards="all", features="settings"))
    for template in templates(es, prefix):
        if "index_template" in template:
            es.indices.delete_index_template(name=template["name"])
        else:
            es.cluster.delete_component_template(name=template["name"])
