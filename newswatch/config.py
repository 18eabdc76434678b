"""Reads the YAML files that users edit: checked by a schema, with the line in every error."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from yaml.constructor import SafeConstructor
from yaml.reader import Reader, ReaderError

from newswatch.errors import ConfigError
from newswatch.wording import worded

Model = TypeVar("Model", bound=BaseModel)


if TYPE_CHECKING:
    from yaml import SafeLoader as _SafeLoader
else:
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads seven times as fast


_MERGE: Final = "tag:yaml.org,2002:merge"
_MAP: Final = "tag:yaml.org,2002:map"
_TEXT: Final = "tag:yaml.org,2002:str"
_SEQUENCE: Final = "tag:yaml.org,2002:seq"


class _UniqueKeys(SafeConstructor):
    """YAML 1.2 forbids a duplicate key; PyYAML would keep the last value and drop the first in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            # What `<<: *defaults` merges is overridden by the mapping's own keys, so it is given twice on purpose.
            key = "<<" if key_node.tag == _MERGE else self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice: keep one of them", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge what `<<` names, but what the mapping overrides: it may be read again under another name."""
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        if len(own) == len(node.value):
            super().flatten_mapping(node)  # the key `=`
            return
        super().flatten_mapping(node)
        merged = {(key.tag, str(key.value)): (key, value) for key, value in node.value[: -len(own) or None]}
        stated = {(key.tag, str(key.value)) for key, _ in own}
        node.value = [*(pair for name, pair in merged.items() if name not in stated), *own]


class _UniqueKeyLoader(_UniqueKeys, _SafeLoader):
    """Reads a whole file."""


class _LenientLoader(_SafeLoader):
    """Reads a file of which only a part can be used."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ARG002
        try:
            return super().construct_object(node, deep=True)  # at once, so that it fails here
        except _UNREADABLE:
            if not isinstance(node, yaml.ScalarNode):
                raise
            self.recursive_objects.pop(node, None)
            return str(node.value)


@dataclass(frozen=True, slots=True)
class Written:
    """A configuration file as it was read once, so that what was checked is what is used."""

    path: Path
    """Where it was read; errors name it."""
    text: str = field(repr=False)
    changed_at: datetime
    """When it was last changed, by the clock of the machine that holds it."""
    hash: str = ""
    """Of `text`; the same text has the same hash on every machine."""

    def __post_init__(self) -> None:
        if not self.hash:
            digest = hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()
            object.__setattr__(self, "hash", digest[:32])


Source = Path | Written
"""A configuration file: where it is, or what was read there."""


def written(source: Source) -> Written:
    """The file's text, read now if it was not read yet.

    Raises:
        ConfigError: it can't be read, is no file, is too large, or is not UTF-8; the message says what to do.
    """
    return source if isinstance(source, Written) else _read(source)


def load(source: Source, model: type[Model], *, context: Mapping[str, Any] | None = None) -> Model:
    """The file as a `model`, whose validators are handed `context`.

    Raises:
        ConfigError: the file is missing, is not YAML, or breaks the schema; the message names the line and every fault.
    """
    return load_with_root(source, model, context=context)[0]


def load_with_root(
    source: Source, model: type[Model], *, context: Mapping[str, Any] | None = None
) -> tuple[Model, yaml.Node | None]:
    """`load`, with the file's nodes, of which `line_of` knows the lines."""
    file = written(source)
    root, data = document(file)
    try:
        return model.model_validate(data, context=context), root
    except ValidationError as error:
        raise fault(file.path, root, error, model=model) from error


def load_section(source: Source, key: str, model: type[Model]) -> Model:
    """The one field `key` of the file as a `model` that has it: the rest of a large file costs nothing.

    Raises:
        ConfigError: the file is missing or no YAML, or the section breaks the schema; the message names the line.
    """
    file = written(source)
    path, text = file.path, file.text
    section = re.search(rf"^{re.escape(key)}:(?=\s).*\n(?:(?:(?:[ \t#\]}}]|-\s).*)?\n)*", text + "\n", re.MULTILINE)
    lines_before = "\n" * text.count("\n", 0, section.start()) if section else ""
    try:
        root, data = _parsed(path, lines_before + section[0]) if section else _parsed(path, text)
    except ConfigError:
        root, data = _parsed(path, text)  # it may refer to the rest, or be written in a way that has no sections
    if not isinstance(data, dict) or key not in data:
        raise ConfigError(path, None, f"{key}: is missing")
    try:
        return model.model_validate({key: data[key]})
    except ValidationError as error:
        raise fault(path, root, error, model=model) from error


