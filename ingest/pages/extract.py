"""From an article page to its title, text, authors, date and the rest.

`trafilatura` extracts the text. Before that, the tree is pruned of what is not the article (`prune`). After it,
missed paragraphs are added (`missed`), lines that are not the article are removed (`trim`), the page's JSON-LD is
weighed against it (`structured`), and walls in place of the article are recognised (`walls`).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ingest import bounds, dates, text
from ingest.addresses import absolute, host_of
from ingest.authors import names_in
from ingest.encodings import decoded
from ingest.pages import missed, prose, walls
from ingest.pages.extracted import Extracted
from ingest.pages.prune import prune
from ingest.pages.shallow import shallow
from ingest.pages.structured import PageFacts, read_facts
from ingest.pages.titles import Titles, choose_title, site_label
from ingest.pages.trim import linked_lines, trim
from ingest.text import language_of
from ingest.unpack import NotUnpackedError, unpacked
from ingest.zones import Hints, hints_of
from newswatch.plain_text import one_line, tidy

if TYPE_CHECKING:
    from lxml import etree

for _library in ("trafilatura", "htmldate"):
    # They log each page without text; here that is a value with its reason.
    logging.getLogger(_library).setLevel(logging.CRITICAL)

MAX_BYTES: Final = 5_000_000
"""Maximum size of an article page; a larger page is refused unread."""
MAX_DEPTH: Final = 256
"""How deep libxml2 reads nested elements; it drops what follows."""
RULES_VERSION: Final = 4
"""Version of the rules here; another version may extract another text from the same page."""
_TAG_BYTES: Final = re.compile(rb"<[A-Za-z]")
_TAG_TEXT: Final = re.compile(r"<[A-Za-z]")
_JOINERS: Final = "\u200c\u200d"
_STAND_INS: Final = "\U00013000\U00013001"
"""Two letters that no news is written in. trafilatura drops the joiners, without which Persian words change."""
_DAY_AND_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
DATED_ELEMENTS: Final = 30
"""Maximum number of elements below the heading in which the article's date is looked for."""
SCRIPT_CHARS: Final = 2_000
"""Maximum characters of a script that are searched for the name of a blocker."""
LITERAL_CHARS: Final = 400
"""Minimum length of a string in a script that may hold an article."""


def extractor_version() -> str:
    """Name and version of the extractor, for an article's provenance."""
    from importlib.metadata import version

    return f"trafilatura {version('trafilatura')} + newswatch rules {RULES_VERSION}"


def extract(body: bytes | str, *, url: str, content_type: str | None = None, now: datetime) -> Extracted:
    """The content of the page in `body`, served from `url`; `status` and `problems` say what is missing. Never raises.

    A page that may take long is read by a worker, which is killed after `bounds.PAGE_S`.
    """
    if len(body) > MAX_BYTES:
        return _failed(f"the page has {len(body):,} bytes; more than {MAX_BYTES:,} are not read")
    try:
        body = body if isinstance(body, str) else unpacked(body, MAX_BYTES)
    except NotUnpackedError as error:
        return _failed(str(error))
    if (tags := _tags(body)) > bounds.MAX_TAGS:
        return _failed(f"the page has {tags:,} tags; more than {bounds.MAX_TAGS:,} are not read")
    if bounds.is_harmless(body.encode("utf-8", "replace") if isinstance(body, str) else body):
        return read_page(body, url, content_type, now)
    from ingest.workers import OverBudgetError, confined

    try:
        return confined(bounds.PAGE_S, read_page, body, url, content_type, now)
    except OverBudgetError as error:
        return _failed(f"reading it {error}")


def read_page(body: bytes | str, url: str, content_type: str | None, now: datetime) -> Extracted:
    """Like `extract`, for an unpacked page, in this process and without a time limit.

    Raises:
        MemoryError: there was not enough memory.
    """
    try:
        page = body if isinstance(body, str) else decoded(body, content_type)
        return bounds.bounded_page(_extract(page, url, now))
    except MemoryError:
        raise
    except Exception as error:  # whatever a hostile page provokes in the parsers below
        return _failed(bounds.shortened(f"reading it failed: {type(error).__name__}: {error}"))


def _tags(body: bytes | str) -> int:
    """The number of start tags, counted to at most one above the limit; those in scripts count too."""
    tags = _TAG_BYTES.finditer(body) if isinstance(body, bytes) else _TAG_TEXT.finditer(body)
    return sum(1 for _ in islice(tags, bounds.MAX_TAGS + 1))


