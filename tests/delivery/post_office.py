"""A real SMTP server that does what a test tells it: takes, refuses, puts off, dawdles, or drops the line."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from embedded.processes import free_port

Reaction = Callable[[str, int], str | None]
"""(recipient, how often it was offered before) → the server's answer; None: yes."""


@dataclass
class Received:
    """A mail that the server has said yes to, or would have."""

    recipients: list[str]
    message: EmailMessage


@dataclass
class PostOffice:
    """What the server does, and what it got."""

    on_sender: str | None = None
    on_recipient: Reaction = lambda recipient, before: None
    on_data: Reaction = lambda recipient, before: None
    """An answer of `drop` closes the connection after the whole mail has been received, `lose` before it is kept."""
    delay_s: float = 0.0
    taken: list[Received] = field(default_factory=list)
    offers: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    greetings: list[str] = field(default_factory=list)
    """The names that clients gave, in order."""
    size: int | None = None
    """The size of mails that it says it takes at most; None: as it is."""
    port: int = 0

    @property
    def messages(self) -> list[EmailMessage]:
        """The mails taken, in order."""
        return [received.message for received in self.taken]

    def to(self, recipient: str) -> list[EmailMessage]:
        """The mails taken for one recipient, in order."""
        return [received.message for received in self.taken if recipient in received.recipients]


class _Handler:
    def __init__(self, office: PostOffice) -> None:
        self._office = office

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self._office.connections += 1
        self._office.greetings.append(hostname)
        if self._office.size is not None:
            responses = [re.sub(r"SIZE \d+", f"SIZE {self._office.size}", line) for line in responses]
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._office.on_sender:
            return self._office.on_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        before = self._office.offers.get(address, 0)
        self._office.offers[address] = before + 1
        answer = self._office.on_recipient(address, before)
        if answer == "drop":
            cast(Any, server).transport.abort()
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self._office.delay_s)
        recipients = list(envelope.rcpt_tos)
        answer = self._office.on_data(recipients[0], self._office.offers[recipients[0]] - 1)
        if answer in (None, "drop"):
            message = email.message_from_bytes(cast(bytes, envelope.content), policy=email.policy.default)
            self._office.taken.append(Received(recipients, message))
        if answer in ("drop", "lose"):
            cast(Any, server).transport.abort()
        return answer or "250 OK"


@contextmanager
def open_post_office(**behaviour: Any) -> Iterator[PostOffice]:
    """A server on a free port of the loopback interface, until the end of the block."""
    office = PostOffice(**behaviour)
    controller = Controller(_Handler(office), hostname="127.0.0.1", port=free_port())
    controller.start()
    office.port = controller.port
    try:
        yield office
    finally:
        controller.stop()
