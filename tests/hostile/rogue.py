"""An SMTP server that misbehaves at one step of the dialogue, towards everybody or one recipient; else it is polite."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Misdeed = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What the server does instead of answering; the dialogue ends after it, unless the misdeed was an answer."""

POLITE = {"EHLO": "250-rogue\r\n250 8BITMIME", "DATA": "354 go on", "QUIT": "221 bye"}


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One octet every tenth of a second, without end: never late, never done."""
    while True:
        writer.write(b"2")
        await writer.drain()
        await asyncio.sleep(0.1)


async def drip_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One line of an answer every tenth of a second, without end."""
    while True:
        writer.write(b"250-wait\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


async def flood_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Lines of an answer as fast as they are taken, without end."""
    while not writer.is_closing():
        writer.write(b"250-more\r\n" * 1_000)
        await writer.drain()
        await asyncio.sleep(0)  # drain gives nobody else a turn while there is room


async def flood_octets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One line as fast as it is taken, without end."""
    while not writer.is_closing():
        writer.write(b"2" * 65_536)
        await writer.drain()
        await asyncio.sleep(0)  # drain gives nobody else a turn while there is room


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Nothing, and never an end."""
    await asyncio.sleep(3_600)


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The end of the connection."""


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The end of the connection, without a word to the peer."""
    writer.transport.abort()


def answers(text: bytes) -> Misdeed:
    """An answer of its own; the dialogue goes on."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    answer.__doc__ = "an answer"
    return answer


@dataclass
class Rogue:
    """What the server does, and what it has seen."""

    step: str
    """`connect`, a command, or `content` for after the mail."""
    misdeed: Misdeed
    towards: str = ""
    """Only where the recipient begins with this; a step before RCPT concerns everybody."""
    tls: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0
    asked: list[str] = field(default_factory=list)
    """The recipients of RCPT, in order."""
    taken: list[str] = field(default_factory=list)
    """The recipients whose mail was taken."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._dialogue(reader, writer)
        with suppress(ConnectionError):
            writer.close()

    async def _dialogue(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipient = ""
        command = "connect"
        while True:
            if command == "RCPT":
                self.asked.append(recipient)
            wrong = command == self.step and (not self.towards or recipient.startswith(self.towards))
            if wrong:
                await self.misdeed(reader, writer)
                if self.misdeed.__doc__ != "an answer":
                    return
            else:
                writer.write(POLITE.get(command, "220 hello" if command == "connect" else "250 yes").encode() + b"\r\n")
                await writer.drain()
                if command == "content":
                    self.taken.append(recipient)
            if command == "QUIT":
                return
            if command == "DATA" and not wrong:
                await reader.readuntil(b"\r\n.\r\n")
                command = "content"
                continue
            line = (await reader.readuntil(b"\r\n")).decode()
            command = line[:4].strip().upper()
            if command == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]


@contextmanager
def open_rogue(rogue: Rogue) -> Iterator[Rogue]:
    """The server on a free port of the loopback interface, until the end of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(rogue.serve, "127.0.0.1", 0, ssl=rogue.tls, limit=10_000_000)

    async def stop() -> None:
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    rogue.port = server.sockets[0].getsockname()[1]
    try:
        yield rogue
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
