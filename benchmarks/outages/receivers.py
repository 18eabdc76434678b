"""Everything outside newswatch, on loopback and in this process: papers, a mail server, a chat and a heartbeat service.

They are real servers on fixed ports that can be closed, be silent, or misbehave, and open again.
"""

# ruff: noqa: ARG002 - the signatures of handlers are aiosmtpd's

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import logging
import random
import ssl
import threading
import weakref
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from benchmarks.invented import item, rss, words
from embedded.processes import free_port

T = TypeVar("T")

LOOPBACK: Final = "127.0.0.1"
CALL_S: Final = 10.0
"""Seconds within which a receiver must do what it is told."""


class Loop:
    """An event loop in a thread of its own, in which all receivers run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receivers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(CALL_S)

    def stop(self) -> None:
        """Cancel what still runs, and end the thread."""
        with suppress(TimeoutError):
            self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# ── the mail server ──────────────────────────────────────────────────────────────────────────────────────────────────


MailMode = Literal["taking", "dead", "silent", "tarpit", "refusing", "no-sender", "no-answer"]
"""Takes mails; refuses connections; accepts them and says nothing; sends one octet a second; greets with 554; refuses
every sender; never answers to a recipient."""


@dataclass(frozen=True, slots=True)
class TakenMail:
    """A mail that the server has said yes to."""

    at: datetime
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        """Its plain-text part; empty without one."""
        part = self.message.get_body(preferencelist=("plain",))
        return str(part.get_content()) if part else ""


class _Unkind(asyncio.Protocol):
    """A server that greets nobody."""

    def __init__(self, mode: MailMode) -> None:
        self._mode = mode
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._mode == "refusing":
            transport.write(b"554 5.3.2 no mail is taken here\r\n")
            transport.close()
        elif self._mode == "tarpit":
            self._dripping = asyncio.get_running_loop().create_task(self._drip(transport))

    async def _drip(self, transport: asyncio.Transport) -> None:
        for octet in b"220-" + b"please wait " * 10_000:
            if transport.is_closing():
                return
            transport.write(bytes((octet,)))
            await asyncio.sleep(1)


class MailServer:
    """An SMTP server with STARTTLS whose mode and certificate can be changed while it runs."""

    def __init__(self, loop: Loop, certificate: ssl.SSLContext) -> None:
        self.port = free_port()
        self.mode: MailMode = "dead"
        self.certificate = certificate
        self.taken: list[TakenMail] = []
        self._loop = loop
        self._server: asyncio.Server | None = None
        self._sessions: weakref.WeakSet[Any] = weakref.WeakSet()

    def change(self, mode: MailMode) -> None:
        """From now on it behaves like this; open connections are cut."""
        self._loop.run(self._change(mode))

    async def _change(self, mode: MailMode) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for session in list(self._sessions):
            if session.transport:
                session.transport.abort()
        self.mode = mode
        if mode != "dead":
            self._server = await asyncio.get_running_loop().create_server(self._session, LOOPBACK, self.port)

    def _session(self) -> asyncio.Protocol:
        is_unkind = self.mode in ("silent", "tarpit", "refusing")
        session: Any = _Unkind(self.mode) if is_unkind else SMTP(self, tls_context=self.certificate, hostname="outages")
        self._sessions.add(session)
        return cast(asyncio.Protocol, session)

    async def handle_MAIL(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take the sender, or refuse it."""
        if self.mode == "no-sender":
            return "553 5.7.1 nobody sends mails here"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take the recipient, or never answer."""
        if self.mode == "no-answer":
            await asyncio.sleep(3_600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail."""
        message = email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
        self.taken.append(TakenMail(datetime.now(UTC), tuple(envelope.rcpt_tos), message))
        return "250 2.0.0 OK: taken"


class Authority:
    """A certificate authority for `localhost` and 127.0.0.1; whoever trusts `file` trusts what it issues."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The authority of the outages")])
        made = self._builder(self._name, self._key, timedelta(days=3_650))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, lasts: timedelta) -> ssl.SSLContext:
        """The server's side of TLS with a certificate that ends after `lasts` from now (before now: it has ended)."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        made = self._builder(name, key, lasts)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        pem = made.add_extension(names, critical=False).sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        file = self._folder / f"certificate-{int(lasts.total_seconds())}.pem"
        file.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        begins = min(now, now + lasts) - timedelta(days=30)
        serial = x509.random_serial_number()
        return x509.CertificateBuilder(self._name, subject, key.public_key(), serial, begins, now + lasts)


# ── the chat and the heartbeat service ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that the chat received."""

    at: datetime
    said: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Beat:
    """A call of the heartbeat's address."""

    at: datetime
    path: str
    """After the address itself: "" while all is well, "/fail"."""