def document(source: Source) -> tuple[yaml.Node | None, Any]:
    """The YAML file: its nodes, which have line numbers, and its plain values.

    Raises:
        ConfigError: the file is missing, too large, or not YAML; the message names the line.
    """
    file = written(source)
    return _parsed(file.path, file.text)


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that holds one list, read item by item."""

    root: yaml.Node
    """For `line_of`."""
    items: tuple[Any, ...]
    """The plain values of each item; of one that can't be read, the ConfigError that says why."""


def listed(source: Source, key: str) -> Listed | None:
    """The items of the list `key`, the one key of the file; None: the file holds something else.

    An item with a value that can't be read, or a key that is given twice, costs only itself.

    Raises:
        ConfigError: the file is missing, too large, or not YAML; the message names the line.
    """
    file = written(source)
    root, _ = _parsed(file.path, file.text, construct=False)
    if not isinstance(root, yaml.MappingNode) or [name.value for name, _ in root.value] != [key]:
        return None
    name, items = root.value[0]
    if not isinstance(items, yaml.SequenceNode) or (root.tag, name.tag, items.tag) != (_MAP, _TEXT, _SEQUENCE):
        return None  # also a list that is tagged as another thing (`!foo []`)
    return Listed(root, tuple(_item(file, node) for node in items.value))


def _item(file: Written, node: yaml.Node) -> Any:
    # A constructor of its own: one that has failed half-way takes values that the next item shares for endless ones.
    constructor = _UniqueKeys()
    try:
        return constructor.construct_document(node)
    except _UNREADABLE as error:
        return _unreadable(file.path, file.text, error, node, constructor)


def plain(text: str) -> Any:
    """The values of YAML text, read leniently: of a key that is given twice, the last; what can't be read, as written.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    try:
        return yaml.load(text, Loader=_LenientLoader)  # noqa: S506 - a safe one
    except yaml.YAMLError:
        raise
    except _UNREADABLE as error:
        raise yaml.YAMLError(str(error)) from error


def _read(path: Path) -> Written:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise ConfigError(path, None, "is not a file")
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(path, None, f"can't be read: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(path, None, f"has {max(about.st_size, len(content)):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, line, "is not UTF-8: save it as UTF-8, which every editor offers") from error
    return Written(path, text.replace("\r\n", "\n").replace("\r", "\n"), _moment(about.st_mtime))


def _without_waiting(path: str, flags: int) -> int:
    """Opens the file; a pipe that nobody writes to would be waited for without end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _moment(seconds: float) -> datetime:
    """A file's time. One that no date can hold is the nearest end of what dates can."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC) if seconds > 0 else datetime.min.replace(tzinfo=UTC)


_UNREADABLE: Final = (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError, AttributeError, LookupError)
"""What PyYAML raises: for a character that YAML forbids, a date such as 2026-13-45, brackets nested a thousand deep;
the last two for `!!timestamp x`, `!!bool x` and `!!int ""`."""


def _parsed(path: Path, text: str, *, construct: bool = True) -> tuple[yaml.Node | None, Any]:
    """The nodes of a file and, if `construct`, its values."""
    loader = root = None
    try:
        loader = _UniqueKeyLoader(text)
        root = loader.get_single_node()
        if root is not None and _ANCHOR.search(text):
            _refuse_expansion(path, root)
        return root, loader.construct_document(root) if construct and root is not None else None
    except _UNREADABLE as error:
        raise _unreadable(path, text, error, root, loader) from error
    finally:
        if loader is not None:
            loader.dispose()


def _unreadable(
    path: Path, text: str, error: Exception, root: yaml.Node | None, constructor: SafeConstructor | None
) -> ConfigError:
    """The error for what PyYAML can't read."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = error.problem_mark.line + 1 if error.problem_mark else None
        return ConfigError(path, line, error.problem or "is not YAML")
    if isinstance(error, ReaderError) and (odd := Reader.NON_PRINTABLE.search(text)):
        line = text.count("\n", 0, odd.start()) + 1
        return ConfigError(path, line, f"holds a character that can't be read: {odd[0]!r}")
    why = " ".join(str(error).split())
    return ConfigError(path, _line_of_value(root, constructor), f"holds a value that can't be read: {why}")


