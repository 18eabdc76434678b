"""Sends mails to the mail server. The server's answers are returned as values, not raised.

A mail takes at most `Settings.smtp_deadline_s`, whatever the server does (`delivery.channels.email_connection`).
"""

from __future__ import annotations

import math
import re
import smtplib
import socket
from collections.abc import Sequence
from dataclasses import replace
from email.message import EmailMessage
from types import TracebackType
from typing import Final

from delivery.channels.channel import Refusal, SendResult, Trial
from delivery.channels.email_address import mail_address
from delivery.channels.email_connection import Connection, Dialogue, Lookup, greeting, within
from delivery.channels.email_oauth import access_token, forget, xoauth2
from delivery.channels.email_return_path import return_path
from delivery.channels.email_tls import tls_context
from delivery.links import signing_keys
from newswatch.settings import Settings
from newswatch.texts import cut_short

ANSWER_CHARS: Final = 500
"""Maximum characters of a server's answer; a longer one is cut and ends in "…"."""
GOODBYE_S: Final = 5.0
"""Maximum seconds for the server's answer to QUIT."""
_BUSY = 421
"""The server closes the connection; nothing more can be sent over it (RFC 5321 section 3.8)."""


class Enclosing(EmailMessage):
    """A mail with files, and the same without them for a server to which it is too large."""

    smaller: EmailMessage

    @classmethod
    def of(cls, mail: EmailMessage, smaller: EmailMessage) -> Enclosing:
        """`mail`, with that one beside it."""
        made = cls(mail.policy)
        vars(made).update(vars(mail))
        made.smaller = smaller
        return made


