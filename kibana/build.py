"""The saved objects, built from `definition.yaml`: `python -m kibana.build` writes saved_objects.ndjson.

Each object names its model version, and Kibana migrates it on import. The versions are those of Kibana 9.0, so that
every 9.x accepts them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kibana import lens
from kibana.definition import Control, DataView, Definition, Panel, Search, load
from kibana.lens import Json, query
from newswatch.kibana_ids import DEFAULT_SPACE, articles_view, in_space, stable_id
from store.names import Names

PATH = Path(__file__).parent / "saved_objects.ndjson"
CORE_VERSION = "8.8.0"
MODEL_VERSIONS = {"index-pattern": "8.0.0", "search": "10.5.0", "lens": "8.9.0", "dashboard": "10.2.0"}
SEARCH_INDEX_REF = "kibanaSavedObjectMeta.searchSourceJSON.index"
DISCOVER_STORY = (
    "../app/discover#/?_g=(time:(from:now-2y,to:now))"
    f"&_a=(dataSource:(dataViewId:'{articles_view()}',type:dataView),"
    "query:(language:lucene,query:'story_id:{{value}}'))"
)

"""The articles of a story. Kibana puts the address of the space and `/app/` before what begins with `..`, and before
`/app/discover`, too: that led nowhere in every space but the default one."""

DEFAULT_NEWS = "http://127.0.0.1:8080/news"
"""Where the News page is by default; `kibana.load` takes the address from the settings."""
NEWS_LINK = "news:"
"""Begins the address of a page of the News page in the definition's texts: `[All feeds](news:feeds)`."""


def _address(template: str | None, label: str | None = None) -> Json:
    return {"id": "url", "params": {"type": "a", "urlTemplate": template, "labelTemplate": label}}


def formats(news: str) -> dict[str, Json]:
    """Name → field format. A template with a whole address is taken as it is, in every space."""
    return {
        "link": _address(None),
        "picture": {"id": "url", "params": {"type": "img", "width": "120", "height": "80"}},
        "story": _address(DISCOVER_STORY, "{{value}}"),
        "news-article": _address(f"{news}/article/{{{{value}}}}", "open"),
        "news-entity": _address(f"{news}/entities/{{{{value}}}}", "{{value}}"),
        "news-feed": _address(f"{news}/feeds/{{{{value}}}}", "{{value}}"),
        "news-search": _address(f"{news}/searches/{{{{value}}}}", "{{value}}"),
        "seconds": {
            "id": "duration",
            "params": {
                "inputFormat": "seconds",
                "outputFormat": "humanizePrecise",
                "outputPrecision": 1,
                "includeSpaceWithSuffix": True,
                "useShortSuffix": True,
            },
        },
        "plain-number": {"id": "number", "params": {"pattern": "0"}},
    }


def view_id(name: str) -> str:
    """The id of a data view."""
    return stable_id("data-view", name)


def search_id(name: str) -> str:
    """The id of a saved search; mails and pages may link to it."""
    return stable_id("search", name)


def dashboard_id(name: str) -> str:
    """The id of a dashboard."""
    return stable_id("dashboard", name)


def panel_id(dashboard: str, panel: str) -> str:
    """The id of the panel, and of the Lens object that it shows."""
    return stable_id("panel", dashboard, panel)


def saved_object(kind: str, name: str, attributes: Json, references: list[Json] | None = None) -> Json:
    """One line of the export."""
    return {
        "id": name,
        "type": kind,
        "attributes": attributes,
        "references": references or [],
        "coreMigrationVersion": CORE_VERSION,
        "typeMigrationVersion": MODEL_VERSIONS[kind],
        "managed": False,
    }


