"""Other people's texts, shortened for our messages, and numbers in them. Pure."""

from __future__ import annotations

import re
from typing import Final

_LOGIN: Final = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")
"""User and password in an address; a password may hold an @ itself."""


def cut_short(text: str, most: int) -> str:
    """`text`; if it is longer than `most` characters, its beginning and "…", `most` characters in total."""
    return text if len(text) <= most else text[: most - 1] + "…"


def grouped(number: float) -> str:
    """A whole number with a thin space between thousands."""
    return f"{number:,.0f}".replace(",", "\u202f")


def without_logins(text: str) -> str:
    """`text` without the users and passwords in its addresses, which anybody may then see."""
    return _LOGIN.sub("", text)
