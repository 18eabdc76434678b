"""What is imported is what the definition says, whole, and shaped as Kibana's own sources want it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.routing import APIRoute

from jobs.pull.batch import PullReport
from kibana import lens as lenses
from kibana.build import DISCOVER_STORY, PATH, build, dashboard_id, ndjson, search_id, view_id
from kibana.definition import load
from newswatch.config import plain
from newswatch.errors import ConfigError
from newswatch.kibana_ids import articles_view, in_space, space_of
from newswatch.settings import Settings
from search.asked import text_query
from store.indices import mapping
from store.names import Names
from web import entity_pages, feed_pages, saved_pages, search_pages

Json = dict[str, Any]
DEFINITION = load(Names().topics())
OBJECTS = build(DEFINITION)
BY_ID = {(one["type"], one["id"]): one for one in OBJECTS}
SHAPES = plain((Path(__file__).parent / "shapes.yaml").read_text(encoding="utf-8"))
every_object = pytest.mark.parametrize("one", OBJECTS, ids=lambda one: f"{one['type']}-{one['attributes']['title']}")
INDICES = {"articles": mapping.ARTICLE} | mapping.plain_indices(Names())
FIELD = re.compile(r"([a-z][\w.-]*):")


def of_type(kind: str) -> list[Json]:
    return [one for one in OBJECTS if one["type"] == kind]


def layer(lens: Json) -> Json:
    (found,) = lens["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].values()
    return dict(found)


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_is_what_the_definition_makes() -> None:
    assert PATH.read_text(encoding="utf-8") == ndjson(OBJECTS), "run: python -m kibana.build"


def test_ids_are_stable_and_one_each() -> None:
    assert len(BY_ID) == len(OBJECTS)
    assert all(uuid.UUID(one["id"]).version == 5 for one in OBJECTS)
    # Bookmarks and links hold them.
    assert view_id("articles") == "19f5d989-7741-577c-8665-2b2331a991da"
    assert search_id("both") == "6f9ab7e6-266b-53f9-afba-673a833dabf5"
    assert dashboard_id("situation") == "2766d559-498d-57b5-a6d2-91f9e4868844"
    without = DEFINITION.model_copy(update={"dashboards": {}})
    assert {one["id"] for one in build(without)} < {one["id"] for one in OBJECTS}


def test_every_reference_leads_somewhere() -> None:
    for one in OBJECTS:
        for reference in one["references"]:
            assert (reference["type"], reference["id"]) in BY_ID, f"{one['attributes']['title']}: {reference}"


def test_every_object_can_be_reached_from_a_dashboard_or_opened_by_itself() -> None:
    referred = {(r["type"], r["id"]) for one in OBJECTS for r in one["references"]}
    openable = {"dashboard", "search", "index-pattern"}
    assert all(one["type"] in openable or (one["type"], one["id"]) in referred for one in OBJECTS)


def test_the_prefix_of_the_installation_stands_before_every_index() -> None:
    prefixed = [one for one in build(DEFINITION, "eu-") if one["type"] == "index-pattern"]
    assert {one["attributes"]["title"] for one in prefixed} == {f"eu-{v.index}" for v in DEFINITION.data_views.values()}


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def validate(value: Any, shape: str) -> None:
    jsonschema.Draft202012Validator(SHAPES[shape]).validate(value)


@every_object
def test_attributes_have_the_shape_that_kibana_wants(one: Json) -> None:
    validate(one["attributes"], one["type"])
    assert {"typeMigrationVersion", "coreMigrationVersion"} <= one.keys()


def test_what_kibana_keeps_as_json_in_a_string_has_its_shape_too() -> None:
    for view in of_type("index-pattern"):
        validate(json.loads(view["attributes"]["fieldAttrs"]), "field-attrs")
        validate(json.loads(view["attributes"]["fieldFormatMap"]), "field-format-map")
    for one in (*of_type("search"), *of_type("dashboard")):
        validate(json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]), "search-source")
    for dashboard in of_type("dashboard"):
        validate(json.loads(dashboard["attributes"]["panelsJSON"]), "panels")
        validate(json.loads(dashboard["attributes"]["optionsJSON"]), "options")
        controls = json.loads(dashboard["attributes"].get("controlGroupInput", {}).get("panelsJSON", "{}"))
        names = {reference["name"] for reference in dashboard["references"]}
        for name, control in controls.items():
            assert control["explicitInput"]["id"] == name
            assert f"controlGroup_{name}:optionsListDataView" in names
    for lens in of_type("lens"):
        validate(lens["attributes"]["state"]["visualization"], lens["attributes"]["visualizationType"])


def test_a_wrong_shape_is_found() -> None:
    lens = json.loads(json.dumps(of_type("lens")[0]["attributes"]))
    (columns,) = (found["columns"] for found in lens["state"]["datasourceStates"]["formBased"]["layers"].values())
    next(iter(columns.values()))["operationType"] = "counting"
    with pytest.raises(jsonschema.ValidationError):
        validate(lens, "lens")


@pytest.mark.parametrize("lens", of_type("lens"), ids=lambda one: one["attributes"]["title"])
def test_a_visualization_shows_the_columns_of_its_layer(lens: Json) -> None:
    state = lens["attributes"]["state"]
    ((layer_id, found),) = state["datasourceStates"]["formBased"]["layers"].items()
    assert sorted(found["columnOrder"]) == sorted(found["columns"])
    buckets = [name for name in found["columnOrder"] if found["columns"][name]["isBucketed"]]
    assert found["columnOrder"][: len(buckets)] == buckets, "buckets come first"
    assert sorted(accessors(state["visualization"])) == sorted(found["columns"])
    assert lens["references"][0]["name"] == f"indexpattern-datasource-layer-{layer_id}"
    for column in found["columns"].values():
        order = column.get("params", {}).get("orderBy", {})
        assert order.get("columnId") in {None, *found["columns"]}


def accessors(visualization: Any) -> Iterator[str]:
    """Every column that a visualization names."""
    if isinstance(visualization, dict):
        for key, value in visualization.items():
            if key in ("metricAccessor", "regionAccessor", "valueAccessor", "xAccessor", "splitAccessor", "columnId"):
                yield value
            elif key in ("accessors", "primaryGroups", "metrics"):
                yield from value
            else:
                yield from accessors(value)
    elif isinstance(visualization, list):
        for value in visualization:
            yield from accessors(value)


@pytest.mark.parametrize("dashboard", of_type("dashboard"), ids=lambda one: one["attributes"]["title"])
def test_panels_are_referred_to_and_do_not_overlap(dashboard: Json) -> None:
    panels = json.loads(dashboard["attributes"]["panelsJSON"])
    names = {reference["name"]: reference for reference in dashboard["references"]}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        if "savedVis" in panel["embeddableConfig"]:
            validate(panel["embeddableConfig"]["savedVis"], "saved-vis")
        else:
            reference = names.pop(f"{panel['panelIndex']}:{panel['panelRefName']}")
            assert reference["type"] == panel["type"]
        grid = panel["gridData"]
        assert grid["i"] == panel["panelIndex"]
        assert grid["x"] + grid["w"] <= 48
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
    assert all(name.startswith("controlGroup_") for name in names)


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def mapped(index: str, field: str) -> Json | None:
    """The mapping of a field; where the mapping is dynamic, of what we know to be written there."""
    if field == "_id":
        return {"type": "_id"}  # of every document, and among Kibana's own fields
    known: Json = INDICES[index]
    found: Json | None = None
    for part in field.split("."):
        if found is not None and found.get("dynamic") is True:
            return {"type": "float"} if field in DYNAMIC[index] else None
        found = known.get(part)
        if found is None:
            return None
        known = found.get("properties", found.get("fields", {}))
    return found


DYNAMIC = {
    "articles": {"scores.nato", "scores.counter-terrorism"},
    "batches": {f"counts.{name}" for name in PullReport(0).counts()},
}


def fields_named(definition: Any = DEFINITION) -> Iterator[tuple[str, str, str]]:
    """Where, data view, field: every field that the definition names."""
    for name, view in definition.data_views.items():
        for field in (*view.labels, *view.formats, *filter(None, [view.time])):
            yield f"data view {name}", name, field
    for name, search in definition.searches.items():
        for field in (*search.columns, *filter(None, [search.sort]), *FIELD.findall(search.query)):
            yield f"search {name}", search.data_view, field
    for dashboard in definition.dashboards.values():
        for control in dashboard.controls:
            yield f"control {control.label}", control.data_view, control.field
        for panel in dashboard.panels:
            queries = [panel.query, *(value.only or "" for value in panel.y)]
            queries += [text for bucket in panel.buckets for text in (bucket.filters or {}).values()]
            fields = [bucket.time or bucket.field for bucket in panel.buckets]
            fields += [field for value in panel.y for field in (value.operation[1], value.by)]
            for field in (*filter(None, fields), *FIELD.findall(" ".join(queries))):
                yield f"panel {panel.id}", str(panel.data_view), field


def test_every_field_is_in_the_mapping() -> None:
    named = sorted(set(fields_named()))
    assert [each for each in named if not mapped(DEFINITION.data_views[each[1]].index, each[2])] == []
    assert len(named) > 200


def test_what_is_counted_apart_can_be() -> None:
    for dashboard in DEFINITION.dashboards.values():
        for panel in dashboard.panels:
            for bucket in panel.buckets:
                if bucket.field:
                    found = mapped(DEFINITION.data_views[str(panel.data_view)].index, bucket.field)
                    assert (found or {}).get("type") in ("keyword", "boolean", "long", "integer"), bucket.field


def test_a_hidden_field_is_there_to_be_hidden() -> None:
    for view in DEFINITION.data_views.values():
        assert all(pattern.removesuffix(".*") in INDICES[view.index] for pattern in view.hidden)


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_query_means_in_kibana_what_it_means_elsewhere() -> None:
    """Kibana adds its options to the query string, and Elasticsearch the index's default fields."""
    ours = text_query("x")
    while "query_string" not in ours:
        ours = next(iter(ours.values()))
        ours = ours[0] if isinstance(ours, list) else ours
    options = json.loads(DEFINITION.settings["query:queryString:options"])
    assert options == {name: ours["query_string"][name] for name in ("analyze_wildcard", "default_operator")}
    template = mapping.article_template(Names(), Settings())
    assert template["template"]["settings"]["query.default_field"] == ours["query_string"]["fields"]


