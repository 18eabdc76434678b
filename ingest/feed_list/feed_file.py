"""Changes `feeds.yaml` as a careful editor would: adds, edits and removes feeds; every comment and other line stays.

The file is edited as text, at the positions of its YAML nodes, because a YAML library would reformat it. The result is
read and checked before it replaces the file, in one step. Two editors wait for each other.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from ingest.feed_list.feeds import FeedSpec, feed_id, load_feeds
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
    "fallback",
    "reliability",
    "state_media",
    "fast",
)


def add_feeds(path: Path, specs: Iterable[FeedSpec]) -> tuple[Feed, ...]:
    """Append the feeds to the file at `path`, except those whose URL or id it already has; returns the added ones.

    Raises:
        ConfigError: the file is wrong, or its list is not in block style; it was not changed.
    """
    with _alone(path):
        present = load_feeds(path)
        known = {article_id(feed.url) for feed in present} | {feed.id for feed in present}
        added: list[FeedSpec] = []
        for spec in specs:
            names = {article_id(spec.url), spec.feed().id}
            if known.isdisjoint(names):
                known |= names
                added.append(spec)
        if added:
            ids = {spec.feed().id for spec in added}
            _edit(path, lambda lines, items: _with_appended(lines, items, added), ids)
        return tuple(spec.feed() for spec in added)


def edit_feed(path: Path, was: Feed, spec: FeedSpec) -> Feed | None:
    """Change the feed `was` in the file at `path` to `spec`, which keeps its id; returns the changed feed.

    Only the lines of fields that differ are changed. None: the file does not have `was` any more, as it is there.

    Raises:
        ConfigError: the file is wrong, its list is not in block style, or it has the new URL already; it was not
            changed.
    """
    with _alone(path):
        feeds = load_feeds(path)
        place = next((number for number, feed in enumerate(feeds) if feed == was), None)
        if place is None:
            return None
        stays = was.id == feed_id(spec.url)  # an id that follows from the address is not written
        named = spec.model_copy(update={"id": None if stays else was.id})
        if named.feed() != was:
            _edit(path, lambda lines, items: _with_changed(lines, items[place], named), {was.id})
        return named.feed()


def remove_feeds(path: Path, ids: Iterable[str]) -> tuple[Feed, ...]:
    """Remove the feeds with these ids from the file at `path`; returns the removed ones.

    Raises:
        ConfigError: the file is wrong, its list is not in block style, or it would have no feed left; it was not
        changed.
    """
    unwanted = set(ids)
    with _alone(path):
        feeds = load_feeds(path)
        places = [number for number, feed in enumerate(feeds) if feed.id in unwanted]
        if places:
            _edit(path, lambda lines, items: _without(lines, [items[number] for number in places]), unwanted)
        return tuple(feeds[number] for number in places)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Other editors of the file wait for the end of the block. The folder is locked, as the file is replaced."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError:  # there is no folder: reading the file says what is wrong
        yield
        return
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def written(spec: FeedSpec, indent: int) -> list[str]:
    """The lines of the list item for `spec`, without default values."""
    stated = spec.model_dump(exclude_defaults=True, exclude_none=True)
    lines = [_line(name, stated[name]) for name in _ORDER if name in stated]
    return [f"{' ' * indent}{'- ' if number == 0 else '  '}{line}\n" for number, line in enumerate(lines)]


def _line(name: str, value: Any) -> str:
    plain = _plain(value)
    flow = None if isinstance(plain, list | dict) else False
    text = yaml.safe_dump({name: plain}, default_flow_style=flow, allow_unicode=True, width=10_000)
    return text.removesuffix("\n")


def _edit(
    path: Path, change: Callable[[list[str], Sequence[yaml.CollectionNode]], list[str]], ids: Collection[str]
) -> None:
    """Change the lines of the file, of the feeds `ids` alone."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    try:
        new = "".join(change(lines, _items(path, text)))
    except yaml.YAMLError as error:  # the lines of one feed alone are not YAML
        raise ConfigError(path, None, f"was not changed: {_REPEATS}") from error
    others = [feed for feed in load_feeds(path) if feed.id not in ids]
    try:
        with private.replacing(path, new.encode()) as draft:
            if [feed for feed in load_feeds(draft) if feed.id not in ids] != others:
                raise ConfigError(path, None, f"another feed would change, too: {_REPEATS}")
            shutil.copymode(path, draft)
    except ConfigError as error:
        raise ConfigError(path, None, f"was not changed, because the result would be wrong: {error}") from error


_REPEATS: Final = "a feed repeats a part of another one by its name (&name, *name): write that part out in both"


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


def _with_changed(lines: list[str], item: yaml.CollectionNode, spec: FeedSpec) -> list[str]:
    """The lines with those fields of the item changed, added or removed that differ from `spec`."""
    first, end = _first_line(lines, item), _end_line(lines, item)
    indent = len(lines[first]) - len(lines[first].lstrip())
    if item.flow_style:
        return [*lines[:first], *written(spec, indent), *lines[end:]]
    before, after = yaml.safe_load("".join(lines[first:end]))[0], spec.model_dump()
    stated = spec.model_dump(exclude_defaults=True)
    keys = [key for key, _ in item.value]
    column = keys[0].start_mark.column
    starts = [key.start_mark.line for key in keys]
    fields: list[str] = []
    for (key, value), start, stop in zip(item.value, starts, [*starts[1:], end], strict=True):
        if before[key.value] == _plain(after[key.value]):
            fields += [" " * column + lines[start][column:], *lines[start + 1 : stop]]
            continue
        if key.value in stated:
            fields.append(f"{' ' * column}{_line(key.value, stated[key.value])}{_note_after(lines, value)}\n")
        fields += [line for line in lines[start + 1 : stop] if line.lstrip().startswith("#") or not line.strip()]
    fields += [
        f"{' ' * column}{_line(name, stated[name])}\n" for name in _ORDER if name in stated and name not in before
    ]
    if keys[0].start_mark.line == first:  # the dash is on the line of the first field
        head = next(number for number, line in enumerate(fields) if not line.lstrip().startswith("#") and line.strip())
        fields[head] = f"{' ' * indent}-{' ' * (column - indent - 1)}{fields[head][column:]}"
        return [*lines[:first], *fields, *lines[end:]]
    return [*lines[: keys[0].start_mark.line], *fields, *lines[end:]]


def _note_after(lines: list[str], value: yaml.Node) -> str:
    """The comment after a value, on its line, with a blank before it; empty if there is none."""
    rest = lines[value.end_mark.line][value.end_mark.column :].strip() if value.end_mark.line < len(lines) else ""
    return f"   {rest}" if rest.startswith("#") and not isinstance(value, yaml.CollectionNode) else ""


def _plain(value: Any) -> Any:
    """A field's value as YAML reads it."""
    return list(value) if isinstance(value, tuple) else value


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
