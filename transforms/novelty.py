"""Novelty: which sentences of a text say something that texts read before don't say.

A sentence is known if one known sentence, or two that follow each other, hold nearly all of its words, the rare ones of
the story counting most, its numbers in the same order, and it takes the same stance: "did not resign", "denied that he
resigned" and "may have resigned" are not said by "resigned", nor the other way round. So another number is always new,
as is another stance, and a paraphrase within a language is known as far as it uses the same words. Texts in different
languages share no words, so everything in another language is new.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from itertools import chain, islice
from typing import Final

from newswatch.languages import is_dense, languages
from transforms.fold import fold
from transforms.profile import stems
from transforms.sentences import places, unwrapped

SAME: Final = 0.66
"""Minimum share of a sentence's weighted words that known sentences hold. Chosen on the half of the labelled stories
that code may see (`benchmarks.evaluate.updates`)."""
_ALL: Final = 0.999
"""The same where the number words of the language are not known: then any other word might be another number."""
_REPEATED: Final = 0.85
"""Share of the words of both sentences from which one repeats the other, so that a number that is left out is news too:
"one" is no number in many languages."""
_BESIDE: Final = 1
"""Words on either side that say what a number counts."""
_NEAR: Final = 6
"""Maximum distance of those words from the number, in tokens."""
_SCOPE: Final = (2, 6)
"""Maximum words before and after a stance that it may concern."""
_STEM_LETTERS: Final = 5
"""Minimum letters of a number word that is recognised in an inflected form, by its stem."""
_DIGITS: Final = re.compile(r"\d+(?:[.,' \u2019]\d{3})*(?!\d)(?:[.,]\d+)?|\d+")
_GROUPED: Final = re.compile(r"[.,' \u2019](?=\d{3}(?!\d))")
_NUMERALS: Final = "〇零一二三四五六七八九十百千万億亿两兩"
_ARTICLES: Final = frozenset("一")
NUMBER: Final = re.compile(rf"{_DIGITS.pattern}|[{_NUMERALS}]+|[^\W\d_]+")
"""A number in a folded text, or a word that may be one."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a sentence."""

    value: str
    beside: frozenset[str]
    """The stems of the nearest words, which say what it counts."""

    def is_in(self, other: Number) -> bool:
        """Whether the other number is the same, and of the same thing."""
        return self.value == other.value and (not self.beside or not self.beside.isdisjoint(other.beside))


@dataclass(frozen=True, slots=True)
class Stance:
    """A word by which a sentence negates, denies or doubts something (`newswatch.languages.Stances`)."""

    kind: str
    beside: frozenset[str]
    """The stems of the nearest words."""
    near: frozenset[str]
    """The stems of the words that it may concern."""

    def is_in(self, other: Stance) -> bool:
        """Whether the other is the same, and of the same thing."""
        return self.kind == other.kind and (not self.beside or not self.beside.isdisjoint(other.beside))


@dataclass(frozen=True, slots=True)
class _Said:
    """What a sentence, or two in a row, say."""

    words: frozenset[str]
    numbers: tuple[Number, ...]
    stances: tuple[Stance, ...]

    def __add__(self, other: _Said) -> _Said:
        return _Said(self.words | other.words, self.numbers + other.numbers, self.stances + other.stances)

    @property
    def values(self) -> list[str]:
        return [number.value for number in self.numbers]


