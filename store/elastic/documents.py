"""Converts between our types and Elasticsearch's documents: the one place where documents become types.

A stored document may have been edited by hand, or written by another version. An unreadable one costs only itself:
`values` and `all_stored` skip it and quarantine it with its reason; `read` raises a DocumentError, which a loop's
`Bulkhead.attempt` quarantines. Each kind of document has a function that reads one (`Reads`). Pure, except for the
quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from newswatch.errors import DocumentError
from newswatch.problems import Problem, reason_of, report_problem
from newswatch.wording import worded

T = TypeVar("T")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A value as it was read, with the tokens for a compare-and-set."""

    value: T
    index: str
    id: str
    seq_no: int
    primary_term: int


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
"""Cached: building one takes milliseconds, using it microseconds."""


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def dump(value: object) -> Document:
    """A dataclass as JSON-ready values without empty ones, which saves space and makes `exists` queries meaningful."""
    plain: Document = _adapter(type(value)).dump_python(value, mode="json")
    return {name: item for name, item in plain.items() if item is not None and item != [] and item != ""}


def load(kind: type[T], document: Mapping[str, Any]) -> T:
    """The inverse of `dump`.

    Raises:
        ValueError: the document does not fit `kind`, or a time lacks its zone.
    """
    value: T = _validator(kind).validate_python(document)
    return value


_VALIDATORS: dict[type[Any], SchemaValidator] = {}


def _validator(kind: type[Any]) -> SchemaValidator:
    if kind not in _VALIDATORS:
        _VALIDATORS[kind] = SchemaValidator(_aware(_adapter(kind).core_schema))
    return _VALIDATORS[kind]


def _aware(schema: Any) -> Any:
    """The schema, with a zone required for every time: comparing one without raises an error."""
    if isinstance(schema, list | tuple):
        return type(schema)(_aware(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    same = {name: part if name == "default" else _aware(part) for name, part in schema.items()}
    return same | {"tz_constraint": "aware"} if schema.get("type") == "datetime" else same


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Hit = Mapping[str, Any]
"""A hit of a search, or a document of a get or a multi-get."""
Reads = Callable[[str, Mapping[str, Any]], T]
"""Builds a value from a document's id and source; any exception means that the document is unreadable."""


def read(hit: Hit, reads: Reads[T]) -> T:
    """The value of a document.

    Raises:
        DocumentError: the document can't be read.
    """
    try:
        return reads(hit["_id"], hit["_source"])
    except ValidationError as error:
        raise DocumentError(hit["_index"], hit["_id"], _faults(error)) from error
    except Exception as error:  # anything can be wrong: a string for a list, a null, a date in the year 0
        raise DocumentError(hit["_index"], hit["_id"], reason_of(error)) from error


def _faults(error: ValidationError, most: int = 3) -> str:
    """The first `most` of pydantic's errors, each with its place."""
    faults = [
        f"{'.'.join(map(str, fault['loc'])) or 'the document'}: {worded(fault)}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
    more = f"; {len(faults) - most} more" if len(faults) > most else ""
    return "; ".join(faults[:most]) + more


def readable(hits: Iterable[Hit], reads: Reads[T]) -> Iterator[tuple[Hit, T]]:
    """The readable documents, each with its value; the others are quarantined."""
    for hit in hits:
        try:
            value = read(hit, reads)
        except DocumentError as error:
            report_problem(problem_of(error))
        else:
            yield hit, value


def values(hits: Iterable[Hit], reads: Reads[T]) -> list[T]:
    """The values of the readable documents; the others are quarantined."""
    return [value for _, value in readable(hits, reads)]


def all_stored(hits: Iterable[Hit], reads: Reads[T]) -> list[Stored[T]]:
    """`values`, with the tokens for a compare-and-set."""
    return [stored(value, hit) for hit, value in readable(hits, reads)]


def problem_of(error: DocumentError) -> Problem:
    """The problem to report for an unreadable document."""
    return Problem("document", f"{error.index}/{error.id}", error.reason)


def require_id(document_id: str, said: str) -> None:
    """Raise a ValueError if the id that a document holds (`said`) differs from its document id."""
    if document_id != said:
        raise ValueError(f"it says that it is {said!r}")


def stored(value: T, hit: Mapping[str, Any]) -> Stored[T]:
    """`value` with the tokens of its hit (from a search with `seq_no_primary_term`, or from a get)."""
    return Stored(value, hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"])
