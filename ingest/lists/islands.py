"""JSON in a page's scripts: what a page is filled with in a browser (Next.js, Nuxt, JSON-LD, state in a variable)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from lxml import etree

from ingest.lists.data import DataList, lists_of
from ingest.zones import Hints

LEAST_CHARS: Final = 60
MOST_CHARS: Final = 4_000_000
"""Maximum characters of all scripts of a page that are read."""
MOST_STARTS: Final = 40
"""Maximum number of assignments in one script that may begin JSON."""
MAX_NESTED: Final = 30
_ASSIGNED: Final = re.compile(r"(?:=|\(|JSON\.parse\()\s*(?=[\[{]\s*[\"{\[\]}])")
_PUSHED: Final = re.compile(r"self\.__next_f\.push\(\s*(\[.*\])\s*\)\s*;?\s*$", re.DOTALL)
_ROW: Final = re.compile(r"^[0-9a-f]{1,4}:(?:[A-Z]\w*,)?(?=[\[{])", re.MULTILINE)
_DECODER: Final = json.JSONDecoder()


def lists_in(root: etree._Element, url: str, hints: Hints, now: datetime) -> list[DataList]:
    """The lists of articles in the JSON of the page's scripts."""
    return [found for data in _data_in(root) for found in lists_of(data, url, hints, now)]


def _data_in(root: etree._Element) -> Iterator[Any]:
    left = MOST_CHARS
    rows: list[str] = []
    for script in root.iter("script"):
        code = (script.text or "").strip()
        if len(code) < LEAST_CHARS or len(code) > left:
            continue
        left -= len(code)
        kind = (script.get("type") or "").lower()
        if "json" in kind:
            yield from _whole(code, is_nuxt=script.get("id") == "__NUXT_DATA__")
        elif pushed := _PUSHED.search(code):
            rows += [part for data in _whole(pushed[1]) for part in data if isinstance(part, str)]
        elif not kind or "javascript" in kind or kind == "module":
            yield from _assigned(code)
    joined = "".join(rows)
    for row in _ROW.finditer(joined):
        yield from _begins(joined, row.end())


def _whole(code: str, *, is_nuxt: bool = False) -> Iterator[Any]:
    try:
        data = json.loads(code.removeprefix("<!--").removesuffix("-->"))
    except (ValueError, RecursionError):
        return
    yield _hydrated(data) if is_nuxt and isinstance(data, list) else data


def _assigned(code: str) -> Iterator[Any]:
    position = 0
    for _ in range(MOST_STARTS):
        start = _ASSIGNED.search(code, position)
        if start is None:
            return
        position = start.end()
        try:
            data, position = _DECODER.raw_decode(code, start.end())
        except (ValueError, RecursionError):
            continue
        if isinstance(data, list | dict) and data:
            yield data


def _begins(code: str, position: int) -> Iterator[Any]:
    try:
        yield _DECODER.raw_decode(code, position)[0]
    except (ValueError, RecursionError):
        return


def _hydrated(values: list[Any]) -> Any:
    """Nuxt's payload, in which objects name their values by number (the `devalue` format)."""
    made: dict[int, Any] = {}

    def value(number: Any, depth: int) -> Any:
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(values):
            return None
        if number in made or depth > MAX_NESTED:
            return made.get(number)
        given = values[number]
        if isinstance(given, dict):
            made[number] = built = {}
            built.update({name: value(each, depth + 1) for name, each in given.items()})
            return built
        if isinstance(given, list):
            if given and isinstance(given[0], str):
                return value(given[1], depth + 1) if len(given) > 1 else None
            made[number] = listed = []
            listed += [value(each, depth + 1) for each in given]
            return listed
        return given

    return value(0, 0)
