"""The list of channels, and the lookup of an address's channel."""

from __future__ import annotations

from delivery.channels.channel import Channel
from delivery.channels.email import EMAIL
from newswatch.errors import NewswatchError
from newswatch.settings import Settings

CHANNELS: tuple[Channel, ...] = (EMAIL,)
"""The first channel takes every address without another channel's scheme."""


def channel_of(address: str) -> Channel:
    """The channel of an address, by the scheme before its first colon. Every text has a channel. Pure."""
    scheme, colon, _ = address.strip().partition(":")
    claimed = (each for each in CHANNELS if colon and each.scheme and each.scheme == scheme.lower())
    return next(claimed, CHANNELS[0])


def parse_address(text: str) -> str:
    """The canonical form of an address, as its channel defines it.

    Raises:
        ValueError: it is not an address; the message says what is wrong with it.
    """
    return channel_of(text).parse(text)


def check(settings: Settings) -> None:
    """Check the settings of all channels and the operator's address.

    Raises:
        NewswatchError: a setting can't be used; the message names the environment variable.
        ConfigError: one has no value, because what the environment says is wrong (`newswatch.settings_in_part`).
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
