"""Access tokens for a log-in by XOAUTH2: fetched from an authorization server (RFC 6749), kept until they expire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from newswatch.errors import NewswatchError
from newswatch.settings import Settings
from newswatch.texts import cut_short

ANSWER_S: Final = 10.0
"""Seconds for the authorization server to accept the connection, and for each part of its answer."""
EARLY_S: Final = 120.0
"""Seconds before its end at which a token is replaced: longer than a dialogue takes until it is shown."""
_MOST_CHARS: Final = 300


class TokenError(NewswatchError, OSError):
    """No access token was given; the message holds no secret. For a mail server it is as if it could not be reached."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    until: float
    """By `time.monotonic`."""


_kept: dict[tuple[str, ...], _Token] = {}
_lock = threading.Lock()


def access_token(settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> str:
    """A token that holds for two minutes at least, unless the server gives shorter ones.

    Raises:
        TokenError: the authorization server gives none.
    """
    key = _key(settings)
    with _lock:
        kept = _kept.get(key)
        if kept is None or kept.until <= clock():
            asked = clock()
            text, seconds = _fetch(settings)
            kept = _kept[key] = _Token(text, asked + max(0.0, seconds - EARLY_S))
        return kept.text


def forget(settings: Settings) -> None:
    """Drop the kept token, which a server has refused."""
    with _lock:
        _kept.pop(_key(settings), None)


def xoauth2(user: str, token: str) -> str:
    """What is sent after AUTH XOAUTH2, before Base64."""
    return f"user={user}\x01auth=Bearer {token}\x01\x01"


def _key(settings: Settings) -> tuple[str, ...]:
    secrets = (settings.smtp_oauth_client_secret, settings.smtp_oauth_refresh_token)
    said = (settings.smtp_oauth_url, settings.smtp_oauth_client_id, settings.smtp_oauth_scope)
    return (*said, *(secret.get_secret_value() if secret else "" for secret in secrets))


def _fetch(settings: Settings) -> tuple[str, float]:
    """The token, and the seconds that it holds."""
    import requests  # most mail servers want no token, and each task would pay for it

    url, _, _, secret, refresh = (settings.smtp_oauth_url, *_key(settings)[1:])
    form = {
        "grant_type": "refresh_token" if refresh else "client_credentials",
        "client_id": settings.smtp_oauth_client_id,
        "client_secret": secret,
        "refresh_token": refresh,
        "scope": settings.smtp_oauth_scope,
    }
    given = {name: value for name, value in form.items() if value}
    try:
        answer = requests.post(url, data=given, timeout=ANSWER_S, allow_redirects=False)
        said: Any = answer.json()
    except requests.JSONDecodeError:
        raise TokenError(f"the authorization server {url} answers {answer.status_code}, and not in JSON") from None
    except requests.RequestException as error:
        raise TokenError(f"the authorization server {url} can't be asked ({type(error).__name__})") from None
    told = said if isinstance(said, dict) else {}
    token, seconds = told.get("access_token"), told.get("expires_in", 0)
    if answer.status_code == 200 and isinstance(token, str) and token.isprintable() and token:
        return token, float(seconds) if isinstance(seconds, int | float | str) and _is_number(seconds) else 0.0
    why = " ".join(str(told[name]) for name in ("error", "error_description") if told.get(name))
    raise TokenError(
        f"the authorization server {url} gives no token: {cut_short(why or str(answer.status_code), _MOST_CHARS)}"
    )


def _is_number(stated: int | float | str) -> bool:
    try:
        return 0 <= float(stated) < 1e9
    except ValueError:
        return False
