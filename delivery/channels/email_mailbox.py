"""The mailbox that bounces go to, read by IMAP (RFC 9051). It should hold nothing else.

A message is marked as seen once what it says is recorded. So none is lost, and reading one twice changes nothing.
"""

from __future__ import annotations

import imaplib
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from delivery.channels.email_oauth import access_token, forget, xoauth2
from delivery.channels.email_tls import tls_context
from newswatch.errors import NewswatchError
from newswatch.servers import MailboxServer, mailbox_server
from newswatch.settings import Settings
from newswatch.texts import cut_short

MOST_MESSAGES: Final = 500
"""That are read in a run; the rest stay for the next."""
MOST_BYTES: Final = 200_000
"""Of a message that are fetched: a report stands before the mail that is returned."""
STEP_S: Final = 20.0
RUN_S: Final = 240.0
"""Seconds after which no more messages are fetched."""
_ANSWER_CHARS: Final = 200


class BounceMailboxError(NewswatchError):
    """The mailbox can't be read; the message holds no password. The next run tries again."""


def each_unseen(settings: Settings, use: Callable[[bytes], None]) -> int:
    """Give each message that nobody has seen to `use`, and mark it as seen then; returns how many are left.

    Raises:
        BounceMailboxError: the mailbox can't be read.
        Whatever `use` raises; its message stays unseen.
    """
    server = mailbox_server(settings.bounce_mailbox or "")
    ends = time.monotonic() + RUN_S
    with _open(server, settings) as line, _told(server):
        _require(line.select(f'"{server.folder}"'))
        uids = b" ".join(part or b"" for part in _require(line.uid("SEARCH", "UNSEEN"))).split()
        for number, uid in enumerate(uids):
            if number >= MOST_MESSAGES or time.monotonic() >= ends:
                return len(uids) - number
            octets = _fetched(line, uid)
            if octets is not None:
                use(octets)
            _require(line.uid("STORE", uid.decode(), "+FLAGS.SILENT", r"(\Seen)"))
    return 0


def _fetched(line: imaplib.IMAP4, uid: bytes) -> bytes | None:
    """The message's beginning; None if somebody has deleted it meanwhile."""
    answer = _require(line.uid("FETCH", uid.decode(), f"(BODY.PEEK[]<0.{MOST_BYTES}>)"))
    return next((part[1] for part in answer if isinstance(part, tuple)), None)


@contextmanager
def _open(server: MailboxServer, settings: Settings) -> Iterator[imaplib.IMAP4]:
    with _told(server):
        line = _connected(server, settings)
    try:
        with _told(server):
            _log_in(line, settings)
        yield line
    finally:
        try:
            line.logout()
        except (OSError, imaplib.IMAP4.error):
            line.shutdown()


def _connected(server: MailboxServer, settings: Settings) -> imaplib.IMAP4:
    context: ssl.SSLContext = tls_context(settings)
    if server.scheme == "imaps":
        return imaplib.IMAP4_SSL(server.host, server.port, ssl_context=context, timeout=STEP_S)
    line = imaplib.IMAP4(server.host, server.port, timeout=STEP_S)
    if server.scheme == "imap+starttls":
        line.starttls(context)
    return line


def _log_in(line: imaplib.IMAP4, settings: Settings) -> None:
    user, password = settings.bounce_username or "", settings.bounce_password
    if password is not None:
        line.login(user, password.get_secret_value())
        return
    token = access_token(settings)
    try:
        # A refusal comes as a challenge, which an empty answer ends.
        line.authenticate("XOAUTH2", lambda challenge: b"" if challenge else xoauth2(user, token).encode())
    except imaplib.IMAP4.error:
        forget(settings)
        raise


@contextmanager
def _told(server: MailboxServer) -> Iterator[None]:
    """The server's faults as one error that names it."""
    try:
        yield
    except (OSError, imaplib.IMAP4.error) as error:
        said = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        why = cut_short(" ".join(said.split()), _ANSWER_CHARS)
        raise BounceMailboxError(f"The bounces' mailbox {server.url} can't be read: {why}") from error


def _require(answer: tuple[str, Any]) -> list[Any]:
    """What a command gave.

    Raises:
        imaplib.IMAP4.error: the server refused it.
    """
    status, given = answer
    if status != "OK":
        raise imaplib.IMAP4.error(
            b" ".join(part for part in given if isinstance(part, bytes)).decode("utf-8", "replace")
        )
    return list(given)
