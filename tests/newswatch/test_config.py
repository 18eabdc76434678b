"""Reading what users edit: every error names the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from newswatch.config import document, load, load_section, plain
from newswatch.errors import ConfigError


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    size: int = 1


class Things(BaseModel):
    model_config = ConfigDict(extra="forbid")
    things: list[Thing]


def read(tmp_path: Path, text: str) -> Things:
    path = tmp_path / "things.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, Things)


def test_what_is_right_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "things:\n  - name: a\n    size: 2\n").things == [Thing(name="a", size=2)]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("things:\n  - name: a\n    size: big\n", 3, "must be a whole number"),
        ("things:\n  - name: a\n  - size: 2\n", 3, "is missing"),
        ("things:\n  - name: a\n    colour: red\n", 3, "no such key"),
        ("things:\n  - name: a\n    name: b\n", 3, "given twice"),
        ("things:\n  - name: [a\n", 3, "expected"),
        ("", 1, "must be keys with values"),
        ("- a\n", 1, "must be keys with values"),
        (
            "things:\n  - name: NO\n",
            2,
            "must be text (given: False); YAML reads no, off and the like so: put it in quotes",
        ),
        ("things:\n  - name: 2026-08-30\n", 2, "; put it in quotes"),
        ("things:\n  - name: a\n  - name: 2026-13-45\n", 3, "month must be in 1..12"),
        ("things:\n  - name: a\n  - name: b\x07\n", 3, "holds a character that can't be read: '\\x07'"),
    ],
)
def test_what_is_wrong_names_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert raised.value.line == line
    assert str(raised.value).startswith(f"{tmp_path / 'things.yaml'}:{line}: ")
    assert told in str(raised.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 2: .*line 4: "):
        read(tmp_path, "things:\n  - size: 1\n  - name: b\n    size: x\n")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: can't be read"):
        load(tmp_path / "nowhere.yaml", Things)


# ── a section ────────────────────────────────────────────────────────────────────────────────────────────────────────

THINGS = "things:\n  - name: a\n"


@pytest.mark.parametrize(
    "text",
    [
        THINGS,
        f"before: [1,\n  2]\n{THINGS}\n# a comment\n\n  - {{name: b}}\nafter: 3\n",
        "before: 1\nthings:\n- name: a\n- name: b\nafter: 3\n",
        "before: 1\nthings: [\n  {name: a},\n  {name: b}\n]\nafter: 3",
        "{before: 1, things: [{name: a}, {name: b}]}",
        '"things":\n  - name: a\n',
        "first: &first {name: a}\nthings: [*first]\n",
        "things: [&first {name: a}]\nagain: *first\n",
        "note: |\n  things:\n    - name: z\nthings:\n  - name: a",
        "things:\r\n  - name: a\r\nafter: 3\r\n",
    ],
)
def test_a_section_is_what_it_is_in_the_whole(tmp_path: Path, text: str) -> None:
    class All(BaseModel):
        things: list[Thing]

    path = tmp_path / "things.yaml"
    path.write_bytes(text.encode())
    assert load_section(path, "things", Things).things == load(path, All).things


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("before: 1\n\nthings:\n  - name: a\n    size: big\n", "things.yaml:5: .*must be a whole number"),
        ("before: 1\nthings:\n  - name: [\nafter: 2\n", r"things.yaml:\d+: "),
        ("before: 1\n", "things: is missing"),
        ("", "things: is missing"),
    ],
)
def test_what_is_wrong_in_a_section_names_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "things.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        load_section(path, "things", Things)


@pytest.mark.parametrize("value", ["2026-13-45", "!!timestamp x", "!!map x", "!!bool perhaps", '!!int ""'])
def test_what_cannot_be_read_is_as_written_to_who_reads_leniently(value: str) -> None:
    written = value.rpartition(" ")[2].strip('"')
    assert plain(f"alerts:\n- {{id: a, note: {value}, id: b}}\n- {{id: c}}\n") == {
        "alerts": [{"id": "b", "note": written}, {"id": "c"}]
    }


def test_a_key_beside_what_is_merged_overrides_it_and_is_not_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert document(path)[1]["b"] == {"x": 3, "y": 2}
    path.write_text("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n")
    with pytest.raises(ConfigError, match=":2: key '<<' is given twice"):
        document(path)
