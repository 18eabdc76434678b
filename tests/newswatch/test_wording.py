"""Pydantic's findings in our words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from newswatch.wording import worded


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (Annotated[int, Field(ge=1)], 0, "must be at least 1"),
        (Annotated[float, Field(lt=0.5)], 0.5, "must be less than 0.5"),
        (int, "many", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (float, "x", "must be a number"),
        (bool, "perhaps", "must be true or false"),
        (str, 3, "must be text"),
        (Annotated[str, Field(max_length=9)], "\ud83d", "has half of a character (a surrogate without its other half)"),
        (list[int], 3, "must be a list"),
        (dict[str, int], [], "must be keys with values"),
        (Literal["a", "b"], "c", "must be 'a' or 'b'"),
        (date, "soon", "must be a date, such as 2027-01-31"),
        (datetime, "soon", "must be a date, such as 2027-01-31, or a time, such as 2027-01-31T18:00Z"),
        (Annotated[str, Field(max_length=4_000)], "x" * 4_001, "must have at most 4,000 characters"),
        (Annotated[list[int], Field(min_length=1)], [], "must not be empty"),
        (Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], "FR", "must be a language's code, such as fr"),
    ],
)
def test_a_fault_is_worded(kind: Any, value: Any, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    assert worded(caught.value.errors()[0]) == told
