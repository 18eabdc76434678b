"""Renders once what many recipients are told in the same words, and fills in what is each one's own.

A recipient's own parts of a message are the address, and links that are signed for one person. A renderer gets the
message with stand-ins in their place; what it makes of it is kept, and the stand-ins are replaced by each recipient's
own. The rest of the message must be equal, so that a reader's language, digest or history makes a variant of its own.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from delivery.message import AnswerLinks, Message, StoryList, StoryView, WatchedBy
from newswatch.settings import Settings

KEPT: Final = 200
"""Variants that are kept, the latest used: addresses of each length make one."""
_NONCE: Final = secrets.token_hex(8)
"""Unknown to whoever writes articles, which so can't hold a stand-in."""
_STAND_IN: Final = re.compile(rf"https://{_NONCE}\.invalid/\d{{6}}")
_ADDRESS: Final = "".join(chr(0xE000 + secrets.randbelow(0x1800)) for _ in range(1_000))
"""Stands for an address, cut to the same length, so that lines are wrapped where they would be; of characters that have
no meaning (private use), so that nothing reads a word or a link into them."""
_SHORTEST: Final = 3


class Renders(Protocol):
    """Makes a text of a message."""

    def __call__(self, message: Message, settings: Settings, /) -> str:
        """The text; it must hold the links of the message as they are, escaped at most."""
        ...


@dataclass
class _Blank:
    """Puts stand-ins in the place of links; equal links have the same one."""

    links: dict[str, str] = field(default_factory=dict)
    """Link → its stand-in."""

    def __call__(self, url: str) -> str:
        return self.links.setdefault(url, f"https://{_NONCE}.invalid/{len(self.links):06}")

    def story(self, story: StoryView) -> StoryView:
        own = story.answers
        enough = self(own.enough) if own.enough else None
        return replace(story, answers=AnswerLinks(self(own.relevant), self(own.not_relevant), enough))

    def watched(self, one: WatchedBy) -> WatchedBy:
        return replace(one, stop_url=self(one.stop_url), mute_url=self(one.mute_url))


def blank(message: Message) -> tuple[Message, Mapping[str, str]] | None:
    """The message without what is the recipient's own, and stand-in → what it stands for; None if it is not one to
    readers. Pure."""
    body, stands_for_address = message.body, _ADDRESS[: len(message.recipient)]
    if not isinstance(body, StoryList) or not _SHORTEST <= len(message.recipient) <= len(_ADDRESS):
        return None
    own = _Blank()
    plain = replace(
        body,
        stories=tuple(own.story(story) for story in body.stories),
        watched_by={name: own.watched(one) for name, one in body.watched_by.items()},
        stop_these_url=own(body.stop_these_url),
        stop_all_url=own(body.stop_all_url),
        mails_url=own(body.mails_url) if body.mails_url else body.mails_url,
    )
    # The times in a message are to the minute.
    at = message.at.replace(second=0, microsecond=0)
    nobody = replace(
        message, body=plain, at=at, key="", recipient=stands_for_address, reference="", thread=(), attachments=()
    )
    return nobody, {stand_in: url for url, stand_in in own.links.items()}


class Variants:
    """What was rendered lately, by any thread."""

    def __init__(self, renders: Renders, escape: Callable[[str], str] = str) -> None:
        """`escape` writes a link as the text has it."""
        self._renders, self._escape = renders, escape
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], str] = OrderedDict()

    def __call__(self, message: Message, settings: Settings) -> str:
        """The text of the message, as `renders` would make it."""
        found = blank(message)
        if found is None:
            return self._renders(message, settings)
        nobody, own = found
        text = self._rendered(nobody, settings)
        text = text.replace(nobody.recipient, self._escape(message.recipient))
        return _STAND_IN.sub(lambda stand_in: self._escape(own[stand_in[0]]), text)

    def _rendered(self, nobody: Message, settings: Settings) -> str:
        # A message holds mappings, so it has no hash; its representation says all that is in it.
        name = (repr(nobody), settings.public_url)
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        text = self._renders(nobody, settings)
        with self._lock:
            self._kept[name] = text
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return text
