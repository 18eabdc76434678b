"""The interface of a channel: parse addresses, render a message, send it, report the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any, Protocol

from delivery.channels.targets import Targets
from delivery.message import Message
from delivery.plain_text import plain_text
from newswatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Refusal:
    """The channel rejects the message for a recipient."""

    reason: str
    permanent: bool
    """False: a later try may succeed."""
    retry_after_s: float | None = None
    """Seconds that the other side asks to wait before the next try; None: it asks for none."""
    gone: bool = False
    """The other side wants nothing more, ever, or knows our key no longer: the address is switched off."""
    too_large: bool = False
    """The other side takes only a smaller message."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The outcome of sending one message.

    Each recipient is in `accepted` or in `refused`, unless `down` or `unknown` is set.
    """

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    down: str | None = None
    """Why the channel can't send to anyone now. It accepted nothing."""
    unknown: str | None = None
    """Why it is unknown whether the message was accepted: the connection was lost between sending and the answer."""
    broken: bool = False
    """The connection was lost, closed by the other side or timed out while the message was offered. If this happens
    with a single recipient, the recipient is at fault; if it happens with several, the channel is."""
    reference: str = ""
    """The channel's name for the message, if it only appears in the answer; see `Rendered.reference`."""

    def why_not(self, address: str) -> str:
        """The reason why the message was not accepted for an address, as far as the channel gives one."""
        refusal = self.refused.get(address)
        return refusal.reason if refusal else self.down or self.unknown or "no answer"


def switched_off(result: SendResult, targets: Targets, now: datetime) -> SendResult:
    """The result, once the addresses are switched off whose other side wants nothing more."""
    for address, refusal in result.refused.items():
        if refusal.gone:
            targets.disable(address, refusal.reason, now)
    return result


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in the form that the channel sends."""

    content: Any
    """Input of the channel's own `Line.send`."""
    reference: str = ""
    """The channel's name for the message, if it is known before sending. Later messages of the thread refer to it."""


class Line(Protocol):
    """A connection of a channel, opened for the first message and reopened after it is lost."""

    def send(self, content: Any, recipients: Sequence[str], /) -> SendResult:
        """Offer the content of a `Rendered` once. The other side's answer is a value, never an exception."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def as_plain_html(message: Message, settings: Settings) -> str:  # noqa: ARG001 - as a channel's preview
    """The plain text of a message as an HTML page: the preview of a channel that does not render HTML."""
    body = escape(plain_text(message))
    return f"<!doctype html><html><head><meta charset='utf-8'></head><body><pre>{body}</pre></body></html>"


def nothing_to_check(settings: Settings) -> None:
    """The `check` of a channel without settings."""


def a_minute(settings: Settings) -> float:  # noqa: ARG001 - as a channel's deadline
    """60 seconds: the deadline of a channel without a setting for it."""
    return 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial of the channel found, without a message."""

    why: str = ""
    """Why no message can be sent now; empty: one can."""
    host: str = ""
    """The other side's host, if it showed a certificate."""
    expires_at: datetime | None = None
    """When that certificate expires."""
    valid_from: datetime | None = None
    """When it became valid."""


def four(settings: Settings) -> int:  # noqa: ARG001 - as a channel's number of lines
    """The number of lines of a channel without a setting for it."""
    return 4


def untried(settings: Settings, seconds: float) -> Trial:  # noqa: ARG001 - as a channel's trial
    """The trial of a channel that can't be tried without a message."""
    return Trial()


@dataclass(frozen=True, slots=True)
class Channel:
    """A means of sending messages to people."""

    name: str
    """Display name: "e-mail"."""
    scheme: str
    """The part of its addresses before the colon; empty if they have no scheme."""
    parse: Callable[[str], str]
    """Returns the canonical form of an address, including the scheme. Addresses are stored and compared in this form.

    Raises a ValueError that says what is wrong with the address.
    """
    render: Callable[[Message, Settings], Rendered]
    """Returns the message in the form that is sent. Pure; the same message gives the same reference.

    A message rendered again keeps its first reference. `Message.key` lets the other side recognise a message that is
    sent twice, if it supports that.
    """
    open: Callable[[Settings, Targets], Line]
    """Opens its `Line`. A channel whose addresses are names learns from `Targets` where they lead."""
    threads: bool = False
    """Whether a message can reply to another. If not, `Message.thread` is empty, and news on a known story is sent like
    any other news."""
    groups: bool = True
    """Whether what comes within `Settings.mail_group_s` of a message is held, to come together: for people, who would
    be disturbed by each. What waits at one time comes together in any case."""
    check: Callable[[Settings], None] = nothing_to_check
    """Raises a ValueError that names the first wrong setting of the channel."""
    deadline_s: Callable[[Settings], float] = a_minute
    """Maximum seconds that `Line.send` takes for one message."""
    try_out: Callable[[Settings, float], Trial] = untried
    """Goes as far as possible towards sending without a message, in at most so many seconds in all."""
    at_once: Callable[[Settings], int] = four
    """How many lines may be open side by side in one process. Each line is used by one thread."""
    preview: Callable[[Message, Settings], str] = as_plain_html
    """Returns the message as an HTML page, as its readers see it."""
