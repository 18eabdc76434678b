"""The e-mail channel: renders messages as RFC 5322 mails with Python's `email`; `email_smtp` sends them."""

from __future__ import annotations

import quopri
from dataclasses import dataclass, replace
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache

from jinja2 import Environment

from delivery.channels.channel import Channel, Rendered
from delivery.channels.email_address import mail_address
from delivery.channels.email_return_path import check_bounces
from delivery.channels.email_smtp import Enclosing, Mailer, try_out
from delivery.channels.variants import Variants
from delivery.message import Message, Notice, StoryList
from delivery.plain_text import CARDS, environment, plain_text, shown
from delivery.words import one_line
from newswatch.settings import Settings

POLICY = SMTP.clone(cte_type="7bit", max_line_length=998)
"""7-bit clean, so that every server accepts it. Long header lines are still folded, as RFC 2047 encoded words."""
HTML_BYTES = 100_000
"""Maximum octets of the HTML part as it is sent: Gmail shows the first 102 kB of a mail and clips the rest
(https://github.com/hteumeuleu/email-bugs/issues/41)."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How much of a message its HTML shows."""

    cards: int
    """Stories in full."""
    rows: int
    """Further stories, on a line each."""
    footed: int
    """Saved searches that are named at the end."""


_ALL = 10_000
_LAYOUTS = (
    *(_Layout(CARDS, rows, 20) for rows in (_ALL, 100, 50)),
    *(_Layout(6, rows, 20) for rows in (_ALL, 100, 50, 25)),
    _Layout(3, 10, 10),
    _Layout(1, 0, 5),
)
"""For messages to readers, the fullest first."""
_NOTICE_LAYOUTS = tuple(_Layout(*most, 0) for most in ((_ALL, _ALL), (20, 200), (20, 100), (10, 50), (5, 20), (2, 0)))
"""For messages to the operator, per section: rows in full, and rows on a line each."""
_LINK = 900
"""Maximum octets of a link in a header: a line may have 998, and a link can't be folded (RFC 5322 section 2.1.1)."""


def render(message: Message, settings: Settings) -> Rendered:
    """The whole mail: headers, text and HTML. Its reference is its Message-ID, which does not change on re-rendering.

    Raises:
        ValueError, UnicodeError: the mail can't be serialised.
    """
    mail = written(message, settings)
    if message.attachments:
        mail = Enclosing.of(mail, smaller=written(without_files(message), settings))
    mail.as_bytes()  # fails here if it can't be serialised, while the caller can still find the story that breaks it
    return Rendered(mail, str(mail["Message-ID"]))


def without_files(message: Message) -> Message:
    """The message for a server to which it is too large: without its files, which it says. Pure."""
    body = message.body
    if isinstance(body, StoryList):
        files = ", ".join(attachment.name for attachment in message.attachments)
        body = replace(
            body, changed=(*body.changed, f"{files} is left out: the mail server takes no mail of that size.")
        )
    return replace(message, body=body, attachments=())


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
    text = _TEXTS(message, settings)
    mail.set_content(text, charset="utf-8", cte=_encoding(text))
    page = _PAGES(message, settings)
    if encoded_size(page) >= HTML_BYTES:  # with the recipient's own links, which are longer than their stand-ins
        page = html(message, settings)
    mail.add_alternative(page, subtype="html", charset="utf-8", cte=_encoding(page))
    for attachment in message.attachments:
        main, _, sub = attachment.media_type.partition("/")
        mail.add_attachment(attachment.content, maintype=main, subtype=sub, filename=attachment.name)
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
    """The HTML part, below `HTML_BYTES`: in the fullest layout that fits. What it leaves out, it counts."""
    is_notice = isinstance(message.body, Notice)
    for layout in _NOTICE_LAYOUTS if is_notice else _LAYOUTS:
        page = _notice(message, layout) if is_notice else _stories(message, layout)
        if encoded_size(page) < HTML_BYTES:
            break
    return page


def _stories(message: Message, layout: _Layout) -> str:
    variables = shown(message, layout.cards)
    rows = variables["rows"]
    assert isinstance(rows, tuple)
    fitting = {"rows": rows[: layout.rows], "left_out": len(rows[layout.rows :]), "footed": layout.footed}
    return _environment().get_template("email.html.j2").render(**(variables | fitting))


def _notice(message: Message, layout: _Layout) -> str:
    template = _environment().get_template("notice.html.j2")
    return template.render(**shown(message), in_full=layout.cards, in_brief=layout.rows)


def encoded_size(page: str) -> int:
    """The size of the HTML part in octets as it is sent, which is more than in UTF-8."""
    return min(_sizes(page).values())


def _encoding(text: str) -> str | None:
    """The shorter encoding of a part. Python goes by its first ten lines, which are English in every HTML part."""
    sizes = _sizes(text)
    return None if text.isascii() else min(sizes, key=lambda name: sizes[name])


def _sizes(text: str) -> dict[str, int]:
    octets = text.encode()
    return {"quoted-printable": len(quopri.encodestring(octets)), "base64": -(-len(octets) // 57) * 78}


def _text(message: Message, settings: Settings) -> str:  # noqa: ARG001 - as a renderer
    return plain_text(message)


def _escaped(text: str) -> str:
    from markupsafe import escape  # with Jinja, which is loaded by who writes

    return str(escape(text))


_TEXTS, _PAGES = Variants(_text), Variants(html, _escaped)


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
    try:
        if settings.mail_bounces:
            check_bounces(mail_address(settings.mail_bounces))
    except ValueError as error:
        raise ValueError(f"NEWSWATCH_MAIL_BOUNCES: {error}") from error


EMAIL = Channel(
    name="e-mail",
    scheme="",
    parse=mail_address,
    render=render,
    open=lambda settings, _targets: Mailer(settings),
    threads=True,
    check=check,
    deadline_s=lambda settings: settings.smtp_deadline_s,
    try_out=try_out,
    at_once=lambda settings: settings.mail_senders,
    preview=html,
)
