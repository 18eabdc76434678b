"""Files that no other user of the machine may read: mails, logs, databases, keys."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

FOLDER: Final = 0o700
FILE: Final = 0o600
UMASK: Final = 0o077
"""Of the processes that are started: what they make is their owner's alone."""
_OTHERS: Final = 0o077


def make_folder(path: Path) -> None:
    """Make the folder and what is missing above it, each for its owner alone; one that is there stays as it is.

    Raises:
        OSError: it can't be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=FOLDER, exist_ok=True)
    path.mkdir(exist_ok=True)


def open_file(path: Path, mode: str, **options: Any) -> IO[Any]:
    """`open`, but a file that it makes is its owner's alone."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, FILE), **options)


def write_text(path: Path, text: str) -> None:
    """Write a file that is its owner's alone."""
    with open_file(path, "w", encoding="utf-8") as file:
        file.write(text)


def create(path: Path, text: str) -> None:
    """Make a file that is its owner's alone, whole or not at all, also if the machine dies.

    Raises:
        FileExistsError: it is there already, if only since a moment ago.
    """
    with _draft(path, text.encode()) as draft:
        path.hardlink_to(draft)


def replace(path: Path, content: bytes) -> None:
    """Give a file another content at once: whoever reads it has the old or the new one whole, also after a crash."""
    with replacing(path, content):
        pass


@contextmanager
def replacing(path: Path, content: bytes) -> Iterator[Path]:
    """As `replace`, with a look at the draft: it takes the file's place when the block ends well."""
    with _draft(path, content) as draft:
        yield draft
        draft.replace(path)


@contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside `path` that is on the disk, and gone when the block ends if it still bears its name."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def tighten(*paths: Path, inside: bool = True) -> list[Path]:
    """Take from group and others what they may do with the paths and what is in them; which could not be tightened.

    Without `inside`, only with the paths themselves. Links are not followed, and a folder that belongs to everybody
    (the sticky bit, such as /tmp) is left as it is.
    """
    return [path for given in paths for path in _loose(given, inside=inside) if not _tightened(path)]


def _loose(path: Path, *, inside: bool) -> Iterator[Path]:
    """The path, and what is under it, where others may do something."""
    if _is_loose(path):
        yield path
    if inside and path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            yield from (found for name in (*folders, *files) if _is_loose(found := Path(folder, name)))


def _is_loose(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return bool(mode & _OTHERS) and not stat.S_ISLNK(mode)


def _tightened(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
        if mode & stat.S_ISVTX:
            return False
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not _is_loose(path)
