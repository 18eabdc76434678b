"""What Kibana asks Elasticsearch for a saved search or a Lens panel, as far as our definition goes.

Only what the definition uses is translated, and anything else is an error: a panel that can't be translated can't be
shown to bring what it should.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]
RECORDS = "___records___"
SHIFTS = {"1w": timedelta(weeks=1), "1d": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Range:
    """The time that a dashboard shows."""

    start: datetime
    end: datetime

    def earlier(self, shift: str | None) -> Range:
        """The same length of time, `shift` earlier."""
        by = SHIFTS[shift] if shift else timedelta(0)
        return Range(self.start - by, self.end - by)


@dataclass(frozen=True, slots=True)
class Translator:
    """Knows the saved objects and the settings that go with them."""

    objects: Mapping[tuple[str, str], Json]
    settings: Mapping[str, str]

    def search(self, one: Json, within: Range) -> tuple[str, Json]:
        """Index and query of a saved search."""
        (reference,) = one["references"]
        view = self._view(reference["id"])
        source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        return view["title"], self._query([source["query"]], view, within)

    def panel(self, one: Json, within: Range) -> Iterator[tuple[str, str, Json, list[str]]]:
        """For each time shift of a Lens panel: the shift, the index, the request, and the columns it answers."""
        view = self._view(one["references"][0]["id"])
        state = one["attributes"]["state"]
        (layer,) = state["datasourceStates"]["formBased"]["layers"].values()
        columns = {name: layer["columns"][name] for name in layer["columnOrder"]}
        values = [name for name, column in columns.items() if not column["isBucketed"]]
        for shift in sorted({columns[name].get("timeShift") or "" for name in values}):
            wanted = [name for name in values if (columns[name].get("timeShift") or "") == shift]
            query = self._query([state["query"]], view | _own_time(columns), within.earlier(shift or None))
            yield shift, view["title"], {"query": query, "size": 0, "aggs": self._aggs(columns, wanted)}, wanted

    def _view(self, name: str) -> Json:
        return dict(self.objects["index-pattern", name]["attributes"])

    def _query(self, queries: list[Json], view: Json, within: Range) -> Json:
        filters = [self._lucene(query) for query in queries]
        if "timeFieldName" in view:
            between = {"gte": within.start.isoformat(), "lte": within.end.isoformat()}
            filters.append({"range": {view["timeFieldName"]: between | {"format": "strict_date_optional_time"}}})
        return {"bool": {"filter": filters}}

    def _lucene(self, query: Json) -> Json:
        assert query["language"] == "lucene"
        if not query["query"].strip():
            return {"match_all": {}}
        options = json.loads(self.settings["query:queryString:options"])
        zone = {"time_zone": self.settings["dateFormat:tz"]}
        return {"query_string": {"query": query["query"]} | options | zone}

    def _aggs(self, columns: Mapping[str, Json], values: list[str]) -> Json:
        buckets = [name for name, column in columns.items() if column["isBucketed"]]
        inner = {name: self._value(columns[name]) for name in values}
        for name in reversed(buckets):
            inner = {name: self._bucket(columns[name], columns) | {"aggs": self._order(columns[name], columns) | inner}}
        return inner

    def _order(self, column: Json, columns: Mapping[str, Json]) -> Json:
        """The value that a bucket is ordered by, which Kibana asks for in the bucket itself."""
        by = column["params"].get("orderBy", {}).get("columnId")
        return {by: self._value(columns[by])} if by and columns[by]["operationType"] != "count" else {}

    def _bucket(self, column: Json, columns: Mapping[str, Json]) -> Json:
        kind, params = column["operationType"], column["params"]
        if kind == "date_histogram":
            interval = "1h" if params["interval"] == "auto" else params["interval"]
            shape = {
                "field": column["sourceField"],
                "fixed_interval": interval,
                "time_zone": self.settings["dateFormat:tz"],
            }
            return {"date_histogram": shape | {"min_doc_count": 1}}
        if kind == "filters":
            return {"filters": {"filters": {f["label"]: self._lucene(f["input"]) for f in params["filters"]}}}
        assert kind == "terms"
        order: Json = {"_key": "asc"}
        if params["orderBy"]["type"] == "column":
            by = params["orderBy"]["columnId"]
            count = columns[by]["operationType"] == "count" and "filter" not in columns[by]
            order = {"_count" if count else by: params["orderDirection"]}
        return {"terms": {"field": column["sourceField"], "size": params["size"], "order": order}}

    def _value(self, column: Json) -> Json:
        field = column["sourceField"]
        match column["operationType"]:
            case "count":
                assert field == RECORDS
                inner: Json = {"filter": {"match_all": {}}}
            case "unique_count":
                inner = {"cardinality": {"field": field}}
            case "sum" | "max" as name:
                inner = {name: {"field": field}}
            case "percentile":
                inner = {"percentiles": {"field": field, "percents": [column["params"]["percentile"]]}}
            case "last_value":
                sort = [{column["params"]["sortField"]: "desc"}]
                inner = {"top_hits": {"size": 1, "sort": sort, "_source": False, "fields": [field]}}
            case other:
                raise AssertionError(f"no translation of {other}")
        if "filter" in column:
            return {"filter": self._lucene(column["filter"]), "aggs": {"inner": inner}}
        return inner


def _own_time(columns: Mapping[str, Json]) -> Json:
    """A chart over time is ranged by its own field, not by the data view's: Lens hands it to `esaggs` as timeFields."""
    fields = [column["sourceField"] for column in columns.values() if column["operationType"] == "date_histogram"]
    return {"timeFieldName": fields[0]} if fields else {}


def rows(columns: Mapping[str, Json], wanted: list[str], answer: Json) -> dict[tuple[Any, ...], list[Any]]:
    """The table that the answer makes: keys of the buckets → values, without rows that hold nothing."""
    buckets = [name for name, column in columns.items() if column["isBucketed"]]
    return dict(_rows(buckets, [(name, columns[name]) for name in wanted], answer, ()))


def _rows(
    buckets: list[str], values: list[tuple[str, Json]], node: Json, keys: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
    if not buckets:
        yield keys, [_read(column, node[name]) for name, column in values]
        return
    found = node[buckets[0]]["buckets"]
    items = found.items() if isinstance(found, dict) else ((bucket["key"], bucket) for bucket in found)
    for key, bucket in items:
        if bucket["doc_count"]:
            yield from _rows(buckets[1:], values, bucket, (*keys, key))


def _read(column: Json, node: Json) -> Any:
    if "filter" in column:
        node = node["inner"]
    match column["operationType"]:
        case "count":
            return node["doc_count"]
        case "percentile":
            return next(iter(node["values"].values()))
        case "last_value":
            (hit,) = node["hits"]["hits"]
            return hit["fields"][column["sourceField"]][0]
        case _:
            return node["value"]
