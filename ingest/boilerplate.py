"""Removes what is not the article from an article page: from the tree before extraction, from the text after it.

Every rule describes the web, not one publisher: lists of links, hidden elements, asides, prompts to read on. The words
of prompts are in the languages' files (`newswatch.languages`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from typing import Final

from lxml import etree

from newswatch.languages import alternatives

# fmt: off
BLOCKS: Final = frozenset(
    {
        "address", "article", "aside", "blockquote", "center", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
        "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
    }
)
# fmt: on
HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_SILENT: Final = frozenset({"script", "style", "noscript", "template", "svg"})
_LINES: Final = frozenset({"p", "li", "div", "h2", "h3", "h4", "h5", "h6", "section", "blockquote", "td", "dd"})
_NO_LETTER: Final = re.compile(r"[\W_]+")
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_UNSEEN: Final = re.compile(
    r"(?:^|\s)(?:[\w-]+-)?(?:sr-only|visually-?hidden|screen-?reader(?:-text|-only)?|element-invisible|vh)(?:\s|$)",
    re.IGNORECASE,
)
"""Classes by which style libraries hide text that is only read aloud, such as `opens in a new window`."""
_OF_COMMENTS: Final = re.compile(r"comments?-(?:enabled|disabled|open|closed|on|off|allowed)", re.IGNORECASE)
"""Classes that say whether a page may be commented on; the extractor takes what begins so for comments."""
_CAPTIONED: Final = re.compile(r"(?:^|[\s_-])(?:image|img|photo|picture|figure|caption)s?(?=$|[\s_-])", re.IGNORECASE)
"""Classes of containers of a picture and its caption."""
PROSE_CHARS: Final = 100
"""A longer paragraph that ends like a sentence is prose, whatever its class."""
CAPTION_CHARS: Final = 400
CARD_CHARS: Final = 500
"""Maximum characters, without blanks, of a link around a heading that counts as a card for another story."""
_STOPS: Final = ".!?…。！？｡．।॥۔؟։።។။།"
"""Characters that end a sentence; also in Hindi, Urdu and Arabic, Armenian, Amharic, Khmer, Burmese and Tibetan."""
_CLOSERS: Final = "」』\"”“»«›‹’‘')）]"
_ENDS: Final = tuple(f"{_STOPS}{_CLOSERS}:;؛：；")
_UNSTOPPED: Final = re.compile(r"[\u0e00-\u0eff]")
"""Thai and Lao, which have no mark at the end of a sentence."""
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
HIDDEN_PROSE: Final = 300
"""Characters of paragraphs. A hidden element with more may be the article itself, which a script shows."""
ASIDE_SHARE: Final = 0.3
"""Share of the page's text. A larger aside is the article in the wrong element."""
LINKED_CHARS: Final = 45
"""Minimum characters, without blanks and counting CJK characters three times, of a paragraph that is one link but still
prose, if it is a sentence."""
LEAD_CHARS: Final = 100
TRAIL_CHARS: Final = 60
PROMPT_CHARS: Final = 300
MAX_CHILDREN: Final = 12
"""Maximum children of a line; an element with more is a list or a page."""
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


Path = tuple[tuple[str, str], ...]
"""Name and class of an element and of each ancestor, from the element up."""