def test_links_lead_to_the_articles_whichever_data_view_was_used_last() -> None:
    assert [view.index for view in DEFINITION.data_views.values() if view.default] == ["articles"]
    assert view_id("articles") == articles_view()
    assert f"dataViewId:'{articles_view()}',type:dataView" in DISCOVER_STORY


def test_the_news_page_is_linked_at_its_own_address() -> None:
    there = build(DEFINITION, news="https://news.example/base/news")
    text = ndjson(there)
    assert "127.0.0.1" not in text
    assert "](news:" not in text
    assert "](https://news.example/base/news/situation)" in text
    views = {one["attributes"]["name"]: one["attributes"] for one in there if one["type"] == "index-pattern"}
    shown = json.loads(views["Articles"]["fieldFormatMap"])["_id"]
    # Kibana takes only these for whole addresses, and puts the address of the space before all others.
    assert shown["params"]["urlTemplate"] == "https://news.example/base/news/article/{{value}}"
    routers = (search_pages.router, entity_pages.router, feed_pages.router, saved_pages.router)
    pages = {route.path for router in routers for route in router.routes if isinstance(route, APIRoute)}
    linked = re.findall(r"news\.example/base/news(/\w+/){{value}}", text)
    assert {page.partition("{")[0] for page in pages if "{" in page} >= {*linked} != set()


