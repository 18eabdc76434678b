"""A mail catcher: an SMTP server on loopback that delivers no mail and keeps every one as a file.

As a separate process (`python -m embedded.mail FOLDER --port 1025`) it writes one `.eml` file per mail. The names sort
by time, and the envelope is in trace fields on top (RFC 5321, 4.4). `list_mails` reads the files.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import email.policy
import secrets
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from embedded.processes import LOOPBACK, Child, await_port, end_of_life, require_free
from newswatch import private

TIME_IN_NAME = "%Y%m%dT%H%M%S.%fZ"
ENVELOPE_TO = "X-Envelope-To"
MAX_BYTES = 33_554_432


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """A caught mail."""

    path: Path
    received_at: datetime
    envelope_from: str
    """Empty for a bounce."""
    envelope_to: tuple[str, ...]
    """The recipients given to the server, which the header fields need not name."""
    subject: str
    sender: str
    """The From field, as written."""
    reference: str
    """Its Message-ID, which is also the reference in a delivery's outcome."""
    in_reply_to: str
    """The Message-ID that it answers; empty if none."""
    text: str
    """The plain-text part; empty without one."""
    html: str
    """The HTML part; empty without one."""
    attachments: tuple[str, ...] = ()
    """The names of the attached files."""


def list_mails(folder: Path) -> list[CaughtMail]:
    """The mails caught in `folder`, oldest first; none if there is no such folder."""
    return [read_mail(path) for path in sorted(folder.glob("*.eml"))]


def read_mail(path: Path) -> CaughtMail:
    """The caught mail in the file at `path`."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return CaughtMail(
        path=path,
        received_at=datetime.strptime(path.name.split("-")[0], TIME_IN_NAME).replace(tzinfo=UTC),
        envelope_from=str(message["Return-Path"] or "").strip("<> "),
        envelope_to=tuple(str(address) for address in message.get_all(ENVELOPE_TO, [])),
        subject=str(message["Subject"] or ""),
        sender=str(message["From"] or ""),
        reference=str(message["Message-ID"] or ""),
        in_reply_to=str(message["In-Reply-To"] or ""),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        attachments=tuple(part.get_filename() or part.get_content_type() for part in message.iter_attachments()),
    )


def start_mail_catcher(folder: Path, *, port: int, log_file: Path, data_dir: Path) -> Child:
    """A mail catcher in a separate process, once it accepts connections on 127.0.0.1:`port`.

    Raises:
        StackError: the port is taken, or it does not start.
    """
    require_free(port, "The mail catcher")
    command = (sys.executable, "-m", "embedded.mail", str(folder), "--port", str(port))
    child = Child.start("The mail catcher", command, log_file, data_dir)
    try:
        await_port(port, child)
    except BaseException:
        child.stop()
        raise
    return child


class Catcher:
    """Keeps what an `aiosmtpd` server receives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002
        """Answer 250 only when the mail is on the disk, because then we are responsible for it (RFC 5321, 6.1)."""
        now = datetime.now(UTC)
        content = envelope.original_content or b""
        try:
            self._write(now, _trace(session, envelope, now) + content)
        except OSError as error:
            return f"452 4.3.1 The mail can't be kept: {error.strerror}"
        return "250 2.0.0 OK: kept"

    def _write(self, now: datetime, content: bytes) -> None:
        private.replace(self.folder / f"{now.strftime(TIME_IN_NAME)}-{secrets.token_hex(4)}.eml", content)


def _trace(session: Session, envelope: Envelope, now: datetime) -> bytes:
    lines = [
        f"Return-Path: <{envelope.mail_from or ''}>",
        *(f"{ENVELOPE_TO}: {recipient}" for recipient in envelope.rcpt_tos),
        f"Received: from {session.host_name or 'unknown'} by newswatch; {format_datetime(now)}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", errors="surrogateescape")


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        content = part.get_content()
    except LookupError:
        # Python doesn't know the character set: show the readable characters.
        content = bytes(part.get_payload(decode=True) or b"").decode("ascii", errors="replace")
    return str(content).replace("\r\n", "\n")


async def serve(folder: Path, port: int, over: threading.Event) -> None:
    """Catch mails on 127.0.0.1:`port` into `folder` until `over` is set."""
    private.make_folder(folder)
    for unfinished in folder.glob("*.part"):
        unfinished.unlink()
    catcher = Catcher(folder)

    def session() -> SMTP:
        return SMTP(catcher, hostname="newswatch", enable_SMTPUTF8=True, data_size_limit=MAX_BYTES, ident="newswatch")

    async with await asyncio.get_running_loop().create_server(session, LOOPBACK, port):
        await asyncio.to_thread(over.wait)


def main() -> None:
    """The process: serves until its standard input ends or a signal asks it to end."""
    parser = argparse.ArgumentParser(description="Catch mail on loopback.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.folder, arguments.port, end_of_life()))


if __name__ == "__main__":
    main()
