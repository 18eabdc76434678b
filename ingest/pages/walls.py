"""Recognises pages that are served in place of an article: consent walls, paywalls, bot checks, empty shells.

A page is a wall only if it combines several signs that no article has: it mentions its own cookies, addresses the
reader and names the buttons. One word decides nothing, because articles are written about consent, captchas and
subscribers. If most of the text has no such sign, it is prose, and is kept. The words are in the languages' files
(`newswatch.languages`); what blockers write in any language is in this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Final

from newswatch.article import TextStatus
from newswatch.languages import Walls, alternatives
from newswatch.scripts import EAST_ASIAN

SHELL_CHARS: Final = 80
"""Shorter texts are not articles. CJK characters count three times (see `_weight`)."""
WALL_CHARS: Final = 1_500
"""A longer text is an article, whatever surrounds it."""
PAID_SHARE: Final = 0.6
"""Minimum share of the words that a page says it has; with less, the rest is behind the wall."""
PROSE_SHARE: Final = 0.4
"""Minimum share of a text in lines without a sign of a wall; then it is an article."""
PAID_CHARS: Final = 700
"""A longer text is more than a beginning, unless the page says that it is paid."""
BOX_CHARS: Final = 500
"""Maximum characters between the signs of one paywall."""
TRACE_CHARS: Final = 2_500
"""Maximum characters of a blocker's page."""
NUMBERED_CHARS: Final = 1_000
"""Maximum characters of a blocker's page with the number of the request."""
MAX_BOXES: Final = 20
"""Maximum number of gates that are examined; a page with more is a list of teasers."""
CHROME_CHARS: Final = 8_000
"""A page with more visible text is not a wall."""


def _signs(pattern: str) -> re.Pattern[str]:
    return re.compile("|".join(pattern.split("\n")[1:-1]), re.IGNORECASE)


_TRACE: Final = _signs(r"""
ray id|incident id|reference ?(?:#|id|number)|support id|event id|request id|your ip|ip address|cloudflare|imperva
incapsula|akamai|perimeterx|datadome|ddos.guard
performance (?:&|and) security|contact the (?:site|website) (?:owner|administrator)
""")
"""What blockers write on their pages in any language."""
_Signs = Mapping[str, re.Pattern[str]]


@cache
def _consent() -> _Signs:
    """Three kinds of signs; a consent wall has all of them."""
    return {
        "topic": _of(lambda walls: walls.consent.topic),
        "address": _of(lambda walls: walls.consent.address),
        "button": _of(lambda walls: walls.consent.button),
    }


def _of(part: Callable[[Walls], Iterable[str]], *more: str) -> re.Pattern[str]:
    return re.compile(alternatives(lambda language: part(language.walls), *more), re.IGNORECASE)


@cache
def _bot_title() -> re.Pattern[str]:
    """A title that says only that; a headline continues."""
    titles = alternatives(lambda language: language.walls.robots.title)
    return re.compile(rf"^\W*(?:{titles})\W*(?:\|.{{0,40}}|- cloudflare.*)?$", re.IGNORECASE)


@cache
def _bot() -> _Signs:
    return {
        "browser": _of(lambda walls: walls.robots.browser),
        "human": _of(lambda walls: walls.robots.human),
        "refusal": _of(lambda walls: walls.robots.refusal),
        "trace": _TRACE,
    }


_NUMBERED: Final = _signs(r"""
\bray id:? *[0-9a-f]{16}\b|\breference #\d+\.[0-9a-f.]{10,}|\bincident id:? *\d[\d-]{15,}|\bsupport id:? *\d{12,}
\brequest id:? *[0-9a-z_=-]{20,}
""")
"""The number of one request, for asking the blocker about it; no article has one."""
_CHALLENGE: Final = _signs(r"""
_cf_chl_opt|cf-chl-bypass|cdn-cgi/challenge-platform/h/\w+/orchestrate|(?:geo|ct)\.captcha-delivery\.com
_Incapsula_Resource\?(?:CWUDNSAI|incident_id)|id=.?px-captcha|AwsWafIntegration|awswaf\.com/[^\s"']{1,80}/challenge\.js
ddos-guard/js-challenge|sucuri_cloudproxy_js|_ab_challenge|/_sec/cp_challenge
""")
"""Names in blockers' scripts that demand a proof, not in those on pages that they let through."""


@cache
def _paid() -> _Signs:
    """A wall says that there is more, and who may read it: a gate and another sign, close together."""
    return {
        "gate": _of(lambda walls: walls.paid.gate),
        "member": _of(lambda walls: walls.paid.member),
        "offer": _of(lambda walls: walls.paid.offer, r"[$€£] ?\d+", r"\d+ ?[€$£]"),
        "label": _of(lambda walls: walls.paid.label),
    }


