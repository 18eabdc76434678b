"""API keys that are about to end, or have ended while in use: the search for them, and the rule. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from newswatch import durations
from newswatch.api_key import ApiKey
from newswatch.settings import Settings
from newswatch.texts import cut_short
from observe.condition import Condition, Severity
from observe.pulse import EndingKey, Pulse
from store.elastic.documents import Document, values
from store.keys import KIND, read_key
from store.keys import MOST as MOST_KEYS

SOON: Final = timedelta(days=30)
"""Before the end; of a key that lives shorter a quarter of its life, or it would be reported when it is made."""
_SHARE: Final = 4
MISSED: Final = timedelta(days=7)
"""After the end of a key that was in use, as its program may still ask."""
_NAME_CHARS: Final = 60


def query_of(now: datetime) -> Document:
    """The search for the keys in use that end or have ended around `now`, the last to end first: of more than may be in
    force at a time, those that ended longest ago are left out."""
    around = {"gte": (now - MISSED).isoformat(), "lte": (now + SOON).isoformat()}
    used = {"gte": (now - MISSED - SOON).isoformat()}
    wanted = [{"term": {"kind": KIND}}, {"range": {"expires_at": around}}, {"range": {"last_used_at": used}}]
    gone = {"exists": {"field": "revoked_at"}}
    query = {"bool": {"filter": wanted, "must_not": gone}}
    return {"size": MOST_KEYS, "query": query, "sort": [{"expires_at": "desc"}]}


def read_keys(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer as a field of the pulse, without what only the API needs of a key; the first to end first."""
    found = sorted(values(answer["hits"]["hits"], read_key), key=lambda key: key.expires_at)
    return {"keys": tuple(map(_ending, found))}


def _ending(key: ApiKey) -> EndingKey:
    return EndingKey(key.id, key.name, key.owner, key.created_at, key.expires_at, key.last_used_at)


def ending_keys(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """Keys in use. One that nobody has used ends without a word, and so does an old one that was replaced."""
    for key in pulse.keys:
        if key.used_at is None or key.used_at < min(pulse.at, key.expires_at) - SOON:
            continue
        left = key.expires_at - pulse.at
        if left > min(SOON, (key.expires_at - key.created_at) / _SHARE):
            continue
        name = (
            f"The API key {cut_short(' '.join(key.name.split()), _NAME_CHARS)} of {cut_short(key.owner, _NAME_CHARS)}"
        )
        until = f"{key.expires_at:%Y-%m-%d %H:%M} UTC"
        if left > timedelta():
            sentence = (
                f"{name} ends in {durations.long(left.total_seconds())}, at {until}; then its program is refused."
            )
        else:
            sentence = f"{name} has ended at {until}: its program is refused."
        yield Condition(
            f"key:{key.id}",
            Severity.WARNING,
            sentence,
            "Make a new one (`newswatch api-keys create` or the page API keys); revoke this one once that is in use.",
        )
