"""Which countries a text names: short names, people, cities and endings, in many languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from transforms.places import NAMES, places_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("US troops in South Korea", "US KR"),
        ("He told us: one vs. two, fins and pools", ""),
        ("ABD'de restoranda saldırı: üç ölü", "US"),
        ("Explosie in restaurant in Moskou, VS reageren", "RU US"),
        ("Взрыв в Москве, сообщили в Киеве", "RU UA"),
        ("Νεκροί στη Βηρυτό, λένε οι ΗΠΑ", "LB US"),
        ("هجوم في سوريا والعراق", "SY IQ"),
        ("ההרוגים בעזה ובישראל", "PS IL"),
        ("以军空袭黎巴嫩南部，美国称", "IL LB US"),
        ("イスラエルとレバノン、日本の外相", "IL LB JP"),
        ("Ebola in Congo; KDC'de 12 ölü", "CD"),
        ("Latin America and the US Open, the Copa América", ""),
        ("Bernard and Romeo met the Romans, then danced", ""),
        ("Guinea Ecuatorial, Guinea-Bissau", "GQ GW"),
        ("Niger and Nigeria, Turkmenistan and Türkiye", "NE NG TM TR"),
        ("russische Raketen, ukrainische Drohnen", "RU UA"),
        ("Groenlandia, Greenland, Hong Kong", "DK CN"),
        ("South Sudanese and South Korean officials in Northern Ireland", "SS KR GB"),
        ("Floods in Georgia", ""),
        ("", ""),
        ("\x00\ud800 ｕｓ ⅷ ١٢", ""),
    ],
)
def test_countries_are_named_in_many_ways(text: str, wanted: str) -> None:
    assert places_of(text) == wanted.split()


def test_the_committed_names_hold_those_of_the_list() -> None:
    """Run `python -m benchmarks.place_names` after an edit of the list."""
    own = yaml.safe_load((ROOT / "benchmarks" / "place_names.yaml").read_text(encoding="utf-8"))
    known = json.loads(NAMES.read_text(encoding="utf-8"))
    assert {code: names for code, names in own.items() if known[code][: len(names)] != names} == {}
    assert len(known) > 180, "the countries of CLDR"
