"""The webhook channel: a message is POSTed as a CloudEvent, signed as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks: `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over
`id.timestamp.body`. While a secret is being changed there are two signatures, of which a receiver needs one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from delivery.channels.channel import Channel, Refusal, Rendered, SendResult, switched_off
from delivery.channels.event import CONTENT_TYPE, event_of
from delivery.channels.outgoing import Answer, Failure, Outgoing, timeout_s
from delivery.channels.targets import Closed, Target, Targets, named_address
from delivery.message import Message
from newswatch.settings import Settings
from newswatch.subscriber import WEBHOOK

_SECRET: Final = "whsec_"  # noqa: S105 - the standard's prefix
_SECRET_BYTES: Final = 32
_GONE: Final = 410
_OF_THE_CONTENT: Final = frozenset({400, 413, 415, 422})
"""Statuses that refuse this body and would refuse it again."""


def new_secret() -> str:
    """A new secret, in the standard's form."""
    return _SECRET + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """The signature of a body, `v1,…`. Pure.

    Raises:
        ValueError: `secret` is not of the standard's form.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET), validate=True)
    except binascii.Error as error:
        raise ValueError("the secret can't be read") from error
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(event: dict[str, Any], body: bytes, keys: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of a POST: what it is, its idempotency key, and a signature for each key. Pure."""
    event_id, timestamp = str(event["id"]), int(now.timestamp())
    return {
        "Content-Type": CONTENT_TYPE,
        "Idempotency-Key": event_id,
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, event_id, timestamp, body) for key in keys),
    }


def parse(text: str) -> str:
    """`webhook:` and the name of the address, in small letters."""
    return named_address(WEBHOOK, text)


def render(message: Message, settings: Settings) -> Rendered:
    """The event; its reference is its id, by which later events name it."""
    event = event_of(message, settings)
    json.dumps(event)  # fails here if it can't be serialised, while the caller can still find the story that breaks it
    return Rendered(event, message.reference or message.key)


class Poster:
    """POSTs events."""

    def __init__(self, settings: Settings, targets: Targets) -> None:
        self._targets, self._outgoing = targets, Outgoing(settings)

    def send(self, content: dict[str, Any], recipients: Sequence[str], /) -> SendResult:
        """POST the event once to each recipient."""
        (address,) = recipients
        target = self._targets.target(address)
        if isinstance(target, Closed):
            return SendResult(refused={address: Refusal(target.why, target.permanent)})
        now = datetime.now(UTC)
        return switched_off(result_of(address, post(self._outgoing, target, content, now)), self._targets, now)

    def close(self) -> None:
        """Close the connections."""
        self._outgoing.close()


def post(outgoing: Outgoing, target: Target, event: dict[str, Any], now: datetime) -> Answer | Failure:
    """The answer to one signed POST of an event, or why there is none."""
    body = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")
    return outgoing.send("POST", target.url, body, headers(event, body, target.keys, now))


def result_of(address: str, answer: Answer | Failure) -> SendResult:
    """What an answer means for the message. Pure."""
    if isinstance(answer, Failure):
        if answer.may_have_arrived:
            return SendResult(unknown=answer.why)
        return SendResult(refused={address: Refusal(answer.why, permanent=False)})
    if answer.is_taken:
        return SendResult((address,))
    why = f"its receiver answered {answer.status}"
    if answer.status == _GONE:
        return SendResult(refused={address: Refusal(f"{why} Gone: it wants nothing more", permanent=True, gone=True)})
    if 300 <= answer.status < 400:
        why = f"{why}: redirects are not followed, give the address that it leads to"
    permanent = answer.status in _OF_THE_CONTENT
    return SendResult(refused={address: Refusal(why, permanent, answer.retry_after_s)})


WEBHOOK_CHANNEL: Final = Channel(
    name="webhook",
    scheme=WEBHOOK,
    parse=parse,
    render=render,
    open=Poster,
    threads=True,
    groups=False,
    deadline_s=timeout_s,
)
