"""The ways in which the operator is told: a mail, sent directly, and an address that needs no mail server.

Neither needs Elasticsearch or Airflow. No message of an error repeats the address, because it may hold a key.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from delivery.channels import registry
from delivery.notify import offer
from delivery.plain_text import plain_text
from newswatch import __version__
from newswatch.as_json import json_line
from newswatch.errors import NewswatchError
from newswatch.settings import Settings
from observe.condition import Severity
from observe.episodes import Draft
from observe.notice import BEGUN, as_json, message_of, subject
from observe.probes.mail import condition_id
from observe.web import was_sent, why_not

log = logging.getLogger(__name__)

MAIL_S: Final = 60.0
"""Seconds for one mail as a whole."""
WEB_S: Final = 15.0
"""Seconds for connecting to an address of one's own, and for its answer."""
APPRISE_S: Final = 45.0
"""Seconds for a service that Apprise knows."""


class Outcome(Enum):
    """What became of a message."""

    ACCEPTED = auto()
    REFUSED = auto()
    """Nobody got it."""
    UNKNOWN = auto()
    """The connection was lost before the answer: it is repeated under the same key."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a message, and why it was not accepted."""

    outcome: Outcome
    why: str = ""


ACCEPTED = Result(Outcome.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Way:
    """One way of telling the operator."""

    id: str
    """Stays the same as long as the address does, and does not show it."""
    title: str
    """For people: "mail to a@example.org", "https address at hooks.example.org"."""
    send: Callable[[Draft], Result]
    """Sends once. It takes its time, but never raises."""
    needs: str = ""
    """The condition while which it can't work, so that it is rarely tried."""


def ways(settings: Settings) -> tuple[Way, ...]:
    """The ways that the settings name.

    Raises:
        NewswatchError: an address can't be used; names the environment variable.
    """
    registry.check(settings)
    found: list[Way] = []
    if settings.operator:
        found.append(_mail(settings, settings.operator))
    if settings.operator_url:
        found.append(_address(settings, settings.operator_url.get_secret_value()))
    return tuple(found)


def _id(kind: str, address: str) -> str:
    return f"{kind}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


# ── mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mail(settings: Settings, operator: str) -> Way:
    seconds = {
        "smtp_deadline_s": min(settings.smtp_deadline_s, MAIL_S),
        "smtp_timeout_s": min(settings.smtp_timeout_s, MAIL_S),
    }
    bounded = settings.model_copy(update=seconds)
    channel = registry.channel_of(operator)

    def send(draft: Draft) -> Result:
        try:
            address, result = offer(message_of(draft, bounded, operator), bounded)
        except Exception as error:
            log.exception("The message to the operator could not be made or sent")
            return Result(Outcome.REFUSED, str(error))
        if address in result.accepted:
            return ACCEPTED
        return Result(Outcome.UNKNOWN if result.unknown else Outcome.REFUSED, result.why_not(address))

    return Way(_id("mail", operator), f"{channel.name} to {operator}", send, condition_id(channel))


# ── an address ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _address(settings: Settings, url: str) -> Way:
    scheme = urlsplit(url).scheme.lower()
    is_own = scheme in ("http", "https")
    send = _post(settings, url) if is_own else _apprise(settings, url)
    title = f"POST to {urlsplit(url).hostname}" if is_own else f"{scheme}:// (Apprise)"
    return Way(_id("url", url), title, send)


def _post(settings: Settings, url: str) -> Callable[[Draft], Result]:
    def send(draft: Draft) -> Result:
        body = json_line(as_json(draft, settings, plain_text(message_of(draft, settings, "")))).encode()
        try:
            answer = requests.post(
                url, data=body, headers=_headers(draft), timeout=WEB_S, allow_redirects=False, stream=True
            )
            with answer:
                is_taken = 200 <= answer.status_code < 300
                return ACCEPTED if is_taken else Result(Outcome.REFUSED, f"it answers {answer.status_code}")
        except requests.RequestException as error:
            outcome = Outcome.UNKNOWN if was_sent(error) else Outcome.REFUSED
            return Result(outcome, why_not(error, WEB_S))

    return send


def _headers(draft: Draft) -> Mapping[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": f"newswatch/{__version__}",
        "Idempotency-Key": draft.key,
    }


def _apprise(settings: Settings, url: str) -> Callable[[Draft], Result]:
    """Sends to a service that Apprise knows; it is imported here, as few have such an address.

    Raises:
        NewswatchError: Apprise does not know the address.
    """
    import apprise

    # It would log addresses.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    service = apprise.Apprise(asset=apprise.AppriseAsset(app_id=settings.mail_name, app_url=settings.public_url))
    if not service.add(url):
        raise NewswatchError(
            f"NEWSWATCH_OPERATOR_URL: Apprise can't read this {urlsplit(url).scheme}:// address; "
            "its documentation has the form of each service."
        )
    kinds = {Severity.CRITICAL: apprise.NotifyType.FAILURE, Severity.WARNING: apprise.NotifyType.WARNING}

    def send(draft: Draft) -> Result:
        worst = _worst(draft)
        kind = kinds[worst] if worst else apprise.NotifyType.SUCCESS
        text = plain_text(message_of(draft, settings, ""))
        try:
            done = service.notify(body=text, title=subject(draft), notify_type=kind, timeout=APPRISE_S)
        except Exception as error:
            return Result(Outcome.REFUSED, without_keys(f"{type(error).__name__}: {error}", url))
        return ACCEPTED if done else Result(Outcome.REFUSED, without_keys(_reason(done), url))

    return send


def _worst(draft: Draft) -> Severity | None:
    begun = [i.episode.condition.severity for i in draft.items if i.change in BEGUN]
    return Severity.CRITICAL if Severity.CRITICAL in begun else next(iter(begun), None)


def _reason(done: Any) -> str:
    """The last thing Apprise said of a message that was not accepted."""
    try:
        said = [str(entry.message) for entry in done.logs()]
    except Exception:
        said = []
    return said[-1] if said else "the service refused it or can't be reached"


def without_keys(text: str, url: str) -> str:
    """The text without any part of the address that may be a key. Pure."""
    parts = {part for part in re.split(r"[/:@?&=,#]+", url.partition("://")[2]) if len(part) >= 4}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "…")
    return text
