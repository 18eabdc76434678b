"""An index's identity and age are told wherever Elasticsearch hides most settings, as Serverless does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from newswatch.settings import Settings
from store.applied import Application
from store.elastic.index_facts import created_at, uuid_of
from store.indices.setup import set_up
from store.names import Names

pytestmark = pytest.mark.slow

HIDDEN = ("index.uuid", "index.creation_date", "index.number_of_shards", "index.number_of_replicas", "index.version")


def hide(es: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer as Serverless: without those settings, and without indices of which none is left."""
    client = type(es.indices)
    ask = client.get_settings

    class Hidden(dict[str, Any]):
        @property
        def body(self) -> dict[str, Any]:
            return self

    def filtered(self: Any, **asked: Any) -> Hidden:
        answer = ask(self, **{**asked, "flat_settings": True}).body
        left = {
            index: {name: value for name, value in found["settings"].items() if not name.startswith(HIDDEN)}
            for index, found in answer.items()
        }
        return Hidden({index: {"settings": settings} for index, settings in left.items() if settings})

    monkeypatch.setattr(client, "get_settings", filtered)


def test_what_is_hidden_among_the_settings_is_told_all_the_same(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(es, names, Settings())
    indices = [names.feeds, names.searches]
    uuid, born = uuid_of(es, names.feeds), created_at(es, indices)
    assert born.keys() == {*indices}
    assert all(abs(datetime.now(UTC) - moment) < timedelta(minutes=10) for moment in born.values())
    hide(es, monkeypatch)
    assert (uuid_of(es, names.feeds), created_at(es, indices)) == (uuid, born)
    assert Application(es, names, "feeds.yaml", names.feeds)._follows == uuid
