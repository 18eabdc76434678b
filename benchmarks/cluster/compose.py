"""Reads services from `docker-compose.yml`: the command and the variables of a container. Pure, but for the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

FILE: Final = Path(__file__).parent.parent.parent / "docker-compose.yml"
_VARIABLE: Final = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<how>[-?+])(?P<what>[^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Service:
    """What a container of a service runs."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def service(name: str, dotenv: Mapping[str, str], here: Mapping[str, str], file: Path = FILE) -> Service:
    """The service as Compose would run it with this `.env`, at other addresses: `here` maps parts of values.

    Raises:
        KeyError: there is no such service.
        ValueError: a variable that must be set is not in `dotenv`.
    """
    stated: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["services"][name]
    given = {
        key: dotenv.get(key) if value is None else filled_in(str(value), dotenv)
        for key, value in stated.get("environment", {}).items()
    }
    environment = {key: _moved(value, here) for key, value in given.items() if value is not None}
    return Service(tuple(filled_in(str(part), dotenv) for part in stated.get("command", ())), environment)


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """`text` with its variables replaced, as Compose does it.

    Raises:
        ValueError: one that must be set is not.
    """

    def one(found: re.Match[str]) -> str:
        if found.group() == "$$":
            return "$"
        value = values.get(found["name"], "")
        if found["how"] == "+":
            return str(found["what"]) if value else ""
        if not value and found["how"] == "?":
            raise ValueError(f"{found['name']}: {found['what']}")
        return value or found["what"] or ""

    return _VARIABLE.sub(one, text)


def _moved(value: str, here: Mapping[str, str]) -> str:
    for there, address in here.items():
        value = value.replace(there, address)
    return value
