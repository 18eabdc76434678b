"""Reading the YAML files that users edit: schema-checked, with the line in every error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

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


def load(path: Path, model: type[Model]) -> Model:
    """The file at `path` as a `model`.

    Raises:
        ConfigError: the file is missing, no YAML, or breaks the schema; the message names the line and every fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, None, f"can't be read: {error}") from error
    loader = None
    try:
        loader = _UniqueKeyLoader(text)
        root = loader.get_single_node()
        data = loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError(path, line, error.problem or "is no YAML") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a forbidden character, a date that is none, depth
        raise ConfigError(path, None, f"is no YAML that can be read: {' '.join(str(error).split())}") from error
    finally:
        if loader:
            loader.dispose()
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [(line_of(root, f["loc"]), f) for f in error.errors(include_url=False)]
        first = min(line for line, _ in faults)
        told = "; ".join(f"line {line}: {'.'.join(map(str, f['loc']))}: {f['msg']}" for line, f in faults)
        raise ConfigError(path, first, told) from error


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
