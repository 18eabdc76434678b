"""What stands on an article page and is not the article: cut from the tree before extraction, from the text after.

Every rule here is of the web, not of a publisher: lists of links, hidden elements, asides, prompts to read on. The
words of prompts are in the languages' files (`newswatch.languages`).
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
"""Classes by which the web's style libraries hide what is only read aloud: `opens in a new window`."""
_CAPTIONED: Final = re.compile(r"(?:^|[\s_-])(?:image|img|photo|picture|figure|caption)s?(?=$|[\s_-])", re.IGNORECASE)
"""Classes of what holds a picture and the line below it."""
PROSE_CHARS: Final = 100
"""A paragraph of more that ends as a sentence does is prose, whatever its class."""
CAPTION_CHARS: Final = 400
CARD_CHARS: Final = 500
"""Without blanks: a link around a heading and no more than that is another story's card."""
_STOPS: Final = ".!?…。！？｡．।॥۔؟։።។။།"
"""End a sentence; also in Hindi, Urdu and Arabic, Armenian, Amharic, Khmer, Burmese and Tibetan."""
_CLOSERS: Final = "」』\"”“»«›‹’‘')）]"
_ENDS: Final = tuple(f"{_STOPS}{_CLOSERS}:;؛：；")
_UNSTOPPED: Final = re.compile(r"[\u0e00-\u0eff]")
"""Thai and Lao, which end no sentence with a mark."""
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
HIDDEN_PROSE: Final = 300
"""Characters of paragraphs: a hidden element with more may be the article itself, shown by a script."""
ASIDE_SHARE: Final = 0.3
"""Of the page's text: a larger aside is the article in the wrong element."""
LINKED_CHARS: Final = 45
"""Characters without blanks, one of CJK counted as three: a paragraph that is a link and a sentence is prose from
that length on."""
LEAD_CHARS: Final = 100
TRAIL_CHARS: Final = 60
PROMPT_CHARS: Final = 300
MAX_CHILDREN: Final = 12
"""Of a line: an element with more is a list or a page."""
LABEL_SHARE: Final = 0.3
"""Of a line: where a link makes up so much, it is a label and a link."""
TITLE_LINES: Final = 6
"""How far down in the text the page's title is looked for."""


@cache
def _prompt() -> re.Pattern[str]:
    """How prompts begin; what follows is no part of the article."""
    credits = rf"(?:{alternatives(lambda language: language.prompts.credits)})s? ?(?:credit|source)? ?[:/]"
    begins = alternatives(lambda language: language.prompts.opening, credits, "©", r"\(c\) \d{4}")
    return re.compile(rf"^\W*(?:{begins})", re.IGNORECASE)


@cache
def _slot() -> re.Pattern[str]:
    """A line that says `advertisement` and nothing else, and a template's mark for one."""
    slots = alternatives(lambda language: language.prompts.slots)
    marks = r"(?:\$\$|\{\{|\[\[|%%|##)\s*\w+\s*(?:\$\$|\}\}|\]\]|%%|##)"
    return re.compile(rf"\W*(?:{slots})\W*|{marks}", re.IGNORECASE)


_LURES: Final = (
    "digital", "premium", "facebook", "instagram", "telegram", "whatsapp", "youtube", "twitter", "google", r"app\b",
    "[a-z]*newsletter", "e-?mail",
)  # fmt: skip
"""What an appeal to subscribe names in every language."""


@cache
def _addressed() -> re.Pattern[str]:
    """Words with which a page sells itself to its reader: with them even a sentence may be a prompt."""
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
"""From an element up: each element's name and class."""


@dataclass(slots=True)
class _Size:
    """How much text an element holds, in characters without white space."""

    text: int = 0
    links: int = 0
    prose: int = 0
    """In paragraphs."""
    has_block: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of the page and where it stands."""

    text: str
    path: Path
    """Element and class of it and of each ancestor: alike for all paragraphs of one template slot."""


def key(line: str) -> str:
    """`line` by its letters and digits alone, to be compared."""
    return _NO_LETTER.sub("", line.lower())


def is_sentence(line: str) -> bool:
    """Whether `line` ends as a sentence does, in brackets or quotation marks or not."""
    return line.rstrip(_CLOSERS + " ").endswith(tuple(_STOPS))


def visible_text(element: etree._Element) -> str:
    """The text in `element` on one line."""
    return " ".join("".join(str(piece) for piece in element.itertext()).split())


# ── before extraction: the tree ──────────────────────────────────────────────────────────────────────────────────────


def prune(tree: etree._Element) -> None:
    """Takes out of `tree`, in place, what is hidden, set aside, or a list of links, and the links of linked prose."""
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
        etree.strip_tags(element, "a")  # else the extractor takes it for a list of links


def _straighten(tree: etree._Element) -> None:
    """Takes from elements what an extractor would misread.

    An aside that is the article; a table that is the layout; the names of paragraphs of prose, as `comment-text` may be
    what an editor's program calls each of them.
    """
    for paragraph in tree.iter("p"):
        if paragraph.get("class") or paragraph.get("id"):
            line = visible_text(paragraph)
            if len(line) >= PROSE_CHARS and is_sentence(line) and not _is_of_picture(paragraph.get("class") or ""):
                etree.strip_attributes(paragraph, "class", "id")
    for aside in list(tree.iter("aside")):
        aside.tag = "div"  # what was aside is gone by now
    for table in list(tree.iter("table")):
        if any(sum(1 for _ in cell.iter("p", "h1")) > 1 for cell in table.iter("td")):
            for part in table.iter("table", "tbody", "tr", "td"):
                part.tag = "div"


def _flatten_ruby(tree: etree._Element) -> None:
    """Japanese with its reading as plain text: in the brackets that `rp` gives for this, else without the reading.

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
    """Whether classes say so; the same few stand on hundreds of elements of a page."""
    return _UNSEEN.search(names) is not None


