"""Sets up the indices: installs their templates, creates those that are missing, adds fields that they lack."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch

from newswatch.errors import StoreError
from newswatch.settings import Settings
from store.elastic.client import where
from store.indices.mapping import (
    ARTICLE,
    VERSION,
    analyzed_by,
    article_template,
    missing,
    plain_index,
    plain_indices,
    plain_template,
)
from store.names import Names


def set_up(es: Elasticsearch, names: Names, settings: Settings) -> list[str]:
    """Install the templates, create the missing indices, and add missing fields to the existing ones.

    Safe to call at any time and by several workers at once. It costs three requests if nothing is missing.

    Returns the names of the created indices.

    Raises:
        StoreError: the indices are of a newer version, one has a guessed mapping, or Elasticsearch refuses a mapping.
    """
    template, plain = article_template(names, settings), plain_template(names, settings)
    installed = installed_template(es, names)
    refuse_downgrade(installed, settings)
    try:
        # First, because from then on no write can recreate a deleted index.
        if _template(es, names.plain_template()).get("_meta") != plain["meta"]:
            es.indices.put_index_template(name=names.plain_template(), **plain)
        created = _set_up_plain(es, names, settings)
        if installed.get("_meta") != template["meta"]:
            # Once more afterwards, for a slice that another worker created from the old template meanwhile.
            _grow(es, names)
            es.indices.put_index_template(name=names.articles, **template)
            _grow(es, names)
    except BadRequestError as error:
        raise StoreError(f"Elasticsearch at {where(settings)} refuses the mapping: {error}") from error
    return created


def installed_template(es: Elasticsearch, names: Names) -> dict[str, Any]:
    """The slices' template as installed in Elasticsearch; empty if there is none."""
    return _template(es, names.articles)


def _template(es: Elasticsearch, name: str) -> dict[str, Any]:
    answer = es.options(ignore_status=404).indices.get_index_template(name=name)
    templates = answer.body.get("index_templates") or [{}]
    return dict(templates[0].get("index_template", {}))


def refuse_downgrade(installed: dict[str, Any], settings: Settings) -> None:
    """Raise a StoreError if a newer newswatch made the template: this one would drop fields that it does not know."""
    version = int(installed.get("version") or 0)
    if version > VERSION:
        raise StoreError(
            f"The indices at {where(settings)} have version {version}, made by a newer newswatch; this "
            f"one knows version {VERSION} and would drop what was added since. Update newswatch, or restore a "
            "snapshot from before the upgrade."
        )


def drop_newer_templates(es: Elasticsearch, names: Names) -> None:
    """Delete the templates that a newer newswatch has installed; `set_up` then puts this one's.

    Only for indices that are about to be replaced by those of a backup.
    """
    for name in (names.articles, names.plain_template()):
        if int(_template(es, name).get("version") or 0) > VERSION:
            es.options(ignore_status=404).indices.delete_index_template(name=name)


def _set_up_plain(es: Elasticsearch, names: Names, settings: Settings) -> list[str]:
    wanted = {index: plain_index(properties, settings) for index, properties in plain_indices(names).items()}
    present = es.indices.get_mapping(index=[*wanted, names.audit_months], ignore_unavailable=True).body
    if guessed := sorted(index for index in present if is_guessed(present[index]["mappings"])):
        raise StoreError(
            f"{', '.join(guessed)} can't be used: it was deleted, and a write recreated it with a mapping that "
            "Elasticsearch has guessed. Delete it (`DELETE INDEX` in Kibana); the next run creates it with the right "
            "mapping. Only documents written to it since are lost."
        )
    for index in present:
        mappings = wanted.get(index, wanted[names.audit])["mappings"]
        if present[index]["mappings"].get("_meta") != mappings["_meta"]:
            es.indices.put_mapping(index=index, properties=mappings["properties"], meta=mappings["_meta"])
    lacking = [index for index in wanted if index not in present]
    if not lacking:
        return []
    # In parallel, because each creation waits for a cluster state change to reach the disk.
    with ThreadPoolExecutor(len(lacking)) as pool:
        created = list(pool.map(lambda index: _create(es, index, wanted[index]), lacking))
    return [index for index, new in zip(lacking, created, strict=True) if new]


def is_guessed(mappings: dict[str, Any]) -> bool:
    """Whether newswatch did not create the index: our mappings name the version that created them. Pure."""
    return "newswatch_version" not in mappings.get("_meta", {})


def _grow(es: Elasticsearch, names: Names) -> None:
    """Add the fields that the slices lack, so that new articles can have them; also those that are being made.

    An index never gets another analyzer: the words of a language that was added later are in it as written.
    """
    for index, slice_ in es.indices.get(index=names.slices, features="mappings,settings").body.items():
        if names.parse_slice(index) and (lacking := missing(ARTICLE, slice_["mappings"].get("properties", {}))):
            analyzers = slice_["settings"]["index"].get("analysis", {}).get("analyzer", {})
            es.indices.put_mapping(index=index, properties=analyzed_by(analyzers, lacking))


def _create(es: Elasticsearch, index: str, body: dict[str, Any]) -> bool:
    try:
        es.indices.create(index=index, **body)
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        return False
    return True
