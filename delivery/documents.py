"""The documents of deliveries and of their outcomes. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from alerts import schedule
from delivery.channels.registry import channel_of
from delivery.kinds import KINDS
from newswatch.delivery import Delivery, DeliveryState, Outcome
from store.elastic.documents import Document, dump, load, require_id

RECIPIENTS: Final = ("recipients", "waiting", "detail.recipients", "detail.outcomes")
"""The fields that grow with the number of recipients."""
_DETAILS: Final = ("passages", "outcomes", "version", "headline", "notice")
"""Fields that are only in `detail`, which is not searched."""
_OF_DELIVERY: Final = (
    "alert_id",
    "alert_name",
    "story_id",
    "article_id",
    "kind",
    "schedule",
    "published",
    "fetched_at",
    "indexed_at",
    "created_at",
    "not_before",
)
"""What an outcome's document repeats of its delivery, so that it can be searched by it."""
_ID_BYTES: Final = 512
"""Maximum size of a document's id."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """The outcome of a delivery for one recipient, as it is stored."""

    delivery_id: str
    story_id: str
    article_id: str
    schedule: str
    outcome: Outcome


def delivery_document(delivery: Delivery) -> Document:
    """The document of a delivery that its recipients have no documents for yet; its id is `delivery.id`."""
    shown = dump(delivery)
    for name in _DETAILS:
        shown.pop(name, None)
    detail = dump(delivery)
    detail.pop("recipients", None)
    return shown | {"waiting": list(delivery.waiting), "spread": False, "detail": detail}


def passages_of(delivery: Delivery) -> list[Any]:
    """The passages of a delivery as its document has them."""
    return list(dump(delivery).get("passages", ()))


def delivery(document: Mapping[str, Any]) -> Delivery:
    """The delivery in a document."""
    detail = dict(document["detail"])
    outcomes = [_in_current_shape(outcome) for outcome in detail.pop("outcomes", ())]
    given = {"recipients": document.get("recipients", ()), "article_id": ""}
    return load(Delivery, given | detail | {"outcomes": outcomes})


def _in_current_shape(outcome: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of an outcome in the current shape.

    Before there were channels, an outcome only had the `message_id` of its e-mail. It becomes both key and reference of
    that mail, so that a mail begun then is sent again under the same name, and threads continue.
    """
    former = outcome.get("message_id")
    return {"key": former, "reference": former} | dict(outcome) if former else outcome


def read_delivery(delivery_id: str, document: Mapping[str, Any]) -> Delivery:
    """The delivery in a document.

    Raises:
        ValueError: its id, kind or schedule is not valid.
    """
    read = delivery(document)
    require_id(delivery_id, read.id)
    if read.kind not in KINDS:
        raise ValueError(f"kind: {read.kind!r} must be one of {', '.join(KINDS)}")
    schedule.parse(read.schedule)
    return read


def outcome_id(delivery_id: str, recipient: str) -> str:
    """The id of an outcome's document: `delivery~recipient`, the recipient as a hash, as addresses may be long."""
    who = hashlib.sha256(recipient.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    whole = f"{delivery_id}~{who}"
    octets = whole.encode("utf-8", "surrogatepass")
    return whole if len(octets) <= _ID_BYTES else hashlib.sha256(octets).hexdigest()


def outcome_document(delivery: Delivery, outcome: Outcome) -> Document:
    """The document of an outcome; its id is `outcome_id`."""
    about = dump(delivery)
    found = dump(outcome) | {"delivery_id": delivery.id, "channel": channel_of(outcome.recipient).name}
    if outcome.state is DeliveryState.PENDING:
        found["waiting"] = outcome.recipient
    if outcome.state is DeliveryState.SENT and outcome.at:
        found |= {"sent_at": outcome.at.isoformat(), **_lags(delivery, outcome)}
    return {name: about[name] for name in _OF_DELIVERY if name in about} | {"recipient": outcome.recipient} | found


def _lags(delivery: Delivery, outcome: Outcome) -> Document:
    """For Kibana: seconds from publication, and from our fetch, to the sending of an instant mail."""
    if outcome.at is None or delivery.schedule != "instant" or delivery.kind != "story":
        return {}
    starts = {"lag_s": delivery.published, "own_lag_s": delivery.fetched_at}
    return {name: round((outcome.at - start).total_seconds()) for name, start in starts.items() if start}


_OUTCOME: Final = frozenset(Outcome.__dataclass_fields__)


def read_outcome(document_id: str, document: Mapping[str, Any]) -> Addressed:
    """The outcome in a document.

    Raises:
        ValueError: its id is not that of its delivery and recipient.
    """
    outcome = load(Outcome, {name: value for name, value in document.items() if name in _OUTCOME})
    delivery_id = str(document["delivery_id"])
    require_id(document_id, outcome_id(delivery_id, outcome.recipient))
    return Addressed(
        delivery_id, document.get("story_id", ""), document.get("article_id", ""), document["schedule"], outcome
    )
