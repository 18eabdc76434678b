"""Reads what mail servers send back: whose mail was not delivered, for how long, and why (RFC 3464, RFC 3463). Pure."""

from __future__ import annotations

import email
import email.policy
import email.utils
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum
from typing import Final

from delivery.channels.email_return_path import tokens_in
from newswatch.texts import cut_short

REASON_CHARS: Final = 300
MOST_PARTS: Final = 50
"""Parts of a message that are looked at."""
_ADDRESSED: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
"""Headers that hold the address to which a bounce went, the surest first."""
_STATUS: Final = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
_DEAD: Final = re.compile(r"5\.1\.(0|1|2|3|6|10)|5\.2\.1|5\.4\.4")
"""The address is none, has moved, is switched off, or its domain is none. Any other 5.x.x is the content's, the
sender's or the server's: a full mailbox (5.2.2), a size (5.3.4), a policy or a filter (5.7.x)."""


class Verdict(StrEnum):
    """What a message in the bounces' mailbox says."""

    HARD = "hard"
    """No mail will ever reach the address."""
    SOFT = "soft"
    """This mail was not delivered; a later one may be."""
    DELAYED = "delayed"
    """The server is still trying, or has delivered."""
    REPLY = "reply"
    """An answer by a person or a machine, no bounce."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """What one message says of one recipient."""

    verdict: Verdict
    recipients: tuple[str, ...] = ()
    """Addresses that it names; its server may have forwarded the mail, so none need be the one that was mailed."""
    tokens: tuple[str, ...] = ()
    """Tokens of the return paths that it was sent to (`delivery.channels.email_return_path`)."""
    reason: str = ""
    """What the server said, on one line."""


def read_bounce(octets: bytes) -> Bounce:
    """What a message says. It may be cut off; anything that is no bounce is a reply."""
    message = email.message_from_bytes(octets, policy=email.policy.compat32)
    tokens = tuple(dict.fromkeys(token for name in _ADDRESSED for token in _tokens(message, name)))
    groups = list(_recipients(message))
    failed = [group for group in groups if _field(group, "Action").lower() == "failed"]
    if failed:
        group = failed[0]
        named = (_address(group, "Original-Recipient"), _address(group, "Final-Recipient"))
        return Bounce(_verdict(group), tuple(filter(None, (*named, *_asked(message)))), tokens, _reason(group))
    if groups:
        return Bounce(Verdict.DELAYED, tokens=tokens)
    return Bounce(*_unstructured(message, tokens))


def _tokens(message: Message, name: str) -> Iterator[str]:
    for value in message.get_all(name, []):
        yield from tokens_in(str(value))


def _unstructured(message: Message, tokens: tuple[str, ...]) -> tuple[Verdict, tuple[str, ...], tuple[str, ...], str]:
    """A bounce that is no report comes from nobody (RFC 5321, 4.5.5); it may hold a status in its text."""
    null = str(message.get("Return-Path", "")).strip() == "<>" or "X-Failed-Recipients" in message
    auto = str(message.get("Auto-Submitted", "")).lower()
    if not null or auto.startswith("auto-replied"):
        return Verdict.REPLY, (), tokens, ""
    text = _text(message)
    status = _STATUS.search(text)
    named = tuple(part.strip() for part in str(message.get("X-Failed-Recipients", "")).split(",") if part.strip())
    dead = bool(status and _DEAD.fullmatch(status[0]))
    line = next((line for line in text.splitlines() if status and status[0] in line), "no reason given")
    return (Verdict.HARD if dead else Verdict.SOFT), named, tokens, _one_line(line)


def _parts(message: Message) -> Iterator[Message]:
    for number, part in enumerate(message.walk()):
        if number >= MOST_PARTS:
            return
        yield part


def _recipients(message: Message) -> Iterator[Message]:
    """The groups of fields of a delivery report that are about a recipient; the first is about the message."""
    for part in _parts(message):
        if part.get_content_type() in ("message/delivery-status", "message/global-delivery-status"):
            content = part.get_payload()
            for group in content if isinstance(content, list) else ():
                if isinstance(group, Message) and ("Final-Recipient" in group or "Original-Recipient" in group):
                    yield group


def _asked(message: Message) -> Iterator[str]:
    """To whom the mail was addressed that came back."""
    for part in _parts(message):
        if part.get_content_type() == "message/rfc822":
            content = part.get_payload()
            returned = content[0] if isinstance(content, list) and content else None
        elif part.get_content_type() == "text/rfc822-headers":
            returned = email.message_from_string(_decoded(part), policy=email.policy.compat32)
        else:
            continue
        if isinstance(returned, Message) and returned.get("To"):
            yield from _addresses([str(returned["To"])])


def _addresses(headers: Iterable[str]) -> Iterator[str]:
    yield from (address for _, address in email.utils.getaddresses([*headers]) if "@" in address)


def _field(group: Message, name: str) -> str:
    return str(group.get(name, "")).strip()


def _address(group: Message, name: str) -> str:
    """`rfc822;ann@reader.example` → the address."""
    kind, _, address = _field(group, name).partition(";")
    return address.strip().strip("<>") if kind.strip().lower() in ("rfc822", "utf-8") else ""


def _verdict(group: Message) -> Verdict:
    status = _STATUS.search(_field(group, "Status"))
    said = _STATUS.search(_field(group, "Diagnostic-Code"))
    # Some servers put 5.0.0 into the status, and the truth into what the other server said.
    found = said[0] if said and (not status or status[0].endswith(".0.0")) else status[0] if status else ""
    return Verdict.HARD if _DEAD.fullmatch(found) else Verdict.SOFT


def _reason(group: Message) -> str:
    code = _field(group, "Diagnostic-Code").partition(";")
    return _one_line(code[2] or code[0] or _field(group, "Status") or "no reason given")


def _one_line(text: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    return cut_short(" ".join(plain.split()), REASON_CHARS)


def _text(message: Message) -> str:
    return next((_decoded(part) for part in _parts(message) if part.get_content_type() == "text/plain"), "")


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