def _line_of_value(root: yaml.Node | None, constructor: SafeConstructor | None) -> int | None:
    """The line of the first value that can't be made of what is written; None: it is not a single value's fault."""
    nodes = [root] if root is not None else []
    while nodes and constructor:
        node = nodes.pop()
        nodes += reversed(_parts(node))
        if isinstance(node, yaml.ScalarNode):
            try:
                constructor.construct_object(node)
            except _UNREADABLE:
                return int(node.start_mark.line) + 1
    return None


_ANCHOR = re.compile(r"(?:^|[\s\[{,:-])&[^\s&]", re.MULTILINE)
"""A value may be given a name here, under which it is repeated elsewhere."""
MAX_VALUES = 1_000_000
"""Of one file, once every repeated value is written out; the shipped ones have less than a tenth."""


def _refuse_expansion(path: Path, root: yaml.Node) -> None:
    """Raise a ConfigError if the values repeated by their names are too many when they are written out, or endless.

    Ten lines can name a billion values. They would be read in no time, as they are shared, and checked for hours.
    """
    sizes: dict[int, int] = {}
    entered: set[int] = set()
    stack = [root]
    while stack:
        node = stack[-1]
        parts = _parts(node)
        if id(node) in sizes:
            stack.pop()
        elif id(node) not in entered:
            entered.add(id(node))
            for part in parts:
                if id(part) in entered and id(part) not in sizes:
                    raise ConfigError(path, part.start_mark.line + 1, "contains itself, by an alias")
            stack += [part for part in parts if id(part) not in sizes]
        else:
            stack.pop()
            sizes[id(node)] = 1 + sum(sizes[id(part)] for part in parts)
            if sizes[id(node)] > MAX_VALUES:
                line = node.start_mark.line + 1
                raise ConfigError(path, line, f"has more than {MAX_VALUES:,} values, with its aliases written out")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def fault(
    path: Path,
    root: yaml.Node | None,
    error: ValidationError,
    part: tuple[int | str, ...] = (),
    *,
    model: Any = None,
) -> ConfigError:
    """The error for the part of the file at the path `part`: every field that pydantic rejects, with its line.

    With the `model` of that part, a key that it doesn't know is told with the one that was meant.
    """
    faults = [
        (line_of(root, (*part, *each["loc"])), fault_text(each, part, model=model))
        for each in error.errors(include_url=False)
    ]
    first = min(line for line, _ in faults)
    listed = "; ".join(f"line {line}: {text}" for line, text in faults[:_FAULTS])
    more = f"; and {len(faults) - _FAULTS} more" if len(faults) > _FAULTS else ""
    return ConfigError(path, first, listed + more, faults)


MAX_BYTES = 20_000_000
"""Of one file; the shipped ones have less than half a million."""
_FAULTS = 20
"""Faults of one file that the error lists one by one."""
_GIVEN_CHARS = 60
"""Characters of a value that an error shows."""


