"""Signed links in mails. The signature authorises the action, without a login."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, get_args

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from newswatch import private
from newswatch.errors import NewswatchError
from newswatch.settings import Settings

PATH = "/newswatch/mail"
"""Path of the links below `Settings.public_url`."""
STORY: Final = "story"
"""What stands before the token of a story's page in the path of its link."""
ACCOUNT: Final = "from"
"""Parameter of links in mails to pages for which an account is needed, so that they say so instead of only asking for
a login."""
STORY_KEY: Final = "k"
"""Parameter of links to the News page: the token that opens the story's page for a reader without an account."""
MAX_AGE_S = 180 * 86_400
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.-]*")
_SIGNED_FOR_S: Final = 600.0
"""How long all mails on a story have the same link to it; it may end so much earlier."""
Action = Literal["unsubscribe", "subscribe", "relevant", "not-relevant", "mute", "unmute", "ack", "confirm"]


class LinkError(NewswatchError):
    """The link's signature is invalid or has expired."""


@dataclass(frozen=True, slots=True)
class Link:
    """The action of a link and the recipient for whom it acts."""

    action: Action
    recipient: str
    saved_search_ids: str
    """Separated by commas; `*` for every saved search."""
    story_id: str = ""
    article_id: str = ""


@dataclass(frozen=True, slots=True)
class SharedStory:
    """A story that a link opens for whoever has the link."""

    story_id: str
    until: datetime
    """When the link ends."""


class Links:
    """Signs and verifies the links of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.public_url.rstrip("/") + PATH
        keys = signing_keys(settings)
        self._signer = URLSafeTimedSerializer(keys, salt="newswatch mail links")
        self._story_signer = URLSafeTimedSerializer(keys, salt="newswatch story pages")
        self._story_age = timedelta(days=settings.mail_story_days)
        self._story_tokens: dict[str, tuple[float, str]] = {}
        """Story → when its token was signed, and the token."""

    def url(self, link: Link) -> str:
        """The URL of the link; a POST to it performs the action."""
        return f"{self._base}/{self.token(link)}"

    def token(self, link: Link) -> str:
        """The signed link as a token for a URL."""
        return self._signer.dumps([link.action, link.recipient, link.saved_search_ids, link.story_id, link.article_id])

    def read(self, token: str) -> Link:
        """The link in a token.

        Raises:
            LinkError: its signature is invalid, or older than half a year.
        """
        try:
            action, *rest = self._signer.loads(_alone(token), max_age=MAX_AGE_S)
        except SignatureExpired as error:
            raise LinkError("This link has expired: use a link in a newer mail.") from error
        except BadData as error:
            raise LinkError("This link is not valid: perhaps it was cut when it was copied.") from error
        if action not in get_args(Action):
            raise LinkError("This link was made by another version of newswatch: use a link in a newer mail.")
        return Link(action, *rest)

    def story_token(self, story_id: str) -> str:
        """The permission to see the story without an account, as a token; empty if nobody may.

        It names no recipient, since a mail may be passed on.
        """
        if not self._story_age:
            return ""
        now = time.monotonic()
        signed, token = self._story_tokens.get(story_id, (-math.inf, ""))
        if now - signed > _SIGNED_FOR_S:
            token = self._story_signer.dumps(story_id)
            self._story_tokens[story_id] = (now, token)
        return token

    def read_story(self, token: str) -> SharedStory:
        """The story that a token opens.

        Raises:
            LinkError: its signature is invalid, or older than `Settings.mail_story_days`.
        """
        if not self._story_age:
            raise LinkError("Stories are open only to people with an account here.")
        try:
            most = self._story_age.total_seconds()
            story_id, signed = self._story_signer.loads(_alone(token), max_age=int(most), return_timestamp=True)
        except SignatureExpired as error:
            raise LinkError(f"This link was open for {self._story_age.days} days, which are over.") from error
        except BadData as error:
            raise LinkError("This link is not valid: perhaps it was cut when it was copied.") from error
        return SharedStory(str(story_id), signed + self._story_age)


def _alone(token: str) -> str:
    """The token without what a mail program took for its end: a bracket, a full stop, a blank. It has none itself."""
    return _TOKEN.match(token)[0].rstrip(".")  # type: ignore[index]  # it matches the empty text too


def signing_keys(settings: Settings) -> list[str]:
    """The keys whose signatures are valid; the last one signs.

    That is the settings' key, or the installation's own, which is created on first use.
    """
    before = [settings.secret_key_before.get_secret_value()] if settings.secret_key_before else []
    path = _key_path(settings)
    return [*before, _stated_or_stored(settings) or _created_key(path)]


def key_mark(settings: Settings) -> str:
    """What tells the signing key from another machine's, and not what it is; empty if there is none yet."""
    key = _stated_or_stored(settings)
    return hashlib.blake2b(key.encode(), digest_size=8, person=b"newswatch key").hexdigest() if key else ""


def _key_path(settings: Settings) -> Path:
    return settings.data_dir / "secret-key"


def _stated_or_stored(settings: Settings) -> str:
    return settings.secret_key.get_secret_value() if settings.secret_key else _stored_key(_key_path(settings))


def _stored_key(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _created_key(path: Path) -> str:
    """A new key, written atomically, so that processes that start at the same time get the same key."""
    private.make_folder(path.parent)
    with suppress(FileExistsError):
        private.create(path, secrets.token_urlsafe(48))
    return _stored_key(path)
