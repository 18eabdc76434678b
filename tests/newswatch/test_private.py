"""Files for their owner's eyes only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from newswatch import private


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


@pytest.fixture(autouse=True)
def _careless() -> object:
    """Whatever the user's umask is."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_what_is_made_is_the_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    private.make_folder(folder)
    private.make_folder(folder)
    private.write_text(folder / "file", "é")
    with private.open_file(folder / "log", "ab") as log:
        log.write(b"x")
    assert [mode(path) for path in (folder.parent, folder)] == [0o700] * 2
    assert [mode(path) for path in folder.iterdir()] == [0o600] * 2
    assert (folder / "file").read_text(encoding="utf-8") == "é"


def test_what_is_there_already_is_tightened(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (folder / "mails").mkdir(parents=True)
    mail, script = folder / "mails" / "1.eml", folder / "run"
    for path in (mail, script, elsewhere):
        path.write_text("")
    mail.chmod(0o644)
    script.chmod(0o755)
    elsewhere.chmod(0o644)
    (folder / "link").symlink_to(elsewhere)
    assert private.tighten(folder) == []
    assert [mode(path) for path in (folder, mail.parent, mail, script)] == [0o700, 0o700, 0o600, 0o700]
    assert mode(elsewhere) == 0o644


def test_only_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o644)
    assert private.tighten(tmp_path, inside=False) == []
    assert (mode(tmp_path), mode(tmp_path / "file")) == (0o700, 0o644)


def test_what_belongs_to_everybody_is_left_and_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert private.tighten(tmp_path) == [tmp_path]
    assert mode(tmp_path) == 0o1777
