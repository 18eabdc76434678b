"""What a person calls a tag. Pure."""

from __future__ import annotations


def tag_name(tag: str) -> str:
    """A topic as a person writes it."""
    names = {"nato": "NATO", "counter-terrorism": "Counter-terrorism"}
    head, _, part = tag.partition("/")
    plain = part.replace("-", " ").capitalize() if part else names.get(head, head.replace("-", " ").capitalize())
    return {"Cyber hybrid": "Cyber and hybrid", "Law policy": "Law and policy"}.get(plain, plain)


def tag_path(tag: str) -> str:
    """A sub-topic with its topic before it, where it stands alone: "NATO: Operations"."""
    head, _, part = tag.partition("/")
    return f"{tag_name(head)}: {tag_name(tag)}" if part else tag_name(tag)
