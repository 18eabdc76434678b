"""A message as plain text: the text part of e-mails, and the whole of a channel that carries nothing else. Pure."""

from __future__ import annotations

import re
from functools import cache
from textwrap import fill

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from delivery.message import Message, Notice
from delivery.words import when

CARDS = 12
"""Stories shown in full in one message; the rest take one line each, as mail programs cut what is very long."""


def plain_text(message: Message) -> str:
    """The whole message, never more than one blank line in a row."""
    name = "notice.txt.j2" if isinstance(message.body, Notice) else "stories.txt.j2"
    set_ = _environment().get_template(name).render(**shown(message))
    return re.sub(r"\n{3,}", "\n\n", set_).strip() + "\n"


def shown(message: Message) -> dict[str, object]:
    """What a template sees of a message."""
    body = message.body
    told: dict[str, object] = {"message": message, "body": body, "when": when(message.at)}
    if isinstance(body, Notice):
        return told
    return told | {"cards": body.stories[:CARDS], "rows": body.stories[CARDS:]}


def environment(package: str) -> Environment:
    """The templates of a package's messages."""
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
    templates.filters["wrapped"] = lambda text, indent="": fill(
        text, 76, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return templates