@dataclass(frozen=True, slots=True)
class NewSentence:
    """A sentence that says something new."""

    text: str
    marks: tuple[tuple[int, int], ...]
    """Spans of its numbers that no text before holds, or holds of the same thing."""


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of `text` in order, without the blanks around them."""
    plain = unwrapped(text)
    return tuple(filter(None, (plain[slice(*place)].strip() for place in places(plain))))


def new_sentences(text: str, known: Sequence[str], language: str | None) -> tuple[NewSentence, ...]:
    """The sentences of `text` that say something which the `known` texts, and the sentences before, don't say.

    `language` is the code of the text's language, which says what its number words mean.
    """
    listed = sentences(text)
    said = [[_said(sentence, language) for sentence in sentences(other)] for other in known]
    own = [_said(sentence, language) for sentence in listed]
    story = _Story([*chain.from_iterable(said), *own], SAME if _number_words(language) else _ALL)
    for text_said in said:
        story.know(text_said)
    told = [number for text_said in said for one in text_said for number in one.numbers]
    new: list[NewSentence] = []
    for number, sentence in enumerate(own):
        if not story.holds(sentence):
            new.append(NewSentence(listed[number], tuple(_others(listed[number], sentence, language, told))))
        story.know((sentence,), before=own[number - 1] if number else None)
    return tuple(new)


def _others(sentence: str, said: _Said, language: str | None, told: Sequence[Number]) -> Iterator[tuple[int, int]]:
    """The spans of the numbers that are not among those `told`, or were told as another number of the same thing."""
    folded = fold(sentence)
    found = (token for token in NUMBER.finditer(folded.text) if _value(token[0], language))
    for token, number in zip(found, said.numbers, strict=True):
        beside = {one.value for one in told if not number.beside.isdisjoint(one.beside)}
        if number.value not in (beside or {one.value for one in told}):
            yield folded.original(*token.span())


class _Story:
    """What is known of a story, and how much its words weigh."""

    def __init__(self, said: Sequence[_Said], least: float) -> None:
        self._least = least
        counts = Counter(chain.from_iterable(one.words for one in said))
        self._weights = {word: math.log(1 + len(said) / count) for word, count in counts.items()}
        self._singles: dict[str, list[_Said]] = defaultdict(list)
        self._pairs: dict[str, list[_Said]] = defaultdict(list)
        """Word → the known sentences that have it, and pairs of sentences: an outlet may join them into one."""

    def know(self, said: Sequence[_Said], before: _Said | None = None) -> None:
        """Add sentences that follow each other, and `before`, which is known already."""
        for one in said:
            for word in one.words:
                self._singles[word].append(one)
            if before is not None:
                pair = before + one
                for word in pair.words:
                    self._pairs[word].append(pair)
            before = one

    def holds(self, new: _Said) -> bool:
        """Whether a known sentence, or a pair of them, says what `new` says, or it says nothing.

        A sentence that repeats a known one with another number is new, whatever else is known.
        """
        if not new.words and not new.numbers:
            return True
        near = self._near(self._singles, new)
        repeated = [one for one in near if self._repeats(new, one)]
        if repeated:
            return any(one.values == new.values and _same_stance(new, one) for one in repeated)
        return any(self._says(new, known) for known in chain(near, self._near(self._pairs, new)))

    def _near(self, known: Mapping[str, Sequence[_Said]], new: _Said) -> list[_Said]:
        """Those that have one of the heaviest words of `new`: without all of these they can't have enough of it."""
        lacking, most = 0.0, (1 - self._least) * self._weight(new.words)
        found: dict[int, _Said] = {}
        for word in sorted(new.words, key=lambda word: (-self._weights[word], word)):
            found |= {id(one): one for one in known.get(word, ())}
            lacking += self._weights[word]
            if lacking > most:
                break
        return list(found.values())

    def _repeats(self, new: _Said, known: _Said) -> bool:
        either = max(self._weight(new.words), self._weight(known.words))
        return self._weight(new.words & known.words) >= max(_REPEATED, self._least) * either

    def _says(self, new: _Said, known: _Said) -> bool:
        common = self._weight(new.words & known.words)
        holds = common >= self._least * self._weight(new.words)
        return holds and _in_order(new.numbers, known.numbers) and _same_stance(new, known)

    def _weight(self, words: frozenset[str]) -> float:
        return sum(self._weights[word] for word in words)


def _in_order(numbers: Sequence[Number], known: Sequence[Number]) -> bool:
    left = iter(known)
    return all(any(number.is_in(one) for one in left) for number in numbers)


def _said(sentence: str, language: str | None) -> _Said:
    tokens = _read(sentence, language)
    words = frozenset(chain.from_iterable(words for _, words in tokens))
    return _Said(words, tuple(_numbers(tokens)), tuple(_taken(sentence, language)))


