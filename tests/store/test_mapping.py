"""The mapping keeps its promise: under one version, fields are only ever added.

`mapping.vN.json` is the mapping as version N was released with. While a version is not released yet, write it anew with
`python -m tests.store.test_mapping`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from newswatch.settings import Settings
from store.indices import mapping
from store.indices.analysis import analysis, analysis_settings, in_few_values
from store.indices.mapping import (
    ARTICLE,
    VERSION,
    article_template,
    missing,
    plain_index,
    plain_indices,
    plain_template,
)
from store.names import Names

PATH = Path(__file__).with_name(f"mapping.v{VERSION}.json")
Json = dict[str, Any]


def promised() -> Json:
    """What must not change while the version stays: the analysis, and how each field is indexed."""
    template = article_template(Names(), Settings())["template"]
    return {
        "analysis": analysis(),
        "source": template["mappings"]["_source"],
        "articles": ARTICLE,
        "plain": plain_indices(Names()),
    }


def changed(was: Any, now: Any, at: str = "") -> Iterator[str]:
    """Where `now` lacks or differs from what was; additions are no change."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key, value in was.items():
            if key not in now:
                yield f"{at}/{key} is gone"
            else:
                yield from changed(value, now[key], f"{at}/{key}")
    elif was != now:
        yield f"{at} was {was}, is {now}"


def test_under_one_version_fields_are_only_added() -> None:
    assert PATH.is_file(), f"the mapping of version {VERSION} was never written: see this module's text"
    was = json.loads(PATH.read_text(encoding="utf-8"))
    told = "raise store.mapping.VERSION, so that `newswatch index upgrade` makes the slices anew"
    assert list(changed(was, promised())) == [], told


def test_a_change_is_told_from_an_addition() -> None:
    now = copy.deepcopy(promised())
    now["articles"]["mood"] = mapping.KEYWORD
    assert not list(changed(promised(), now))
    now["articles"]["tags"] = {"type": "text"}
    del now["articles"]["source"]["properties"]["owner"]
    assert sorted(line.split(" ")[0] for line in changed(promised(), now)) == [
        "/articles/source/properties/owner",
        "/articles/tags/ignore_above",
        "/articles/tags/type",
    ]


def test_the_names_of_the_settings_are_those_that_a_slice_has() -> None:
    template = article_template(Names(), Settings())["template"]

    def names(settings: Json, prefix: str) -> Iterator[str]:
        for name, value in settings.items():
            yield from names(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]

    assert sorted(analysis_settings()) == sorted(names(template["settings"]["analysis"], "index.analysis."))


def test_the_analysis_is_sent_in_few_values_and_means_the_same() -> None:
    """Elasticsearch splits a string at its commas wherever it wants a list."""

    def split(sent: Any, meant: Any) -> Any:
        if isinstance(sent, dict):
            return {key: split(value, meant[key]) for key, value in sent.items()}
        return sent.split(",") if isinstance(meant, list) and isinstance(sent, str) else sent

    template = article_template(Names(), Settings())["template"]
    sent = template["settings"]["analysis"]
    assert split(sent, analysis()) == analysis()
    assert isinstance(sent["char_filter"]["marks"]["mappings"], str), "the longest list of all"
    assert in_few_values({"patterns": ["a{1,2}"], "none": []}) == {"patterns": ["a{1,2}"], "none": []}


def test_missing_fields_are_found_at_any_depth() -> None:
    wanted = {"a": {"type": "keyword"}, "b": {"properties": {"c": {"type": "long"}, "d": {"type": "date"}}}}
    assert missing(wanted, {"b": {"properties": {"c": {"type": "keyword"}}}}) == {
        "a": {"type": "keyword"},
        "b": {"properties": {"d": {"type": "date"}}},
    }
    assert missing(wanted, wanted) == {}


@pytest.mark.parametrize("prefix", ["", "eu-", "eu-articles-"])
def test_a_slices_name_says_month_and_generation(prefix: str) -> None:
    names = Names(prefix)
    for month, generation in (("2026.03", 1), ("2026.12", 2), ("2026.01", 13)):
        assert names.parse_slice(names.slice_of_month(month, generation)) == (month, generation)
    for other in (
        "articles",
        "articles-2026",
        "entries",
        f"{prefix}articles-2026.03-old",
        f"x{prefix}articles-2026.03",
    ):
        assert names.parse_slice(other) is None


SERVERLESS = {"analysis", "codec", "query.default_field"}
"""Of the settings that Elastic documents as available in Serverless projects, those that we send."""


def test_serverless_is_sent_no_setting_that_it_refuses_and_others_are() -> None:
    refused = {"number_of_shards", "number_of_replicas"}
    for serverless in (True, False):
        settings = Settings(elasticsearch_serverless=serverless)
        bodies = [article_template(Names(), settings)["template"], plain_template(Names(), settings)["template"]]
        bodies += [plain_index(properties, settings) for properties in plain_indices(Names()).values()]
        for body in bodies:
            assert body["settings"].keys() - SERVERLESS == (set() if serverless else refused)


if __name__ == "__main__":
    PATH.write_text(json.dumps(promised(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
