"""The generated reference pages say what the code says."""

from __future__ import annotations

import pytest

from newswatch.settings import Settings
from tools.reference import FOLDER, PAGES, _values

SLOW = {"dags.md"}
"""Pages that Airflow is started for."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in PAGES])
def test_a_page_says_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`, and commit the page"


def test_every_page_in_the_folder_is_generated() -> None:
    assert {path.name for path in FOLDER.iterdir()} == PAGES.keys()


def test_every_setting_is_there_with_its_bounds() -> None:
    page = PAGES["settings.md"]()
    for name in Settings.model_fields:
        assert page.count(f"| `NEWSWATCH_{name.upper()}` |") == 1
    assert "| `NEWSWATCH_SMTP_PORT` | integer, ≥ 1, ≤ 65,535 | `1025` |" in page


def test_a_default_that_a_machine_gives_is_not_written_down() -> None:
    page = PAGES["settings.md"]()
    assert str(Settings().data_dir) not in page
    assert str(Settings().config_dir) not in page


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 3600}, "number, ≤ 3,600, > 0"),
        ({"anyOf": [{"type": "string", "format": "password"}, {"type": "null"}]}, "secret"),
        ({"type": "string", "enum": ["none", "tls"]}, "`none`, `tls`"),
        ({"type": "array", "items": {"type": "string"}}, "JSON list"),
    ],
)
def test_what_a_setting_takes(field: dict[str, object], shown: str) -> None:
    assert sorted(_values(field).split(", ")) == sorted(shown.split(", "))
