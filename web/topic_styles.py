"""The style sheet of the topics: their colours, as the taxonomy gives them. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

from newswatch.colours import WASH, for_dark
from newswatch.topics import Topics

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LINES = ("solid", "dotted", "dashed", "double", "wavy")
"""Under evidence, so that colour is never all that tells two topics apart."""


def topic_class(tag: str) -> str:
    """What names the topic of `tag` in a style sheet: its id, or "other" for what can be none."""
    head = tag.partition("/")[0]
    return head if _ID.fullmatch(head) else "other"


def topic_styles(topics: Topics) -> str:
    """The rules for tags and evidence of every topic that has a colour; others look like plain text."""
    coloured = [(name, topic.colour) for name, topic in topics.topics.items() if topic.colour]
    return "".join(_rules(name, colour, _LINES[n % len(_LINES)]) for n, (name, colour) in enumerate(coloured))


def version(topics: Topics) -> str:
    """Changes with the style sheet, so that browsers may keep it and still get a new one."""
    return sha256(topic_styles(topics).encode()).hexdigest()[:12]


def _rules(name: str, colour: str, line: str) -> str:
    both = f"light-dark({colour}, {for_dark(colour)})"
    return (
        f".tag-{name} {{ color: {both}; }}\n"
        f".tag-{name}.main {{ background: color-mix(in srgb, {both} {WASH:.0%}, var(--ground)); }}\n"
        f"mark.ev-{name} {{ text-decoration-color: {both}; text-decoration-style: {line}; }}\n"
    )