class Hooks:
    """Takes JSON at /chat, and calls of /beat and what is below it."""

    def __init__(self, loop: Loop) -> None:
        self.port = free_port()
        self.posted: list[Posted] = []
        self.beats: list[Beat] = []
        self._loop = loop
        self._runner: web.AppRunner | None = None

    @property
    def chat(self) -> str:
        """For NEWSWATCH_OPERATOR_URL."""
        return f"http://{LOOPBACK}:{self.port}/chat"

    @property
    def heartbeat(self) -> str:
        """For NEWSWATCH_HEARTBEAT_URL."""
        return f"http://{LOOPBACK}:{self.port}/beat"

    def open(self) -> None:
        """Begin to listen."""
        self._loop.run(self._open())

    def close(self) -> None:
        """Refuse connections."""
        if self._runner:
            self._loop.run(self._runner.cleanup())
            self._runner = None

    async def _open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/chat{rest:.*}", self._take)
        app.router.add_route("*", "/beat{rest:.*}", self._beat)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self.port).start()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.text()
        try:
            said = json.loads(body)
        except ValueError:
            said = {"not JSON": body}
        self.posted.append(Posted(datetime.now(UTC), said if isinstance(said, dict) else {"not an object": said}))
        return web.json_response({"ok": True})

    async def _beat(self, request: web.Request) -> web.Response:
        self.beats.append(Beat(datetime.now(UTC), request.match_info["rest"]))
        return web.Response(text="OK")


# ── the papers ───────────────────────────────────────────────────────────────────────────────────────────────────────


HOSTS: Final = 10
FEEDS_PER_HOST: Final = 3
SHOWN: Final = 15
"""Items in a feed."""

PaperMode = Literal["open", "refusing", "silent"]


@dataclass
class Papers:
    """Papers on several loopback addresses, which newswatch takes for different hosts; one prints each few seconds."""

    loop: Loop
    every_s: float = 12.0
    """Seconds between two articles."""
    port: int = field(default_factory=free_port)
    mode: PaperMode = "refusing"
    requests: int = 0
    _began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _runner: web.AppRunner | None = None

    @property
    def hosts(self) -> list[str]:
        """`address:port` of each host, for NEWSWATCH_FETCH_ALLOW_HOSTS."""
        return [f"127.0.0.{2 + number}:{self.port}" for number in range(HOSTS)]

    def feeds_yaml(self) -> str:
        """The feeds as `feeds.yaml`."""
        lines = ["feeds:"]
        for number, host in enumerate(self.hosts):
            for section in range(FEEDS_PER_HOST):
                lines += [
                    f"  - id: paper-{number}-{section}",
                    f"    title: Paper {number}, section {section}",
                    f'    url: "http://{host}/{section}/feed.xml"',
                    f"    owner: Owner {number}",
                    "    language: en",
                    "    full_text: feed",
                ]
        return "\n".join(lines) + "\n"

    def change(self, mode: PaperMode) -> None:
        """All hosts answer, refuse connections, or accept them and say nothing."""
        self.loop.run(self._change(mode))

    async def _change(self, mode: PaperMode) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        self.mode = mode
        if mode == "refusing":
            return
        app = web.Application()
        app.router.add_get("/{section}/feed.xml", self._feed)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, keepalive_timeout=5)
        await self._runner.setup()
        for host in self.hosts:
            await web.TCPSite(self._runner, host.split(":")[0], self.port).start()

    async def _feed(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.mode == "silent":
            await asyncio.sleep(3_600)
        address = request.host.split(":")[0]
        number = int(address.rsplit(".", 1)[1]) - 2
        now = datetime.now(UTC)
        items = [_item(request.host, n, at) for n, at in self._printed(number, int(request.match_info["section"]), now)]
        return web.Response(text=rss(request.host, items[-SHOWN:]), content_type="application/rss+xml")

    def _printed(self, host: int, section: int, now: datetime) -> Iterator[tuple[int, datetime]]:
        """The articles of a feed so far; each article of all papers goes to the next feed."""
        count = int((now - self._began).total_seconds() / self.every_s) + 1
        mine = host * FEEDS_PER_HOST + section
        for n in range(count):
            if n % (HOSTS * FEEDS_PER_HOST) == mine or n == 0:
                yield n * 1_000 + mine, self._began + timedelta(seconds=n * self.every_s)


def _item(host: str, number: int, at: datetime) -> str:
    dice = random.Random(number)
    paragraphs = [f"NATO says that the {words(dice, 8)} of the {words(dice, 30)} is not known." for _ in range(5)]
    return item(f"http://{host}/article/{number}", f"NATO report {number}: {words(dice, 6)}", paragraphs, at)


# ── together ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Outside:
    """All of them."""

    papers: Papers
    mail: MailServer
    hooks: Hooks
    authority: Authority


@contextmanager
def open_outside(folder: Path) -> Iterator[Outside]:
    """All of them, open and well, until the block ends."""
    # It logs each session that ends in an error, and here many do.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    loop = Loop()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        authority = Authority(folder)
        outside = Outside(Papers(loop), MailServer(loop, authority.issue(timedelta(days=90))), Hooks(loop), authority)
        outside.papers.change("open")
        outside.mail.change("taking")
        outside.hooks.open()
        yield outside
    finally:
        loop.stop()
