"""The archive from which nodes start: made once, used only as it was made, and done without where it can't be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded import ahead, artefacts
from embedded.elasticsearch import start_elasticsearch
from newswatch.errors import StackError

JAVA = """#!/bin/sh
for option in "$@"; do
    case $option in *Configuration=*) notes=${option#*=};; *Cache=*) archive=${option#*=};; esac
done
cat "$notes" > "$archive"
grep -q good "$notes"
"""


@pytest.fixture
def class_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Of files of our own, whose archive a stand-in for Java makes: the words of its notes, in another file."""
    java = tmp_path / "java" / "bin" / "java"
    (tmp_path / "java" / "lib").mkdir(parents=True)
    java.parent.mkdir()
    (tmp_path / "java" / "lib" / "modules").write_bytes(b"modules")
    java.write_text(JAVA)
    java.chmod(0o755)
    monkeypatch.setattr(artefacts, "JAVA", java)
    jar = tmp_path / "cache" / "jars" / "version" / "newswatch.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"classes")
    return [jar]


class Notes:
    """Writes the notes that it was made with, and counts."""

    def __init__(self, text: str) -> None:
        self.text, self.runs = text, 0

    def __call__(self, notes: Path) -> None:
        self.runs += 1
        notes.write_text(self.text)


def archived(options: tuple[str, ...]) -> Path:
    return Path(options[0].removeprefix("-XX:AOTCache="))


def test_it_is_made_once(class_path: list[Path]) -> None:
    note = Notes("good")
    assert ahead.archive(class_path, note) == ahead.archive(class_path, note)
    assert note.runs == 1
    assert archived(ahead.archive(class_path, note)).read_text() == "good"


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_text("goof"), lambda path: os.truncate(path, 0)]
)
def test_a_damaged_one_is_made_again(class_path: list[Path], damage: Callable[[Path], None]) -> None:
    note = Notes("good")
    made = archived(ahead.archive(class_path, note))
    damage(made)
    assert archived(ahead.archive(class_path, note)) == made
    assert made.read_text() == "good"


def test_other_files_of_the_class_path_or_of_java_have_another_one_and_few_are_kept(class_path: list[Path]) -> None:
    note, modules, made = Notes("good"), artefacts.JAVA.parents[1] / "lib" / "modules", []
    for number in range(4):
        os.utime((modules, class_path[0])[number % 2], (number, number))
        made.append(archived(ahead.archive(class_path, note)))
        os.utime(made[-1], (number, number))
    assert len(set(made)) == 4
    assert sorted(class_path[0].parent.glob("*.aot")) == sorted(made[-ahead.KEPT :])
    assert len(list(class_path[0].parent.glob("*.sha256"))) == ahead.KEPT


def test_where_java_fails_nodes_start_without_it_and_say_so(
    class_path: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    note = Notes("bad")
    for _ in range(2):
        assert ahead.archive(class_path, note) == ()
    assert note.runs == 1, "each start would take as long as making it"
    assert caplog.text.count("starts slowly, without its archive of classes:") == 2
    (failure,) = class_path[0].parent.glob("*.failed")
    assert str(failure) in caplog.text
    os.utime(failure, (0, 0))
    note.text = "good"
    assert archived(ahead.archive(class_path, note)).is_file(), "after a day it is tried again"
    assert not failure.exists()


def test_a_cache_that_cannot_be_written_is_done_without(
    class_path: list[Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (class_path[0].parent / "lock").mkdir()
    assert ahead.archive(class_path, Notes("good")) == ()
    assert "can't be written" in caplog.text


def test_what_a_killed_maker_left_goes(class_path: list[Path]) -> None:
    (class_path[0].parent / "new-left").mkdir()
    ahead.archive(class_path, Notes("good"))
    assert not list(class_path[0].parent.glob("new-*"))


def test_a_node_that_answers_nothing_or_no_is_told() -> None:
    with pytest.raises(StackError, match=r"did not answer PUT /_index_template"):
        ahead.exercise("http://127.0.0.1:1")


@pytest.mark.slow
def test_java_takes_the_archive(tmp_path: Path) -> None:
    """Made by this Java, for these files: otherwise it is passed over, with a warning, and all is slow again."""
    with start_elasticsearch(tmp_path, port=0, heap_mb=256, fast=True) as node:
        command = Path(f"/proc/{node.pid}/cmdline").read_bytes().decode().split("\0")
        mapped = Path(f"/proc/{node.pid}/maps").read_text()
        (option,) = (argument for argument in command if argument.startswith("-XX:AOTCache="))
        assert option.removeprefix("-XX:AOTCache=") in mapped
        assert "[warning][aot" not in node.child.log()
    until = command.index("-cp") + 2
    strict = [*command[:until], "-XX:AOTMode=on", "org.elasticsearch.node.Missing"]
    told = subprocess.run(strict, capture_output=True, text=True, check=False)
    assert "Could not find or load main class" in told.stdout + told.stderr, "Java refuses the archive"