class Mailer:
    """Sends mails over one connection, opened for the first mail and reopened after it is lost."""

    def __init__(self, settings: Settings, *, lookup: Lookup = socket.getaddrinfo) -> None:
        """`lookup` resolves the server's name.

        Raises:
            ValueError: the sender's address is not a mail address.
        """
        self._settings, self._lookup = settings, lookup
        self._sender = mail_address(settings.mail_from)
        if settings.mail_bounces:
            mail_address(settings.mail_bounces)
        self._dialogue = Dialogue(settings.smtp_timeout_s)
        self._smtp: Connection | None = None

    def __enter__(self) -> Mailer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            self._dialogue.begin(GOODBYE_S)
            try:
                smtp.quit()
            except (smtplib.SMTPException, OSError):
                smtp.close()

    def send(self, message: EmailMessage, recipients: Sequence[str]) -> SendResult:
        """Offer `message` to the server for `recipients`, once; again without its files if it is refused as too large.

        Raises:
            ValueError: the message or an address can't be sent by SMTP.
        """
        smaller = message.smaller if isinstance(message, Enclosing) else None
        result = self._sent(message, recipients, has_smaller=smaller is not None)
        large = [one for one, refusal in result.refused.items() if refusal.too_large]
        if smaller is None or not large:
            return result
        again = self._sent(smaller, large, has_smaller=False)
        refused = {one: refusal for one, refusal in result.refused.items() if not refusal.too_large}
        return replace(again, accepted=(*result.accepted, *again.accepted), refused=refused | dict(again.refused))

    def _sent(self, message: EmailMessage, recipients: Sequence[str], *, has_smaller: bool) -> SendResult:
        content = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        if self._smtp is not None and not self._alive(self._smtp):
            self._drop()
        self._dialogue.begin(self._settings.smtp_deadline_s)
        try:
            smtp = self._smtp or self._connect()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            self._drop()
            return SendResult(down=self._fault(error))
        try:
            return self._offer(smtp, content, recipients, has_smaller=has_smaller)
        except Exception:
            self._drop()
            raise

    def try_out(self, seconds: float) -> Trial:
        """Everything up to the first recipient, in at most `seconds` in all; whether the server would take a mail."""
        self._dialogue.begin(seconds)
        try:
            smtp = self._smtp or self._connect()
            smtp.ehlo_or_helo_if_needed()
            code, answer = smtp.mail(self._envelope_sender(()))
            smtp.rset()
            valid_from, expires_at = smtp.certificate_validity() or (None, None)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            self._drop()
            return Trial(self._fault(error), self._settings.smtp_host)
        why = "" if _is_yes(code) else f"{self._server} refuses the sender: {_answer(code, answer)}"
        return Trial(why, self._settings.smtp_host, expires_at, valid_from)

    def _envelope_sender(self, recipients: Sequence[str]) -> str:
        """Where bounces go: to an address of the recipient's own, where they are read."""
        bounces = self._settings.mail_bounces
        if bounces and len(recipients) == 1:
            return return_path(bounces, recipients[0], signing_keys(self._settings)[-1])
        return bounces or self._sender

    @property
    def _server(self) -> str:
        return f"Mail server {self._settings.smtp_host}:{self._settings.smtp_port}"

    def _fault(self, error: Exception) -> str:
        return f"{self._server}: {self._dialogue.fault or _words(error)}"

    def _connect(self) -> Connection:
        settings = self._settings
        context = None if settings.smtp_security == "none" else tls_context(settings)
        self._smtp = Connection(
            settings.smtp_host,
            settings.smtp_port,
            self._dialogue,
            name=greeting(settings.smtp_helo, self._sender),
            tls=context if settings.smtp_security == "tls" else None,
            lookup=self._lookup,
        )
        if settings.smtp_security == "starttls":
            self._smtp.starttls(context=context)
        if settings.smtp_username and settings.smtp_oauth_url:
            self._log_in_by_token(self._smtp, settings.smtp_username)
        elif settings.smtp_username and settings.smtp_password:
            self._smtp.login(settings.smtp_username, settings.smtp_password.get_secret_value())
        return self._smtp

    def _log_in_by_token(self, smtp: Connection, user: str) -> None:
        token = within(lambda: access_token(self._settings), self._dialogue, "asking for an access token")
        smtp.ehlo_or_helo_if_needed()
        try:
            # A refusal comes as a challenge, which an empty answer ends.
            smtp.auth("XOAUTH2", lambda challenge=None: "" if challenge is not None else xoauth2(user, token))
        except smtplib.SMTPAuthenticationError:
            forget(self._settings)
            raise

    def _alive(self, smtp: Connection) -> bool:
        """Whether the connection of the previous mail still answers."""
        self._dialogue.begin(self._settings.smtp_timeout_s)
        try:
            return _is_yes(smtp.rset()[0])
        except (smtplib.SMTPException, OSError):
            return False

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None

    def _offer(self, smtp: Connection, content: bytes, recipients: Sequence[str], *, has_smaller: bool) -> SendResult:
        """Send MAIL, RCPT for each recipient, and DATA. `sendmail` would give up every recipient after one lost line.

        A connection lost at RCPT counts against these recipients, not against the server, because an address that
        crashes the server must not hold back all other mails.
        """
        try:
            smtp.ehlo_or_helo_if_needed()
            # Without a smaller one the server decides: it may take more than it says.
            if has_smaller and len(content) > (most := _most_bytes(smtp)):
                why = f"the mail has {len(content):,} bytes, of which {self._server} takes {most:,}"
                return SendResult(refused=dict.fromkeys(recipients, Refusal(why, permanent=True, too_large=True)))
            code, answer = smtp.mail(self._envelope_sender(recipients))
        except (smtplib.SMTPException, OSError) as error:
            why = self._fault(error)
            self._drop()
            return SendResult(down=why)
        if not _is_yes(code):
            self._drop()
            return SendResult(down=f"{self._server} refuses the sender: {_answer(code, answer)}")
        try:
            refused = self._rcpt(smtp, recipients)
        except (smtplib.SMTPException, OSError) as error:
            reason = Refusal(self._fault(error), permanent=False)
            self._drop()
            return SendResult(refused=dict.fromkeys(recipients, reason), broken=True)
        accepted = tuple(r for r in recipients if r not in refused)
        return self._data(smtp, content, accepted, refused) if accepted else SendResult(refused=refused)

    def _rcpt(self, smtp: Connection, recipients: Sequence[str]) -> dict[str, Refusal]:
        refused: dict[str, Refusal] = {}
        for recipient in recipients:
            code, answer = smtp.rcpt(recipient)
            if code == _BUSY:
                raise smtplib.SMTPServerDisconnected(_answer(code, answer))
            if not _is_yes(code):
                refused[recipient] = Refusal(_answer(code, answer), _is_no(code) and not _is_of_us(code, answer))
        return refused

    def _data(
        self, smtp: Connection, content: bytes, accepted: tuple[str, ...], refused: dict[str, Refusal]
    ) -> SendResult:
        self._dialogue.patience = 4
        answer: bytes | str
        try:
            code, answer = smtp.data(content)
        except smtplib.SMTPDataError as error:  # the server refused DATA: the mail was not sent
            code, answer = error.smtp_code, error.smtp_error
            if _is_yes(code):  # to a command before: it gave one answer too many, and has not got the mail
                self._drop()
                why = f"{self._server} answers out of step, {_answer(code, answer)} to DATA"
                return SendResult(refused=refused | dict.fromkeys(accepted, Refusal(why, permanent=False)), broken=True)
        except (smtplib.SMTPException, OSError) as error:
            why = self._fault(error)
            self._drop()
            return SendResult(refused=refused, unknown=why, broken=True)
        self._dialogue.patience = 1
        if _is_yes(code):
            return SendResult(accepted, refused)
        if code == _BUSY:
            self._drop()
        too_large = _is_no(code) and _is_of_size(code, _bytes(answer))
        reason = Refusal(
            _answer(code, answer), _is_no(code) and not _SENDER.search(_bytes(answer)), too_large=too_large
        )
        return SendResult(refused=refused | dict.fromkeys(accepted, reason), broken=code == _BUSY)


