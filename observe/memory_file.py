"""Keeps the watchman's memory on the disk, so that a restart repeats nothing and forgets nothing."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from newswatch import private
from observe.watchman import Memory

log = logging.getLogger(__name__)


def memory_file(data_dir: Path) -> Path:
    """Where the memory is kept."""
    return data_dir / "watch.json"


def read_memory(path: Path) -> Memory:
    """What was kept; an empty memory if there is none.

    A file that can't be read is put aside, as `….broken`, and reported: what stands is then told once more.
    """
    try:
        return _adapter().validate_json(path.read_bytes())
    except FileNotFoundError:
        return Memory()
    except (ValidationError, OSError) as error:
        log.error("%s can't be read, so what stands is told once more: %s", path, error)
        _put_aside(path)
        return Memory()


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(f"{path.name}.broken"))
    except OSError as error:
        log.error("%s can't be put aside: %s", path, error)


def write_memory(path: Path, memory: Memory) -> None:
    """Replace what is kept, at once.

    Raises:
        OSError: it can't be written.
    """
    kept = Memory(episodes=memory.episodes, drafts=memory.drafts)
    private.replace(path, _adapter().dump_json(kept, indent=1))


@cache
def _adapter() -> TypeAdapter[Memory]:
    return TypeAdapter(Memory)
