"""Settings are read from the environment as pydantic's own, slower sources read them."""

from __future__ import annotations

import os
from typing import Annotated

import pytest
from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from newswatch.environment import EnvironmentSettings

Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(lambda said: tuple(said.split(",")) if said else ())]


class Theirs(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="NEWSWATCH_", extra="forbid")
    text: str = "default"
    number: int = 1
    secret: SecretStr | None = None
    words: Words = ()
    counts: dict[str, int] | None = None


class Ours(EnvironmentSettings):
    model_config = SettingsConfigDict(env_prefix="NEWSWATCH_", extra="forbid")
    text: str = "default"
    number: int = 1
    secret: SecretStr | None = None
    words: Words = ()
    counts: dict[str, int] | None = None


@pytest.mark.parametrize(
    ("environment", "stated"),
    [
        ({}, set()),
        ({"NEWSWATCH_TEXT": ""}, {"text"}),
        ({"NEWSWATCH_TEXT": "a", "NEWSWATCH_NUMBER": "2", "TEXT": "b", "NEWSWATCH_": "c"}, {"text", "number"}),
        ({"newswatch_text": "a", "Newswatch_Number": "3"}, {"text", "number"}),
        ({"NEWSWATCH_SECRET": "x", "NEWSWATCH_WORDS": "a,b"}, {"secret", "words"}),
        ({"NEWSWATCH_COUNTS": '{"a": 2}', "NEWSWATCH_UNKNOWN": "1"}, {"counts"}),
    ],
)
def test_it_is_what_pydantic_reads(
    environment: dict[str, str], stated: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", environment)
    theirs, ours = Theirs(), Ours()
    assert ours.model_dump() == theirs.model_dump()
    assert ours.model_fields_set == theirs.model_fields_set == stated


def test_what_is_stated_stands_above_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_NUMBER", "wrong")
    assert Ours(number=3).number == 3
    with pytest.raises(ValidationError, match="number"):
        Ours()
