"""Where a change comes from: the page, the command line, a job. Noted in the audit log (`store.audit`).

It travels beside the work, not through every signature: what it says decides nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

CHARS: Final = 200
"""Maximum length; the rest is cut, as parts of it are told by others."""

_ORIGIN: Final[ContextVar[str]] = ContextVar("origin", default="")


def origin() -> str:
    """Where the work under way comes from; this machine if nobody has said."""
    return _ORIGIN.get() or f"a process on {socket.gethostname()}"


def origin_said() -> str:
    """The same, empty if nobody has said."""
    return _ORIGIN.get()


def came_from(where: str) -> None:
    """Say where the work of this task or thread, and all that it starts, comes from."""
    _ORIGIN.set(_line(where))


@contextmanager
def coming_from(where: str) -> Iterator[None]:
    """The same for a block."""
    before = _ORIGIN.set(_line(where))
    try:
        yield
    finally:
        _ORIGIN.reset(before)


def _line(where: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in where[:CHARS])