@lru_cache(maxsize=2_048)
def _is_of_picture(names: str) -> bool:
    return _CAPTIONED.search(names) is not None


def _is_card(element: etree._Element, size: _Size) -> bool:
    """A link around a heading: another story's."""
    holds = element.tag == "a" and size.has_block and size.text < CARD_CHARS
    return holds and any(heading.tag != "h1" for heading in element.iter(*HEADINGS))


def _is_captioned(element: etree._Element, size: _Size) -> bool:
    """A picture with the line below it, and nothing else."""
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
    """A line that is a link, or a label and a link, and no sentence."""
    if size.links < 0.5 * size.text:
        return False
    if size.links >= 0.9 * size.text and size.text >= 13:
        return not _is_linked_paragraph(element, size)
    return size.text < 140 and not visible_text(element).endswith(_ENDS)


def _is_linked_paragraph(element: etree._Element, size: _Size) -> bool:
    """A paragraph of the article of which most is a link; a headline ends without a stop."""
    if element.tag != "p" or size.links < 0.5 * size.text:
        return False
    line = visible_text(element)
    is_long = size.text + 2 * len(_CJK.findall(line)) >= LINKED_CHARS
    return is_long and is_sentence(line)


def _drop(element: etree._Element) -> None:
    """Takes `element` out and leaves the text behind it."""
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


# ── between: what the extractor missed ───────────────────────────────────────────────────────────────────────────────


def lines_of(tree: etree._Element) -> list[str]:
    """The innermost blocks of the page as lines, in their order."""
    elements = tree.iter("p", "div", "h2", "h3", "section", "header", "footer", "li", "span", "strong")
    return [visible_text(element) for element in elements if len(element) <= MAX_CHILDREN and not _holds_block(element)]


def _holds_block(element: etree._Element) -> bool:
    return any(isinstance(inner.tag, str) and inner.tag in BLOCKS for inner in element.iterdescendants())


def paragraphs_of(tree: etree._Element) -> list[Paragraph]:
    """The paragraphs of 40 characters and more that are no links, in their order."""
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
    """`text` with the paragraphs of the page that the extractor passed over.

    A page may break its article over several containers of one kind, to put advertisements in between; an extractor
    that settles on one of them loses the rest. Paragraphs that stand where most of the extracted ones do belong to it,
    and those directly around the container of these: the first ones before what only subscribers see at once.
    """
    lines = text.split("\n")
    where = {key(line): number for number, line in enumerate(lines)}
    whole = key(text)
    found = Counter[Path]()
    for paragraph in paragraphs:
        its_key = key(paragraph.text)
        if its_key in where or its_key in whole:
            found[paragraph.path] += len(paragraph.text)
    slots = {path for path, size in found.items() if size > 0.25 * found.total()}
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
    """`text` begun with the page's standfirst, where the extractor left it out.

    The standfirst is the line of the page that says what the page's description says.
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
    """The keys of the innermost blocks of the page of which a good part is a link."""
    links = Counter[etree._Element]()
    for link in tree.iter("a"):
        block = next((each for each in link.iterancestors() if each.tag in BLOCKS), None)
        if link.get("href") and block is not None and block.tag in _LINES and len(block) <= MAX_CHILDREN:
            links[block] += len(visible_text(link))
    lines = ((visible_text(block), length) for block, length in links.items() if not _holds_block(block))
    return frozenset(key(line) for line, length in lines if length >= LABEL_SHARE * len(line))


def trim(text: str, titles: Iterable[str], linked: Container[str] = frozenset()) -> str:
    """`text` without its title, by-lines and prompts, each line once; `linked` are the keys of lines with a link."""
    lines = _without_titles([line.strip() for line in text.split("\n") if line.strip()], titles)
    lines = _without_ends(lines)
    kept = [line for line in lines if not _is_prompt(line, linked)]
    return "\n".join(_once(kept))


def _is_prompt(line: str, linked: Container[str]) -> bool:
    """A label, a link or an appeal to the reader. What begins like one and is a sentence belongs to the article."""
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
    """Without the short lines that are no sentences, before the first that is one and after the last."""
    first, last = 0, len(lines)
    while first < last - 1 and len(lines[first]) < LEAD_CHARS and not _ends(lines[first]):
        first += 1
    if first >= 8:  # that many are a list or a poem, not a head
        first = 0
    while last > first + 1 and len(lines[last - 1]) < TRAIL_CHARS and not _ends(lines[last - 1]):
        last -= 1
    return lines[first:last]


def _ends(line: str) -> bool:
    return line.endswith(_ENDS) or _UNSTOPPED.search(line) is not None


def _once(lines: Iterable[str]) -> list[str]:
    """Each line once in a row; what an article says again later it means to say."""
    return [line for line, _ in groupby(lines)]
