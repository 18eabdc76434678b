"""Slack: a bot's messages, one thread per story; or an incoming webhook, which has no threads.

https://docs.slack.dev/reference/methods/chat.postMessage. Slack has no idempotency key, so a message whose answer is
lost may come twice; its metadata holds the key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from delivery.channels.channel import SendResult
from delivery.channels.chats.service import ChatMessage, Service, of_failure, of_status, refused, split, words
from delivery.channels.outgoing import Failure, Outgoing
from delivery.short import Mrkdwn, fitted
from newswatch.settings import Settings

API: Final = "https://slack.com/api"
HOOKS: Final = "https://hooks.slack.com/services"
MOST: Final = 12_000
"""Characters of a message. Slack takes 40,000 and advises 4,000, but counts the addresses that our links hide."""
_BOT: Final = re.compile(r"xox[bp]-[A-Za-z0-9-]{8,}")
_CHANNEL: Final = re.compile(r"#?[^\s#/]{1,80}")
_TEAM, _HOOK, _KEY = re.compile(r"T[A-Z0-9]{2,}"), re.compile(r"B[A-Z0-9]{2,}"), re.compile(r"[A-Za-z0-9]{6,}")
_GONE: Final = frozenset({"token_revoked", "account_inactive", "invalid_auth", "token_expired", "is_archived"})
_OF_THE_CONTENT: Final = frozenset({"msg_too_long", "no_text", "invalid_blocks"})


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot in a channel."""

    token: str
    channel: str

    def __repr__(self) -> str:
        return f"Bot({self.shown})"

    @property
    def shown(self) -> str:
        """The channel."""
        return f"slack://…/{self.channel}"

    def send(self, message: ChatMessage, address: str, outgoing: Outgoing, settings: Settings) -> SendResult:
        """Post the message, into the story's thread if it has one."""
        del settings
        root = message.thread[0].partition("/") if message.thread else None
        body: dict[str, Any] = {
            # Within a thread the channel is the one that Slack named: a renamed channel keeps its threads.
            "channel": root[0] if root and root[2] else self.channel,
            "text": fitted(message.short, Mrkdwn(), MOST),
            "mrkdwn": True,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": "newswatch_message", "event_payload": {"id": message.key}},
        }
        if root and root[2]:
            # What takes back earlier news is shown in the channel as well.
            body |= {"thread_ts": root[2], "reply_broadcast": message.short.is_grave}
        answer = outgoing.post_json(f"{API}/chat.postMessage", body, {"Authorization": f"Bearer {self.token}"})
        if isinstance(answer, Failure):
            return of_failure(address, answer)
        if not answer.is_taken:
            return of_status(address, "Slack", answer)
        said = answer.json()
        if said.get("ok") is True:
            channel, posted = words(said.get("channel")), words(said.get("ts"))
            return SendResult((address,), reference=f"{channel}/{posted}" if channel and posted else "")
        return _refused(address, words(said.get("error")), answer.retry_after_s)


def _refused(address: str, error: str, after_s: float | None) -> SendResult:
    if not error:
        return SendResult(unknown="Slack answered what can't be read")
    why, permanent = f"Slack refuses it: {error}", error in _OF_THE_CONTENT
    return refused(address, why, permanent=permanent, after_s=after_s, gone=error in _GONE)


@dataclass(frozen=True, slots=True)
class IncomingWebhook:
    """An incoming webhook of Slack, for one channel."""

    path: str

    def __repr__(self) -> str:
        return f"IncomingWebhook({self.shown})"

    @property
    def shown(self) -> str:
        """Only what it is: the rest is its key."""
        return "slack://… (incoming webhook)"

    def send(self, message: ChatMessage, address: str, outgoing: Outgoing, settings: Settings) -> SendResult:
        """Post the message."""
        del settings
        body = {"text": fitted(message.short, Mrkdwn(), MOST), "unfurl_links": False}
        answer = outgoing.post_json(f"{HOOKS}/{self.path}", body, {})
        if isinstance(answer, Failure):
            return of_failure(address, answer)
        if answer.is_taken:
            return SendResult((address,))
        gone = answer.status in (403, 404, 410)
        why = f"Slack answered {answer.status}"
        return refused(address, why, permanent=answer.status == 400, after_s=answer.retry_after_s, gone=gone)


def read(text: str, settings: Settings) -> Bot | IncomingWebhook:
    """`slack://xoxb-TOKEN/CHANNEL`, or `slack://T…/B…/KEY`.

    Raises:
        ValueError: it is neither.
    """
    del settings
    url = split(text)
    # The host is a key here, so its case counts.
    parts = (_as_written(text), *url.path)
    if len(parts) == 2 and _BOT.fullmatch(parts[0]) and _CHANNEL.fullmatch(parts[1]) and not url.query:
        return Bot(*parts)
    if len(parts) == 3 and _is_webhook(parts) and not url.query:
        return IncomingWebhook("/".join(parts))
    raise ValueError(
        "a Slack address is slack://xoxb-TOKEN/CHANNEL with a bot's token, or slack://T…/B…/KEY of an incoming webhook"
    )


def _is_webhook(parts: tuple[str, ...]) -> bool:
    return all(form.fullmatch(part) for form, part in zip((_TEAM, _HOOK, _KEY), parts, strict=True))


def _as_written(text: str) -> str:
    return text.strip().partition("://")[2].partition("/")[0]


SLACK: Final = Service("Slack", ("slack",), read, "slack://xoxb-TOKEN/#channel")
