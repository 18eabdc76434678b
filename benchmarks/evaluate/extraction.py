"""How well articles are extracted from pages whose text, title and date are known.

The text is compared as article-extraction-benchmark does (https://github.com/scrapinghub/article-extraction-benchmark):
by its 4-grams of words, precision and recall averaged over the pages; CJK text by its characters.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.evaluate.labels import Half, half
from benchmarks.evaluate.measures import Figure, resampled, share
from ingest.pages.extract import extract
from ingest.pages.extracted import Extracted
from ingest.pages.prose import key

_WORD = re.compile(r"\w+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_NUMBERS = re.compile(r"\d+")
NOW = datetime(2026, 9, 1, tzinfo=UTC)
"""When the pages are read: a date after it would not be believed."""


@dataclass(frozen=True, slots=True)
class TruthPage:
    """A page, and the right result of an extractor; a field is None if it is not known."""

    name: str
    url: str
    body: bytes
    text: str
    title: str | None = None
    published: datetime | None = None
    publisher: str = ""

    @property
    def half(self) -> Half:
        """The half its publisher is in: nothing is tuned on the pages of those in the test half."""
        return half(self.publisher)


def aeb(folder: Path) -> Iterator[TruthPage]:
    """The pages of article-extraction-benchmark."""
    for name, truth in json.loads((folder / "ground-truth.json").read_text()).items():
        body = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())
        host = urlsplit(truth["url"]).netloc.removeprefix("www.")
        yield TruthPage(name, truth["url"], body, truth["articleBody"], publisher=host)


def fundus(folder: Path) -> Iterator[TruthPage]:
    """The pages of Fundus' parser tests: a publisher's parsers and pages belong together in the order of their age."""
    for meta_path in sorted(folder.glob("*/meta.info")):
        meta = json.loads(meta_path.read_text())
        for truth_path in sorted(meta_path.parent.glob("*.json")):
            truths = json.loads(truth_path.read_text())
            names = (name for name in meta if name.startswith(f"{truth_path.stem}_2"))
            pages = sorted(
                (n for n in names if (meta_path.parent / n).exists()), key=lambda n: str(meta[n]["crawl_date"])
            )
            versions = sorted(truths, key=lambda version: [int(n) for n in _NUMBERS.findall(version)])
            for name, version in zip(pages, versions, strict=True):
                yield _fundus_page(meta_path.parent / name, meta[name]["url"], truths[version])


def _fundus_page(path: Path, url: str, truth: dict[str, object]) -> TruthPage:
    paragraphs = truth["body"]
    assert isinstance(paragraphs, dict)
    lines = [*paragraphs["summary"]]
    for section in paragraphs["sections"]:
        lines += [*section["headline"], *section["paragraphs"]]
    published = datetime.fromisoformat(str(truth["publishing_date"]))
    published = published if published.tzinfo else published.replace(tzinfo=UTC)
    body = gzip.decompress(path.read_bytes())
    publisher = path.name.partition("_2")[0]
    return TruthPage(path.name, url, body, "\n".join(lines), str(truth["title"]), published, publisher)


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """The 4-grams of `text`, of its words or, where it is CJK, its characters."""
    tokens = _WORD.findall(text)
    if len(_CJK.findall(text)) > 0.2 * max(1, len("".join(text.split()))):
        tokens = [char for char in text if char.isalnum()]
    if not tokens:
        return Counter()
    return Counter(tuple(tokens[n : n + 4]) for n in range(max(1, len(tokens) - 3)))


def precision_and_recall(truth: str, result: str) -> tuple[float, float]:
    """Precision and recall: the share of the result that is right, and the share of `truth` in the result."""
    expected, got = shingles(truth), shingles(result)
    common = (expected & got).total()
    return common / got.total() if got else 0.0, common / expected.total() if expected else 1.0


@dataclass(frozen=True, slots=True)
class PageScore:
    """The result for one page; None if the truth is not known."""

    precision: float
    recall: float
    empty: bool
    title: bool | None
    date: bool | None


def score(page: TruthPage, now: datetime) -> PageScore:
    """The page extracted and compared: titles by their letters and digits, dates by their day."""
    extracted = extract(page.body, url=page.url, now=now)
    right, whole = precision_and_recall(page.text, extracted.text)
    title = key(page.title) == key(extracted.title) if page.title else None
    date = _same_day(page.published, extracted) if page.published else None
    return PageScore(right, whole, not extracted.text, title, date)


def extraction_figures(name: str, pages: Iterable[TruthPage], now: datetime = NOW) -> dict[str, Figure]:
    """Figures of one set of pages: F1 of the text, and the shares with a text, the right title and the right date.

    They are of all pages; `build` and `test` stand for those of a half of the publishers.
    """
    scores = [(page.half, score(page, now)) for page in pages]
    figures = _figures(f"extraction/{name}", [s for _, s in scores])
    for part in ("build", "test"):
        figures |= _figures(f"extraction/{name}/{part}", [s for half, s in scores if half == part])
    return figures


def _figures(path: str, scores: Sequence[PageScore]) -> dict[str, Figure]:
    figures = {
        "text": resampled(scores, text_f1),
        "not-empty": _share(not s.empty for s in scores),
        "title": _share(s.title for s in scores if s.title is not None),
        "date": _share(s.date for s in scores if s.date is not None),
    }
    return {f"{path}/{what}": figure for what, figure in figures.items() if figure}


def text_f1(scores: Sequence[PageScore]) -> float:
    """F1 of the pages' mean precision and mean recall; 0 where nothing is right."""
    right, whole = (sum(each) / len(scores) for each in zip(*((s.precision, s.recall) for s in scores), strict=True))
    return 2 * right * whole / (right + whole) if right + whole else 0.0


def _share(right: Iterable[bool]) -> Figure | None:
    listed = list(right)
    return share(sum(listed), len(listed))


def _same_day(expected: datetime, extracted: Extracted) -> bool:
    return extracted.published is not None and extracted.published.date() == expected.astimezone(UTC).date()
