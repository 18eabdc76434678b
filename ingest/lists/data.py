"""Lists of articles in JSON: found by the names and values of its fields, or at a path that a rule names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ingest import text
from ingest.addresses import absolute
from ingest.lists.items import ListItem, article_worth, day_in, headline_worth
from ingest.lists.moments import Reader
from ingest.zones import Hints
from newswatch.plain_text import one_line

MOST_NODES: Final = 300_000
"""Maximum number of values of a document that are looked at."""
MAX_DEPTH: Final = 40
_TITLES: Final = (
    "title", "headline", "name", "heading", "label", "titulo", "titre", "titolo", "titel", "subject", "pagetitle",
    "newstitle", "articletitle", "shorttitle", "displaytitle", "seotitle", "text", "linktext",
)  # fmt: skip
_ADDRESSES: Final = (
    "url", "link", "href", "permalink", "canonicalurl", "weburl", "articleurl", "fullurl", "absoluteurl", "pageurl",
    "shareurl", "linkurl", "itemurl", "detailurl", "canonical", "path", "uri", "relativeurl", "alias", "urlpath", "@id",
)  # fmt: skip
_DATES: Final = (
    "datepublished", "publishedat", "pagedate", "publishdate", "publisheddate", "pubdate", "publicationdate",
    "published", "publishedon", "firstpublished", "firstpublishedat", "publishtime", "date", "releasedate",
    "displaydate", "newsdate", "startdate", "postdate", "postedat", "dateposted", "time", "timestamp", "createdat",
    "created", "datecreated", "creationdate", "dategmt", "day", "updatedat", "modified", "datemodified",
    "lastmodified", "changed", "updated",
)  # fmt: skip
_WRAPPERS: Final = frozenset(
    {"item", "node", "attributes", "fields", "_source", "source", "data", "properties", "content", "entity", "document"}
)
"""Names of objects that hold the item itself."""
_IMAGE: Final = re.compile(r"\.(?:jpe?g|png|gif|webp|svg|mp4|css|js)(?:$|\?)", re.IGNORECASE)
_MARK: Final = re.compile(r"[_\-\s.]")
_DATETIME: Final = re.compile(r"datetime=[\"']([^\"']{4,40})")
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DataList:
    """A list in JSON."""

    path: str
    """Where it stands: `data.results`."""
    items: tuple[ListItem, ...]

    @property
    def weight(self) -> float:
        """How much speaks for it being the document's list of articles."""
        if not self.items:
            return 0.0
        told = sum(headline_worth(item.title) for item in self.items) / len(self.items)
        dated = sum(item.published is not None for item in self.items) / len(self.items)
        led = sum(article_worth(item.url, "https://nowhere.invalid/") for item in self.items) / len(self.items)
        return float((0.1 + told) * (0.4 + dated + 0.5 * led) * min(len(self.items), 60) ** 0.6)


def lists_of(data: Any, url: str, hints: Hints, now: datetime) -> list[DataList]:
    """Every list in `data` whose items have a title and an address, resolved against `url`."""
    found = (_read_list(path, objects, url, hints, now) for path, objects in _objects_in(data))
    return [each for each in found if each is not None]


def at_path(data: Any, path: str) -> Any:
    """The value at a path: `pages`, `data.results`, `response.docs.0.title`; None if there is none.

    On a list, a name is looked up in each of its items, and what they have is joined.
    """
    value = data
    for name in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, Sequence) and not isinstance(value, str) and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else None
        elif isinstance(value, list):
            inner = [each.get(name) for each in value if isinstance(each, Mapping)]
            value = [
                part for each in inner for part in (each if isinstance(each, list) else [each]) if part is not None
            ]
        else:
            return None
    return value


