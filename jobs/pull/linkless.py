"""Entries without a link are known by the feed's id, which the feed may give to other news: then it is another article.

A feed of flashes or warnings may have one entry, whose text changes with each. With a link, another page would tell;
here only the words do. They decide for other news only if hardly any are shared: an article that is split in two is
mailed twice, but other news taken for an edit is mailed to nobody. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ingest.addresses import is_address
from ingest.urls import canonicalize
from jobs.pull.polled import Candidate
from newswatch.article import Article
from newswatch.scripts import WITHOUT_SPACES
from store.entries import EntryRecord
from transforms.fingerprint import text_hash
from transforms.fold import fold

_SHARED: Final = 0.25
"""Greatest share of the shorter one's words with which it is other news: articles on different events have up to a
fifth in common, an article and its edit seldom less than half."""
_LETTERS: Final = 4
"""Shorter words ("the", "und") are in any text of a language."""
_WORD: Final = re.compile(rf"(?P<unspaced>[{WITHOUT_SPACES}]+)|[^\W_]+")


def has_slot(candidate: Candidate) -> bool:
    """Whether the candidate's article is known by the id of its entry alone."""
    fresh = candidate.fresh
    return candidate.article is not None and fresh.entry.url is None and not fresh.again


def known_by(candidate: Candidate) -> list[str]:
    """The ids of the articles that its entry may be: the one it was last, and the one it was first."""
    record: EntryRecord | None = candidate.fresh.record
    last = (record.article_id,) if record and record.article_id else ()
    return list(dict.fromkeys((*last, *((candidate.article.id,) if candidate.article else ()))))


def placed(candidate: Candidate, stored: Mapping[str, Article]) -> Candidate:
    """The candidate with its article known as the one of `stored` that its entry was, or as a new one: other news."""
    article = candidate.article
    known = [stored[name] for name in known_by(candidate) if name in stored]
    if article is None or not known:
        return candidate
    same = next((was for was in known if not is_other_news(article, was)), None)
    if same is not None:
        return candidate.known_as(same.url)
    # Of its words, so that it is the same one if this is read again before its record is written.
    mark = "&" if "?" in article.url else "?"
    url = f"{article.url}{mark}newswatch-text={text_hash(article.title, article.text or article.summary)[:16]}"
    return candidate.known_as(canonicalize(url)) if is_address(url) else candidate


def is_other_news(seen: Article, was: Article) -> bool:
    """Whether two articles under one id share hardly a word. A text of numbers alone, as a ticker's, tells nothing."""
    if fold(seen.title).text == fold(was.title).text:
        return False
    here, there = _words(seen), _words(was)
    if any(all(word.isdecimal() for word in words) for words in (here, there)):
        return False
    return len(here & there) <= _SHARED * min(len(here), len(there))


def _words(article: Article) -> set[str]:
    """The longer words of title and text; of scripts without spaces, pairs of characters."""
    found = set[str]()
    for match in _WORD.finditer(fold(f"{article.title}\n{article.summary}\n{article.text}").text.casefold()):
        word = match[0]
        if match["unspaced"]:
            found |= {word[i : i + 2] for i in range(len(word) - 1)}
        elif len(word) >= _LETTERS or word.isdecimal():
            found.add(word)
    return found