def try_out(settings: Settings, seconds: float, *, lookup: Lookup = socket.getaddrinfo) -> Trial:
    """Connect, encrypt, greet, log in and name the sender, as for a mail, in at most `seconds` in all."""
    bounded = settings.model_copy(update={"smtp_timeout_s": min(settings.smtp_timeout_s, seconds)})
    try:
        with Mailer(bounded, lookup=lookup) as mailer:
            return mailer.try_out(seconds)
    except ValueError as error:
        return Trial(f"NEWSWATCH_MAIL_FROM: {error}")


def _is_yes(code: int) -> bool:
    """Whether a reply is positive, judged by its first digit (RFC 5321 section 4.2.1)."""
    return 200 <= code < 300


def _is_no(code: int) -> bool:
    """Whether a reply is a permanent refusal."""
    return 500 <= code < 600


_STATUS: Final = re.compile(rb"\s*(5\.\d{1,3}\.\d{1,3})\b|.*\(#(5\.\d{1,3}\.\d{1,3})\)\s*$", re.DOTALL)
"""The status (RFC 3463) of a refusal: before its text (RFC 2034), or, of qmail, behind it."""
_OF_US: Final = re.compile(rb"5\.7\.\d+|5\.1\.[78]|5\.2\.2|5\.3\.\d+|5\.4\.5|5\.5\.[1-9]\d*")
"""Statuses (RFC 3463) of a refusal at RCPT that are not about the recipient's address: security and policy, the
sender's address, a full mailbox, the server itself, how much is sent (Gmail: "daily limit exceeded"), the protocol."""
_WORDS_OF_US: Final = re.compile(
    rb"(?!.*\b(?:unknown|no such)\b).*\b(?:relay|relaying|helo|ehlo|rcpthosts|too many|rate limit)\b",
    re.IGNORECASE | re.DOTALL,
)
_SENDER: Final = re.compile(
    rb"\bsend ?as(?:denied)?\b|\bnot verified\b|\btoo many\b|\brate limit|"
    rb"\b5\.7\.(?:6[04]|2[0-7])\b|\b5\.1\.[78]\b|\b5\.4\.5\b",
    re.IGNORECASE,
)
"""In a refusal after DATA: it is about the sender (also SPF, DKIM, DMARC and the reverse name, RFC 7372), or how much
is sent, and not about the content."""
_ADDRESS_CODES: Final = (550, 551, 552, 553)
"""What servers without such statuses answer about an address (RFC 5321, 4.2.3)."""


def _is_of_us(code: int, answer: bytes | str) -> bool:
    """Whether a refusal for good at RCPT may be about this machine, its relay, or how much it sends.

    Servers say at RCPT what they have against the client's address, its greeting, or the sender (Postfix:
    `smtpd_delay_reject`). A relay that is set up wrongly for an hour would otherwise lose each mail of that hour.
    """
    text = _bytes(answer)
    if status := _status(text):
        return bool(_OF_US.fullmatch(status))
    return code not in _ADDRESS_CODES or bool(_WORDS_OF_US.match(text))


def _is_of_size(code: int, answer: bytes) -> bool:
    """Whether a refusal of the content may be about its size (RFC 3463: 5.2.3, 5.3.4; RFC 5321: 552)."""
    status = _status(answer)
    return status in (b"5.2.3", b"5.3.4") if status else code == 552


def _status(answer: bytes) -> bytes:
    """The status that an answer states; empty without one."""
    found = _STATUS.match(answer)
    return (found[1] or found[2]) if found else b""


def _most_bytes(smtp: Connection) -> float:
    """The size of mails up to which the server takes them, as it says in its greeting (RFC 1870)."""
    stated = smtp.esmtp_features.get("size", "")
    return float(stated) if stated.isascii() and stated.isdigit() and int(stated[:20]) else math.inf


def _bytes(answer: bytes | str) -> bytes:
    return answer if isinstance(answer, bytes) else answer.encode("utf-8", "replace")


def _answer(code: int, text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return cut_short(f"{code} {' '.join(plain.split())}", ANSWER_CHARS)


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    said = (isinstance(error, OSError) and error.strerror) or str(error)  # without "[Errno 111]"
    return cut_short(" ".join(said.split()) or type(error).__name__, ANSWER_CHARS)
