"""One message outside the outbox, to the operator, by the channel of the operator's address."""

from __future__ import annotations

from contextlib import closing

from delivery.channels.registry import channel_of
from delivery.message import Message
from newswatch.errors import NewswatchError
from newswatch.settings import Settings


def reference_of(message: Message, settings: Settings) -> str:
    """What the channel will call the message; empty if it has no names, or says so only once it has the message. Pure.

    Keep it before the message is sent, and give it to the message made again: it then has the same name, whatever has
    changed in the settings.
    """
    return channel_of(message.recipient).render(message, settings).reference


def notify(message: Message, settings: Settings) -> None:
    """Send the message, once.

    Raises:
        NewswatchError: it was not taken, or nobody knows.
        ValueError: the address is none.
    """
    channel = channel_of(message.recipient)
    address = channel.parse(message.recipient)
    rendered = channel.render(message, settings)
    with closing(channel.open(settings)) as line:
        result = line.send(rendered.content, [address])
    if address not in result.accepted:
        raise NewswatchError(f"“{message.subject}” to {address} could not be sent: {result.why_not(address)}")
