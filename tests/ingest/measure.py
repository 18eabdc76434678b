"""How well an extractor does on pages whose articles are known. `python -m tests.ingest.measure` prints it.

The text is compared as article-extraction-benchmark does (https://github.com/scrapinghub/article-extraction-benchmark):
by its 4-grams of words, precision and recall averaged over the pages; CJK text by its characters.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ingest.boilerplate import key
from ingest.extract import extract
from newswatch.model import Extracted

_WORD = re.compile(r"\w+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Page:
    """A page and what an extractor should find on it; a field is None where that is not known."""

    name: str
    url: str
    body: bytes
    text: str
    title: str | None = None
    published: datetime | None = None
    publisher: str = ""

    @property
    def held_out(self) -> bool:
        """Whether its publisher is one of the half on which nothing is tuned."""
        return hashlib.sha256(self.publisher.encode()).digest()[0] % 2 == 1


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares, over all pages."""

    pages: int
    f1: float
    precision: float
    recall: float
    empty: float
    title: float
    date: float


def aeb(folder: Path) -> Iterator[Page]:
    """The pages of article-extraction-benchmark."""
    for name, truth in json.loads((folder / "ground-truth.json").read_text()).items():
        body = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())
        host = urlsplit(truth["url"]).netloc.removeprefix("www.")
        yield Page(name, truth["url"], body, truth["articleBody"], publisher=host)


def fundus(folder: Path) -> Iterator[Page]:
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


def _fundus_page(path: Path, url: str, truth: dict[str, object]) -> Page:
    told = truth["body"]
    assert isinstance(told, dict)
    lines = [*told["summary"]]
    for section in told["sections"]:
        lines += [*section["headline"], *section["paragraphs"]]
    published = datetime.fromisoformat(str(truth["publishing_date"]))
    published = published if published.tzinfo else published.replace(tzinfo=UTC)
    body = gzip.decompress(path.read_bytes())
    publisher = path.name.partition("_2")[0]
    return Page(path.name, url, body, "\n".join(lines), str(truth["title"]), published, publisher)


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """The 4-grams of `text`, of its words or, where it is CJK, its characters."""
    tokens = _WORD.findall(text)
    if len(_CJK.findall(text)) > 0.2 * max(1, len("".join(text.split()))):
        tokens = [char for char in text if char.isalnum()]
    if not tokens:
        return Counter()
    return Counter(tuple(tokens[n : n + 4]) for n in range(max(1, len(tokens) - 3)))


def precision_and_recall(truth: str, found: str) -> tuple[float, float]:
    """How much of `found` is right, and how much of `truth` was found."""
    expected, got = shingles(truth), shingles(found)
    common = (expected & got).total()
    return common / got.total() if got else 0.0, common / expected.total() if expected else 1.0


def measure(pages: Iterable[Page], now: datetime) -> Quality:
    """How well `extract` does on `pages`. Titles are compared by letters and digits, dates by their day."""
    results = [(page, extract(page.body, url=page.url, now=now)) for page in pages]
    scores = [precision_and_recall(page.text, found.text) for page, found in results]
    precision, recall = (sum(each) / len(results) for each in zip(*scores, strict=True))
    titled = [key(page.title) == key(found.title) for page, found in results if page.title]
    dated = [_same_day(page.published, found) for page, found in results if page.published]
    return Quality(
        pages=len(results),
        f1=2 * precision * recall / (precision + recall),
        precision=precision,
        recall=recall,
        empty=sum(not found.text for _, found in results) / len(results),
        title=sum(titled) / max(1, len(titled)),
        date=sum(dated) / max(1, len(dated)),
    )


def _same_day(expected: datetime, found: Extracted) -> bool:
    return found.published is not None and found.published.date() == expected.astimezone(UTC).date()


if __name__ == "__main__":
    from tests.conftest import SHARED_DATA

    for name, pages in (("aeb", aeb), ("fundus_dev", fundus)):
        found = list(pages(SHARED_DATA / "extraction" / name))
        for half in (False, True):
            part = [page for page in found if page.held_out is half]
            print(name, "held out" if half else "tuned on", measure(part, datetime.now(UTC)))
