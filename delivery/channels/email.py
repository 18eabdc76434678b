"""E-mail: messages as RFC 5322 has them, handed to a mail server (`email_smtp`). Python's `email` writes them."""

from __future__ import annotations

from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache

from jinja2 import Environment

from delivery.channels.channel import Channel, Rendered
from delivery.channels.email_address import mail_address
from delivery.channels.email_smtp import Mailer
from delivery.message import Message, Notice, Stories
from delivery.plain_text import environment, plain_text, shown
from delivery.words import one_line
from newswatch.settings import Settings

POLICY = SMTP.clone(cte_type="7bit", max_line_length=998)
"""7-bit clean, so that any server takes it; long header lines are folded all the same, by RFC 2047 words."""
_LINK = 900
"""Octets of a link in a header: a line may have 998, and a link can't be folded (RFC 5322 section 2.1.1)."""


def render(message: Message, settings: Settings) -> Rendered:
    """The whole mail: headers, text and HTML. Its reference is its Message-ID, the same whenever it is made again.

    Raises:
        ValueError, UnicodeError: it can't be written out.
    """
    mail = written(message, settings)
    mail.as_bytes()  # what can't be written out shows here, where its story can be found
    return Rendered(mail, str(mail["Message-ID"]))


def written(message: Message, settings: Settings) -> EmailMessage:
    """The mail itself."""
    mail = EmailMessage(POLICY)
    sender = mail_address(settings.mail_from)
    mail["From"] = Address(header(message.sender), addr_spec=sender)
    mail["To"] = Address(addr_spec=mail_address(message.recipient))
    mail["Subject"] = header(message.subject)
    mail["Date"] = message.at.astimezone(UTC)
    mail["Message-ID"] = message.reference or f"<{message.key}@{_domain(sender)}>"
    # RFC 3834, and what Exchange knows instead: nobody's out-of-office answer is wanted.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.thread:
        mail["In-Reply-To"] = message.thread[-1]
        mail["References"] = " ".join(message.thread)
    if isinstance(message.body, Stories):
        _list_headers(mail, message.body, _domain(sender))
    mail.set_content(plain_text(message), charset="utf-8")
    mail.add_alternative(html(message, settings), subtype="html", charset="utf-8")
    return mail


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _list_headers(mail: EmailMessage, body: Stories, domain: str) -> None:
    # RFC 2919: one list for each saved search; a mail of several is of the list of all.
    list_name = next(iter(body.watched_by)) if len(body.watched_by) == 1 else "all"
    mail["List-Id"] = f"<{list_name}.newswatch.{domain}>"
    # The link that ends the mails of these saved searches; of all, if they are too many for a header.
    stop = body.stop_these_url if len(body.stop_these_url) <= _LINK else body.stop_all_url
    mail["List-Unsubscribe"] = f"<{stop}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    mail["X-Newswatch-Alerts"] = ", ".join(body.watched_by)


def header(text: str) -> str:
    """The text on one line, fit for a header.

    Python's `email` takes `=?…?=` in a value for an encoded word and writes out what it decodes to, line ends and all:
    a title could add headers of its own. An unseen joiner inside keeps it plain text.
    """
    return one_line(text).replace("=?", "=\u2060?")


def html(message: Message, settings: Settings) -> str:  # noqa: ARG001 - as a channel's preview
    """The HTML part."""
    name = "notice.html.j2" if isinstance(message.body, Notice) else "email.html.j2"
    return _environment().get_template(name).render(**shown(message))


@cache
def _environment() -> Environment:
    return environment("delivery.channels")


def check(settings: Settings) -> None:
    """Check the sender's address.

    Raises:
        ValueError: it is not a mail address; names the environment variable.
    """
    try:
        mail_address(settings.mail_from)
    except ValueError as error:
        raise ValueError(f"NEWSWATCH_MAIL_FROM: {error}") from error


EMAIL = Channel(
    name="e-mail",
    scheme="",
    parse=mail_address,
    render=render,
    open=Mailer,
    threads=True,
    check=check,
    deadline_s=lambda settings: settings.smtp_deadline_s,
    preview=html,
)