def _failed(why: str) -> Extracted:
    return Extracted("", "", status="failed", problems=(why,))


def _extract(body: bytes | str, url: str, now: datetime) -> Extracted:
    import trafilatura

    tree = trafilatura.load_html(body)
    if tree is None:
        return Extracted("", "", status="empty", problems=("it is not a text page",))
    problems: list[str] = []
    if _depth(tree) >= MAX_DEPTH:
        problems.append(f"elements are nested more than {MAX_DEPTH} deep: the tags of the inner ones were not read")
        # As Latin-1 each byte is a character, and back again: which encoding it is, the parser finds out.
        flat = shallow(body) if isinstance(body, str) else shallow(body.decode("latin-1")).encode("latin-1")
        tree = trafilatura.load_html(flat) if flat else tree
    facts = read_facts(tree, url)
    _fill_up(facts, tree, url)
    h1s = [prose.visible_text(h1) for h1 in tree.iter("h1")]
    titles = Titles(facts.headline, h1s, facts.social_title, facts.document_title)
    title = choose_title(titles, [*facts.sites, site_label(host_of(url))])
    head = _Head(tree, url)
    hints = hints_of(head.language_tag, url)
    published = _published(facts.published or _dated_line(tree, title, hints), now, hints, problems)
    shown, buttons = missed.lines_of(tree), [prose.visible_text(each) for each in tree.iter("button")]
    scripts = [f"{script.get('src') or ''} {script.text or ''}"[:SCRIPT_CHARS] for script in tree.iter("script")]
    article_text = _best_text(tree, facts, [*h1s, facts.social_title, facts.document_title, title], shown)
    everything = "\n".join([*shown, *buttons])
    page = walls.Shown((title, facts.document_title), article_text, everything, tuple(scripts))
    status, why = walls.verdict(page, free=facts.free, words=facts.word_count)
    if walls.is_wall_text(page):
        article_text = ""
    return Extracted(
        title=one_line(title),
        text=walls.without_gate(article_text) if status == "paywall" else article_text,
        authors=tuple(facts.authors),
        published=published,
        language=head.language,
        canonical_url=head.canonical,
        image=head.image,
        status=status,
        problems=tuple([*problems, why] if why else problems),
    )


def _depth(tree: etree._Element) -> int:
    deepest = depth = 0
    from lxml import etree

    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return deepest


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _best_text(tree: etree._Element, facts: PageFacts, titles: Iterable[str], shown: list[str]) -> str:
    """The article's text: as extracted from `tree`, which this prunes, or as JSON-LD or scripts contain it."""
    import trafilatura

    scripts = [script.text or "" for script in tree.iter("script")]
    linked = linked_lines(tree)
    prune(tree)
    paragraphs = missed.paragraphs_of(tree)
    kept = _with_stand_ins(tree)
    document = trafilatura.bare_extraction(tree, include_comments=False, with_metadata=False)
    raw = tidy((document.text if document else "") or "")
    raw = raw.translate(str.maketrans(_STAND_INS, _JOINERS)) if kept else raw
    article_text = trim(missed.complete(raw, paragraphs), titles, linked)
    if len(article_text) < 0.5 * len(facts.article_body):
        article_text = facts.article_body
    if len(article_text) < walls.SHELL_CHARS:
        article_text = max(article_text, _from_scripts(scripts), key=len)
    return missed.with_standfirst(article_text, facts.descriptions, shown) if article_text else ""


def _with_stand_ins(tree: etree._Element) -> bool:
    """Replace the joiners in `tree`, in place, by letters that trafilatura keeps; whether there were any."""
    whole = "".join(map(str, tree.itertext()))
    if not any(joiner in whole for joiner in _JOINERS) or any(letter in whole for letter in _STAND_INS):
        return False
    table = str.maketrans(_JOINERS, _STAND_INS)
    for element in tree.iter():
        if isinstance(element.tag, str):
            element.text = element.text.translate(table) if element.text else element.text
        element.tail = element.tail.translate(table) if element.tail else element.tail
    return True


def _from_scripts(scripts: Iterable[str]) -> str:
    """The longest piece of HTML in the page's scripts: pages that are built in the browser carry their article so."""
    pieces = (literal for script in scripts for literal in _literals(script))
    markup = max((_unquoted(piece) for piece in pieces), key=lambda piece: piece.count("<p"), default="")
    return text.from_markup(markup) if markup.count("<p") >= 2 else ""


