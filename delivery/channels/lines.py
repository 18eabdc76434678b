"""The connections of one run: a line for each thread and channel, opened on first use and not used any more once the
channel is down."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Final

from delivery.channels.channel import Channel, Line, Rendered, SendResult
from delivery.channels.targets import NoTargets, Targets
from newswatch.settings import Settings

BROKEN_IN_A_ROW: Final = 3
"""Consecutive recipients with a broken line, after which the channel counts as down."""


class Lines:
    """Sends over the given channel, from several threads, and remembers which channels are down."""

    def __init__(self, settings: Settings, targets: Targets | None = None) -> None:
        """`targets` says where addresses lead that are names."""
        self._settings, self._targets = settings, targets or NoTargets()
        self._lines: dict[tuple[int, str], Line] = {}
        self._lock = threading.Lock()
        self._broken: dict[str, int] = {}
        """Channel → consecutive recipients with whom its line broke."""
        self._down: dict[str, str] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines.values():
            line.close()

    def send(self, channel: Channel, rendered: Rendered, address: str) -> SendResult:
        """Offer the message to one recipient, once.

        Raises:
            ValueError: the channel can't encode the message or the address.
        """
        own = (threading.get_ident(), channel.name)
        if own not in self._lines:
            self._lines[own] = channel.open(self._settings, self._targets)
        result = self._lines[own].send(rendered.content, [address])
        with self._lock:
            self._note(channel.name, result, address)
        return result

    def _note(self, name: str, result: SendResult, address: str) -> None:
        self._broken[name] = self._broken.get(name, 0) + 1 if result.broken else 0
        if result.down:
            self._down[name] = result.down
        elif self._broken[name] >= BROKEN_IN_A_ROW:
            row = f"the line broke with {self._broken[name]} recipients in a row"
            self._down[name] = f"{row}, the last time: {result.why_not(address)}"

    def down(self, channel: Channel) -> str | None:
        """Why this run sends nothing more over the channel; None if the channel works."""
        return self._down.get(channel.name)
