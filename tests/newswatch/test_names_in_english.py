"""The English names of countries and languages."""

from __future__ import annotations

from newswatch.names_in_english import countries, country, language, languages


def test_a_code_has_its_name_and_what_is_none_stays_as_it_is() -> None:
    assert (country("BE"), country("XX"), country(None)) == ("Belgium", "XX", "")
    assert (language("so"), language("qqq"), language(None)) == ("Somali", "qqq", "")


def test_a_name_has_its_code() -> None:
    assert (countries()["belgium"], languages()["somali"]) == ("BE", "so")
    assert "europe" not in countries(), "a continent's code has digits"