def _objects_in(data: Any) -> Iterator[tuple[str, list[Object]]]:
    """The lists of objects in `data` with their paths; also objects of objects, as `{"17": {…}, "18": {…}}`."""
    stack: list[tuple[str, Any, int]] = [("", data, 0)]
    seen = 0
    while stack and seen < MOST_NODES:
        path, value, depth = stack.pop()
        seen += 1
        if depth > MAX_DEPTH:
            continue
        if isinstance(value, list):
            objects = [each for each in value if isinstance(each, Mapping)]
            if objects and 2 * len(objects) >= len(value):
                yield path or "the document", objects
            children = [(path, each) for each in value if isinstance(each, list | Mapping)]
        elif isinstance(value, Mapping):
            inner = [each for each in value.values() if isinstance(each, Mapping)]
            if len(inner) >= 3 and len(inner) == len(value) and _are_alike(inner):
                yield path or "the document", inner
            children = [
                (f"{path}.{name}".lstrip("."), each) for name, each in value.items() if isinstance(each, list | Mapping)
            ]
        else:
            continue
        stack += [(where, each, depth + 1) for where, each in reversed(children)]


def _are_alike(objects: Sequence[Object]) -> bool:
    first = set(objects[0])
    return len(first) >= 2 and all(len(first & set(each)) >= 0.6 * len(first | set(each)) for each in objects[:10])


def _read_list(path: str, objects: Sequence[Object], url: str, hints: Hints, now: datetime) -> DataList | None:
    reader = Reader(hints, now)
    items: dict[str, ListItem] = {}
    for given in objects[:2_000]:
        item = item_of(given, url, reader, now)
        if item is not None:
            items.setdefault(item.url, item)
    if len(items) < max(1, 0.5 * len(objects)) or not items:
        return None
    return DataList(path, tuple(items.values()))


def item_of(given: Object, url: str, reader: Reader, now: datetime) -> ListItem | None:
    """The item in an object, by the names of its fields; None if it has no title or address."""
    fields = _flat(given)
    title = next((told for name in _TITLES if name in fields and (told := plain(fields[name]))), "")
    link = next((led for name in _ADDRESSES if name in fields and (led := _address(fields[name], url))), None)
    if not title or link is None or not any(map(str.isalpha, title)):
        return None
    when = next((day for name in _DATES if name in fields and (day := moment(fields[name], reader, now))), None)
    return ListItem(link, title, when or day_in(link, now))


def _flat(given: Object) -> dict[str, Any]:
    """The fields of an object and of the objects that hold its content, by their names in small letters."""
    flat: dict[str, Any] = {}
    for name, value in given.items():
        key = _MARK.sub("", str(name)).lower() if name != "@id" else name
        if isinstance(value, Mapping) and str(name).lower() in _WRAPPERS:
            for inner, each in _flat(value).items():
                flat.setdefault(inner, each)
        else:
            flat[key] = value
    return flat


def plain(value: Any) -> str:
    """A title or other short text in a value: a string, one with markup, or an object with one string in it."""
    if isinstance(value, Mapping):
        inner = [each for each in value.values() if isinstance(each, str) and each.strip()]
        value = (
            value.get("rendered") or value.get("value") or value.get("text") or (inner[0] if len(inner) == 1 else "")
        )
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value.strip() or len(value) > 2_000:
        return ""
    return one_line(text.from_markup(value)) if "<" in value or "&" in value else one_line(value)


def _address(value: Any, base: str) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Mapping):
        value = next(
            (value[name] for name in ("url", "href", "path", "alias", "link") if isinstance(value.get(name), str)), None
        )
    if not isinstance(value, str) or not value.strip() or " " in value.strip() or _IMAGE.search(value):
        return None
    written = value.strip()
    if not ("/" in written or "." in written or "?" in written):
        return None
    link = absolute(written, base)
    return link.partition("#")[0] if link and link.partition("#")[0] != base else None


def moment(value: Any, reader: Reader, now: datetime) -> datetime | None:
    """The time in a value: a date as text or markup, seconds or milliseconds since 1970, or an object with one."""
    if isinstance(value, Mapping):
        known = [
            value[name] for name in ("value", "iso", "date", "utc", "raw", "rendered", "formatted") if value.get(name)
        ]
        return next((when for each in known if (when := moment(each, reader, now))), None)
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1_000 if value > 100_000_000_000 else value
        if not 600_000_000 < seconds < now.timestamp() + 93_600:
            return None
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str):
        return None
    attribute = _DATETIME.search(value)
    written = attribute[1] if attribute else text.from_markup(value) if "<" in value else value
    return moment(int(written), reader, now) if re.fullmatch(r"\d{9,13}", written) else reader.read(written.strip())
