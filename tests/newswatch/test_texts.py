"""Other people's texts in our messages."""

from __future__ import annotations

import pytest

from newswatch.texts import without_logins


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ann:pw@paper.example/rss", "https://paper.example/rss"),
        ("https://ann@paper.example:8443", "https://paper.example:8443"),
        (
            "moved to http://ann:p@ss@paper.example/a, was http://b:c@old.example",
            "moved to http://paper.example/a, was http://old.example",
        ),
        ("https://paper.example/@ann", "https://paper.example/@ann"),
        ("https://paper.example?to=ann@b.example", "https://paper.example?to=ann@b.example"),
        ("https://paper.example, ask ann@b.example", "https://paper.example, ask ann@b.example"),
        ("ann@b.example", "ann@b.example"),
    ],
)
def test_no_address_shows_who_logs_in(text: str, shown: str) -> None:
    assert without_logins(text) == shown
