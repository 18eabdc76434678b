"""The labels that readers gave, joined with the texts beside the project.

Ids and labels are committed in `tests/transforms/data`; the texts are their publishers' and stay in `../shared`. Every
set is split by a hash of the article's id into a build half, which may be read, and a test half, of which only figures
are computed.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from newswatch.config import plain

ROOT = Path(__file__).parents[2]
LABELS = ROOT / "tests" / "transforms" / "data"
WRITTEN = LABELS / "written"
"""A file per language of short texts whose writers had not seen the taxonomy."""
UNSEEN = LABELS / "unseen"
"""The same, written when the terms were finished; none of them was ever read to change the tagger."""
NEWS = "news"
TOPICS: Mapping[str, str] = {"nato": "nato", "counter-terrorism": "ct"}
"""Topic → its column in the label files."""
LEVELS: Mapping[str, int] = {"any": 1, "main": 2}
"""Level → least grade: 2 main subject, 1 substantive mention, 0 none or in passing."""

Half = Literal["build", "test"]
Origin = Literal["labelled", "recent_labelled", "before", "before-again", "written"]
"""Labelled for this evaluation; with the recent articles; before, and tuned on since, by its labels or as it was read
again; or written with its label."""
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_SHORT_SPAN = re.compile(r"(?P<century>20|19)\d\d-(?P<last>1[3-9]|[2-9]\d)")
"""`2022-23`: a span of years, not a month."""


class LabelError(Exception):
    """A label that can't be used, or a text that is missing; names file and id."""


def half(article_id: str) -> Half:
    """The half an article is in: `test` where the first byte of its id's SHA-256 is odd."""
    return "test" if hashlib.sha256(article_id.encode()).digest()[0] & 1 else "build"


@dataclass(frozen=True, slots=True)
class Grade:
    """A reader's judgement of one topic in one article."""

    best: int | None
    """0, 1 or 2; None where the reader gives none for doubt."""
    doubt: str = ""
    """`01`, `12` or `02` where the reader wavers between the two, or two readers differ."""

    def sure(self, least: int) -> bool | None:
        """Whether the grade is at least that; None where the reader's doubt is about just this."""
        if self.doubt:
            low, high = map(int, self.doubt)
            return None if low < least <= high else low >= least
        return self.as_labelled(least)

    def as_labelled(self, least: int) -> bool | None:
        """Whether the best grade is at least that, doubt or not; None without one."""
        return None if self.best is None else self.best >= least


@dataclass(frozen=True, slots=True)
class LabelledArticle:
    """An article with its labels and its text."""

    id: str
    set: str
    origin: Origin
    language: str
    title: str
    text: str
    published: datetime | None
    """The day, in UTC; None where its set names only a year or nothing."""
    year: int | None
    """The last one that its date names."""
    grades: Mapping[str, Grade]
    trap: str

    @property
    def half(self) -> Half:
        """The half it is in."""
        return half(self.id)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A labelled sentence."""

    id: str
    article: str
    language: str
    field: Literal["title", "text"]
    text: str
    substantive: Mapping[str, bool | None]
    """Topic → whether it says something substantive; None where the reader was in doubt."""
    why: str
    """Why a topic's word in it says nothing: label, time-place, list, standard, state-terror, war, …"""

    @property
    def half(self) -> Half:
        """The half its article is in."""
        return half(self.article)


