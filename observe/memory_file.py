"""Keeps the watchman's memory on the disk, so that a restart repeats nothing and forgets nothing."""

from __future__ import annotations

import logging
import threading
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from newswatch import private
from observe.episodes import Memory

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


class Keeper:
    """Writes the memory in a thread of its own: a disk that does not answer must not keep the watchman from telling."""

    def __init__(self, path: Path) -> None:
        self.fault = ""
        """Why the last memory is not on the disk; empty if it is."""
        self._path = path
        self._changed = threading.Condition()
        self._next: Memory | None = None
        self._given = self._written = 0
        threading.Thread(target=self._write, daemon=True, name="memory").start()

    def keep(self, memory: Memory, seconds: float) -> None:
        """Have the memory written, and wait for that, but not for longer than `seconds`."""
        with self._changed:
            self._given += 1
            given, self._next = self._given, memory
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._written >= given, seconds):
                self.fault = f"the disk has not answered within {seconds:g} s"

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None)
                memory, given, self._next = self._next, self._given, None
            assert memory is not None
            fault = self._fault_of(memory)
            with self._changed:
                self._written, self.fault = given, fault
                self._changed.notify_all()

    def _fault_of(self, memory: Memory) -> str:
        try:
            write_memory(self._path, memory)
        except OSError as error:
            return error.strerror or str(error)
        return ""


@cache
def _adapter() -> TypeAdapter[Memory]:
    return TypeAdapter(Memory)
