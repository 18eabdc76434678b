"""Handing mails to the mail server. Its answers are values; nothing here raises for them."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from typing import Any

from newswatch.settings import Settings

_BUSY = 421
"""The server closes the channel: nothing more can be sent on it (RFC 5321 section 3.8)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server does not take the mail for a recipient."""

    reason: str
    permanent: bool
    """False: it may later (4xx)."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one mail. Each recipient is in `accepted` or in `refused`, unless `down` or `unknown` is set."""

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    down: str | None = None
    """Why no mail to anybody can be sent now: no connection, log-in or sender refused. Nothing was taken."""
    unknown: str | None = None
    """The connection was lost after the mail was sent and before the server said whether it takes it."""


class Mailer:
    """Sends mails over one connection, made at the first mail and made anew when it is lost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Mailer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                smtp.quit()
            except (smtplib.SMTPException, OSError):
                smtp.close()

    def send(self, message: EmailMessage, recipients: Sequence[str]) -> SendResult:
        """Offer `message` to the server for `recipients`, once."""
        if self._smtp is not None and not self._alive(self._smtp):
            self._drop()
        try:
            smtp = self._smtp or self._connect()
        except (smtplib.SMTPException, OSError, ssl.SSLError) as error:
            self._drop()
            return SendResult(down=f"{self._server}: {_told(error)}")
        return self._offer(smtp, message, recipients)

    @property
    def _server(self) -> str:
        return f"Mail server {self._settings.smtp_host}:{self._settings.smtp_port}"

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context()
        where: dict[str, Any] = {
            "host": settings.smtp_host,
            "port": settings.smtp_port,
            "timeout": settings.smtp_timeout_s,
        }
        if settings.smtp_security == "tls":
            self._smtp = smtplib.SMTP_SSL(**where, context=context)
        else:
            self._smtp = smtplib.SMTP(**where)
        if settings.smtp_security == "starttls":
            self._smtp.starttls(context=context)
        if settings.smtp_username and settings.smtp_password:
            self._smtp.login(settings.smtp_username, settings.smtp_password.get_secret_value())
        return self._smtp

    @staticmethod
    def _alive(smtp: smtplib.SMTP) -> bool:
        """Whether a connection kept from the mail before still answers."""
        try:
            return smtp.rset()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None

    def _offer(self, smtp: smtplib.SMTP, message: EmailMessage, recipients: Sequence[str]) -> SendResult:
        """MAIL, RCPT for each, DATA: written out, since `sendmail` gives up every recipient for one lost line.

        A connection lost before DATA is laid to these recipients, not to the server: one address that crashes it must
        not keep the mails of all others back.
        """
        try:
            smtp.ehlo_or_helo_if_needed()
            code, answer = smtp.mail(self._settings.mail_from)
            if code != 250:
                self._drop()
                return SendResult(down=f"{self._server} refuses the sender: {_answer(code, answer)}")
            refused = self._rcpt(smtp, recipients)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            reason = Refusal(f"{self._server}: {_told(error)}", permanent=False)
            return SendResult(refused=dict.fromkeys(recipients, reason))
        taken = tuple(r for r in recipients if r not in refused)
        return self._data(smtp, message, taken, refused) if taken else SendResult(refused=refused)

    def _rcpt(self, smtp: smtplib.SMTP, recipients: Sequence[str]) -> dict[str, Refusal]:
        refused: dict[str, Refusal] = {}
        for recipient in recipients:
            code, answer = smtp.rcpt(recipient)
            if code == _BUSY:
                raise smtplib.SMTPServerDisconnected(_answer(code, answer))
            if code not in (250, 251):
                refused[recipient] = Refusal(_answer(code, answer), permanent=code >= 500)
        return refused

    def _data(
        self, smtp: smtplib.SMTP, message: EmailMessage, taken: tuple[str, ...], refused: dict[str, Refusal]
    ) -> SendResult:
        try:
            if smtp.sock is not None:
                smtp.sock.settimeout(4 * self._settings.smtp_timeout_s)
            code, told = smtp.data(message.as_bytes(policy=message.policy.clone(linesep="\r\n")))
            answer = _answer(code, told)
        except smtplib.SMTPDataError as error:  # DATA itself refused: the mail was not sent
            code, answer = error.smtp_code, _answer(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return SendResult(refused=refused, unknown=f"{self._server}: {_told(error)}")
        if smtp.sock is not None:
            smtp.sock.settimeout(self._settings.smtp_timeout_s)
        if code == 250:
            return SendResult(taken, refused)
        reason = Refusal(answer, permanent=code >= 500)
        return SendResult(refused=refused | dict.fromkeys(taken, reason))


def _answer(code: int, text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(plain.split())}"


def _told(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return str(error) or type(error).__name__
