"""Opening a context: an index that is missing is told as a loss, unless others are just being created."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch

from jobs import context as contexts
from jobs.context import open_context
from newswatch.settings import Settings
from store.indices.setup import set_up
from store.names import Names
from store.quarantine import Quarantine


@pytest.mark.slow
@pytest.mark.parametrize(("set_up_s", "losses"), [(1e9, 0), (0.0, 1)])
def test_a_new_installation_that_others_set_up_too_has_lost_nothing(
    es: Elasticsearch,
    names: Names,
    elasticsearch_url: str,
    monkeypatch: pytest.MonkeyPatch,
    set_up_s: float,
    losses: int,
) -> None:
    monkeypatch.setattr(contexts, "SET_UP_S", set_up_s)
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix)
    set_up(es, names, settings)
    es.indices.delete(index=names.pulse)  # the other process has not got there yet; or it is lost
    context = open_context(settings)
    assert es.indices.exists(index=names.pulse)
    quarantine = Quarantine(context.es, context.names)
    quarantine.refresh()
    assert quarantine.listed().total == losses
