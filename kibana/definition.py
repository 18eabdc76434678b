"""The shape of `definition.yaml`, checked when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from kibana.topical import PlaceholderError, expanded
from newswatch import config
from newswatch.errors import ConfigError
from newswatch.topics import Topics

PATH = Path(__file__).parent / "definition.yaml"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _any_of(value: Any) -> Any:
    """Of a list of queries, the one that finds what any of them finds."""
    several = isinstance(value, list) and len(value) > 1 and all(isinstance(query, str) for query in value)
    if several:
        return " OR ".join(f"({query})" for query in value)
    return value[0] if isinstance(value, list) and len(value) == 1 else value or ""


Query = Annotated[str, BeforeValidator(_any_of)]


Format = Literal[
    "link",
    "picture",
    "story",
    "seconds",
    "plain-number",
    "news-article",
    "news-entity",
    "news-feed",
    "news-search",
]
"""How a field is shown; those of `news-` lead to the News page."""


class DataView(_Record):
    """An index as analysts see it."""

    name: str
    index: str
    """Without the installation's prefix."""
    time: str | None = None
    default: bool = False
    hidden: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    formats: dict[str, Format] = {}


class Search(_Record):
    """A saved search of Kibana."""

    title: str
    description: str
    data_view: str
    query: Query
    columns: tuple[str, ...]
    sort: str | None = None
    """Newest first by this field; None: by the data view's time."""


class Bucket(_Record):
    """A dimension by which a panel divides its values."""

    time: str | None = None
    every: Literal["auto", "hour", "day"] = "auto"
    field: str | None = None
    top: int = 10
    filters: dict[str, str] | None = None
    label: str | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Bucket:
        if sum(value is not None for value in (self.time, self.field, self.filters)) != 1:
            raise ValueError("a bucket has one of `time`, `field` and `filters`")
        return self


class Value(_Record):
    """A count or a measure."""

    count: bool = False
    unique: str | None = None
    sum: str | None = None
    max: str | None = None
    percentile: str | None = None
    at: int = 50
    latest: str | None = None
    by: str | None = None
    label: str
    only: str | None = None
    before: str | None = None

    @property
    def operation(self) -> tuple[str, str | None]:
        """Its name and its field; `count` has none."""
        fields = [(name, getattr(self, name)) for name in ("unique", "sum", "max", "percentile", "latest")]
        chosen = [(name, field) for name, field in fields if field is not None]
        return chosen[0] if chosen else ("count", None)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Value:
        fields = (self.unique, self.sum, self.max, self.percentile, self.latest)
        if sum(field is not None for field in fields) + self.count != 1:
            raise ValueError("a value has one of `count`, `unique`, `sum`, `max`, `percentile` and `latest`")
        if (self.latest is None) != (self.by is None):
            raise ValueError("`latest` needs `by`")
        return self


def _many(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class Panel(_Record):
    """One panel of a dashboard."""

    id: str
    title: str
    kind: Literal["bars", "shares", "area", "line", "table", "donut", "map", "number", "search", "text"]
    at: tuple[int, int, int, int]
    data_view: str | None = None
    query: Query = ""
    horizontal: bool = False
    x: Bucket | None = None
    split: Bucket | None = None
    by: Annotated[tuple[Bucket, ...], BeforeValidator(_many)] = ()
    y: Annotated[tuple[Value, ...], BeforeValidator(_many)] = ()
    search: str | None = None
    text: str | None = None

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """All buckets, the outermost first."""
        return tuple(bucket for bucket in (self.split, self.x, *self.by) if bucket)


class Control(_Record):
    """A list above the panels, to choose values of a field."""

    field: str
    label: str
    data_view: str


class Dashboard(_Record):
    """A page of panels."""

    title: str
    description: str
    from_: str = Field(alias="from")
    refresh_s: int
    controls: tuple[Control, ...] = ()
    panels: tuple[Panel, ...]


class Definition(_Record):
    """The whole file."""

    settings: dict[str, str]
    data_views: dict[str, DataView]
    searches: dict[str, Search]
    dashboards: dict[str, Dashboard]

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Definition:
        panels = [panel for dashboard in self.dashboards.values() for panel in dashboard.panels]
        named = {panel.data_view for panel in panels} | {search.data_view for search in self.searches.values()}
        named |= {control.data_view for dashboard in self.dashboards.values() for control in dashboard.controls}
        unknown = (named - {None} - set(self.data_views)) | (
            {panel.search for panel in panels} - {None} - set(self.searches)
        )
        if unknown:
            raise ValueError(f"there is no {', '.join(sorted(map(str, unknown)))}")
        return self


def load(topics: Topics, path: Path = PATH) -> Definition:
    """The definition, for these topics.

    Raises:
        ConfigError: it is invalid; the message names the line.
    """
    root, data = config.document(path)
    try:
        return Definition.model_validate(expanded(data, topics))
    except ValidationError as error:
        raise config.fault(path, root, error) from error
    except ValueError as error:
        line = config.line_of(root, error.place) if isinstance(error, PlaceholderError) else None
        raise ConfigError(path, line, str(error)) from error
