"""Names of people in what feeds and pages write in an author's place."""

from __future__ import annotations

import pytest

from ingest.authors import names_in

TWO = ("Eva Mayer", "Jan de Vries")


@pytest.mark.parametrize(
    "written",
    [
        "Eva Mayer, Jan de Vries",
        "Eva Mayer,Jan de Vries",
        "Eva Mayer & Jan de Vries",
        "Eva Mayer · Jan de Vries",
        "Eva Mayer | Jan de Vries",
        "Eva Mayer\nJan de Vries",
        "Eva Mayer، Jan de Vries",
        "Eva Mayer και Jan de Vries",
        "Eva Mayer és Jan de Vries",
        "Eva Mayer dan Jan de Vries",
        "Eva Mayer och Jan de Vries",
        "By Eva Mayer and Jan de Vries",
        "Oleh: Eva Mayer, Jan de Vries",
        "eva@courier.example (Eva Mayer), jan@courier.example (Jan de Vries)",
        "Eva Mayer <eva@courier.example>; Jan de Vries <jan@courier.example>",
    ],
)
def test_two_people(written: str) -> None:
    assert names_in(written) == TWO


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("ABBY GOODNOUGH, TOM KAPLAN and ROB PEAR", ("ABBY GOODNOUGH", "TOM KAPLAN", "ROB PEAR")),
        ("王小明、李大華", ("王小明", "李大華")),
        ("Ministry of Defence and Armed Forces", ("Ministry of Defence and Armed Forces",)),
        ("Office for Foreign and Commonwealth Affairs", ("Office for Foreign and Commonwealth Affairs",)),
        ("Trinidad and Tobago Guardian", ("Trinidad and Tobago Guardian",)),
        ("Mayer, Eva", ("Mayer, Eva",)),
        ("https://www.facebook.com/courier", ()),
        ("{author}", ()),
        ("undefined", ()),
        ("[object Object]", ()),
        ("mailto:eva@courier.example", ("eva@courier.example",)),
        ("Eva Mayer eva@courier.example", ("Eva Mayer",)),
        ("eva@courier.example Eva Mayer", ("Eva Mayer",)),
        ("eva@courier.example ((Eva Mayer))", ("Eva Mayer",)),
        ("eva@courier.example ()", ("eva@courier.example",)),
        ("eva@courier.example jan@courier.example", ("eva@courier.example jan@courier.example",)),
    ],
)
def test_one_none_or_no_person(written: str, names: tuple[str, ...]) -> None:
    assert names_in(written) == names
