"""Our types as JSON, the same everywhere: on the command line, in exports, in the results of Airflow tasks. Pure.

pydantic writes them, as it writes what is stored (`store.elastic.documents.dump`): dataclasses and counters become
objects, times become RFC 3339 with `Z` for UTC. `dataclasses.asdict` can't be used: it breaks a Counter and keeps
datetimes.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_jsonable_python


def as_object(value: Any) -> dict[str, Any]:
    """A dataclass as a JSON object that contains only dicts, lists, strings, numbers, booleans and None.

    Raises:
        pydantic_core.PydanticSerializationError: it holds a value without a JSON form.
    """
    fields: dict[str, Any] = to_jsonable_python(value)
    return fields


def json_line(value: Any) -> str:
    """The value as JSON on one line, without the line end. A lone surrogate, which UTF-8 lacks, is escaped.

    Raises:
        pydantic_core.PydanticSerializationError: it holds a value without a JSON form.
    """
    text = json.dumps(value, default=to_jsonable_python, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
