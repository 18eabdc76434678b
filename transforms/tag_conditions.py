"""Which matches count: boundaries of words, language, capitals, contexts near and names beside. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from transforms.tag_rules import Contexts, Hit, Rule, Rules
from transforms.tag_text import ArticleText

TITLE_WORD, TITLE_WORDS = 4, 4
"""Minimum letters of a word that title case capitalises, and minimum number of such words to recognise title case."""
WORD_CHARS = 100
"""Maximum characters searched for the beginning or end of a word. Words are shorter, and an unbounded search would take
quadratic time."""
_ARABIC_CLITICS = frozenset(
    head + article
    for head in ("", "و", "ف", "ب", "ل", "ك", "وب", "ول", "فل", "فب", "وك", "لل", "ولل", "فلل", "س", "ا", "وا")
    for article in ("", "ال")
)
_LETTERS = re.compile("[^\\W_\u2e80-\ud7ff]+")
_WORD_AFTER = re.compile(r"(?:['’]s)?[ \u00a0](\w)")
_WORD_BEFORE = re.compile(r"(\w[^\w.!?\n]{1,3})?(?<!\w)(\w+)[ \u00a0]\Z")
"""A word and the blank after it; before it the end of another word of the same sentence, if there is one."""
_ALPHABETIC = frozenset(filter(str.isalpha, map(chr, range(0x0600)))).__contains__
"""Whether a character is a letter of the alphabets before Arabic: Latin, Greek, Cyrillic, Armenian, Hebrew."""
_KATAKANA = re.compile("[\u30a1-\u30fe]+")


def holding(
    article: ArticleText,
    matches: Sequence[tuple[int, int, int]],
    rules: Rules,
    language: str | None,
) -> Iterator[tuple[int, int, Rule]]:
    """Start, end and rule of each match with the right language, word boundaries and capitals."""
    haystack = article.haystack + "\n"  # haystack[-1], which precedes the first character, is then "\n" as well
    of_pattern, closed_left, closed_right = rules.of_pattern, rules.closed_left, rules.closed_right
    for number, start, end in matches:
        own = of_pattern[number]
        # Most matches begin or end inside an alphabetic word: they fail here, before each rule checks its boundaries.
        if not own:
            continue
        begun = _ALPHABETIC(haystack[start - 1]) and _ALPHABETIC(haystack[start])
        if begun and closed_left[number]:
            continue
        goes_on = _ALPHABETIC(haystack[end]) and _ALPHABETIC(haystack[end - 1])
        if goes_on and closed_right[number]:
            continue
        for rule in own:
            if language and rule.languages and language not in rule.languages:
                continue
            if (begun and not rule.open_left) or (goes_on and not rule.open_right and rule.tail is None):
                continue
            if goes_on and rule.brief and not language:
                continue
            stop = _bounded(haystack, start, end, rule)
            if stop >= 0 and not (rule.capitals and not _capitals_hold(article, start, end, rule.capitals)):
                yield start, stop, rule


def _bounded(haystack: str, start: int, end: int, rule: Rule) -> int:
    """The end of the hit if its word boundaries hold, else -1."""
    if (
        start
        and (before := haystack[start - 1]).isalnum()
        and not rule.open_left
        and _joined(before, haystack[start])
        and not (rule.arabic and _only_clitics_before(haystack, start))
    ):
        return -1
    if rule.tail is not None:
        following = rule.tail.match(haystack, end, end + WORD_CHARS)
        if not following:
            return -1
        end = following.end()
    if rule.open_right:
        return _word_end(haystack, end)
    if end < len(haystack) and (after := haystack[end]).isalnum() and _joined(haystack[end - 1], after):
        return -1
    return end


def _joined(left: str, right: str) -> bool:
    """Whether two adjacent characters belong to the same word.

    In scripts without spaces a word may end anywhere ("NATO加盟" contains NATO), but not within a run of katakana:
    "コレステロール" does not contain "テロ".
    """
    if "\u2e80" <= left <= "\ud7ff" or "\u2e80" <= right <= "\ud7ff":
        return "\u30a1" <= left <= "\u30fe" and "\u30a1" <= right <= "\u30fe"
    return left.isalnum() and right.isalnum()


def _word_end(haystack: str, position: int) -> int:
    letters = _KATAKANA if "\u30a1" <= haystack[position - 1] <= "\u30fe" else _LETTERS
    rest = letters.match(haystack, position, position + WORD_CHARS)
    return rest.end() if rest else position


def word_start(haystack: str, position: int) -> int:
    """Where the word that `position` stands in begins, at most WORD_CHARS before it."""
    first = max(0, position - WORD_CHARS)
    while position > first and _joined(haystack[position - 1], haystack[position]):
        position -= 1
    return position


def _only_clitics_before(haystack: str, start: int) -> bool:
    begin = start
    while begin and start - begin <= 5 and haystack[begin - 1].isalnum():
        begin -= 1
    return haystack[begin:start] in _ARABIC_CLITICS


def _capitals_hold(article: ArticleText, start: int, end: int, form: str) -> bool:
    """Whether the text has a capital wherever `form` has one. An acronym amid other capitals does not count."""
    text = article.evidence(start, end).text
    if len(text) != len(form):
        return text.isupper()
    if form.isupper():
        return text.isupper() and not _in_capitals(article, start)
    return all(t.isupper() for f, t in zip(form, text, strict=True) if f.isupper())


def _in_capitals(article: ArticleText, start: int) -> bool:
    """Whether the text around `start` is all in capitals, so that they carry no information."""
    _, base, string, _ = article.field_at(start)
    around = string[max(0, start - base - 40) : start - base + 40]
    return around.isupper() and sum(map(str.isupper, around)) > 12


def in_context(hit: Hit, contexts: Contexts) -> bool:
    """Whether no context of `unless` is near and, unless the rule asks only beside names, one of `needs` is."""
    if any(_near(hit, contexts.get(c, ())) for c in hit.rule.unless):
        return False
    return hit.rule.beside or is_needed_near(hit, contexts)


def is_needed_near(hit: Hit, contexts: Contexts) -> bool:
    """Whether one of the contexts that the form needs is near; True if it needs none."""
    return not hit.rule.needs or any(_near(hit, contexts.get(c, ())) for c in hit.rule.needs)


def is_beside_name(article: ArticleText, hit: Hit) -> bool:
    """Whether a capitalised word is directly beside the hit: "Nato Lomidze", "Nato's Pizza", "chef Prospero Nato".

    The first word of a sentence does not count, nor does a word in a headline in title case.
    """
    _, base, string, folded = article.field_at(hit.start)
    start, end = folded.original(hit.start - base, hit.end - base)
    after = _WORD_AFTER.match(string, end)
    before = _WORD_BEFORE.search(string, max(0, start - WORD_CHARS), start)
    named = (after and after[1].isupper()) or (before and before[1] and before[2][0].isupper())
    return bool(named) and not _title_case(string[max(0, start - WORD_CHARS) : end + WORD_CHARS])


def _title_case(around: str) -> bool:
    """Whether nearly every word starts with a capital."""
    words = [word for word in around.split() if len(word) >= TITLE_WORD]
    return len(words) >= TITLE_WORDS and sum(word[0].isupper() for word in words) >= 0.8 * len(words)


def _near(hit: Hit, places: Sequence[int]) -> bool:
    """Whether one of the ascending `places` is within the rule's distance of the hit."""
    return any_between(places, hit.start - hit.rule.near, hit.end + hit.rule.near + 1)


def any_between(places: Sequence[int], start: int, end: int) -> bool:
    """Whether one of the ascending `places` is in `[start, end)`."""
    number = bisect_left(places, start)
    return number < len(places) and places[number] < end