@dataclass(slots=True)
class _Size:
    """The amount of text in an element, in characters without white space."""

    text: int = 0
    links: int = 0
    prose: int = 0
    """Characters in paragraphs."""
    has_block: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of the page and its position in the tree."""

    text: str
    path: Path
    """Element and class of it and of each ancestor: the same for all paragraphs of one template slot."""


def key(line: str) -> str:
    """The letters and digits of `line`, for comparison."""
    return _NO_LETTER.sub("", line.lower())


def is_sentence(line: str) -> bool:
    """Whether `line` ends like a sentence, optionally followed by brackets or quotation marks."""
    return line.rstrip(_CLOSERS + " ").endswith(tuple(_STOPS))


def visible_text(element: etree._Element) -> str:
    """The text in `element` on one line."""
    return " ".join("".join(str(piece) for piece in element.itertext()).split())


# ── before extraction: the tree ──────────────────────────────────────────────────────────────────────────────────────


def prune(tree: etree._Element) -> None:
    """Remove hidden elements, asides and lists of links from `tree`, in place, and unlink prose that is linked."""
    _flatten_ruby(tree)
    elements = [element for element in tree.iter() if isinstance(element.tag, str)]
    sizes = _measure(elements)
    total = max((sizes[element].text for element in elements if element.tag in ("body", "html")), default=0)
    doomed = [e for e in elements if e.tag not in ("html", "body", "head") and _is_boilerplate(e, sizes, total)]
    linked = [element for element in elements if _is_linked_paragraph(element, sizes[element])]
    for element in doomed:
        _drop(element)
    _straighten(tree)
    for element in linked:
        etree.strip_tags(element, "a")  # otherwise the extractor takes it for a list of links


def _straighten(tree: etree._Element) -> None:
    """Remove what an extractor would misread.

    That is an aside that holds the article, tables used for layout, classes of paragraphs of prose (some editors call
    each of them `comment-text`), and classes that say that a page has comments.
    """
    for paragraph in tree.iter("p"):
        if paragraph.get("class") or paragraph.get("id"):
            line = visible_text(paragraph)
            if len(line) >= PROSE_CHARS and is_sentence(line) and not _is_of_picture(paragraph.get("class") or ""):
                etree.strip_attributes(paragraph, "class", "id")
    for element in tree.iter("div", "section", "article", "main"):
        if (names := (element.get("class") or "").split()) and any(map(_OF_COMMENTS.fullmatch, names)):
            element.set("class", " ".join(name for name in names if not _OF_COMMENTS.fullmatch(name)))
    for aside in list(tree.iter("aside")):
        aside.tag = "div"  # real asides have been removed by now
    for table in list(tree.iter("table")):
        if any(sum(1 for _ in cell.iter("p", "h1")) > 1 for cell in table.iter("td")):
            for part in table.iter("table", "tbody", "tr", "td"):
                part.tag = "div"


def _flatten_ruby(tree: etree._Element) -> None:
    """Turn Japanese ruby into plain text: with the reading in the brackets that `rp` gives, else without the reading.

    An extractor would take each `ruby` for the end of a paragraph.
    """
    rubies = list(tree.iter("ruby"))
    for ruby in rubies:
        if ruby.find(".//rp") is None:
            for reading in list(ruby.iter("rt", "rtc")):
                _drop(reading)
    if rubies:
        etree.strip_tags(tree, "ruby", "rb", "rt", "rp", "rtc")


def _measure(elements: Sequence[etree._Element]) -> dict[etree._Element, _Size]:
    """The size of each element, children before their parents."""
    sizes: dict[etree._Element, _Size] = {}
    for element in reversed(elements):
        size = sizes[element] = _Size()
        if element.tag in _SILENT:
            continue
        own = _solid(element.text)
        for child in element:
            own += _solid(child.tail)
            inner = sizes.get(child)
            if inner:
                size.text += inner.text
                size.links += inner.links
                size.prose += inner.prose
                size.has_block = size.has_block or inner.has_block or child.tag in BLOCKS
        size.text += own
        href = element.get("href") if element.tag == "a" else None
        if href and not href.startswith("#"):
            size.links = size.text
        if element.tag == "p":
            size.prose = size.text
    return sizes


def _solid(text: str | None) -> int:
    return sum(map(len, text.split())) if text else 0


def _is_boilerplate(element: etree._Element, sizes: dict[etree._Element, _Size], total: int) -> bool:
    size = sizes[element]
    if not size.text:
        return False
    if _is_hidden(element) and size.prose < HIDDEN_PROSE:
        return True
    if element.tag in ("aside", "figcaption"):
        return size.text < ASIDE_SHARE * total
    if size.text < ASIDE_SHARE * total and (_is_card(element, size) or _is_captioned(element, size)):
        return True
    if element.tag in ("ul", "ol"):
        return _is_link_list(element, size, sizes)
    return element.tag in _LINES and not size.has_block and _is_link_line(element, size)


def _is_hidden(element: etree._Element) -> bool:
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or _is_unseen(element.get("class") or "")
        or _HIDDEN.search(element.get("style") or "") is not None
    )


@lru_cache(maxsize=2_048)
def _is_unseen(names: str) -> bool:
    """Whether the classes hide an element. Cached: the same few classes are on hundreds of elements of a page."""
    return _UNSEEN.search(names) is not None


@lru_cache(maxsize=2_048)
def _is_of_picture(names: str) -> bool:
    return _CAPTIONED.search(names) is not None


def _is_card(element: etree._Element, size: _Size) -> bool:
    """Whether the element is a link around a heading, which leads to another story."""
    holds = element.tag == "a" and size.has_block and size.text < CARD_CHARS
    return holds and any(heading.tag != "h1" for heading in element.iter(*HEADINGS))


def _is_captioned(element: etree._Element, size: _Size) -> bool:
    """Whether the element is a picture with its caption, and nothing else."""
    named = size.text < CAPTION_CHARS and element.tag != "a" and _is_of_picture(element.get("class") or "")
    if not named or not any(True for _ in element.iter("img", "picture", "video")):
        return False
    return sum(2 if line.tag[0] == "h" else 1 for line in element.iter("p", "li", *HEADINGS) if visible_text(line)) < 2


def _is_link_list(element: etree._Element, size: _Size, sizes: dict[etree._Element, _Size]) -> bool:
    if size.links >= 0.8 * size.text:
        return True
    items = [child for child in element if child.tag == "li" and sizes[child].text]
    links = [i for i in items if sizes[i].links >= 0.5 * sizes[i].text and not visible_text(i).endswith(".")]
    return bool(items) and len(links) >= 0.8 * len(items)


def _is_link_line(element: etree._Element, size: _Size) -> bool:
    """Whether the line is a link, or a label with a link, and not a sentence."""
    if size.links < 0.5 * size.text:
        return False
    if size.links >= 0.9 * size.text and size.text >= 13:
        return not _is_linked_paragraph(element, size)
    return size.text < 140 and not visible_text(element).endswith(_ENDS)


def _is_linked_paragraph(element: etree._Element, size: _Size) -> bool:
    """Whether the element is a paragraph that is mostly a link but prose; headlines lack the full stop."""
    if element.tag != "p" or size.links < 0.5 * size.text:
        return False
    line = visible_text(element)
    is_long = size.text + 2 * len(_CJK.findall(line)) >= LINKED_CHARS
    return is_long and is_sentence(line)


def _drop(element: etree._Element) -> None:
    """Remove `element` and keep the text behind it."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