def rows(name: str) -> list[dict[str, str]]:
    """The lines of a committed label file."""
    with (LABELS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def texts(news: Path, name: str) -> Mapping[str, Mapping[str, Any]]:
    """The articles of one set, by id.

    Raises:
        LabelError: the set is not there.
    """
    path = text_file(news, name)
    if not path.is_file():
        raise LabelError(f"{path} is missing: the texts of the set {name!r}")
    content = path.read_bytes()
    return {row["id"]: row for row in json_lines(gzip.decompress(content) if path.suffix == ".gz" else content)}


def text_file(news: Path, name: str) -> Path:
    """The file of a set: `NAME_dev.jsonl.gz`, or that of a set within a folder (`stories_dev/background`)."""
    return news / (f"{name}.jsonl" if "/" in name else f"{name}_dev.jsonl.gz")


def json_lines(content: bytes) -> Iterator[Any]:
    """The value of each line; only a line feed ends one, since a text may hold U+2028."""
    return (json.loads(line) for line in content.decode().split("\n") if line)


def articles(news: Path) -> list[LabelledArticle]:
    """Every labelled article: ours, then those that came with labels.

    Raises:
        LabelError: a text is missing.
    """
    again = {row["id"]: row for row in rows("labels_again")}
    return [
        *(_ours(row, again.get(row["id"]), news) for row in rows("labels")),
        *_with_labels(news, "recent_labelled"),
        *_with_labels(news, "labelled", "before"),
    ]


def _ours(row: Mapping[str, str], again: Mapping[str, str] | None, news: Path) -> LabelledArticle:
    text = _text(news, row["set"], row["id"])
    grades = {t: _grade(row, column, again) for t, column in TOPICS.items()}
    return _article(text, row["set"], "labelled", row["lang"], grades, row["trap"])


def _grade(first: Mapping[str, str], column: str, again: Mapping[str, str] | None) -> Grade:
    """The first reader's grade; what either reader wavers between, or they differ in, is in doubt."""
    readings = (first,) if again is None else (first, again)
    grades = {grade for row in readings for grade in (row[column], *row[f"{column}_doubt"])}
    return Grade(int(first[column]), f"{min(grades)}{max(grades)}" if len(grades) > 1 else "")


def read_again() -> dict[str, dict[str, Grade]]:
    """Id of an article of `labelled_dev` → its grades by two blind readings; in doubt where one wavers or they differ.

    What neither a label nor the tagger saw a topic in was not read again, but for 40 drawn at random.
    """
    first, second = ({r["id"]: r for r in rows("labelled_dev_again") if r["reading"] == n} for n in ("1", "2"))
    return {i: {t: _grade(row, column, second[i]) for t, column in TOPICS.items()} for i, row in first.items()}


def _with_labels(news: Path, name: str, origin: Origin = "recent_labelled") -> Iterator[LabelledArticle]:
    path = news / f"{name}_dev.jsonl"
    if not path.is_file():
        raise LabelError(f"{path} is missing: articles that come with their labels")
    for row in json_lines(path.read_bytes()):
        doubts = row.get("doubt") or {}
        grades = {t: Grade(row["labels"][t], doubts.get(t) or "") for t in TOPICS}
        yield _article(row, name, origin, row["lang"], grades, row["labels"].get("hard_case") or "")


def _article(
    row: Mapping[str, Any], set_: str, origin: Origin, language: str, grades: Mapping[str, Grade], trap: str
) -> LabelledArticle:
    date, title, text = str(row.get("date") or ""), row["title"] or "", row["text"] or ""
    return LabelledArticle(row["id"], set_, origin, language, title, text, day(date), last_year(date), grades, trap)


def written(folder: Path = WRITTEN) -> list[LabelledArticle]:
    """Every text that was written with its label, language by language; its title is its id.

    Raises:
        LabelError: two texts have one title.
    """
    texts_ = [_written(*row) for file in sorted(folder.glob("*.yaml")) for row in plain(file.read_text("utf-8"))]
    if twice := [title for title, count in Counter(a.id for a in texts_).items() if count > 1]:
        raise LabelError(f"two texts in {folder.name} have one title: {twice[0]}")
    return texts_


def _written(language: str, nato: int, terrorism: int, trap: str, title: str, text: str) -> LabelledArticle:
    grades = {"nato": Grade(nato), "counter-terrorism": Grade(terrorism)}
    return LabelledArticle(title, "written", "written", language, title, text, None, None, grades, trap)


def last_year(date: str) -> int | None:
    """The last year that `date` names, as an ISO date, in words, or as a span: 2024 for `2022-24`."""
    if span := _SHORT_SPAN.fullmatch(date):
        return int(span["century"] + span["last"])
    return max(map(int, _YEAR.findall(date)), default=None)


def day(date: str) -> datetime | None:
    """The day that a set's date says, in UTC; None where it says none in either of the sets' two ways."""
    for form, length in (("%Y-%m-%d", 10), ("%d-%b-%Y", 11)):
        try:
            return datetime.strptime(date.strip()[:length].title().strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _text(news: Path, set_: str, article_id: str) -> Mapping[str, Any]:
    text = texts(news, set_).get(article_id)
    if text is None:
        raise LabelError(f"{text_file(news, set_).name} holds no article {article_id!r}, which is labelled")
    return text


def sentences(news: Path) -> list[Sentence]:
    """Every labelled sentence, cut from its article by the committed offsets.

    Raises:
        LabelError: a text is missing, or is another than the one that was read.
    """
    return [_sentence(row, news) for row in rows("sentence_labels")]


def _sentence(row: Mapping[str, str], news: Path) -> Sentence:
    whole = _text(news, row["set"], row["article"])
    text = str(whole[row["field"]])[int(row["start"]) : int(row["end"])]
    if sentence_id(row["article"], text) != row["id"]:
        raise LabelError(f"sentence_labels.csv: {row['id']} is not what {row['article']} says from {row['start']} on")
    # A doubt is written by the first letters of its topics: n, c or nc.
    sure = {t: None if column[0] in row["doubt"] else row[column] == "1" for t, column in TOPICS.items()}
    field: Literal["title", "text"] = "title" if row["field"] == "title" else "text"
    return Sentence(row["id"], row["article"], row["lang"], field, text, sure, row["why"])


def sentence_id(article_id: str, text: str) -> str:
    """Twelve hexadecimal digits of the SHA-256 of article and sentence: another text has another id."""
    return hashlib.sha256(f"{article_id}\0{text}".encode()).hexdigest()[:12]