def _taken(sentence: str, language: str | None) -> Iterator[Stance]:
    """The stances of the sentence in order."""
    folded = fold(sentence).text
    for name, pattern in _stances(language):
        for match in pattern.finditer(folded):
            before, after = (_stems_in(part, language) for part in (folded[: match.start()], folded[match.end() :]))
            yield Stance(
                name,
                frozenset((*before[-_BESIDE:], *after[:_BESIDE])),
                frozenset((*before[-_SCOPE[0] :], *after[: _SCOPE[1]])),
            )


def _stems_in(folded: str, language: str | None) -> list[str]:
    return [word for token in NUMBER.findall(folded) for word in _content(token, language)]


def _same_stance(new: _Said, known: _Said) -> bool:
    """Whether all that `new` negates, denies or doubts is negated, denied or doubted by `known`, and nothing else."""
    left = list(known.stances)
    for stance in new.stances:
        same = next((one for one in left if stance.is_in(one)), None)
        if same is None:
            return False
        left.remove(same)
    return all(one.near.isdisjoint(new.words) for one in left)


@cache
def _stances(language: str | None) -> tuple[tuple[str, re.Pattern[str]], ...]:
    known = languages().get(language or "")
    listed = asdict(known.stances) if known else {}
    start, end = ("", "") if is_dense(language) else (r"(?<!\w)", r"(?!\w)")
    return tuple(
        (name, re.compile(f"{start}(?:{'|'.join(fold(pattern).text for pattern in patterns)}){end}"))
        for name, patterns in listed.items()
        if patterns
    )


def numbers(text: str, language: str | None) -> tuple[Number, ...]:
    """The numbers of the text in order, in digits or in words of the language, each in one form: 5,000 as "5000"."""
    return tuple(_numbers(_read(text, language)))


_Token = tuple[str, tuple[str, ...]]
"""The value of a number, or the stems of a word that is no function word."""


def _read(text: str, language: str | None) -> list[_Token]:
    found = NUMBER.findall(fold(text).text)
    return [(value, ()) if (value := _value(t, language)) else ("", _content(t, language)) for t in found]


def _numbers(tokens: Sequence[_Token]) -> Iterator[Number]:
    for at, (value, _) in enumerate(tokens):
        if value:
            beside = (*_nearest(tokens[:at][::-1], -1), *_nearest(tokens[at + 1 :], 1))
            yield Number(value, frozenset(beside))


def _nearest(tokens: Sequence[_Token], step: int) -> list[str]:
    """The first stems in `tokens`; of a run without blanks those at its end if `step` is -1."""
    found = chain.from_iterable(words[::step] for _, words in tokens[:_NEAR])
    return list(islice(found, _BESIDE))


@lru_cache(maxsize=50_000)  # the same words recur within a story
def _content(token: str, language: str | None) -> tuple[str, ...]:
    if not _stances(language) and not is_dense(language):
        return (token,)  # what makes "resigned" into "did not resign" may be short, or the end of a long word
    return tuple(stem for stem in stems(token) if stem not in _function_stems(language))


@lru_cache(maxsize=50_000)
def _value(token: str, language: str | None) -> str:
    """The number that a token stands for; empty if for none."""
    if token[0].isdecimal():
        return _plain(token)
    if token[0] in _NUMERALS:
        return token if token not in _ARTICLES else ""
    words = _number_words(language)
    return words.get(token) or words.get(_stem(token)) or ""


def _plain(digits: str) -> str:
    """The number in ASCII digits, with a point before decimals and nothing between thousands."""
    ascii_ = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in digits)
    whole = _GROUPED.sub("", ascii_).replace(",", ".").replace("'", "")
    return whole.lstrip("0") or "0"


def _stem(token: str) -> str:
    """The stem of a long word, marked as one; the word itself if it is short."""
    found = stems(token) if len(token) >= _STEM_LETTERS else []
    return f"{found[0]}…" if len(found) == 1 else token


@cache
def _number_words(language: str | None) -> dict[str, str]:
    """Folded number word of the language, or stem of one → its value."""
    known = languages().get(language or "")
    found: dict[str, str] = {}
    for value, words in (known.numbers if known else {}).items():
        for word in words:
            found |= {form: str(value) for form in (fold(word).text, _stem(fold(word).text))}
    return found


@cache
def _function_stems(language: str | None) -> frozenset[str]:
    known = languages().get(language or "")
    return frozenset(chain.from_iterable(map(stems, known.function_words if known else ())))
