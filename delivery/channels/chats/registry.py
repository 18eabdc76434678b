"""The chat services, and the lookup of an address's service."""

from __future__ import annotations

from typing import Final

from delivery.channels.chats.matrix import MATRIX
from delivery.channels.chats.ntfy import NTFY
from delivery.channels.chats.others import OTHERS
from delivery.channels.chats.service import Place, Service
from delivery.channels.chats.slack import SLACK
from newswatch.settings import Settings

SERVICES: Final[tuple[Service, ...]] = (SLACK, MATRIX, NTFY, *OTHERS)


def place_of(text: str, settings: Settings) -> Place:
    """Where a chat's address leads.

    Raises:
        ValueError: it is not an address of a service, or requests may not go there; the message repeats no key.
    """
    return _service_of(text).read(text, settings)


def checked_place(text: str, settings: Settings) -> Place:
    """`place_of` for an address that somebody gives: also checked as far as takes long.

    Raises:
        ValueError: as `place_of`.
    """
    service = _service_of(text)
    place = service.read(text, settings)
    service.check(text, settings)
    return place


def _service_of(text: str) -> Service:
    scheme = text.strip().partition("://")[0].lower()
    found = next((service for service in SERVICES if scheme in service.schemes), None)
    if found is None:
        names = ", ".join(dict.fromkeys(service.schemes[0] for service in SERVICES))
        raise ValueError(f"this is not an address of a service that can be used here. Their schemes: {names}")
    return found
