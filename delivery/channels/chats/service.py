"""The interface of a chat service: read an address, send a short message, report the result.

Addresses have the form of Apprise's URLs (https://appriseit.com/services/), which people find in its documentation:
`slack://…`, `matrixs://…`, `ntfys://…`. They hold keys, so no message of an error repeats more than scheme and host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import unquote

from delivery.channels.channel import Refusal, SendResult
from delivery.channels.outgoing import Answer, Failure, Outgoing, check_url
from delivery.short import Short
from newswatch.settings import Settings

MOST_CHARS: Final = 2_000
"""Longer addresses are refused unread."""
_PARTS: Final = re.compile(
    r"(?:(?P<user>[^/@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:?#]*)(?::(?P<port>\d{1,5}))?(?P<path>[^?]*)(?:\?(?P<query>.*))?"
)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """What is sent to a chat."""

    short: Short
    key: str
    """The idempotency key: the same if the message is sent again."""
    thread: tuple[str, ...] = ()
    """What the service called the earlier messages on the story, oldest first."""


class Place(Protocol):
    """Where a chat's address leads: a room, a channel, a topic."""

    @property
    def shown(self) -> str:
        """What people may see of it: no keys."""
        ...

    def send(self, message: ChatMessage, address: str, outgoing: Outgoing, settings: Settings) -> SendResult:
        """Send once. The service's answer is a value, never an exception; `address` is the recipient in it."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """A kind of chats."""

    name: str
    schemes: tuple[str, ...]
    """In small letters; the ones with `s` at their end go by https."""
    read: Callable[[str, Settings], Place]
    """Reads an address. Raises a ValueError that says what is wrong and repeats no key."""
    example: str
    check: Callable[[str, Settings], None] = lambda _text, _settings: None
    """What else is checked when an address is given, and takes long. Raises a ValueError as `read` does."""


@dataclass(frozen=True, slots=True)
class ChatUrl:
    """An address, taken apart. It holds keys."""

    scheme: str
    user: str
    password: str
    host: str
    port: str
    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"ChatUrl({self.scheme}://…)"

    @property
    def netloc(self) -> str:
        """Host and port as given."""
        return f"{self.host}:{self.port}" if self.port else self.host

    def base(self, settings: Settings, *, secure: bool) -> str:
        """`https://host[:port]`, checked by the guard as far as it alone shows.

        Raises:
            ValueError: requests may not go there.
        """
        return check_url(f"{'https' if secure else 'http'}://{self.netloc}", settings).rstrip("/")


def split(text: str) -> ChatUrl:
    """The parts of an address.

    Raises:
        ValueError: it has no scheme, or is too long or unprintable.
    """
    plain = text.strip()
    scheme, marks, rest = plain.partition("://")
    if len(plain) > MOST_CHARS or not plain.isprintable():
        raise ValueError(f"an address is one line of at most {MOST_CHARS:,} printable characters")
    if not marks or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise ValueError("an address begins with its service, such as ntfys://, slack:// or matrixs://")
    parts = _PARTS.fullmatch(rest)
    if parts is None:
        raise ValueError(f"this {scheme}:// address can't be read")
    user, _, password = (parts["user"] or "").partition(":")
    query = dict(one.partition("=")[::2] for one in (parts["query"] or "").split("&") if one)
    return ChatUrl(
        scheme.lower(),
        unquote(user),
        unquote(password),
        parts["host"].lower() if "[" not in parts["host"] else parts["host"],
        parts["port"] or "",
        tuple(unquote(piece) for piece in parts["path"].split("/") if piece),
        query,
    )


def refused(
    address: str, why: str, *, permanent: bool = False, after_s: float | None = None, gone: bool = False
) -> SendResult:
    """The result of a message that was not accepted."""
    return SendResult(refused={address: Refusal(why, permanent or gone, after_s, gone)})


def of_failure(address: str, failure: Failure) -> SendResult:
    """The result of a request without an answer."""
    return SendResult(unknown=failure.why) if failure.may_have_arrived else refused(address, failure.why)


def of_status(address: str, name: str, answer: Answer, said: str = "") -> SendResult:
    """The result of an answer that is no 2xx; `said` are the service's own words, without keys."""
    why = f"{name} answered {answer.status}{f': {said[:200]}' if said else ''}"
    return refused(address, why, permanent=answer.status in (400, 413), after_s=answer.retry_after_s)


def octets(text: str) -> int:
    """How many bytes the text takes on the wire, by which services limit messages."""
    return len(text.encode("utf-8", "replace"))


def words(value: Any) -> str:
    """A service's own words, if they are text on one line."""
    return " ".join(value.split())[:200] if isinstance(value, str) and value.isprintable() else ""