# ── between: paragraphs that the extractor missed ────────────────────────────────────────────────────────────────────


def lines_of(tree: etree._Element) -> list[str]:
    """The innermost blocks of the page as lines, in order."""
    elements = tree.iter("p", "div", "h2", "h3", "section", "header", "footer", "li", "span", "strong")
    return [visible_text(element) for element in elements if len(element) <= MAX_CHILDREN and not _holds_block(element)]


def _holds_block(element: etree._Element) -> bool:
    return any(isinstance(inner.tag, str) and inner.tag in BLOCKS for inner in element.iterdescendants())


def paragraphs_of(tree: etree._Element) -> list[Paragraph]:
    """The paragraphs of at least 40 characters that are not links, in order."""
    paragraphs = []
    for element in tree.iter("p"):
        text = visible_text(element)
        if len(text) >= 40 and sum(len(visible_text(a)) for a in element.iter("a")) < 0.5 * len(text):
            paragraphs.append(Paragraph(text, _path(element)))
    return paragraphs


def _path(element: etree._Element) -> Path:
    steps = []
    for each in (element, *element.iterancestors()):
        if each.tag in ("body", "html"):
            break
        steps.append((str(each.tag), each.get("class") or ""))
    return tuple(steps)


def complete(text: str, paragraphs: Sequence[Paragraph], at_least: int = 300) -> str:
    """`text` with the paragraphs of the page that the extractor missed.

    A page may split its article over several similar containers, with advertisements in between, and an extractor that
    chooses one of them loses the rest. So paragraphs in the same slot as most of the extracted ones are added, and also
    those directly around that container: the free first paragraphs before those that only subscribers see.
    """
    lines = text.split("\n")
    where = {key(line): number for number, line in enumerate(lines)}
    whole = key(text)
    extracted = Counter[Path]()
    for paragraph in paragraphs:
        its_key = key(paragraph.text)
        if its_key in where or its_key in whole:
            extracted[paragraph.path] += len(paragraph.text)
    slots = {path for path, size in extracted.items() if size > 0.25 * extracted.total()}
    around = {(slot[0], *slot[up:]) for slot in slots for up in (2, 3)}
    missing: defaultdict[int, list[str]] = defaultdict(list)
    last = -1
    for paragraph in paragraphs:
        its_key = key(paragraph.text)
        if its_key in where:
            last = where[its_key]
        elif its_key not in whole and (
            paragraph.path in slots or (last < 0 and paragraph.path in around and is_sentence(paragraph.text))
        ):
            missing[last].append(paragraph.text)
    if sum(len(line) for lost in missing.values() for line in lost) < at_least:
        return text
    merged = list(missing[-1])
    for number, line in enumerate(lines):
        merged += [line, *missing[number]]
    return "\n".join(merged)


def with_standfirst(text: str, descriptions: Iterable[str], lines: Iterable[str]) -> str:
    """`text` preceded by the page's standfirst, if the extractor missed it.

    The standfirst is the line of the page that repeats the page's description.
    """
    openings = [opening for opening in (key(description)[:50] for description in descriptions) if len(opening) >= 25]
    if not openings:
        return text
    whole = key(text)
    for line in lines:
        its_key = key(line)
        if len(its_key) >= 60 and its_key in whole:
            return text  # the article has begun
        if 30 <= len(line) <= 1_200 and any(opening in its_key[: len(opening) + 25] for opening in openings):
            said = its_key in whole or any(whole.startswith(opening) for opening in openings)
            return text if said else f"{line}\n{text}"
    return text


# ── after extraction: the lines ──────────────────────────────────────────────────────────────────────────────────────


def linked_lines(tree: etree._Element) -> frozenset[str]:
    """The keys of the page's innermost blocks of which a large share is a link."""
    links = Counter[etree._Element]()
    for link in tree.iter("a"):
        block = next((each for each in link.iterancestors() if each.tag in BLOCKS), None)
        if link.get("href") and block is not None and block.tag in _LINES and len(block) <= MAX_CHILDREN:
            links[block] += len(visible_text(link))
    lines = ((visible_text(block), length) for block, length in links.items() if not _holds_block(block))
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
    return line.endswith(_ENDS) or _UNSTOPPED.search(line) is not None


def _once(lines: Iterable[str]) -> list[str]:
    """The lines without immediate repetitions; a later repetition is intended."""
    return [line for line, _ in groupby(lines)]
