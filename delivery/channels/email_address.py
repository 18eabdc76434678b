"""The one rule for mail addresses: of recipients, of the operator, of the sender."""

from __future__ import annotations

from typing import Final

from email_validator import EmailNotValidError, validate_email

from newswatch.texts import cut_short

MOST_CHARS: Final = 1_000
"""Longer texts are rejected unread: no address has more than 254 octets (RFC 5321, RFC 3696 erratum 1690)."""
_SHOWN_CHARS: Final = 100
"""Characters of a refused text that the error repeats."""
_SPECIAL: Final = frozenset(("arpa", "invalid", "local", "localhost", "onion", "test"))
"""Top-level names that `email_validator` refuses because they are not reachable from the internet; a private mail
server may serve them."""


def mail_address(text: str) -> str:
    """`text` as the address to send to: surrounding blanks dropped, the domain in lower case and in ASCII (`xn--…`).

    The result can be put into a header (RFC 5322) and into an SMTP command (RFC 5321) unchanged: its local part is a
    dot-atom of ASCII characters that no mail program takes for an encoded word (RFC 2047).

    Raises:
        ValueError: it is not such an address; the message says what is wrong.
    """
    plain = text.strip(" \t\r\n")
    if len(plain) > MOST_CHARS:
        raise _refused(text, f"it has {len(plain)} characters; at most 254 are possible")
    _refuse_encoded_words(text, plain)
    local, at, domain = plain.rpartition("@")
    host, dot, top = domain.rpartition(".")
    if top.isdecimal():
        raise _refused(text, "its domain is a number")
    special = top.lower() in _SPECIAL
    # A name of the same length stands in for one that the library refuses, so that lengths are checked correctly.
    stand_in = f"{local}{at}{host}{dot}{'x' * len(top)}" if special else plain
    try:
        checked = validate_email(
            stand_in,
            check_deliverability=False,
            globally_deliverable=False,
            allow_smtputf8=False,
            strict=True,
        )
    except EmailNotValidError as error:
        raise _refused(text, str(error).rstrip(".")) from error
    address = f"{checked.local_part}@{checked.ascii_domain}"
    return address[: -len(top)] + top.lower() if special else address


def _refuse_encoded_words(text: str, plain: str) -> None:
    """Raise a ValueError for `=?`: Python's `email` decodes `a=?utf-8?q?=40b?=@c.example` to two at-signs."""
    if "=?" in plain:
        raise _refused(text, 'it holds "=?", which mail programs take for the start of an encoded word')


def _refused(text: str, why: str) -> ValueError:
    return ValueError(f"{cut_short(text, _SHOWN_CHARS)!r} is not a mail address: {why}")
