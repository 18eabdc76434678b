"""An article as the tagger reads it: one folded haystack of title, summary and text, and its sentences."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from newswatch.article import Evidence, TextField
from newswatch.scripts import EAST_ASIAN
from transforms.fold import Folded, fold
from transforms.scoring import HEADLINE
from transforms.sentences import said_before, spans, unwrapped
from transforms.tag_rules import Contexts, Hit

TITLE_CHARS, SUMMARY_CHARS, TEXT_CHARS = 2_000, 20_000, 100_000
"""Maximum characters read from each field. A longer field is tagged by its beginning, which `problems` reports."""
_CJK = re.compile(f"[{EAST_ASIAN}]")


class Sentence(NamedTuple):
    start: int
    end: int
    field: int
    """0 title, 1 summary, 2 text."""
    offset: int
    """Characters between the title and the sentence, repeated sentences excluded; -1 if the sentence is repeated."""


@dataclass(slots=True)
class ArticleText:
    """The three fields as one folded haystack, and the position of each field in it."""

    haystack: str
    fields: tuple[tuple[TextField, int, str, Folded], ...]
    language: str | None
    _sentences: list[Sentence] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _repeats: bool | None = None

    @classmethod
    def of(cls, title: str, summary: str, text: str, language: str | None) -> ArticleText:
        fields: list[tuple[TextField, int, str, Folded]] = []
        base = 0
        given: tuple[tuple[TextField, str], ...] = (
            ("title", title[:TITLE_CHARS]),
            ("summary", summary[:SUMMARY_CHARS]),
            ("text", text[:TEXT_CHARS]),
        )
        for name, string in given:
            folded = fold(unwrapped(string))
            fields.append((name, base, string, folded))
            base += len(folded.text) + 1
        return cls("\n".join(f[3].text for f in fields), tuple(fields), language)

    @property
    def density(self) -> int:
        """Latin letters that one character counts as: Chinese and Japanese words take about two characters."""
        title, summary, text = (f[3].text for f in self.fields)
        sample = f"{title}\n{max(summary, text, key=len)}"[:400]
        return 3 if 3 * len(_CJK.findall(sample)) > len(sample) else 1

    @property
    def headed(self) -> bool:
        """Whether the title is a headline that says what the article is about, not a number or a single word."""
        return sum(map(str.isalpha, self.fields[0][3].text)) * self.density >= HEADLINE

    @property
    def sentences(self) -> list[Sentence]:
        """Every sentence of the article, in order."""
        if not self._sentences:
            self._sentences.extend(_sentences_of(self.fields))
            self._starts.extend(s.start for s in self._sentences)
        return self._sentences

    @property
    def repeats(self) -> bool:
        """Whether summary or text says again what the other says."""
        if self._repeats is None:
            both = all(f[3].text for f in self.fields[1:])
            self._repeats = both and any(s.offset < 0 for s in self.sentences)
        return self._repeats

    def unrepeated(self, contexts: Contexts) -> Contexts:
        """`contexts` with the places they have if nothing is said twice: a copy moves no word away from another."""
        if not self.repeats:
            return contexts
        return {
            number: sorted(self._place(p) for p in places if self.sentence_at(p).offset >= 0)
            for number, places in contexts.items()
        }

    def placed(self, hit: Hit) -> Hit:
        """`hit` at the place it has if nothing is said twice."""
        if not self.repeats:
            return hit
        start = self._place(hit.start)
        return hit._replace(start=start, end=start + hit.end - hit.start)

    def _place(self, position: int) -> int:
        sentence = self.sentence_at(position)
        return position if not sentence.field else self.fields[1][1] + sentence.offset + position - sentence.start

    def sentence_at(self, start: int) -> Sentence:
        sentences = self.sentences
        return sentences[bisect_right(self._starts, start) - 1]

    def field_at(self, start: int) -> tuple[TextField, int, str, Folded]:
        for field_ in reversed(self.fields):
            if start >= field_[1]:
                return field_
        raise IndexError(start)

    def passage(self, sentence: Sentence) -> Evidence:
        """The sentence without the blanks around it."""
        raw = self.haystack[sentence.start : sentence.end]
        begin = sentence.start + len(raw) - len(raw.lstrip())
        return self.evidence(begin, begin + len(raw.strip()))

    def evidence(self, start: int, end: int) -> Evidence:
        name, base, string, folded = self.field_at(start)
        a, b = folded.original(start - base, end - base)
        return Evidence(name, a, b, string[a:b])


def _sentences_of(fields: tuple[tuple[TextField, int, str, Folded], ...]) -> Iterator[Sentence]:
    """The sentences of the fields, in order."""
    split = [[*spans(folded.text)] for _, _, _, folded in fields]
    texts = [[f[3].text[a:b] for a, b in spanned] for f, spanned in zip(fields, split, strict=True)]
    offset = 0
    for number, (spanned, repeated) in enumerate(zip(split, said_before(texts), strict=True)):
        base = fields[number][1]
        for (a, b), again in zip(spanned, repeated, strict=True):
            yield Sentence(base + a, base + b, number, -1 if again else offset)
            if number and not again:
                offset += b - a


def too_long(*, title: str, summary: str, text: str) -> tuple[str, ...]:
    """One problem for each field that is too long to be tagged whole."""
    fields = (("title", title, TITLE_CHARS), ("summary", summary, SUMMARY_CHARS), ("text", text, TEXT_CHARS))
    return tuple(
        f"{name} has {len(string):,} characters: tagged by the first {most:,}"
        for name, string, most in fields
        if len(string) > most
    )