def _literals(script: str) -> Iterator[str]:
    """The strings in the script that are long enough, with their quotation marks; found in one pass."""
    # Escapes are replaced by blanks of the same length, so that only real quotation marks are left.
    plain = script.replace("\\\\", "  ").replace('\\"', "  ")
    start = 0
    for number, piece in enumerate(plain.split('"')):
        end = start + len(piece)
        if number and len(piece) >= LITERAL_CHARS and end < len(plain):
            yield script[start - 1 : end + 1]
        start = end + 1


def _unquoted(literal: str) -> str:
    try:
        value = json.loads(literal, strict=False)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Head:
    """Language, canonical URL and image, from the page's head."""

    def __init__(self, tree: etree._Element, url: str) -> None:
        metas: dict[str, str] = {}
        for meta in tree.iter("meta"):
            name = meta.get("property") or meta.get("name") or meta.get("http-equiv") or ""
            metas.setdefault(name.lower(), meta.get("content") or "")
        links = (
            link.get("href") for link in tree.iter("link") if "canonical" in (link.get("rel") or "").lower().split()
        )
        root = tree.getroottree().getroot()
        stated = (root.get("lang") or root.get("xml:lang"), metas.get("content-language"), metas.get("og:locale"))
        self.language_tag = next((tag for tag in stated if language_of(tag)), None)
        self.language = language_of(self.language_tag)
        self.canonical = absolute(next(links, None), url) or absolute(metas.get("og:url"), url)
        self.image = absolute(metas.get("og:image") or metas.get("twitter:image"), url)


def _fill_up(facts: PageFacts, tree: etree._Element, url: str) -> None:
    """Add the date and authors that the head lacks, from trafilatura's search of the page."""
    if facts.published and facts.authors:
        return
    from trafilatura.metadata import extract_metadata

    # An extensive search would take a day in the article, or the copyright year, for its date.
    wanted: dict[str, Any] = {"original_date": True, "extensive_search": False, "outputformat": "%Y-%m-%dT%H:%M:%S%z"}
    metadata = extract_metadata(tree, default_url=url, date_config=wanted, extensive=True)
    if metadata.date and not facts.published:  # trafilatura would accept stated dates that `dates` finds unsure
        facts.published.append(_with_time(metadata.date, tree))
    if not facts.authors and metadata.author:
        facts.authors = list(dict.fromkeys(name for each in metadata.author.split(";") for name in names_in(each)))


def _with_time(date: str, tree: etree._Element) -> str:
    """The date with the time that the page gives for the same day, if it gives one: an address holds only the day."""
    day = date.partition("T")[0]
    if not date.startswith(f"{day}T00:00:00"):
        return date
    times = dict.fromkeys(
        stated for element in tree.iter("time", "abbr", "span") for stated in _stated_times(element) if day in stated
    )
    return next(iter(times)) if len(times) == 1 else date


def _stated_times(element: etree._Element) -> Iterator[str]:
    """The dates with a time in the attributes of an element that states when its article was published."""
    if element.tag != "time" and element.get("itemprop") != "datePublished":
        return
    for name in ("datetime", "content", "title"):
        value = (element.get(name) or "").strip()
        if _DAY_AND_TIME.match(value):
            yield value


def _dated_line(tree: etree._Element, title: str, hints: Hints) -> list[str]:
    """The line between the heading and the first paragraph that is only a date, if any.

    A date above the heading may be today's.
    """
    wanted = prose.key(title)
    seen = False
    left = DATED_ELEMENTS
    for element in tree.iter("h1", "p", "div", "span", "time", "li", "small"):
        if element.tag == "h1":
            seen = seen or prose.key(prose.visible_text(element)) == wanted
        elif seen and left:
            left -= 1
            line = prose.visible_text(element)
            if len(line) > dates.MAX_CHARS and element.tag == "p":
                break
            if any(char.isdigit() for char in line) and isinstance(dates.read(line, hints), datetime):
                return [line]
    return []


def _published(written: Iterable[str], now: datetime, hints: Hints, problems: list[str]) -> datetime | None:
    """The first of the dates that can be read and is plausible; rejected ones are noted in `problems`."""
    for each in dict.fromkeys(map(str.strip, written)):
        when = dates.read(each, hints)
        if isinstance(when, str):
            problems.append(f"published {each[: dates.MAX_CHARS]!r} {when}: dropped")
        elif why := dates.implausible(when, now):
            problems.append(f"published {why}: dropped")
        else:
            return when
    return None
