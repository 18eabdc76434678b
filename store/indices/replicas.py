"""Gives existing indices the number of replicas that the settings state."""

from __future__ import annotations

from elasticsearch import ApiError, Elasticsearch

from newswatch.settings import Settings
from store.generations import all_slices
from store.indices.mapping import plain_indices
from store.names import Names

_NOT_OFFERED = (400, 404, 410)


def apply_replicas(es: Elasticsearch, names: Names, settings: Settings) -> list[str]:
    """Set `number_of_replicas` on the indices that have another number; their names.

    Without a stated number nothing is changed, as an operator may have set one in Elasticsearch; an index that follows
    the number of nodes (`auto_expand_replicas`) is left alone, and so is all where Elasticsearch manages replicas.
    """
    if "number_of_replicas" not in settings.model_fields_set:
        return []
    ours = [*plain_indices(names), *(part.index for part in all_slices(es, names))]
    found = es.indices.get_settings(index=ours, flat_settings=True, ignore_unavailable=True)
    stated = {index: about["settings"] for index, about in found.items()}
    wanted = str(settings.number_of_replicas)
    others = [
        index
        for index, held in stated.items()
        if held.get("index.number_of_replicas", wanted) != wanted
        and held.get("index.auto_expand_replicas", "false") == "false"
    ]
    try:
        for index in others:
            es.indices.put_settings(index=index, settings={"index.number_of_replicas": settings.number_of_replicas})
    except ApiError as error:
        if error.meta.status not in _NOT_OFFERED:
            raise
        return []
    return others
