"""The e-mail channel: renders messages as RFC 5322 mails with Python's `email`; `email_smtp` sends them."""

from __future__ import annotations

from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache

from jinja2 import Environment

from delivery.channels.channel import Channel, Rendered
from delivery.channels.email_address import mail_address
from delivery.channels.email_smtp import Mailer, try_out
from delivery.message import Message, Notice, StoryList
from delivery.plain_text import environment, plain_text, shown
from delivery.words import one_line
from newswatch.settings import Settings

POLICY = SMTP.clone(cte_type="7bit", max_line_length=998)
"""7-bit clean, so that every server accepts it. Long header lines are still folded, as RFC 2047 encoded words."""
_LINK = 900
"""Maximum octets of a link in a header: a line may have 998, and a link can't be folded (RFC 5322 section 2.1.1)."""


def render(message: Message, settings: Settings) -> Rendered:
    """The whole mail: headers, text and HTML. Its reference is its Message-ID, which does not change on re-rendering.

    Raises:
        ValueError, UnicodeError: the mail can't be serialised.
    """
    mail = written(message, settings)
    mail.as_bytes()  # fails here if it can't be serialised, while the caller can still find the story that breaks it
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
    # Suppress out-of-office answers: RFC 3834, and the header that Exchange uses instead.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.thread:
        mail["In-Reply-To"] = message.thread[-1]
        mail["References"] = " ".join(message.thread)
    if isinstance(message.body, StoryList):
        _list_headers(mail, message.body, _domain(sender))
    mail.set_content(plain_text(message), charset="utf-8")
    mail.add_alternative(html(message, settings), subtype="html", charset="utf-8")
    return mail


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _list_headers(mail: EmailMessage, body: StoryList, domain: str) -> None:
    # RFC 2919: each saved search is a list; a mail for several belongs to the list "all".
    list_name = next(iter(body.watched_by)) if len(body.watched_by) == 1 else "all"
    mail["List-Id"] = f"<{list_name}.newswatch.{domain}>"
    # Unsubscribes from these saved searches; from all, if the link for these is too long for a header.
    stop = body.stop_these_url if len(body.stop_these_url) <= _LINK else body.stop_all_url
    mail["List-Unsubscribe"] = f"<{stop}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    mail["X-Newswatch-Alerts"] = ", ".join(body.watched_by)


def header(text: str) -> str:
    """The text on one line, safe for a header.

    Python's `email` decodes `=?…?=` in a value as an encoded word and writes the result, including line ends, so a
    title could inject headers. An invisible joiner in between keeps it plain text.
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
    """Check the sender's address, and that every setting of mails has a value.

    Raises:
        ValueError: it is not a mail address; names the environment variable.
        ConfigError: a setting is wrong (`newswatch.settings_in_part`).
    """
    for name in Settings.model_fields:
        if name.startswith(("smtp_", "mail_")):
            getattr(settings, name)
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
    try_out=try_out,
    preview=html,
)
