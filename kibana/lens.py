"""A panel as the state that Kibana's Lens keeps. Pure.

The shapes are those of Kibana 9 (`@kbn/lens-common`) in a form that every 9.x reads: Lens migrates a state without
`version` from the format that preceded its versions.
"""

from __future__ import annotations

from typing import Any

from kibana.definition import Bucket, Panel, Value
from newswatch.kibana_ids import stable_id

RECORDS = "___records___"
INTERVALS = {"auto": "auto", "hour": "1h", "day": "1d"}
VISUALIZATIONS = {"table": "lnsDatatable", "donut": "lnsPie", "map": "lnsChoropleth", "number": "lnsMetric"}
_MOMENTS = ("at", "since", "until")
"""Last words of the names of fields with a date."""
OPERATIONS = {"unique": "unique_count", "latest": "last_value"}

Json = dict[str, Any]


def query(text: str) -> Json:
    """A query in Lucene's syntax."""
    return {"query": text, "language": "lucene"}


class Layer:
    """The columns of a panel: its buckets, then its values."""

    def __init__(self, place: str, panel: Panel, time_field: str | None) -> None:
        self.id = stable_id(place, "layer")
        self.buckets = [stable_id(place, "bucket", str(n)) for n in range(len(panel.buckets))]
        self.values = [stable_id(place, "value", str(n)) for n in range(len(panel.y))]
        order_by = next((i for i, v in zip(self.values, panel.y, strict=True) if _sorts(v)), None)
        self.columns: Json = {
            name: _bucket(bucket, order_by) for name, bucket in zip(self.buckets, panel.buckets, strict=True)
        } | {name: _value(value, time_field) for name, value in zip(self.values, panel.y, strict=True)}

    def state(self) -> Json:
        """The layer as Lens stores it."""
        order = [*self.buckets, *self.values]
        return {"columnOrder": order, "columns": self.columns, "incompleteColumns": {}, "sampling": 1}


def _sorts(value: Value) -> bool:
    return value.operation[0] in ("count", "unique", "sum", "max") and not value.before


def _bucket(bucket: Bucket, order_by: str | None) -> Json:
    column: Json = {"isBucketed": True}
    if bucket.time:
        params = {"interval": INTERVALS[bucket.every], "includeEmptyRows": True, "dropPartials": False}
        kind = {"dataType": "date", "operationType": "date_histogram", "scale": "interval", "sourceField": bucket.time}
        return column | kind | {"label": bucket.label or bucket.time, "params": params}
    if bucket.filters:
        filters = [{"label": label, "input": query(text)} for label, text in bucket.filters.items()]
        kind = {"dataType": "string", "operationType": "filters", "scale": "ordinal"}
        return column | kind | {"label": bucket.label or "Filters", "params": {"filters": filters}}
    order = {"type": "column", "columnId": order_by} if order_by else {"type": "alphabetical"}
    params = {
        "size": bucket.top,
        "orderBy": order,
        "orderDirection": "desc" if order_by else "asc",
        "otherBucket": False,
        "missingBucket": False,
        "parentFormat": {"id": "terms"},
        "include": [],
        "exclude": [],
        "includeIsRegex": False,
        "excludeIsRegex": False,
    }
    kind = {"dataType": "string", "operationType": "terms", "scale": "ordinal", "sourceField": str(bucket.field)}
    return column | kind | {"label": bucket.label or str(bucket.field), "params": params} | _custom(bucket.label)


def _value(value: Value, time_field: str | None) -> Json:
    name, field = value.operation
    column: Json = {
        "label": value.label,
        "customLabel": True,
        "operationType": OPERATIONS.get(name, name),
        "sourceField": field or RECORDS,
        "dataType": "number",
        "isBucketed": False,
        "scale": "ratio",
        "params": {},
    }
    if name == "latest":
        column |= {"dataType": "string", "scale": "ordinal"}
        column["params"] = {"sortField": value.by, "showArrayValues": True}
    elif name == "percentile":
        column["params"] = {"percentile": value.at}
    elif name == "max" and (field == time_field or str(field).rpartition("_")[2] in _MOMENTS):
        column["dataType"] = "date"
    else:
        column["params"] = {"emptyAsNull": False}
    if value.only:
        column["filter"] = query(value.only)
    if value.before:
        column["timeShift"] = value.before
    return column


def _custom(label: str | None) -> Json:
    return {"customLabel": True} if label else {}


def attributes(place: str, panel: Panel, time_field: str | None) -> Json:
    """The attributes of the `lens` saved object of a panel."""
    layer = Layer(place, panel, time_field)
    return {
        "title": panel.title,
        "description": "",
        "visualizationType": VISUALIZATIONS.get(panel.kind, "lnsXY"),
        "state": {
            "visualization": _visualization(panel, layer),
            "query": query(panel.query),
            "filters": [],
            "datasourceStates": {"formBased": {"layers": {layer.id: layer.state()}}},
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


def reference(place: str, data_view: str) -> Json:
    """The reference from the layer to its data view."""
    return {
        "type": "index-pattern",
        "id": data_view,
        "name": f"indexpattern-datasource-layer-{stable_id(place, 'layer')}",
    }


def _visualization(panel: Panel, layer: Layer) -> Json:
    common: Json = {"layerId": layer.id, "layerType": "data"}
    if panel.kind == "number":
        return common | {"metricAccessor": layer.values[0]}
    if panel.kind == "map":
        place = {"emsLayerId": "world_countries", "emsField": "iso2"}
        return common | place | {"regionAccessor": layer.buckets[0], "valueAccessor": layer.values[0]}
    if panel.kind == "table":
        columns = [{"columnId": name, "isTransposed": False} for name in (*layer.buckets, *layer.values)]
        return common | {"columns": columns, "paging": {"size": 10, "enabled": True}, "rowHeight": "auto"}
    if panel.kind == "donut":
        shown = {
            "numberDisplay": "value",
            "categoryDisplay": "default",
            "legendDisplay": "default",
            "nestedLegend": False,
        }
        groups = {"primaryGroups": layer.buckets, "metrics": layer.values}
        return {"shape": "donut", "layers": [common | groups | shown]}
    return _xy(panel, layer, common)


_SERIES = {
    ("line", False): "line",
    ("area", False): "area_stacked",
    ("bars", False): "bar_stacked",
    ("bars", True): "bar_horizontal",
    ("shares", False): "bar_percentage_stacked",
    ("shares", True): "bar_horizontal_percentage_stacked",
}


def _xy(panel: Panel, layer: Layer, common: Json) -> Json:
    series = _SERIES[panel.kind, panel.horizontal]
    data = common | {"seriesType": series, "accessors": layer.values, "xAccessor": layer.buckets[-1]}
    if panel.split:
        data["splitAccessor"] = layer.buckets[0]
    return {
        "legend": {"isVisible": True, "position": "bottom"},
        "valueLabels": "show" if panel.kind == "shares" else "hide",
        "fittingFunction": "Zero" if panel.kind == "line" else "None",
        "preferredSeriesType": series,
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
        "layers": [data],
    }
