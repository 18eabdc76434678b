"""Files for their owner's eyes only."""

from __future__ import annotations

import os
from contextlib import suppress
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


def test_a_file_is_made_once_and_by_its_owner(tmp_path: Path) -> None:
    key = tmp_path / "key"
    private.create(key, "first")
    with pytest.raises(FileExistsError):
        private.create(key, "second")
    assert (key.read_text(encoding="utf-8"), mode(key)) == ("first", 0o600)
    assert [*tmp_path.iterdir()] == [key], "no draft is left"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "file"
    private.replace(file, b"old")
    with suppress(ZeroDivisionError), private.replacing(file, b"new") as draft:
        assert (draft.read_bytes(), file.read_bytes()) == (b"new", b"old")
        raise ZeroDivisionError
    assert file.read_bytes() == b"old"
    with private.replacing(file, b"new") as draft:
        draft.chmod(0o640)
    assert (file.read_bytes(), mode(file)) == (b"new", 0o640)
    assert [*tmp_path.iterdir()] == [file], "no draft is left"


def test_where_a_file_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - which one, the system decides
        private.replace(tmp_path / "nowhere" / "file", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        private.replace(tmp_path / "folder", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
