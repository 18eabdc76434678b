"""The tagger of each taxonomy that tests come by, made once: it takes a second, and every test has its own folder."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from newswatch.config import Source, plain, written
from newswatch.settings import default_config_dir
from transforms import tag, taxonomy
from transforms.taxonomy_check import Finding, check_taxonomy

_load, _Tagger = taxonomy.load_taxonomy, tag.Tagger
_loaded: dict[str, taxonomy.Taxonomy] = {}
_taggers: dict[str, tag.Tagger] = {}
_findings: dict[int, list[Finding]] = {}


def load_once(source: Source) -> taxonomy.Taxonomy:
    """What `load_taxonomy` says of the file; the same object for the same content."""
    content = written(source).hash
    if content not in _loaded:
        _loaded[content] = _load(source)
    return _loaded[content]


def tagger_once(of: taxonomy.Taxonomy) -> tag.Tagger:
    """The tagger of a taxonomy; the same object for the same content."""
    if of.version not in _taggers:
        _taggers[of.version] = _Tagger(of)
    return _taggers[of.version]


def shipped_tagger() -> tag.Tagger:
    """The tagger of the taxonomy that newswatch comes with."""
    return tagger_once(load_once(default_config_dir() / "taxonomy.yaml"))


def checked_once(of: taxonomy.Taxonomy) -> list[Finding]:
    """What `check_taxonomy` says of one that `load_once` has loaded."""
    if id(of) not in _findings:
        _findings[id(of)] = check_taxonomy(of)
    return _findings[id(of)]


@cache
def plain_once(text: str) -> Any:
    """What YAML says; the same object for the same text, which the audit log only compares."""
    return plain(text)


def made_once(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """For one test, what these modules call `load_taxonomy` and `Tagger` makes each taxonomy's once for all tests."""
    for module in modules:
        monkeypatch.setattr(f"{module}.load_taxonomy", load_once, raising=False)
        monkeypatch.setattr(f"{module}.Tagger", tagger_once, raising=False)
    monkeypatch.setattr("jobs.audited.plain", plain_once)
