"""Addresses that lead to the real Elasticsearch, or that refuse, hang or drop what comes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from embedded.processes import LOOPBACK, free_port

Mood = Literal["open", "silent", "silent after HEAD"]


class Door:
    """A port that passes connections on to Elasticsearch, as long as its mood is open; each can be cut off."""

    def __init__(self, behind: int, mood: Mood = "open") -> None:
        self.mood = mood
        self.connections = 0
        """How many were taken."""
        self._behind = behind
        self._server = socket.create_server((LOOPBACK, 0))
        self._held: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self._server.getsockname()[1]}"

    def close(self) -> None:
        """End every connection and take no more."""
        self._server.close()
        for one in self._held:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                came, _ = self._server.accept()
                self.connections += 1
                there = socket.create_connection((LOOPBACK, self._behind))
                self._held += [came, there]
                for source, target in ((came, there), (there, came)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.mood == "open" or (
                    self.mood == "silent after HEAD" and data.startswith((b"HEAD", b"HTTP/1.1"))
                ):
                    target.sendall(data)


@contextmanager
def dropping() -> Iterator[str]:
    """An address where connections are neither taken nor refused, as behind a firewall: its queue is full."""
    with socket.create_server((LOOPBACK, 0), backlog=0) as server:
        waiting = []
        for _ in range(8):
            one = socket.socket()
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(server.getsockname())
            waiting.append(one)
        yield f"http://{LOOPBACK}:{server.getsockname()[1]}"
        for one in waiting:
            one.close()


def refusing() -> str:
    """An address where nothing listens."""
    return f"http://{LOOPBACK}:{free_port()}"
