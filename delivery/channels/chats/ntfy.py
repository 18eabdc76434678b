"""ntfy (https://docs.ntfy.sh/publish/): notifications on phones.

ntfy has no threads but sequence ids: a notification with the id of an earlier one takes its place. The id is our key,
so a message that is sent again shows once. It is not the story's: a phone may replace a notification without a sound,
and a correction must be heard.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from delivery.channels.channel import SendResult
from delivery.channels.chats.service import ChatMessage, Service, octets, of_failure, of_status, refused, split, words
from delivery.channels.outgoing import Failure, Outgoing
from delivery.short import Plain, Short, fitted
from delivery.words import shortened
from newswatch.settings import Settings

CLOUD: Final = "https://ntfy.sh"
MOST: Final = 3_800
"""Bytes of a message; of a longer one than 4,096 ntfy makes a file."""
MOST_TITLE: Final = 240
"""Bytes of a title: ntfy takes 250."""
_TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")
_HIGH: Final = 4
_ACTIONS: Final = 3
"""ntfy's maximum of buttons."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a server."""

    base: str
    topic: str
    login: str = ""
    """The value of Authorization; empty: none."""

    def __repr__(self) -> str:
        return f"Topic({self.shown})"

    @property
    def shown(self) -> str:
        """The server: a topic's name is its password where topics are open to all."""
        return f"ntfy: {self.topic[:2]}… at {self.base.partition('://')[2]}"

    def send(self, message: ChatMessage, address: str, outgoing: Outgoing, settings: Settings) -> SendResult:
        """Publish the notification."""
        del settings
        headers: Mapping[str, str] = {"Authorization": self.login} if self.login else {}
        answer = outgoing.post_json(self.base, notification(message, self.topic), headers)
        if isinstance(answer, Failure):
            return of_failure(address, answer)
        if answer.is_taken:
            return SendResult((address,))
        said = answer.json()
        if answer.status in (401, 403):
            return refused(address, f"the ntfy server answered {answer.status}: {words(said.get('error'))}")
        return of_status(address, "the ntfy server", answer, words(said.get("error")))


def notification(message: ChatMessage, topic: str) -> dict[str, Any]:
    """The notification as JSON. Pure."""
    short = message.short
    made: dict[str, Any] = {
        "topic": topic,
        "title": _within(short.subject, MOST_TITLE),
        "message": fitted(_bare(short), Plain(), MOST, octets, titled=False, foot=False) or short.subject,
        "sequence_id": message.key[:64],
    }
    first = short.stories[0] if short.stories else None
    if first and first.url:
        made["click"] = next((link.url for link in first.pages[-1:]), first.url)
    if short.is_grave:
        made["priority"] = _HIGH
    actions = _actions(short)
    return made | ({"actions": actions} if actions else {})


def _bare(short: Short) -> Short:
    """The message without links in its text: they are buttons."""
    alone = len(short.stories) == 1
    return replace(
        short, stories=tuple(replace(s, pages=(), answers=(), url=None if alone else s.url) for s in short.stories)
    )


def _actions(short: Short) -> list[dict[str, str]]:
    links = []
    if len(short.stories) == 1:
        (story,) = short.stories
        links = [("Article", story.url or ""), *((link.text, link.url) for link in story.answers[-1:])]
    links += [(link.text, link.url) for link in short.foot]
    return [{"action": "view", "label": text, "url": url} for text, url in links if url][:_ACTIONS]


def _within(text: str, most: int) -> str:
    """The text in at most `most` bytes, cut between words."""
    length = most
    while octets(shown := shortened(text, length)) > most:
        length -= max((octets(shown) - most) // 4, 1)
    return shown


def read(text: str, settings: Settings) -> Topic:
    """`ntfys://[TOKEN@ or USER:PASSWORD@]HOST/TOPIC`; `ntfy://TOPIC` is at ntfy.sh.

    Raises:
        ValueError: it is not, or requests may not go there.
    """
    url = split(text)
    form = "an ntfy address is ntfys://HOST/TOPIC, ntfys://TOKEN@HOST/TOPIC, or ntfy://TOPIC at ntfy.sh"
    if url.query or len(url.path) > 1:
        raise ValueError(form)
    topic = url.path[0] if url.path else text.strip().partition("://")[2].rpartition("@")[2].rstrip("/")
    if not _TOPIC.fullmatch(topic):
        raise ValueError(f"{form}; a topic has at most 64 letters, digits, hyphens and underscores")
    base = url.base(settings, secure=url.scheme == "ntfys") if url.path else CLOUD
    return Topic(base, topic, _login(url.user, url.password))


def _login(user: str, password: str) -> str:
    if password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Bearer {user}" if user else ""


NTFY: Final = Service("ntfy", ("ntfys", "ntfy"), read, "ntfys://ntfy.example.org/topic")
