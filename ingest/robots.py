"""The rules of one robots.txt (RFC 9309) for one reader, read and matched within bounds.

Protego does both; but it gives every rule to every reader that the group names (30,000 rules for 200 readers: 48 s),
and tries them one by one (42,000 rules with wildcards on one long address take a second). So it sees what is said to
this reader only, and is not asked beyond `MAX_STEPS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protego import Protego

from ingest.urls import shown

MAX_BYTES: Final = 512_000
"""Bytes of a robots.txt that are read, 500 KiB as RFC 9309, 2.5 asks for at least; the rest is never asked for."""
MAX_STEPS: Final = 40_000_000
"""Characters of an address times rules that are tried on it, a fifth of a second at worst. Beyond it the address is
taken for forbidden."""
SLOW_STEPS: Final = 400_000
"""With more, matching is to be left to a thread: it takes more than a millisecond."""
_AGENT: Final = re.compile(r"\s*user[- ]?agents?\s*[:\s](?P<name>.*)", re.IGNORECASE)
_DIRECTIVE: Final = re.compile(r"\s*[A-Za-z][A-Za-z -]*[:\s]")
_SITE_WIDE: Final = re.compile(r"\s*(?:site-?maps?|host)\s*[:\s]", re.IGNORECASE)
"""They belong to no group, and end none."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a robots.txt lets this reader do."""

    _rules: Protego
    _count: int
    cut: bool = False
    """The file went on beyond `MAX_BYTES`."""

    def steps(self, url: str) -> int:
        """How much work it is to match `url`: its characters times the rules."""
        return self._count * len(url)

    def refusal(self, url: str) -> str | None:
        """Why `url` may not be fetched, as what the file does ("forbids …"); None: it may be."""
        if self.steps(url) > MAX_STEPS:
            return f"has {self._count:,} rules, too many to try on an address of {len(url):,} characters: {shown(url)}"
        if self._rules.can_fetch(url, "*"):
            return None
        return f"forbids {url}" + (f" (read were its first {MAX_BYTES:,} bytes)" if self.cut else "")

    @property
    def crawl_delay_s(self) -> float | None:
        """The Crawl-delay that it asks for, in seconds."""
        return self._rules.crawl_delay("*")


def read_rules(body: bytes, agent: str) -> Rules:
    """The rules of a robots.txt for the reader with this User-Agent; a line that `MAX_BYTES` cuts through is left out.

    Never raises: what can't be read says nothing (RFC 9309, 2.2).
    """
    cut = len(body) > MAX_BYTES
    if cut:
        body = body[:MAX_BYTES].rpartition(b"\n")[0]
    lines = _own_lines(body.decode("utf-8-sig", "replace").splitlines(), _token(agent))
    return Rules(Protego.parse("\n".join(["User-agent: *", *lines])), len(lines), cut)


def _own_lines(lines: list[str], token: str) -> list[str]:
    """The lines of the groups that name this reader; where none does, of those for `*` (RFC 9309, 2.2.1)."""
    groups: dict[str, list[str]] = {token: [], "*": []}
    names: set[str] = set()
    is_named = is_head = False
    for line in lines:
        if named := _AGENT.match(line):
            names = {*(names if is_head else ()), _token(named["name"])}
            is_head, is_named = True, is_named or token in names
        elif _DIRECTIVE.match(line) and not _SITE_WIDE.match(line):
            is_head = False
            for name in names & groups.keys():
                groups[name].append(line)
    return groups[token] if is_named else groups["*"]


def _token(name: str) -> str:
    """The product token of a User-Agent, or of a line that names one, in lower case."""
    bare = name.partition("#")[0].partition("/")[0].strip().lower()
    return bare if bare == "*" else bare.replace("*", "")
