"""Renders a message as plain text: for the text part of e-mails and for channels that only send text. Pure."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from delivery.message import Message, Notice
from delivery.words import when
from delivery.wrapping import wrapped

if TYPE_CHECKING:
    from jinja2 import Environment

CARDS = 12
"""Maximum stories shown in full. Further stories take one line each, so that a mail can be read to its end."""


class Numbered:
    """Numbers links in the order in which a text refers to them, so that they stand below it and not amid its words."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._listed = 0

    def __call__(self, url: str | None) -> str:
        """The reference to the link, "[3]"; empty without a link. The same link keeps its number."""
        return f"[{self._numbers.setdefault(url, len(self._numbers) + 1)}]" if url else ""

    def listed(self) -> tuple[tuple[str, str], ...]:
        """The references since the last call, each with its link."""
        fresh = tuple((f"[{number}]", url) for url, number in self._numbers.items() if number > self._listed)
        self._listed = len(self._numbers)
        return fresh


def plain_text(message: Message) -> str:
    """The whole message as text, without consecutive blank lines."""
    name = "notice.txt.j2" if isinstance(message.body, Notice) else "stories.txt.j2"
    rendered = _environment().get_template(name).render(**shown(message), link=Numbered())
    return re.sub(r"\n{3,}", "\n\n", rendered).strip() + "\n"


def shown(message: Message, cards: int = CARDS) -> dict[str, object]:
    """The variables of a message's template, for the first `cards` stories in full."""
    body = message.body
    variables: dict[str, object] = {"message": message, "body": body, "when": when(message.at, message.zone)}
    if isinstance(body, Notice):
        return variables
    return variables | {"cards": body.stories[:cards], "rows": body.stories[cards:], "zone": str(message.zone)}


def environment(package: str) -> Environment:
    """The Jinja environment for the templates of `package`. Jinja is loaded by who writes, not by who only counts."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _environment() -> Environment:
    templates = environment("delivery")
    templates.filters["wrapped"] = wrapped
    return templates
