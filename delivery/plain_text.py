"""Renders a message as plain text: for the text part of e-mails and for channels that only send text. Pure."""

from __future__ import annotations

import re
from functools import cache
from textwrap import fill

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from delivery.message import Message, Notice
from delivery.words import when

CARDS = 12
"""Maximum stories shown in full. Further stories take one line each, because mail programs cut very long mails."""


def plain_text(message: Message) -> str:
    """The whole message as text, without consecutive blank lines."""
    name = "notice.txt.j2" if isinstance(message.body, Notice) else "stories.txt.j2"
    rendered = _environment().get_template(name).render(**shown(message))
    return re.sub(r"\n{3,}", "\n\n", rendered).strip() + "\n"


def shown(message: Message) -> dict[str, object]:
    """The variables of a message's template."""
    body = message.body
    variables: dict[str, object] = {"message": message, "body": body, "when": when(message.at)}
    if isinstance(body, Notice):
        return variables
    return variables | {"cards": body.stories[:CARDS], "rows": body.stories[CARDS:]}


def environment(package: str) -> Environment:
    """The Jinja environment for the templates of `package`."""
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
