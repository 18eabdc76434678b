"""Reads and checks the files of `newswatch.languages`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from newswatch import config
from newswatch.errors import ConfigError
from newswatch.languages import Analyzer, Language, SharedAnalyzer, needed
from newswatch.settings import default_config_dir

FOLDER: Final = "languages"
"""Of the configuration folder."""
_CODE: Final = re.compile(r"[a-z]{2,3}")
_ZONE: Final = re.compile(r"[A-Z]{3,4}")
_OFFSET: Final = re.compile(r"\?|[+-]\d{1,2}(?::\d\d)?")


def folders() -> tuple[Path, ...]:
    """Where the files lie: with the package, and in the configuration folder that the environment names."""
    own = os.environ.get("NEWSWATCH_CONFIG_DIR")
    return (default_config_dir() / FOLDER, *((Path(own) / FOLDER,) if own else ()))


def load_languages(*folders: Path) -> Mapping[str, Language]:
    """Code → the language in `<code>.yaml` of these folders; a file of a later folder replaces one of the same name.

    Raises:
        ConfigError: a file can't be read or breaks the schema, has a name that is no code, or there is none at all.
    """
    files = {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}
    if not files:
        raise ConfigError(folders[0], None, "holds no language")
    found = {code: _load(code, path) for code, path in sorted(files.items())}
    for code, path in files.items():
        if fault := _fault_among(found, code):
            raise ConfigError(path, None, fault)
    return found


def language_faults(*folders: Path) -> list[ConfigError]:
    """What is wrong with each file in these folders; where every file is good by itself, how they don't agree."""
    files = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    faults: list[ConfigError] = []
    for path in files:
        try:
            _load(path.stem, path)
        except ConfigError as error:
            faults.append(error)
    if not faults:
        try:
            load_languages(*folders)
        except ConfigError as error:
            faults.append(error)
    return faults


Fault = tuple[str, str]
"""Path of what is wrong in the file, and what is wrong with it."""


@cache
def _schema() -> TypeAdapter[Language]:
    return TypeAdapter(Language)


def _load(code: str, path: Path) -> Language:
    if not _CODE.fullmatch(code):
        raise ConfigError(path, None, "has a name that is no code of a language (two or three small letters)")
    root, data = config.document(path)
    try:
        language = _schema().validate_python(data)
    except ValidationError as error:
        raise config.fault(path, root, error, model=Language) from error
    if faults := [*_not_whole(language), *_wrong_values(language)]:
        lines = [config.line_of(root, tuple(where.split("."))) for where, _ in faults]
        told = [(line, f"{where}: {what}") for line, (where, what) in zip(lines, faults, strict=True)]
        raise ConfigError(path, min(lines), "; ".join(f"line {line}: {text}" for line, text in told), told)
    return language


def _not_whole(language: Language) -> Iterator[Fault]:
    """What is needed is given, or said to be missing: nothing is forgotten in silence."""
    parts = dict(needed(language))
    covered = {path for path in parts if any(_within(path, missing) for missing in language.without)}
    for path, is_given in parts.items():
        if is_given == (path in covered):
            yield path, "given, and named under `without`" if is_given else "to be given, or named under `without`"
    for missing in language.without:
        if not any(_within(path, missing) for path in parts):
            yield "without", f"{missing} is no part that a language needs"


def _within(path: str, part: str) -> bool:
    return f"{path}.".startswith(f"{part}.")


def _wrong_values(language: Language) -> Iterator[Fault]:
    for name, offset in language.zones.items():
        if not (_ZONE.fullmatch(name) and _OFFSET.fullmatch(offset)):
            yield f"zones.{name}", f"{offset!r} is no offset from UTC, or the name is none"
    for name, month in language.dates.months.items():
        if not 1 <= month <= 12:
            yield f"dates.months.{name}", f"{month} is no month"


def _fault_among(found: Mapping[str, Language], code: str) -> str | None:
    """What the file says of other languages, where that does not hold."""
    language = found[code]
    others = {other: its for other, its in found.items() if other != code}
    names = {its.analyzer.name for its in others.values() if isinstance(its.analyzer, Analyzer)}
    shared = language.analyzer
    if isinstance(shared, Analyzer) and shared.name in names:
        return f"analyzer: another file describes {shared.name!r}; write `like:` and its code"
    if isinstance(shared, SharedAnalyzer):
        described = found.get(shared.like)
        if described is None or not isinstance(described.analyzer, Analyzer):
            return f"analyzer: {shared.like}.yaml describes none"
    taken = {*found, *(alias for its in others.values() for alias in its.also)}
    return next((f"also: {alias} has a file, or is another's" for alias in language.also if alias in taken), None)


# ── how the marks in `newswatch.languages` are read ──────────────────────────────────────────────────────────────────


def parted(schema: CoreSchema) -> CoreSchema:
    """Takes words in one text, with blanks between, as well."""
    return core_schema.no_info_before_validator_function(
        lambda given: tuple(given.split()) if isinstance(given, str) else given, schema
    )


def compiled(schema: CoreSchema) -> CoreSchema:
    """Takes only regular expressions."""
    return core_schema.no_info_after_validator_function(_checked_patterns, schema)


def _checked_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        try:
            is_empty = re.compile(pattern).search("") is not None
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        if is_empty:
            raise ValueError(f"{pattern!r} matches the empty text, so it would match everywhere")
    return patterns
