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
        # words that only begin like a country, or end like one
        ("The Secret Service, a Crime on the Island, the Atlantic, Liberty and Liberal, war Crimes", ""),
        ("Pope Francis, Franco, Russell and Gregory; Katarina, Katarzyna, Helen, Dominic", ""),
        ("gözaltına alınanlar serbest bırakıldı", ""),
        ("Połączone siły; Cada día; Gana el Madrid; Samo danas; Pole position", "ES"),
        ("він підняв руки угору; стали грузить", ""),
        ("وزارة المالية تركز على الهندسة، يمنع", ""),
        ("עזרה פרו-פלסטינית", "PS"),
        ("アイランド、マインド、マリア", ""),
        ("沿海地区、渤海地区、東海地方；以军事手段；完美方案", ""),
        ("内蒙古自治区；海地总统；以军空袭", "CN HT IL"),
        ("प्रेस कॉन्फ्रेंस, महाभारत", ""),
        ("수단과 방법, 오만", ""),
        # names that hold another country's
        ("Belfast: Северной Ирландии, Irlandii Północnej, 北爱尔兰, 北アイルランド", "GB"),
        ("в Южном Судане, w Sudanie Południowym, جنوب السودان", "SS"),
        ("New Mexico, Nuevo México, Нью-Мексико, Indiana, Rhode Island, 马里兰州", "US"),
        ("British Columbia, Colombie-Britannique", "CA"),
        ("Birmingham, Alabama", "GB US"),
        ("London, Ontario", "GB CA"),
        ("马里乌波尔, マリウポリ, War Crimes in Crimea", "UA"),
        ("Monaco, auto sulla folla: München, Monaco di Baviera", "DE"),
        ("انفجار في بيروت", "LB"),
        ("اشتباكات في السويداء", "SY"),
        ("Turku stabbing; Engels airbase", "FI RU"),
        ("Me\u0301xico, Espan\u0303a", "MX ES"),
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
