"""Sends a message to the operator directly, without the outbox, over the channel of the operator's address."""

from __future__ import annotations

from contextlib import closing

from delivery.channels.channel import SendResult
from delivery.channels.registry import channel_of
from delivery.channels.targets import NoTargets
from delivery.message import Message
from newswatch.errors import NewswatchError
from newswatch.settings import Settings


def reference_of(message: Message, settings: Settings) -> str:
    """The channel's name for the message; empty if it has none, or only gives one after accepting the message. Pure.

    Store it before sending, and pass it to the message if it is made again: the message then keeps its name even if the
    settings have changed.
    """
    return channel_of(message.recipient).render(message, settings).reference


def notify(message: Message, settings: Settings) -> None:
    """Send the message, once.

    Raises:
        NewswatchError: it was not accepted, or the outcome is unknown.
        ValueError: the recipient is not an address.
    """
    address, result = offer(message, settings)
    if address not in result.accepted:
        raise NewswatchError(f"“{message.subject}” to {address} could not be sent: {result.why_not(address)}")


def offer(message: Message, settings: Settings) -> tuple[str, SendResult]:
    """Offer the message, once: the recipient's canonical address, and the outcome.

    Raises:
        ValueError: the recipient is not an address.
    """
    channel = channel_of(message.recipient)
    address = channel.parse(message.recipient)
    rendered = channel.render(message, settings)
    with closing(channel.open(settings, NoTargets())) as line:
        return address, line.send(rendered.content, [address])
