"""Our types as JSON, everywhere the same: on the command line, in exports, in what an Airflow task returns. Pure.

pydantic writes them, as it writes what is stored (`store.documents.dump`): dataclasses and counters are objects, times
are RFC 3339 with `Z` for UTC. `dataclasses.asdict` doesn't do: it turns a Counter into nonsense, and leaves times.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_jsonable_python


def as_object(value: Any) -> dict[str, Any]:
    """A dataclass as a JSON object: nothing but dicts, lists, strings, numbers, booleans and None.

    Raises:
        pydantic_core.PydanticSerializationError: it holds something that JSON has no form for.
    """
    fields: dict[str, Any] = to_jsonable_python(value)
    return fields


def json_line(value: Any) -> str:
    """The value as JSON on one line, without the line end; half of a surrogate pair, which UTF-8 lacks, is escaped.

    Raises:
        pydantic_core.PydanticSerializationError: it holds something that JSON has no form for.
    """
    text = json.dumps(value, default=to_jsonable_python, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
