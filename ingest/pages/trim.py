"""Removes from an article's extracted text the lines that are not the article: by-lines, prompts, repetitions. Pure.

The words of prompts are in the languages' files (`newswatch.languages`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable
from functools import cache
from itertools import groupby
from typing import Final

from lxml import etree

from ingest.pages.prose import BLOCKS, ENDS, LINES, MAX_CHILDREN, holds_block, is_sentence, key, visible_text
from newswatch.languages import alternatives
from newswatch.scripts import THAI_AND_LAO

_UNSTOPPED: Final = re.compile(f"[{THAI_AND_LAO}]")
"""Thai and Lao, which have no mark at the end of a sentence."""
LEAD_CHARS: Final = 100
TRAIL_CHARS: Final = 60
PROMPT_CHARS: Final = 300
LABEL_SHARE: Final = 0.3
"""Minimum share of a line that is a link for the line to count as a label with a link."""
TITLE_LINES: Final = 6
"""Number of lines at the start of the text in which the page's title is looked for."""


@cache
def _prompt() -> re.Pattern[str]:
    """The beginnings of prompts; what follows is not part of the article."""
    credits = rf"(?:{alternatives(lambda language: language.prompts.credits)})s? ?(?:credit|source)? ?[:/]"
    begins = alternatives(lambda language: language.prompts.opening, credits, "©", r"\(c\) \d{4}")
    return re.compile(rf"^\W*(?:{begins})", re.IGNORECASE)


@cache
def _slot() -> re.Pattern[str]:
    """A line that says only `advertisement`, or a template's placeholder for one."""
    slots = alternatives(lambda language: language.prompts.slots)
    marks = r"(?:\$\$|\{\{|\[\[|%%|##)\s*\w+\s*(?:\$\$|\}\}|\]\]|%%|##)"
    return re.compile(rf"\W*(?:{slots})\W*|{marks}", re.IGNORECASE)


_LURES: Final = (
    "digital", "premium", "facebook", "instagram", "telegram", "whatsapp", "youtube", "twitter", "google", r"app\b",
    "[a-z]*newsletter", "e-?mail",
)  # fmt: skip
"""What appeals to subscribe name in every language."""


@cache
def _addressed() -> re.Pattern[str]:
    """Words with which a page advertises to its reader; with them even a sentence may be a prompt."""
    ours = alternatives(lambda language: language.prompts.ours)
    yours = alternatives(lambda language: language.prompts.yours)
    subscribe = alternatives(lambda language: language.prompts.subscribe)
    lures = alternatives(lambda language: language.prompts.lures, *_LURES)
    appeals = alternatives(
        lambda language: language.prompts.appeals,
        rf"(?:{ours}) (?:\S+ ){{0,3}}newsletter",
        rf"newsletters?\b.{{0,60}}\b(?:{yours})\b",
        rf"(?:{subscribe}).{{0,60}}?(?:\b(?:{lures})|[€$£₺₽]|!\W*$)",
        "©",
        r"\(c\) \d{4}",
    )
    return re.compile(appeals, re.IGNORECASE)


def linked_lines(tree: etree._Element) -> frozenset[str]:
    """The keys of the page's innermost blocks of which a large share is a link."""
    links = Counter[etree._Element]()
    for link in tree.iter("a"):
        block = next((each for each in link.iterancestors() if each.tag in BLOCKS), None)
        if link.get("href") and block is not None and block.tag in LINES and len(block) <= MAX_CHILDREN:
            links[block] += len(visible_text(link))
    lines = ((visible_text(block), length) for block, length in links.items() if not holds_block(block))
    return frozenset(key(line) for line, length in lines if length >= LABEL_SHARE * len(line))


def trim(text: str, titles: Iterable[str], linked: Container[str] = frozenset()) -> str:
    """`text` without its title, by-lines, prompts and repeated lines; `linked` are the keys of lines with a link."""
    lines = _without_titles([line.strip() for line in text.split("\n") if line.strip()], titles)
    lines = _without_ends(lines)
    kept = [line for line in lines if not _is_prompt(line, linked)]
    return "\n".join(_once(kept))


def _is_prompt(line: str, linked: Container[str]) -> bool:
    """Whether the line is a label, a link or an appeal to the reader. A sentence that only begins like one is not."""
    if len(line) >= PROMPT_CHARS:
        return False
    if _slot().fullmatch(line):
        return True
    if not _prompt().match(line):
        return False
    return not is_sentence(line) or _addressed().search(line) is not None or key(line) in linked


def _without_titles(lines: list[str], titles: Iterable[str]) -> list[str]:
    keys = {key(title) for title in titles} - {""}
    return [line for number, line in enumerate(lines) if number >= TITLE_LINES or not _is_title(key(line), keys)]


def _is_title(line: str, titles: set[str]) -> bool:
    if line in titles:
        return True
    return any(
        len(line) > 20 and (line in title or (title in line and len(title) > 0.7 * len(line))) for title in titles
    )


def _without_ends(lines: list[str]) -> list[str]:
    """The lines without short ones that are not sentences, before the first sentence and after the last."""
    first, last = 0, len(lines)
    while first < last - 1 and len(lines[first]) < LEAD_CHARS and not _ends(lines[first]):
        first += 1
    if first >= 8:  # so many are a list or a poem
        first = 0
    while last > first + 1 and len(lines[last - 1]) < TRAIL_CHARS and not _ends(lines[last - 1]):
        last -= 1
    return lines[first:last]


def _ends(line: str) -> bool:
    return line.endswith(ENDS) or _UNSTOPPED.search(line) is not None


def _once(lines: Iterable[str]) -> list[str]:
    """The lines without immediate repetitions; a later repetition is intended."""
    return [line for line, _ in groupby(lines)]
