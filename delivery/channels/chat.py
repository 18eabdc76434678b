"""The chat channel: short messages to Slack, Matrix, ntfy, and what else Apprise knows (`delivery.channels.chats`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from delivery.channels.channel import Channel, Refusal, Rendered, SendResult, switched_off
from delivery.channels.chats.others import START_S
from delivery.channels.chats.registry import place_of
from delivery.channels.chats.service import ChatMessage
from delivery.channels.outgoing import Outgoing, timeout_s
from delivery.channels.targets import Closed, Targets, named_address
from delivery.message import Message
from delivery.short import Plain, fitted, short_of
from newswatch.settings import Settings
from newswatch.subscriber import CHAT

_PREVIEWED: Final = 4_000


def parse(text: str) -> str:
    """`chat:` and the name of the address, in small letters."""
    return named_address(CHAT, text)


def render(message: Message, settings: Settings) -> Rendered:  # noqa: ARG001 - as a channel's render
    """The message in short; its service's markup and limits are applied where it is sent."""
    return Rendered(ChatMessage(short_of(message), message.key, message.thread), message.reference)


class Chats:
    """Sends to chats."""

    def __init__(self, settings: Settings, targets: Targets) -> None:
        self._settings, self._targets, self._outgoing = settings, targets, Outgoing(settings)

    def send(self, content: ChatMessage, recipients: Sequence[str], /) -> SendResult:
        """Send the message once."""
        (address,) = recipients
        target = self._targets.target(address)
        if isinstance(target, Closed):
            return SendResult(refused={address: Refusal(target.why, target.permanent)})
        try:
            place = place_of(target.url, self._settings)
        except ValueError as error:
            return SendResult(refused={address: Refusal(str(error), permanent=False)})
        result = place.send(content, address, self._outgoing, self._settings)
        return switched_off(result, self._targets, datetime.now(UTC))

    def close(self) -> None:
        """Close the connections."""
        self._outgoing.close()


def preview(message: Message, settings: Settings) -> str:  # noqa: ARG001 - as a channel's preview
    """The message as an HTML page."""
    body = escape(fitted(short_of(message), Plain(), _PREVIEWED))
    return f"<!doctype html><html><head><meta charset='utf-8'></head><body><pre>{body}</pre></body></html>"


CHAT_CHANNEL: Final = Channel(
    name="chat",
    scheme=CHAT,
    parse=parse,
    render=render,
    open=Chats,
    threads=True,
    # Two requests where an alias must be looked up; the start of Apprise's process comes on top of one.
    deadline_s=lambda settings: max(2 * timeout_s(settings), timeout_s(settings) + START_S),
    preview=preview,
)
