"""Files that only their owner can read: mails, logs, databases, keys."""

from __future__ import annotations

import fcntl
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
"""For processes that are started: the files they create are private to their owner."""
_OTHERS: Final = 0o077


def make_folder(path: Path) -> None:
    """Create the folder and its missing parents, private to their owner. Existing folders keep their mode.

    Raises:
        OSError: it can't be created.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=FOLDER, exist_ok=True)
    path.mkdir(exist_ok=True)


def open_file(path: Path, mode: str, **options: Any) -> IO[Any]:
    """Like `open`, but a file that it creates is private to its owner."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, FILE), **options)


def lock(path: Path) -> IO[str] | None:
    """The file, created with its folder if need be, and locked until it is closed or this process ends.

    None: another process holds the lock.

    Raises:
        OSError: the folder or the file can't be written.
    """
    make_folder(path.parent)
    file: IO[str] = open_file(path, "a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def write_text(path: Path, text: str) -> None:
    """Write a file that is private to its owner."""
    with open_file(path, "w", encoding="utf-8") as file:
        file.write(text)


def create(path: Path, text: str) -> None:
    """Create a file that is private to its owner, completely or not at all, even if the machine crashes.

    Raises:
        FileExistsError: it exists already, perhaps only since a moment ago.
    """
    with _draft(path, text.encode()) as draft:
        path.hardlink_to(draft)


def replace(path: Path, content: bytes) -> None:
    """Replace a file's content at once: a reader sees the old or the new content complete, even after a crash."""
    with replacing(path, content):
        pass


@contextmanager
def replacing(path: Path, content: bytes) -> Iterator[Path]:
    """Like `replace`, but yields the draft first; it takes the file's place when the block ends without an error."""
    with _draft(path, content) as draft:
        yield draft
        draft.replace(path)


@contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside `path`, flushed to disk; deleted when the block ends unless it was renamed."""
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
    """Take from group and others all permissions on the paths and their content; return those that couldn't be changed.

    Without `inside`, only the paths themselves are changed. Links are not followed, and a shared folder (with the
    sticky bit, such as /tmp) stays as it is.
    """
    return [path for given in paths for path in _loose(given, inside=inside) if not _tightened(path)]


def _loose(path: Path, *, inside: bool) -> Iterator[Path]:
    """The path and what is under it, as far as others have permissions."""
    if _is_loose(path):
        yield path
    if inside and path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            inner = (Path(folder, name) for name in (*folders, *files))
            yield from filter(_is_loose, inner)


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
