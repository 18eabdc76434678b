"""Language: by the text, and by what feed and page say where the text does not decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from newswatch.config import plain
from transforms.language import detect, primary_subtag

DATA = Path(__file__).parent / "data"


def test_our_own_texts() -> None:
    rows = plain((DATA / "labelled_texts.yaml").read_text(encoding="utf-8"))
    known = [(language, f"{title}\n{text}") for language, *_, title, text in rows if language not in {"pcm", "so"}]
    wrong = [(language, detect(text), text[:40]) for language, text in known if detect(text) != language]
    assert len(wrong) <= 0.02 * len(known), wrong


@pytest.mark.parametrize(
    ("text", "stated", "language"),
    [
        ("Die Minister der Allianz haben sich am Donnerstag in Brüssel geeinigt.", (), "de"),
        ("Die Minister der Allianz haben sich am Donnerstag in Brüssel geeinigt.", ("en-US",), "de"),
        ("Live", ("nl",), "nl"),
        ("1.234 : 5", ("sv-SE",), "sv"),
        ("", (), None),
        ("1.234", (), None),
        ("", ("und",), None),
        ("Dowlaha Mareykanka ayaa si adag isugu khilaafsan fulinta codsi ay jeedisay", ("so",), "so"),
        ("Dowlaha Mareykanka ayaa si adag isugu khilaafsan fulinta codsi ay jeedisay", (), None),
    ],
)
def test_the_text_decides_and_else_what_is_stated(text: str, stated: tuple[str, ...], language: str | None) -> None:
    assert detect(text, stated=stated) == language


@pytest.mark.parametrize(
    ("given", "primary"),
    [
        ("pt-BR", "pt"),
        ("EN_us", "en"),
        ("nb", "no"),
        ("iw", "he"),
        ("zxx", None),
        ("", None),
        ("english", None),
        ("1", None),
    ],
)
def test_primary_subtag(given: str, primary: str | None) -> None:
    assert primary_subtag(given) == primary


def test_half_a_character_is_no_reason_to_stop() -> None:
    assert detect("NATO \ud800 summit opens in Ankara with a dispute over spending") == "en"
