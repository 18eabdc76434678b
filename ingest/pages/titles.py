"""Chooses the article's title among the titles that a page gives."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ingest.pages.prose import key
from newswatch.scripts import EAST_ASIAN

MAX_PARTS: Final = 6
"""Maximum number of separators of a title that are examined."""
MAX_INITIALS: Final = 5
_SEPARATOR: Final = re.compile(r"\s+[-–—|·•«»‹›/<>:]+\s+|\s*[|：ㅣ｜]\s*")
_OPENING: Final = re.compile(r"(.{2,60}?)(?:\s+[-–—|·•«»‹›/<>]+\s+|\s*[|：ㅣ｜]\s*|(?P<colon>:\s+))")
_SECOND_LEVEL: Final = frozenset(
    {"ac", "co", "com", "edu", "gob", "gouv", "gov", "info", "ltd", "me", "ne", "net", "or", "org"}
)
"""Labels that, before a country's top-level domain, are not an outlet's name."""
_SECTION: Final = re.compile(rf"(?:\s-\s?|(?<=[{EAST_ASIAN}])-)\w{{1,12}}$")
"""A section before the outlet's name. Without a blank only in scripts without hyphens: Karabakh-Armenia is a place."""
_KICKER: Final = re.compile(r"\s+[-–—|]\s+|:\s+")
_CUT_OFF: Final = re.compile(r"\s*(?:…|\.\.\.)$")


@dataclass(frozen=True, slots=True)
class Titles:
    """The titles of a page; empty if it has none of a kind."""

    headline: str = ""
    """Headline of its article in JSON-LD."""
    h1s: Sequence[str] = ()
    social: str = ""
    """`og:title`, else `twitter:title`."""
    document: str = ""
    """The `title` element."""


def choose_title(titles: Titles, sites: Iterable[str]) -> str:
    """The article's title, without the outlet's name.

    It is the JSON-LD headline, else the heading, else `og:title`, else the document's title. But if headline, heading
    and document's title are equal, they come from one field of the publisher's system, which is written for search
    engines. Then `og:title` is the other field, and is used unless it is only the beginning of that title: on 131 pages
    of 60 publishers it was the right one twice as often.
    """
    names = {key(site) for site in sites} - {""}
    said = Counter(key(title) for title in (titles.headline, titles.social, *dict.fromkeys(titles.h1s)))
    sure = {title for title, times in said.items() if times > 1}
    heading = _without_site(_heading(titles, names), names, sure)
    social, document = _without_site(titles.social, names, sure), _without_site(titles.document, names, sure)
    headline = _whole(_without_site(titles.headline, names, sure), (*titles.h1s, social, document))
    if heading and headline.startswith(f"{heading} |"):
        headline = heading  # the headline only adds the section
    best = headline or heading
    if best and social and _is_other_field(best, heading, social, document):
        best = _common_ending(best, social) or social
    if document and key(document) not in names:
        document = _without_opening(document, names, {key(each) for each in (best, social)})
    usable = (title for title in (best, social, document) if key(title) and key(title) not in names)
    return _without_bar(next(usable, ""), [heading, headline, social, document])


def _without_bar(title: str, others: Iterable[str]) -> str:
    """`title` without the part after a bar, if another title of the page ends before the bar."""
    before, bar, _ = title.rpartition(" | ")
    return before.strip() if bar and key(before) in {key(other) for other in others} else title


def site_label(host: str) -> str:
    """The part of a host that is the outlet's name: `courier` in `www.courier.co.uk`."""
    labels = host.split(".")
    of_country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return next(iter(labels[-3:-2] if of_country else labels[-2:-1]), "")


def _is_other_field(best: str, heading: str, social: str, document: str) -> bool:
    distinct = {key(title) for title in (best, heading, document) if title}
    shortened = key(best).startswith(key(social))
    if len(distinct) == 1:
        return not shortened
    # A kicker ("Unrest in Syria: …") before the title that `og:title` gives alone, or after another kicker.
    return key(best) == key(heading) and not shortened and bool(_common_ending(best, social))


def _common_ending(first: str, second: str) -> str:
    """The ending that both share after at most one kicker each; empty if it is less than half of the first."""
    endings = {key(ending): ending for ending in _endings(second) if len(ending) >= len(first) / 2}
    return next((endings[key(ending)] for ending in _endings(first) if key(ending) in endings), "")


def _endings(title: str) -> list[str]:
    return [title, *(title[kicker.end() :] for kicker in islice(_KICKER.finditer(title), MAX_PARTS))]


def _heading(titles: Titles, names: set[str]) -> str:
    """The `h1` that the page's other titles repeat, if there are several."""
    real = [h1 for h1 in titles.h1s if key(h1) and key(h1) not in names]
    others = f"{titles.social} {titles.document} {titles.headline}"
    spoken = [h1 for h1 in real if key(h1) in key(others)]
    if spoken or len(real) < 2:
        return max(spoken or real, key=len, default="")
    return max(real, key=lambda h1: len(set(h1.casefold().split()) & set(others.casefold().split())))


def _without_site(title: str, names: set[str], sure: Container[str]) -> str:
    """`title` without the outlet's name, and the section before it, at its end; `sure` titles are kept."""
    for separator in reversed(deque(_SEPARATOR.finditer(title), MAX_PARTS)):
        tail = title[separator.end() :]
        like = key(title) not in sure and any(_names_site(tail, name) for name in names)
        if separator.start() and (key(tail) in names or like):
            return _SECTION.sub("", title[: separator.start()]).strip() if "-" in title else title[: separator.start()]
    return title.strip()


def _without_opening(title: str, names: set[str], others: set[str]) -> str:
    """The document's title without the outlet's name before it; before a colon only if another title equals the rest.

    A colon may also follow the subject of the story: `NATO: …` at nato.int.
    """
    opening = _OPENING.match(title)
    rest = title[opening.end() :].strip() if opening else ""
    if not opening or not rest or key(opening[1]) not in names:
        return title
    return rest if not opening["colon"] or key(rest) in others else title


def _names_site(tail: str, name: str) -> bool:
    """Whether `tail` is most of the outlet's name, the name and a little more, or its initials."""
    said = key(tail)
    if len(name) < 4 or len(said) < 2:
        return said == name
    initials = tail.strip().isupper() and len(said) <= MAX_INITIALS and name.startswith(said)
    most = said in name and len(said) >= len(name) / 2
    return initials or most or (name in said and len(name) >= len(said) / 2)


def _whole(title: str, others: Iterable[str]) -> str:
    """If `title` was cut off with an ellipsis, the title among `others` that it was cut from."""
    stem = key(_CUT_OFF.sub("", title))
    if stem and _CUT_OFF.search(title):
        return next((other for other in others if len(key(other)) > len(stem) and key(other).startswith(stem)), title)
    return title
