"""Takes recipients out of saved searches, also out of their earlier versions: for people who are erased."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from alerts.saved import read_search
from newswatch.errors import DocumentError
from newswatch.problems import report_problem
from store.elastic.client import Client
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, dump, problem_of
from store.elastic.reading import every, get_one
from store.names import Names


def named_by(es: Client, names: Names, recipients: Collection[str]) -> dict[str, str]:
    """Id → name of the saved searches that name one of the recipients, now or in an earlier version."""
    es.indices.refresh(index=names.searches)
    found = {}
    for hit in every(es, names.searches):
        if any(_holds(part, recipients) for part in _parts(hit["_source"])):
            found[hit["_id"]] = str(hit["_source"].get("name", ""))
    return found


def remove(es: Client, names: Names, saved_search_id: str, recipients: Collection[str]) -> None:
    """Take the recipients out of a saved search and its history; one that has none left is switched off.

    Raises:
        StoreError: others keep changing it.
    """

    def attempt() -> bool | None:
        try:
            was = get_one(es, names.searches, saved_search_id, lambda _, document: dict(document))
        except DocumentError as error:
            report_problem(problem_of(error))
            return True
        if was is None:
            return True
        document = without(saved_search_id, was.value, recipients)
        return True if put(es, names.searches, was.id, document, document, was, refresh=True) else None

    until_written(attempt, lambda: f"Saved search {saved_search_id} keeps being changed by others: try again.")


def without(saved_search_id: str, document: Mapping[str, Any], recipients: Collection[str]) -> Document:
    """The document of a saved search without the recipients. Pure."""
    search = read_search(saved_search_id, document)
    left = tuple(one for one in search.recipients if one not in recipients)
    kept = replace(search, recipients=left, enabled=search.enabled and bool(left))
    history = [_stripped(version, recipients) for version in _history(document)]
    # Its seed is forgotten, so that the file, which may still name the person, does not bring them back in silence.
    shown = {
        "recipients": list(left),
        "enabled": kept.enabled,
        "definition": {"recipients": [], **dump(kept)},
        "history": history,
    }
    return {**document, **shown, "seed": ""}


def _stripped(version: Any, recipients: Collection[str]) -> Any:
    if not isinstance(version, Mapping) or not isinstance(version.get("search"), Mapping):
        return version
    search = version["search"]
    left = [one for one in search.get("recipients", ()) if one not in recipients]
    return {**version, "search": {**search, "recipients": left}}


def _history(document: Mapping[str, Any]) -> list[Any]:
    history = document.get("history", [])
    return history if isinstance(history, list) else [history]


def _parts(document: Mapping[str, Any]) -> list[Any]:
    versions = (version.get("search") for version in _history(document) if isinstance(version, Mapping))
    return [document, document.get("definition"), *versions]


def _holds(part: Any, recipients: Collection[str]) -> bool:
    listed = part.get("recipients", ()) if isinstance(part, Mapping) else ()
    return any(one in recipients for one in (listed if isinstance(listed, list | tuple) else (listed,)))
