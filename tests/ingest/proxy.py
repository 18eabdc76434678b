"""A proxy on loopback that resolves names by its own table, as a ministry's does."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field


@dataclass(slots=True)
class LoopbackProxy:
    """What it was asked, and how it answers."""

    names: Mapping[str, int]
    """`host:port` → the port here that answers for it; another name can't be resolved."""
    login: str | None = None
    refuses: int | None = None
    """The status with which it answers every request."""
    asked: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        with closing(writer):
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                await self._answer(head, reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                return

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split("\r\n")[0].split(" ")
        self.asked.append(f"{method} {target}")
        wanted = self.login and "basic " + base64.b64encode(self.login.encode()).decode().lower()
        status = self.refuses
        if wanted and f"proxy-authorization: {wanted}" not in head.lower():
            status = 407
        host = target if method == "CONNECT" else target.split("/")[2]
        pair = host if ":" in host else f"{host}:80"
        if status is None and pair not in self.names:
            status = 502
        if status is not None:
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.names[pair])
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = "/" + target.split("/", 3)[3]
            back.write(head.replace(target, path, 1).encode("latin-1"))
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxying(proxy: LoopbackProxy, tls: ssl.SSLContext | None = None) -> AsyncIterator[LoopbackProxy]:
    """The proxy, as long as the block lasts."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
