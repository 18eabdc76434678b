"""Signed links in mails: the signature alone admits, and says who may do what."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from newswatch import private
from newswatch.errors import NewswatchError
from newswatch.settings import Settings

PATH = "/newswatch/mail"
"""Where the links are answered, under `Settings.public_url`."""
MAX_AGE_S = 180 * 86_400
Action = Literal["unsubscribe", "subscribe", "relevant", "not-relevant", "mute", "unmute", "ack"]


class LinkError(NewswatchError):
    """The link was not made by us, or too long ago."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link does, for whom."""

    action: Action
    recipient: str
    alert_id: str
    """`*` for every saved search."""
    story_id: str = ""
    article_id: str = ""


class Links:
    """Makes the links of one installation, and reads them."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.public_url.rstrip("/") + PATH
        self._signer = URLSafeTimedSerializer(signing_key(settings), salt="newswatch mail links")

    def url(self, link: Link) -> str:
        """The address that does what `link` says once it is posted to."""
        return f"{self._base}/{self.token(link)}"

    def token(self, link: Link) -> str:
        """The signed link, fit for a URL."""
        return self._signer.dumps([link.action, link.recipient, link.alert_id, link.story_id, link.article_id])

    def read(self, token: str) -> Link:
        """The link that was signed.

        Raises:
            LinkError: it was not made by us, or more than half a year ago.
        """
        try:
            action, *rest = self._signer.loads(token, max_age=MAX_AGE_S)
        except SignatureExpired as error:
            raise LinkError("This link has expired: use one of a newer mail.") from error
        except BadData as error:
            raise LinkError("This link is not valid: perhaps it was cut when it was copied.") from error
        if action not in get_args(Action):
            raise LinkError("This link is of another version of newswatch.")
        return Link(action, *rest)


def signing_key(settings: Settings) -> str:
    """The key that signs links: from the settings, or one of this installation's own, made once."""
    if settings.secret_key:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / "secret-key"
    return _kept(path) or _made(path)


def _kept(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _made(path: Path) -> str:
    """A new key, whole or not at all, and the same for whoever asks at the same time."""
    private.make_folder(path.parent)
    with suppress(FileExistsError):
        private.create(path, secrets.token_urlsafe(48))
    return _kept(path)
