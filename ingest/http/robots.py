"""The rules of one robots.txt (RFC 9309) for one reader, parsed and matched within bounds.

Protego does both, but it gives every rule to every reader that the group names (30,000 rules for 200 readers: 48 s) and
tries them one by one (42,000 rules with wildcards on one long address: 1 s). So it gets only the rules for this reader,
and is not used beyond `MAX_STEPS`.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

from protego import Protego

from ingest.addresses import shown

MAX_BYTES: Final = 512_000
"""Maximum bytes of a robots.txt that are read: 500 KiB, the minimum in RFC 9309, 2.5. The rest is not requested."""
MAX_STEPS: Final = 40_000_000
"""Maximum product of an address's characters and the rules that are tried on it, at worst a fifth of a second. Beyond
it the address counts as forbidden."""
SLOW_STEPS: Final = 400_000
"""With more steps, matching takes more than a millisecond and should run in a thread."""
_AGENT: Final = re.compile(r"\s*user[- ]?agents?\s*[:\s](?P<name>.*)", re.IGNORECASE)
_DIRECTIVE: Final = re.compile(r"\s*[A-Za-z][A-Za-z -]*[:\s]")
_SITE_WIDE: Final = re.compile(r"\s*(?:site-?maps?|host)\s*[:\s]", re.IGNORECASE)
"""These directives belong to no group, and don't end one."""
_SITEMAP: Final = re.compile(r"\s*site-?map\s*:\s*(https?://\S{1,2000})", re.IGNORECASE)
MOST_SITEMAPS: Final = 20


@dataclass(frozen=True, slots=True)
class Rules:
    """What a robots.txt allows this reader."""

    _rules: Protego
    _count: int
    sitemaps: tuple[str, ...] = ()
    """The addresses of sitemaps that the file names, the first `MOST_SITEMAPS`."""
    cut: bool = False
    """The file is longer than `MAX_BYTES`."""

    def steps(self, url: str) -> int:
        """The work to match `url`: its characters times the rules."""
        return self._count * len(url)

    def refusal(self, url: str) -> str | None:
        """Why `url` may not be fetched, phrased to follow the file's name ("forbids …"); None if it may."""
        if self.steps(url) > MAX_STEPS:
            return f"has {self._count:,} rules, too many to try on an address of {len(url):,} characters: {shown(url)}"
        if self._rules.can_fetch(url, "*"):
            return None
        return f"forbids {url}" + (f" (only its first {MAX_BYTES:,} bytes were read)" if self.cut else "")

    @property
    def crawl_delay_s(self) -> float | None:
        """The requested Crawl-delay, in seconds."""
        return self._rules.crawl_delay("*")


def read_rules(body: bytes, agent: str) -> Rules:
    """The rules of a robots.txt for the reader with this User-Agent; a line that `MAX_BYTES` cuts is left out.

    Never raises: unreadable lines have no effect (RFC 9309, 2.2).
    """
    cut = len(body) > MAX_BYTES
    if cut:
        body = body[:MAX_BYTES].rpartition(b"\n")[0]
    is_wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    every = body.decode("utf-16" if is_wide else "utf-8-sig", "replace").splitlines()
    lines = _own_lines(every, _token(agent))
    sitemaps = tuple(dict.fromkeys(named[1] for line in every if (named := _SITEMAP.match(line))))[:MOST_SITEMAPS]
    return Rules(Protego.parse("\n".join(["User-agent: *", *lines])), len(lines), sitemaps, cut)


def _own_lines(lines: list[str], token: str) -> list[str]:
    """The lines of the groups that name this reader; if none does, of those for `*` (RFC 9309, 2.2.1)."""
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