_CUT_OFF: Final = re.compile(r"(?:…|\.\.\.|\[…\])\W*$")
_SENTENCE: Final = re.compile(r"[^\n.!?…。！？।۔؟]{10,}[.!?…。！？।۔؟]+")
_CJK: Final = re.compile(f"[{EAST_ASIAN}]")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows and which scripts it runs."""

    titles: tuple[str, ...]
    """The chosen title and the document's."""
    text: str
    """The extracted text."""
    whole: str
    """All visible text, including buttons."""
    scripts: tuple[str, ...] = ()
    """Each script's address and the beginning of its code."""


def verdict(page: Shown, *, free: bool, words: int) -> tuple[TextStatus, str | None]:
    """The status of the page, and a sentence about it unless it is a whole article.

    `free` and `words` are the page's own metadata.
    """
    text, whole, length = page.text, page.whole, _weight(page.text)
    if length < WALL_CHARS:
        if _is_bot_check(page):
            return "empty", "the page is a check for robots, not the article"
        if _is_consent(text, whole):
            return "consent", "the page asks for consent in place of the article"
    if _is_paid(text, whole, length, free=free, words=words):
        return "paywall", "the page shows only the beginning: the rest is for subscribers"
    if length < SHELL_CHARS:
        return "empty", "the page shows no article text"
    return "full", None


def is_wall_text(page: Shown) -> bool:
    """Whether its text belongs to a wall, and contains nothing of an article, so that it must not be used."""
    return _weight(page.text) < WALL_CHARS and (_is_bot_check(page) or _is_consent(page.text, page.whole))


def without_gate(text: str) -> str:
    """`text` without the lines at its end in which a paywall says that there is more."""
    lines = text.split("\n")
    while len(lines) > 1 and len(lines[-1]) <= BOX_CHARS and _is_gate(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def _is_bot_check(page: Shown) -> bool:
    text, whole = page.text, page.whole
    if _is_blocked(page):
        return True
    if _is_prose(text, _bot()) or len(whole) > CHROME_CHARS:
        return False
    said = text if _weight(text) >= SHELL_CHARS else whole[:2_000]
    kinds = _kinds(said, _bot())
    return len(kinds) + (2 if _is_bot_titled(page) and kinds else 0) >= 3


def _is_blocked(page: Shown) -> bool:
    """Whether a short page is certainly a blocker's, in any language: by its script, its number or its title."""
    if len(page.whole) > TRACE_CHARS:
        return False
    if any(_CHALLENGE.search(script) for script in page.scripts):
        return True
    numbered = len(page.whole) < NUMBERED_CHARS and _NUMBERED.search(page.whole) is not None
    return numbered or (_is_bot_titled(page) and len(_kinds(page.whole, _bot())) > 1)


def _is_bot_titled(page: Shown) -> bool:
    return any(_bot_title().match(title) for title in page.titles)


def _is_consent(text: str, whole: str) -> bool:
    if len(whole) > CHROME_CHARS or _is_prose(text, _consent()):
        return False
    said = text if _weight(text) >= SHELL_CHARS else whole
    kinds = _kinds(said, _consent()) | (_kinds(whole, _consent()) & {"button"})
    return len(kinds) == len(_consent())


def _is_paid(text: str, whole: str, length: int, *, free: bool, words: int) -> bool:
    if words >= 150 and len(text.split()) < PAID_SHARE * words and not free:
        return True
    if not free and length < WALL_CHARS:
        return True
    if length >= WALL_CHARS:
        return False
    boxes = [text[-BOX_CHARS:], *(_boxes(text, whole) if length < PAID_CHARS else ())]
    return any(_is_paid_box(box) for box in boxes)


def _boxes(text: str, whole: str) -> list[str]:
    """The surroundings of each gate on the page."""
    spans = (gate.span() for gate in islice(_paid()["gate"].finditer(whole), MAX_BOXES))
    boxes = [whole[max(0, start - BOX_CHARS // 2) : end + BOX_CHARS // 2] for start, end in spans]
    last = text.rstrip().rpartition("\n")[2]
    end = whole.rfind(last) + len(last) if last and last in whole else -1
    return [*boxes, whole[end : end + BOX_CHARS]] if end >= 0 else boxes


def _is_paid_box(box: str) -> bool:
    kinds = _kinds(box, _paid())
    return ("gate" in kinds and (len(kinds) > 1 or _CUT_OFF.search(box) is not None)) or len(kinds) >= 3


def _is_gate(line: str) -> bool:
    return "gate" in _kinds(line, _paid()) and _is_paid_box(line)


def _kinds(text: str, signs: Mapping[str, re.Pattern[str]]) -> set[str]:
    return {kind for kind, pattern in signs.items() if pattern.search(text)}


def _is_prose(text: str, signs: Mapping[str, re.Pattern[str]]) -> bool:
    """Whether enough of `text` is in sentences without a sign, so that it is an article's."""
    sentences = (sentence for sentence in _SENTENCE.findall(text) if not _kinds(sentence, signs))
    prose = sum(map(_weight, sentences))
    return prose >= SHELL_CHARS and prose >= PROSE_SHARE * _weight(text)


def _weight(text: str) -> int:
    """The length of `text`; a CJK character counts three times, as a word has about three times as many letters."""
    return len(text) + 2 * len(_CJK.findall(text))
