"""Reading the YAML files that users edit: schema-checked, with the line in every error."""

from __future__ import annotations

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
    """YAML 1.2 forbids a key given twice; PyYAML would keep the last and lose the first in silence."""

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
        ConfigError: the file is missing, no YAML, or breaks the schema; the message names the line and every fault.
    """
    root, data = document(path)
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        raise fault(path, root, error) from error


def document(path: Path) -> tuple[yaml.Node | None, Any]:
    """The YAML file at `path`, as nodes that know their lines and as plain values.

    Raises:
        ConfigError: the file is missing, too large, or no YAML; the message names the line.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(path, None, f"has {size:,} bytes; {MAX_BYTES:,} are the most that are read")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, None, f"can't be read: {error}") from error
    loader = None
    try:
        loader = _UniqueKeyLoader(text)
        root = loader.get_single_node()
        return root, loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError(path, line, error.problem or "is no YAML") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        # A date such as 2026-13-45, a character that YAML forbids, brackets a thousand deep: no line is known.
        raise ConfigError(path, None, f"holds a value that can't be read: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()


def fault(path: Path, root: yaml.Node | None, error: ValidationError, at: tuple[int | str, ...] = ()) -> ConfigError:
    """What is wrong with the part at `at` of the file, by pydantic's error: every field with its line."""
    faults = [(line_of(root, (*at, *f["loc"])), f) for f in error.errors(include_url=False)]
    first = min(line for line, _ in faults)
    told = "; ".join(f"line {line}: {told_of(f, at)}" for line, f in faults[:_FAULTS])
    more = f"; and {len(faults) - _FAULTS} more" if len(faults) > _FAULTS else ""
    return ConfigError(path, first, told + more)


MAX_BYTES = 20_000_000
"""Of one file; the shipped ones have less than half a million."""
_FAULTS = 20
"""Faults of one file that are told one by one."""
_GIVEN_CHARS = 60
"""Characters of a value that an error shows."""


def told_of(found: ErrorDetails, at: tuple[int | str, ...] = ()) -> str:
    """A fault that pydantic found: the field, what is wrong, and what was given, shortened."""
    where, given = ".".join(map(str, (*at, *found["loc"]))), found["input"]
    if found["type"] == "missing" or isinstance(given, dict | list | tuple | BaseModel):
        return f"{where}: {found['msg']}"
    text = repr(given if not isinstance(given, str) else given[: _GIVEN_CHARS + 1])
    text = text if len(text) <= _GIVEN_CHARS + 2 else f"{text[:_GIVEN_CHARS]}…"
    return f"{where}: {found['msg']} (given: {text})"


def line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line (from 1) where `location`, a path of keys and indices, stands; as deep as the document goes."""
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
