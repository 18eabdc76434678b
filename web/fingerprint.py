"""What a form carries of the value that it was made for, so that it can't undo what others changed since. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Draft = TypeVar("Draft", bound=DataclassInstance)
else:
    Draft = TypeVar("Draft")


def fingerprint(value: DataclassInstance) -> str:
    """16 hexadecimal digits, the same for equal values."""
    return hashlib.sha256(json.dumps(asdict(value), sort_keys=True, default=str).encode()).hexdigest()[:16]


def merged(base: Draft, mine: Draft, now: Draft) -> Draft:
    """What `mine` changed of `base`, and in all else what is in force `now`."""
    return replace(now, **{name: getattr(mine, name) for name in changed(base, mine)})


def changed(one: Draft, other: Draft) -> list[str]:
    """The names of the fields in which two states of a form differ."""
    names = (each.name for each in fields(one))
    return [name for name in names if _typed(getattr(one, name)) != _typed(getattr(other, name))]


def _typed(value: Any) -> Any:
    """As browsers send it: without the seconds of a full minute; blanks and the ends of lines don't count."""
    if not isinstance(value, str):
        return value
    return re.sub(r"(T\d\d:\d\d):00$", r"\1", " ".join(value.split()))