def fault_text(details: ErrorDetails, part: tuple[int | str, ...] = (), *, model: Any = None) -> str:
    """A fault (see `newswatch.wording`): the field, what is wrong, the given value, shortened, and what was meant."""
    # Of a file that is none at all there is no field.
    field, given = ".".join(map(str, (*part, *details["loc"]))) or "the file", details["input"]
    if details["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{field}: there is no such key{_meant_key(details['loc'], model)}"
    if details["type"] == "missing" or isinstance(given, dict | list | tuple | BaseModel):
        return f"{field}: {worded(details)}"
    text = repr(given if not isinstance(given, str) else given[: _GIVEN_CHARS + 1])
    text = text if len(text) <= _GIVEN_CHARS + 2 else f"{text[:_GIVEN_CHARS]}…"
    return f"{field}: {worded(details)} (given: {text}){_meant_value(details)}{_unquoted(details)}"


def _unquoted(details: ErrorDetails) -> str:
    """What to do about a text that YAML reads as something else: Norway's `NO` is false, a day is a date."""
    if details["type"] != "string_type" or details["input"] is None:
        return ""
    return (
        "; YAML reads no, off and the like so: put it in quotes"
        if isinstance(details["input"], bool)
        else ("; put it in quotes")
    )


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The known word nearest to `given`, as the end of a message: "; did you mean 'title'?". Empty: none is near."""
    names = {name.casefold(): name for name in known}
    near = get_close_matches(given.casefold(), names, 1, _NEAR)
    return f"; did you mean {names[near[0]]!r}?" if near else ""


_NEAR = 0.6
"""Similarity from 0 to 1 (`difflib`) above which a word may have been meant."""


def _meant_key(location: tuple[int | str, ...], model: Any) -> str:
    known = [key for kind in _kinds_at(model, location[:-1]) for key in _keys(kind)]
    return did_you_mean(str(location[-1]), known)


def _meant_value(details: ErrorDetails) -> str:
    """Of several values that are allowed, the nearest one."""
    if details["type"] != "literal_error" or not isinstance(details["input"], str):
        return ""
    return did_you_mean(details["input"], re.findall(r"'([^']*)'", details["msg"]))


def _kinds_at(kind: Any, location: tuple[int | str, ...]) -> list[Any]:
    """The types that a value at `location` within a value of type `kind` may have. Words that are no key are skipped.

    Pydantic puts the names of a union's members into a location, which are no part of the file.
    """
    if not location:
        return _plain_kinds(kind)
    step, rest = location[0], location[1:]
    found: list[Any] = []
    for plain in _plain_kinds(kind):
        arguments = get_args(plain)
        if isinstance(step, str) and step in (fields := _keys(plain)):
            found += _kinds_at(fields[step], rest)
        elif arguments and isinstance(step, int):
            found += _kinds_at(arguments[0], rest)
        elif arguments:
            found += _kinds_at(arguments[-1], rest)
    return found or ([] if isinstance(step, int) else _kinds_at(kind, rest))


def _plain_kinds(kind: Any) -> list[Any]:
    """The members of a union, without annotations."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _plain_kinds(get_args(kind)[0])
    if origin in (Union, UnionType):
        return [plain for member in get_args(kind) for plain in _plain_kinds(member)]
    return [kind]


def _keys(kind: Any) -> Mapping[str, Any]:
    """The keys of a model or a dataclass, with their types."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: each.annotation for name, each in kind.model_fields.items()}
    return get_type_hints(kind, include_extras=True) if isinstance(kind, type) and is_dataclass(kind) else {}


def line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line (from 1) of `location`, a path of keys and indices; if it is missing, the line of its nearest parent."""
    if node is None:
        return 1
    steps = _steps(node, location)
    if steps and len(steps) == len(location):
        return int(steps[-1][0].start_mark.line) + 1
    nearest = steps[-1][1] if steps else node
    return int(nearest.start_mark.line) + 1


def text_at(node: yaml.Node | None, location: tuple[int | str, ...]) -> str:
    """What is written at `location`, a path of keys and indices; empty if there is no single value."""
    steps = _steps(node, location)
    at = steps[-1][1] if steps else node
    return str(at.value) if len(steps) == len(location) and isinstance(at, yaml.ScalarNode) else ""


def _steps(node: yaml.Node | None, location: tuple[int | str, ...]) -> list[tuple[yaml.Node, yaml.Node]]:
    """For each step of `location`, as far as there is one: the key (the item, in a list) and the value."""
    steps: list[tuple[yaml.Node, yaml.Node]] = []
    for step in location:
        pair = None
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            pair = node.value[step], node.value[step]
        if pair is None:
            break
        steps.append(pair)
        node = pair[1]
    return steps
