"""Lines that an outlet repeats in article after article: footers, appeals, teasers of other news. Pure.

They say nothing of the article's event. What counts is in how many different stories a line stands: the reports of one
event share lines too. A line is known by a hash, so that no more than that need be kept of it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from transforms.fold import fold

LEAST_STORIES = 2
"""A line that an outlet has in so many stories is repeated: a teaser, or background that two events share."""
LEAST_CHARS, MOST_CHARS = 15, 2_000
"""Shorter lines are no sentence; longer ones are not repeated."""
MOST_LINES = 100
"""Lines of an article that are looked at: half from its beginning, half from its end, where repeated ones stand."""


def line_hashes(text: str) -> tuple[str, ...]:
    """The hashes of the lines of `text` that could be repeated ones, each once, at most `MOST_LINES`."""
    return tuple(dict.fromkeys(digest for _, _, digest in _lines(text)))


def without_lines(text: str, repeated: Collection[str]) -> str:
    """`text` with blanks in place of its lines in `repeated` (hashes), so that every other character stays in place."""
    if not repeated:
        return text
    parts, done = [], 0
    for start, end, digest in _lines(text):
        if digest in repeated:
            parts += [text[done:start], " " * (end - start)]
            done = end
    return "".join([*parts, text[done:]])


def _lines(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and hash of each line that could be a repeated one."""
    places, start = [], 0
    for line in text.split("\n"):
        if LEAST_CHARS <= len(line) <= MOST_CHARS:
            places.append((start, start + len(line)))
        start += len(line) + 1
    if len(places) > MOST_LINES:
        places = places[: MOST_LINES // 2] + places[-MOST_LINES // 2 :]
    for begin, end in places:
        yield begin, end, _digest(text[begin:end])


def _digest(line: str) -> str:
    words = " ".join(fold(line).text.split())
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def repeated_lines(lines: Iterable[tuple[str, str, Iterable[str]]]) -> Mapping[str, frozenset[str]]:
    """Outlet → the lines that it repeats, of (outlet, story, line hashes) for each article."""
    stories: dict[tuple[str, str], set[str]] = defaultdict(set)
    for outlet, story, hashes in lines:
        for digest in hashes:
            stories[outlet, digest].add(story)
    found: dict[str, set[str]] = defaultdict(set)
    for (outlet, digest), of_line in stories.items():
        if len(of_line) >= LEAST_STORIES:
            found[outlet].add(digest)
    return {outlet: frozenset(digests) for outlet, digests in found.items()}
