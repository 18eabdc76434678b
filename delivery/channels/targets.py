"""Where an address leads: what a channel needs to know of `webhook:ops`, beyond its name, to send there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from newswatch.subscriber import NAME


@dataclass(frozen=True, slots=True)
class Target:
    """Where an address leads. It holds secrets: never show, log or store it."""

    url: str
    keys: tuple[str, ...] = ()
    """For a webhook: the secrets that sign, the newest first."""

    def __repr__(self) -> str:
        return "Target(…)"


@dataclass(frozen=True, slots=True)
class Closed:
    """Why nothing can be sent to an address."""

    why: str
    permanent: bool = True


class Targets(Protocol):
    """Knows where addresses lead."""

    def target(self, address: str) -> Target | Closed:
        """Where the address leads now, or why nothing can be sent there."""
        ...

    def disable(self, address: str, why: str, now: datetime) -> None:
        """Send nothing to the address any more, because its other side has said so; its owner sees why."""
        ...


class NoTargets:
    """For messages to the operator, which are sent without Elasticsearch."""

    def target(self, address: str) -> Target | Closed:
        """Nothing is known here."""
        return Closed(f"{address} is known only where newswatch reaches Elasticsearch: give a mail address")

    def disable(self, address: str, why: str, now: datetime) -> None:
        """Nothing can be noted."""


def named_address(scheme: str, text: str) -> str:
    """The canonical form of `scheme:name`.

    Raises:
        ValueError: it is none; the text is not repeated, because somebody may have pasted an address with a key.
    """
    given, _, name = text.strip().lower().partition(":")
    name = name.strip()
    if given != scheme or not re.fullmatch(NAME, name):
        raise ValueError(
            f"an address of this kind is written as {scheme}:NAME, with the name that it has under Subscribers "
            "(small letters, digits and hyphens)"
        )
    return f"{scheme}:{name}"
