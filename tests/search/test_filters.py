"""One table of short filters, from which all else derives."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from cli.alert_options import OPTIONS
from newswatch.alert import SavedSearch
from search.extract_filters import extract_filters
from search.field_names import fields as names_of_fields
from search.filters import FACETS, FILTERS, SAVED, as_markdown, fields_of, lists_of
from search.syntax import parse
from web.drafts import Draft

MANUAL = Path(__file__).parents[2] / "docs" / "news-page.md"


def test_the_manuals_table_is_this_one() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    assert as_markdown() in text, f"put this into docs/news-page.md:\n{as_markdown()}"


@pytest.mark.parametrize("name", FILTERS)
def test_what_it_asks_for_can_be_asked(name: str) -> None:
    one = FILTERS[name]
    asked = one.field
    assert asked is None or asked in names_of_fields()
    assert (asked is None) == (one.once or one.adds or bool(one.choices)), "a field's values, or a meaning of its own"
    for example in one.examples:
        (found,) = parse(example).filters
        assert found.name == name


@pytest.mark.parametrize("name", SAVED)
def test_what_a_saved_search_keeps_is_in_it_in_its_form_and_among_the_options(name: str) -> None:
    saved = SAVED[name]
    assert saved.field in SavedSearch.__dataclass_fields__
    assert saved.field in {field.name for field in fields(Draft)}
    assert OPTIONS[saved.option][0] == saved.field
    extracted = extract_filters(parse(f"{name}:ab,cd"))
    assert (extracted.query, getattr(extracted, saved.field)) == ("", tuple(map(FILTERS[name].case, ("ab", "cd"))))
    search = SavedSearch("s", "S", "", ("a@example.org",), **{saved.field: getattr(extracted, saved.field)})
    assert [*lists_of(search)] == [f"{name}:{','.join(getattr(extracted, saved.field))}"]


def test_what_is_one_readers_own_is_left_out_of_a_saved_search_and_told() -> None:
    extracted = extract_filters(parse("AWACS is:new -is:starred is:original"))
    assert extracted.query == "AWACS (NOT _exists_:duplicate_of)"
    assert extracted.dropped == ("is:new", "-is:starred")


def test_facets_count_fields() -> None:
    assert all(fields_of(name) in names_of_fields() for name in FACETS)
    with pytest.raises(KeyError):
        fields_of("level")
