"""The list of channels, and whose an address is."""

from __future__ import annotations

from delivery.channels.channel import Channel
from delivery.channels.email import EMAIL
from newswatch.errors import NewswatchError
from newswatch.settings import Settings

CHANNELS: tuple[Channel, ...] = (EMAIL,)
"""The first takes every address whose scheme is no other's."""


def channel_of(address: str) -> Channel:
    """The channel that an address belongs to, by what stands before its first colon; any text has one. Pure."""
    scheme, colon, _ = address.strip().partition(":")
    claimed = (each for each in CHANNELS if colon and each.scheme and each.scheme == scheme.lower())
    return next(claimed, CHANNELS[0])


def parse_address(text: str) -> str:
    """The address in a text, by its channel's rule.

    Raises:
        ValueError: it is no address; the message says what is wrong with it.
    """
    return channel_of(text).parse(text)


def check(settings: Settings) -> None:
    """Check what the settings say of channels and of the operator.

    Raises:
        NewswatchError: a setting is wrong; it names the environment variable.
    """
    try:
        for channel in CHANNELS:
            channel.check(settings)
        if settings.operator:
            _check_operator(settings.operator)
    except ValueError as error:
        raise NewswatchError(str(error)) from error


def _check_operator(operator: str) -> None:
    try:
        parse_address(operator)
    except ValueError as error:
        raise ValueError(f"NEWSWATCH_OPERATOR: {error}") from error


def longest_s(settings: Settings) -> float:
    """Seconds that one message may take on the slowest channel. Pure."""
    return max(channel.deadline_s(settings) for channel in CHANNELS)
