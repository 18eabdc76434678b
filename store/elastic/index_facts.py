"""What Elasticsearch tells of an index itself: its identity, its age.

Serverless tells only the settings that it lets users change; what is hidden there is asked for in another way.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from elasticsearch import Elasticsearch

from store.elastic.times import moment_at

_ELSEWHERE: Final = {"uuid": "uuid", "creation_date": "creation.date"}
"""Setting, without `index.` → the column of `_cat/indices` with the same."""


def uuid_of(es: Elasticsearch, index: str) -> str:
    """The index's UUID, which an index of the same name that is made anew does not have.

    Raises:
        elasticsearch's errors: the index is missing, or nothing tells it.
    """
    return _facts(es, [index], "uuid")[index]


def created_at(es: Elasticsearch, indices: Iterable[str]) -> dict[str, datetime]:
    """Index → when it was created; missing ones are left out."""
    return {index: moment_at(float(born)) for index, born in _facts(es, [*indices], "creation_date").items()}


def _facts(es: Elasticsearch, indices: list[str], name: str) -> dict[str, str]:
    setting = f"index.{name}"
    lenient = len(indices) > 1
    answer = es.indices.get_settings(index=indices, name=setting, flat_settings=True, ignore_unavailable=lenient)
    told = {index: str(found["settings"][setting]) for index, found in answer.items() if setting in found["settings"]}
    if told or not indices:
        return told
    column = _ELSEWHERE[name]
    rows = es.cat.indices(index=indices, h=f"index,{column}", format="json").body
    return {row["index"]: row[column] for row in rows if isinstance(row, dict)}
