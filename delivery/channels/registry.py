"""The list of channels, and the lookup of an address's channel."""

from __future__ import annotations

from delivery.channels.channel import Channel
from delivery.channels.chat import CHAT_CHANNEL
from delivery.channels.email import EMAIL
from delivery.channels.targets import named_address
from delivery.channels.webhook import WEBHOOK_CHANNEL
from newswatch.errors import NewswatchError
from newswatch.settings import Settings
from newswatch.subscriber import CHAT, GROUP, PERSON, WEBHOOK

CHANNELS: tuple[Channel, ...] = (EMAIL, WEBHOOK_CHANNEL, CHAT_CHANNEL)
"""The first channel takes every address without another channel's scheme."""


def channel_of(address: str) -> Channel:
    """The channel of an address, by the scheme before its first colon. Every text has a channel. Pure."""
    scheme, colon, _ = address.strip().partition(":")
    claimed = (each for each in CHANNELS if colon and each.scheme and each.scheme == scheme.lower())
    return next(claimed, CHANNELS[0])


def parse_address(text: str) -> str:
    """The canonical form of an address, as its channel defines it; also of `person:NAME` and `group:NAME`.

    Raises:
        ValueError: it is not an address; the message says what is wrong with it.
    """
    scheme = text.strip().partition(":")[0].lower()
    return named_address(scheme, text) if scheme in (PERSON, GROUP) else channel_of(text).parse(text)


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
    if operator.partition(":")[0].strip().lower() in (WEBHOOK, CHAT, PERSON, GROUP):
        # The operator must be told also while Elasticsearch, which has the address book, is away.
        raise ValueError("NEWSWATCH_OPERATOR: give a mail address; NEWSWATCH_OPERATOR_URL takes webhooks and chats")
    try:
        parse_address(operator)
    except ValueError as error:
        raise ValueError(f"NEWSWATCH_OPERATOR: {error}") from error
