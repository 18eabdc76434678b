"""Reads the YAML files that users edit: checked by a schema, with the line in every error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from newswatch.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


if TYPE_CHECKING:
    from yaml import SafeLoader as _SafeLoader
else:
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads seven times as fast


class _UniqueKeyLoader(_SafeLoader):
    """YAML 1.2 forbids a duplicate key; PyYAML would keep the last value and drop the first in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def load(path: Path, model: type[Model], *, context: Mapping[str, Any] | None = None) -> Model:
    """The file at `path` as a `model`, whose validators are handed `context`.

    Raises:
        ConfigError: the file is missing, is not YAML, or breaks the schema; the message names the line and every fault.
    """
    root, data = document(path)
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        raise fault(path, root, error) from error


def load_section(path: Path, key: str, model: type[Model]) -> Model:
    """The one field `key` of the file at `path` as a `model` that has it: the rest of a large file costs nothing.

    Raises:
        ConfigError: the file is missing or no YAML, or the section breaks the schema; the message names the line.
    """
    text = _text(path)
    section = re.search(rf"^{re.escape(key)}:(?=\s).*\n(?:(?:(?:[ \t#\]}}]|-\s).*)?\n)*", text + "\n", re.MULTILINE)
    lines_before = "\n" * text.count("\n", 0, section.start()) if section else ""
    try:
        root, data = _parsed(path, lines_before + section[0]) if section else _parsed(path, text)
    except ConfigError:
        root, data = _parsed(path, text)  # it may refer to the rest, or be written in a way that has no sections
    if not isinstance(data, dict) or key not in data:
        raise ConfigError(path, None, f"{key}: Field required")
    try:
        return model.model_validate({key: data[key]})
    except ValidationError as error:
        raise fault(path, root, error) from error


def document(path: Path) -> tuple[yaml.Node | None, Any]:
    """The YAML file at `path`: its nodes, which have line numbers, and its plain values.

    Raises:
            ConfigError: the file is missing, too large, or not YAML; the message names the line.
    """
    return _parsed(path, _text(path))


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(path, None, f"has {size:,} bytes; at most {MAX_BYTES:,} are read")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, None, f"can't be read: {error}") from error


def _parsed(path: Path, text: str) -> tuple[yaml.Node | None, Any]:
    loader = None
    try:
        loader = _UniqueKeyLoader(text)
        root = loader.get_single_node()
        return root, loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError(path, line, error.problem or "is not YAML") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        # A date such as 2026-13-45, a character that YAML forbids, brackets nested a thousand deep: the line is
        # unknown.
        raise ConfigError(path, None, f"holds a value that can't be read: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()


def fault(path: Path, root: yaml.Node | None, error: ValidationError, part: tuple[int | str, ...] = ()) -> ConfigError:
    """The error for the part of the file at the path `part`: every field that pydantic rejects, with its line."""
    faults = [(line_of(root, (*part, *f["loc"])), f) for f in error.errors(include_url=False)]
    first = min(line for line, _ in faults)
    listed = "; ".join(f"line {line}: {fault_text(f, part)}" for line, f in faults[:_FAULTS])
    more = f"; and {len(faults) - _FAULTS} more" if len(faults) > _FAULTS else ""
    return ConfigError(path, first, listed + more)


MAX_BYTES = 20_000_000
"""Of one file; the shipped ones have less than half a million."""
_FAULTS = 20
"""Faults of one file that the error lists one by one."""
_GIVEN_CHARS = 60
"""Characters of a value that an error shows."""


def fault_text(details: ErrorDetails, part: tuple[int | str, ...] = ()) -> str:
    """A fault in the words of pydantic: the field, what is wrong, and the given value, shortened."""
    field, given = ".".join(map(str, (*part, *details["loc"]))), details["input"]
    if details["type"] == "missing" or isinstance(given, dict | list | tuple | BaseModel):
        return f"{field}: {details['msg']}"
    text = repr(given if not isinstance(given, str) else given[: _GIVEN_CHARS + 1])
    text = text if len(text) <= _GIVEN_CHARS + 2 else f"{text[:_GIVEN_CHARS]}…"
    return f"{field}: {details['msg']} (given: {text})"


def line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line (from 1) of `location`, a path of keys and indices; if it is missing, the line of its nearest parent."""
    if node is None:
        return 1
    if location:
        step, rest = location[0], location[1:]
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    return line_of(value, rest) if rest else int(key.start_mark.line) + 1
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return line_of(node.value[step], rest)
    return int(node.start_mark.line) + 1
