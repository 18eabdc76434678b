"""Whether a colour can be read on a page, and its like for a dark page: contrast as WCAG 2.2 reckons it. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

LEAST_CONTRAST: Final = 4.5
"""Of text with its ground (WCAG 2.2, 1.4.3)."""
LIGHT, DARK = "#ffffff", "#14171b"
"""The grounds of the News page."""
WASH = 0.12
"""How much of a topic's colour is in the ground of its tag; the contrast holds on that ground too."""
_HEX = re.compile(r"#[0-9a-f]{6}")

_Rgb = tuple[float, ...]


def require_legible(colour: str) -> str:
    """`colour`, if text in it can be read on a light page.

    Raises:
        ValueError: it is no colour like `#1a4f94`, or too pale.
    """
    if not _HEX.fullmatch(colour):
        raise ValueError(f"{colour!r} is no colour: write six hexadecimal digits in quotation marks, like '#1a4f94'")
    if (reached := _on_wash(colour, LIGHT)) < LEAST_CONTRAST:
        told = f"its contrast with the page is {reached:.1f}, {LEAST_CONTRAST} is the least that can be read"
        raise ValueError(f"{colour} is too pale: {told}; choose a darker one")
    return colour


@lru_cache(1_000)
def for_dark(colour: str) -> str:
    """The colour made so much lighter that text in it can be read on a dark page."""
    steps = (mixed(colour, "#ffffff", step / 20) for step in range(21))
    return next(lighter for lighter in steps if _on_wash(lighter, DARK) >= LEAST_CONTRAST * 1.3)


def mixed(colour: str, other: str, share: float) -> str:
    """The colour with so large a share (0 to 1) of the other, as CSS's `color-mix(in srgb, …)` mixes."""
    pairs = zip(_rgb(colour), _rgb(other), strict=True)
    return "#" + "".join(f"{round(255 * (a + (b - a) * share)):02x}" for a, b in pairs)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _on_wash(colour: str, ground: str) -> float:
    """The least contrast of text in the colour with the ground and with the wash on it."""
    return min(contrast(colour, ground), contrast(colour, mixed(ground, colour, WASH)))


def _luminance(colour: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _rgb(colour)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _rgb(colour: str) -> _Rgb:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
