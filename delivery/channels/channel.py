"""What a channel is: how it reads addresses, sets a message, sends it, and says what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Protocol

from delivery.message import Message
from delivery.plain_text import plain_text
from newswatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Refusal:
    """The channel does not take the message for a recipient."""

    reason: str
    permanent: bool
    """False: it may later."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one message.

    Each recipient is in `accepted` or in `refused`, unless `down` or `unknown` is set.
    """

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    down: str | None = None
    """Why no message to anybody can be sent now. Nothing was taken."""
    unknown: str | None = None
    """Why nobody knows whether it was taken: the connection was lost after it was sent and before the answer."""
    broken: bool = False
    """The connection was lost, ended by the other side or given up as it took too long, while the message was offered:
    the recipient's trouble if it happens with one, the channel's if it happens with each."""
    reference: str = ""
    """What the channel calls the message, where it says so only in its answer; see `Rendered.reference`."""

    def why_not(self, address: str) -> str:
        """Why the message was not taken for an address, as far as the channel says."""
        refusal = self.refused.get(address)
        return refusal.reason if refusal else self.down or self.unknown or "no answer"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as the channel sends it."""

    content: Any
    """For the channel's own `Line`."""
    reference: str = ""
    """What the channel calls the message, if that is settled before it is sent: later messages of a thread name it."""


class Line(Protocol):
    """A connection of a channel, made at the first message and made anew when it is lost."""

    def send(self, content: Any, recipients: Sequence[str], /) -> SendResult:
        """Offer the content of a `Rendered` once. What the other side answers is a value, never an exception."""
        ...

    def close(self) -> None:
        """Say goodbye."""
        ...


def as_plain_html(message: Message, settings: Settings) -> str:  # noqa: ARG001 - as a channel's preview
    """The plain text of a message as a page: what a channel without a look of its own shows as a sample."""
    body = escape(plain_text(message))
    return f"<!doctype html><html><head><meta charset='utf-8'></head><body><pre>{body}</pre></body></html>"


def nothing_to_check(settings: Settings) -> None:
    """For a channel without settings of its own."""


def a_minute(settings: Settings) -> float:  # noqa: ARG001 - as a channel's deadline
    """60 seconds, for a channel without a setting for it."""
    return 60.0


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach people."""

    name: str
    """For people: "e-mail"."""
    scheme: str
    """What stands before the colon of its addresses; empty: they have none."""
    parse: Callable[[str], str]
    """The address in a text, scheme included, in the one spelling that it is kept and compared in.

    Raises a ValueError that says what is wrong with it.
    """
    render: Callable[[Message, Settings], Rendered]
    """The message as it is sent. Pure; the same message gives the same reference.

    A message made again carries the reference of the first time. `Message.key` lets the other side know a message that
    it is sent twice, where it can.
    """
    open: Callable[[Settings], Line]
    threads: bool = False
    """Whether a message can follow another. If not, `Message.thread` is empty, and news on a story that was told before
    comes as any other."""
    check: Callable[[Settings], None] = nothing_to_check
    """Raises a ValueError that names the setting of the channel that is wrong."""
    deadline_s: Callable[[Settings], float] = a_minute
    """Seconds that one message may take; `Line.send` must have returned by then."""
    preview: Callable[[Message, Settings], str] = as_plain_html
    """A message as an HTML page, as its readers see it."""