def compact(value: Any) -> str:
    """JSON as a string, which is how Kibana stores nested values."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def build(definition: Definition, prefix: str = "", space: str = DEFAULT_SPACE, news: str = DEFAULT_NEWS) -> list[Json]:
    """Every saved object of the space, data views first.

    `prefix` is the installation's, before every index; `news` is the address of its News page.
    """
    objects = [
        *(_data_view(name, view, prefix, news) for name, view in definition.data_views.items()),
        *(_search(name, search, definition) for name, search in definition.searches.items()),
        *_dashboards(definition, news),
    ]
    return objects if space == DEFAULT_SPACE else [_moved(one, space) for one in objects]


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
"""An id of ours (a UUID of version 5), wherever it stands: in references, in links, in JSON within strings."""


def _moved(one: Json, space: str) -> Json:
    """The object with the ids of the space."""
    moved: Json = json.loads(_ID.sub(lambda found: in_space(found[0], space), json.dumps(one)))
    return moved


def _data_view(name: str, view: DataView, prefix: str, news: str) -> Json:
    attributes: Json = {
        "title": prefix + view.index,
        "name": view.name,
        "allowNoIndex": True,
        "fields": "[]",
        "fieldAttrs": compact({field: {"customLabel": label} for field, label in view.labels.items()}),
        "fieldFormatMap": compact({field: formats(news)[shown] for field, shown in view.formats.items()}),
        "sourceFilters": compact([{"value": pattern} for pattern in view.hidden]),
        "runtimeFieldMap": "{}",
        "typeMeta": "{}",
    }
    return saved_object(
        "index-pattern", view_id(name), attributes | ({"timeFieldName": view.time} if view.time else {})
    )


def _search(name: str, search: Search, definition: Definition) -> Json:
    source = {"query": query(search.query), "filter": [], "indexRefName": SEARCH_INDEX_REF, "highlightAll": True}
    order = search.sort or definition.data_views[search.data_view].time
    attributes: Json = {
        "title": search.title,
        "description": search.description,
        "columns": list(search.columns),
        "sort": [[order, "desc"]] if order else [],
        "grid": {},
        "hideChart": False,
        "isTextBasedQuery": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": compact(source)},
        "timeRestore": False,
    }
    view = {"type": "index-pattern", "id": view_id(search.data_view), "name": SEARCH_INDEX_REF}
    return saved_object("search", search_id(name), attributes, [view])


def _dashboards(definition: Definition, news: str) -> Iterator[Json]:
    for name, dashboard in definition.dashboards.items():
        for panel in dashboard.panels:
            if panel.data_view:
                yield _lens(name, panel, definition)
        panels = [_panel(name, panel, news) for panel in dashboard.panels]
        source = {"query": query(""), "filter": []}
        attributes: Json = {
            "title": dashboard.title,
            "description": dashboard.description,
            "panelsJSON": compact([panel for panel, _ in panels]),
            "optionsJSON": compact(
                {"useMargins": True, "syncColors": True, "syncCursor": True, "hidePanelTitles": False}
            ),
            "timeRestore": True,
            "timeFrom": dashboard.from_,
            "timeTo": "now",
            "refreshInterval": {"pause": False, "value": 1_000 * dashboard.refresh_s},
            "kibanaSavedObjectMeta": {"searchSourceJSON": compact(source)},
        }
        references = [reference for _, reference in panels if reference]
        if dashboard.controls:
            attributes["controlGroupInput"] = _controls(name, dashboard.controls)
            references += [
                {
                    "type": "index-pattern",
                    "id": view_id(control.data_view),
                    "name": f"controlGroup_{_control_id(name, control)}:optionsListDataView",
                }
                for control in dashboard.controls
            ]
        yield saved_object("dashboard", dashboard_id(name), attributes, references)


def _controls(dashboard: str, controls: tuple[Control, ...]) -> Json:
    """The lists above the panels, as `@kbn/controls` keeps them: each narrows the choices of those after it."""
    panels = {
        _control_id(dashboard, control): {
            "order": order,
            "width": "medium",
            "grow": True,
            "type": "optionsListControl",
            "explicitInput": {
                "id": _control_id(dashboard, control),
                "fieldName": control.field,
                "title": control.label,
                "selectedOptions": [],
                "enhancements": {},
            },
        }
        for order, control in enumerate(controls)
    }
    ignored = {"ignoreFilters": False, "ignoreQuery": False, "ignoreTimerange": False, "ignoreValidations": False}
    return {
        "controlStyle": "oneLine",
        "chainingSystem": "HIERARCHICAL",
        "panelsJSON": compact(panels),
        "ignoreParentSettingsJSON": compact(ignored),
    }


def _control_id(dashboard: str, control: Control) -> str:
    return stable_id("control", dashboard, control.field)


def _lens(dashboard: str, panel: Panel, definition: Definition) -> Json:
    assert panel.data_view
    place = f"{dashboard}/{panel.id}"
    attributes = lens.attributes(place, panel, definition.data_views[panel.data_view].time)
    reference = lens.reference(place, view_id(panel.data_view))
    return saved_object("lens", panel_id(dashboard, panel.id), attributes, [reference])


def _panel(dashboard: str, panel: Panel, news: str) -> tuple[Json, Json | None]:
    """A panel of the dashboard, and its reference to what it shows."""
    index = panel_id(dashboard, panel.id)
    x, y, w, h = panel.at
    shown: Json = {"panelIndex": index, "gridData": {"i": index, "x": x, "y": y, "w": w, "h": h}, "title": panel.title}
    if panel.text is not None:
        return shown | {"type": "visualization", "embeddableConfig": {"savedVis": _markdown(panel, news)}}, None
    kind, target = ("search", search_id(panel.search)) if panel.search else ("lens", index)
    name = f"panel_{index}"
    reference = {"type": kind, "id": target, "name": f"{index}:{name}"}
    return shown | {"type": kind, "embeddableConfig": {"title": panel.title}, "panelRefName": name}, reference


def _markdown(panel: Panel, news: str) -> Json:
    """A visualization that is stored within its panel. Kibana reads `data`, which a text has no use for."""
    text = str(panel.text).replace(f"]({NEWS_LINK}", f"]({news}/")
    return {
        "type": "markdown",
        "title": panel.title,
        "description": "",
        "params": {"fontSize": 12, "openLinksInNewTab": True, "markdown": text},
        "uiState": {},
        "data": {"aggs": [], "searchSource": {"query": query(""), "filter": []}},
    }


def ndjson(objects: list[Json]) -> str:
    """The objects in Kibana's import format: one JSON object per line."""
    return "".join(json.dumps(object_, ensure_ascii=False, sort_keys=True) + "\n" for object_ in objects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="end with 1 if saved_objects.ndjson is out of date")
    options = parser.parse_args()
    text = ndjson(build(load(Names().topics())))
    if options.check:
        sys.exit(PATH.read_text(encoding="utf-8") != text)
    PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
