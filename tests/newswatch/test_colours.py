"""Colours that can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.colours import DARK, LEAST_CONTRAST, LIGHT, WASH, contrast, for_dark, mixed, require_legible


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the grey that just fails
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"


@pytest.mark.parametrize("colour", ["blue", "#fff", "#1A4F94", "#12345g", "", "#1a4f94 "])
def test_what_is_no_colour_is_refused(colour: str) -> None:
    with pytest.raises(ValueError, match="is no colour"):
        require_legible(colour)


@pytest.mark.parametrize("colour", ["#ffffff", "#ffd700", "#777777"])
def test_a_colour_too_pale_to_read_is_refused(colour: str) -> None:
    with pytest.raises(ValueError, match="too pale"):
        require_legible(colour)


@given(st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}"))
def test_whatever_is_taken_can_be_read_on_both_pages_and_on_its_own_wash(colour: str) -> None:
    try:
        require_legible(colour)
    except ValueError:
        return
    for shown, ground in ((colour, LIGHT), (for_dark(colour), DARK)):
        assert contrast(shown, ground) >= LEAST_CONTRAST
        assert contrast(shown, mixed(ground, shown, WASH)) >= LEAST_CONTRAST
