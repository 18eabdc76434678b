"""The index of `docs/decisions.md`, made from its records; `make docs` writes it.

A record is a heading `## N. Title` and a line `*date · status · area*`; its text follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

PATH: Final = Path(__file__).parents[1] / "docs" / "decisions.md"
AREAS: Final = (
    "Store",
    "Polling",
    "Entries and articles",
    "Article pages",
    "Tagging",
    "Stories and versions",
    "Search",
    "Matching",
    "Delivery",
    "Interfaces",
    "Robustness",
    "Operation",
    "Quality",
    "Project",
)
BEGIN, END = "<!-- index: begin, by `make docs` -->", "<!-- index: end -->"
_RECORD: Final = re.compile(
    r"^## (?P<number>\d+)\. (?P<title>.+)\n"
    r"\*(?P<decided>\d{4}-\d\d-\d\d)(?:, changed (?P<changed>\d{4}-\d\d-\d\d))?"
    r" · (?P<status>in force|replaced by (?P<by>\d+)) · (?P<area>[\w ]+)\*$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Record:
    """One decision, without its text."""

    number: int
    title: str
    decided: date
    changed: date | None
    replaced_by: int | None
    area: str

    @property
    def anchor(self) -> str:
        """The fragment by which its heading is reached, in the repository and on the site."""
        return re.sub(r"[^\w\- ]", "", f"{self.number}. {self.title}".lower()).replace(" ", "-")


def records(text: str) -> list[Record]:
    """The records of the page, in its order.

    Raises:
        ValueError: a heading has no number, date, known status or known area, or the numbers don't count up from 1.
    """
    found = [
        Record(
            number=int(match["number"]),
            title=match["title"],
            decided=date.fromisoformat(match["decided"]),
            changed=date.fromisoformat(match["changed"]) if match["changed"] else None,
            replaced_by=int(match["by"]) if match["by"] else None,
            area=match["area"],
        )
        for match in _RECORD.finditer(text)
    ]
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    whole = {f"{record.number}. {record.title}" for record in found}
    if strange := [heading for heading in headings if heading not in whole]:
        raise ValueError(f"no number, date, status or area: {strange[0]!r}; the page's first lines say how")
    for place, record in enumerate(found, 1):
        if record.number != place:
            raise ValueError(f"record {record.number} stands where {place} should: {record.title!r}")
        if record.area not in AREAS:
            raise ValueError(f"record {record.number} has an unknown area: {record.area!r}")
        if record.replaced_by is not None and not record.number < record.replaced_by <= len(found):
            raise ValueError(f"record {record.number} is replaced by {record.replaced_by}, which is no later record")
    return found


def index(found: Sequence[Record]) -> str:
    """The list of the records in force by area, and of those that were replaced."""
    parts = []
    for area in AREAS:
        here = [record for record in found if record.area == area and record.replaced_by is None]
        if here:
            parts.append(f"**{area}**\n\n" + "\n".join(map(_line, here)))
    if replaced := [record for record in found if record.replaced_by is not None]:
        parts.append("**Replaced**\n\n" + "\n".join(map(_line, replaced)))
    return "\n\n".join(parts)


def _line(record: Record) -> str:
    after = f", replaced by {record.replaced_by}" if record.replaced_by else ""
    return f"- [{record.number}. {record.title}](#{record.anchor}){after}"


def with_index(text: str) -> str:
    """The page with its index as its records say."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{index(records(text))}\n\n{END}{after}"


def main() -> None:
    """Write the index into the page."""
    PATH.write_text(with_index(PATH.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
