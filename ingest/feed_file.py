"""Changes `feeds.yaml` as a careful editor would: adds and removes feeds, and keeps every comment and other line.

The file is edited as text, at the positions of its YAML nodes, because a YAML library would reformat it. The result is
read and checked before it replaces the file, in one step.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from ingest.feeds import FeedSpec, load_feeds
from ingest.urls import article_id
from newswatch import private
from newswatch.errors import ConfigError
from newswatch.feed import Feed

_ORDER = (
    "id",
    "title",
    "url",
    "site",
    "country",
    "language",
    "topics",
    "kind",
    "owner",
    "full_text",
    "enabled",
    "read",
    "rule",
)


def add_feeds(path: Path, specs: Iterable[FeedSpec]) -> tuple[Feed, ...]:
    """Append the feeds to the file at `path`, except those whose URL or id it already has; returns the added ones.

    Raises:
        ConfigError: the file is wrong, or its list is not in block style; it was not changed.
    """
    present = load_feeds(path)
    known = {article_id(feed.url) for feed in present} | {feed.id for feed in present}
    added: list[FeedSpec] = []
    for spec in specs:
        names = {article_id(spec.url), spec.feed().id}
        if known.isdisjoint(names):
            known |= names
            added.append(spec)
    if added:
        _edit(path, lambda lines, items: _with_appended(lines, items, added))
    return tuple(spec.feed() for spec in added)


def remove_feeds(path: Path, ids: Iterable[str]) -> tuple[Feed, ...]:
    """Remove the feeds with these ids from the file at `path`; returns the removed ones.

    Raises:
        ConfigError: the file is wrong, its list is not in block style, or it would have no feed left; it was not
        changed.
    """
    unwanted = set(ids)
    feeds = load_feeds(path)
    places = [number for number, feed in enumerate(feeds) if feed.id in unwanted]
    if places:
        _edit(path, lambda lines, items: _without(lines, [items[number] for number in places]))
    return tuple(feeds[number] for number in places)


def written(spec: FeedSpec, indent: int) -> list[str]:
    """The lines of the list item for `spec`, without default values."""
    stated = spec.model_dump(exclude_defaults=True, exclude_none=True)
    lines = [_line(name, stated[name]) for name in _ORDER if name in stated]
    return [f"{' ' * indent}{'- ' if number == 0 else '  '}{line}\n" for number, line in enumerate(lines)]


def _line(name: str, value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    flow = None if isinstance(plain, list | dict) else False
    text = yaml.safe_dump({name: plain}, default_flow_style=flow, allow_unicode=True, width=10_000)
    return text.removesuffix("\n")


def _edit(path: Path, change: Callable[[list[str], Sequence[yaml.CollectionNode]], list[str]]) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    new = "".join(change(lines, _items(path, text)))
    try:
        with private.replacing(path, new.encode()) as draft:
            load_feeds(draft)
            shutil.copymode(path, draft)
    except ConfigError as error:
        raise ConfigError(path, None, f"was not changed, because the result would be wrong: {error}") from error


def _items(path: Path, text: str) -> Sequence[yaml.CollectionNode]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "the file was checked before"
    listed = next(value for key, value in root.value if key.value == "feeds")
    if listed.flow_style:
        line = listed.start_mark.line + 1
        raise ConfigError(path, line, "the list is in brackets: write one feed per dash, so that it can be edited")
    items: list[yaml.CollectionNode] = listed.value
    return items


def _with_appended(lines: list[str], items: Sequence[yaml.CollectionNode], specs: Sequence[FeedSpec]) -> list[str]:
    dash = lines[_first_line(lines, items[-1])]
    indent = len(dash) - len(dash.lstrip())
    end = _end_line(lines, items[-1])
    before = lines[:end]
    if before and not before[-1].endswith("\n"):
        before[-1] += "\n"
    return [*before, *(line for spec in specs for line in written(spec, indent)), *lines[end:]]


def _without(lines: list[str], items: Iterable[yaml.CollectionNode]) -> list[str]:
    removed = {number for item in items for number in range(_first_line(lines, item), _end_line(lines, item))}
    return [line for number, line in enumerate(lines) if number not in removed]


def _first_line(lines: list[str], item: yaml.Node) -> int:
    """The line of the item's dash, which may be above its first key."""
    number = int(item.start_mark.line)
    while not lines[number].lstrip().startswith("-"):
        number -= 1
    return number


def _end_line(lines: list[str], item: yaml.CollectionNode) -> int:
    """The line after the item; blank lines and comments after it belong to the next item."""
    mark = item.end_mark  # in block style, the start of the next item
    ends_there = mark.line < len(lines) and (item.flow_style or not lines[mark.line][mark.column :].strip())
    end = min(len(lines), mark.line + (1 if ends_there and mark.column else 0))
    while end > item.start_mark.line + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end