def test_each_space_has_ids_of_its_own_and_links_that_lead_there() -> None:
    """Kibana gives an object that another space has a random id, and no link would find it."""
    there = build(DEFINITION, space="news")
    ids = {one["id"] for one in there}
    assert ids == {in_space(one["id"], "news") for one in OBJECTS}
    assert not ids & {one["id"] for one in OBJECTS}
    assert not any(one["id"] in ndjson(there) for one in OBJECTS), "in references, panels, layers and links"
    assert all(reference["id"] in ids for one in there for reference in one["references"])
    assert space_of("https://kibana.example/s/news") == "news"
    assert space_of("https://kibana.example/base") == "default"
    assert f"dataViewId:'{articles_view('news')}'" in ndjson(there)
    # Kibana's url format puts the space's base and /app/ before it, whichever the space.
    assert DISCOVER_STORY.startswith("../app/discover#/")


# ── the definition ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    data_view: articles\n    query: version:>1", "    data_view: papers\n    query: version:>1", "no papers"),
        ("x: {time: time, every: hour}", "x: {time: time, field: tags}", "one of `time`"),
        ("y: {count: true, label: Feeds}", "y: {count: true, sum: failures, label: Feeds}", "one of `count`"),
        ("kind: donut", "kind: doughnut", "kind"),
        ("query: tags_main:$tag\n    columns", "query: tags_main:$tags\n    columns", "placeholder"),
    ],
)
def test_a_slip_in_the_definition_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (PATH.parent / "definition.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "definition.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"definition\.yaml:\d+: .*{told}"):
        load(Names().topics(), path)


def test_a_column_of_moments_is_shown_as_moments() -> None:
    """Lens shows the maximum of a date as a number of milliseconds, unless its column says otherwise."""
    for dashboard in DEFINITION.dashboards.values():
        for panel in dashboard.panels:
            if not panel.data_view:
                continue
            view = DEFINITION.data_views[panel.data_view]
            attributes = lenses.attributes("place", panel, view.time)
            layer = next(iter(attributes["state"]["datasourceStates"]["formBased"]["layers"].values()))
            for column in layer["columns"].values():
                if column["operationType"] == "max":
                    is_date = (mapped(view.index, column["sourceField"]) or {})["type"] == "date"
                    assert (column["dataType"] == "date") == is_date, f"{panel.id}: {column['sourceField']}"
