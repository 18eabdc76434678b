"""The forms of a taxonomy as rules for the automaton: what a match must meet to count."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from transforms.fold import fold

STEM = 5
"""Minimum length of a stem if the language is unknown: Turkish "deaş*" would match Romanian "deasupra"."""
ARABIC = re.compile("[\u0600-\u06ff]")
"""Finds a letter that may carry proclitics."""
Contexts = dict[int, list[int]]
"""Number of a context → positions of its words, ascending."""


class Rule(NamedTuple):
    """One form with the conditions that a hit must meet to count."""

    key: int
    """Identifies the wording: all hits of a form share it."""
    form: str
    open_left: bool
    open_right: bool
    brief: bool
    """The stem is so short that in another language it begins an unrelated word."""
    arabic: bool
    capitals: str
    """The form as written, if capitals matter; else empty."""
    tail: re.Pattern[str] | None
    """What must follow the literal part of a form that contains stems."""
    languages: frozenset[str]
    """Empty: any language."""
    targets: tuple[tuple[int, float], ...]
    """(topic or sub-topic, weight)."""
    entity: int
    cancels: bool
    context: int
    conditional: bool
    beside: bool
    """`needs` applies only beside another capitalised word."""
    needs: tuple[int, ...]
    unless: tuple[int, ...]
    near: int
    letters: int
    """Length of the form without stars. Of two forms that match the same words, the longer one is more specific."""


class Hit(NamedTuple):
    """A match that meets its rule: begin and end in the folded haystack."""

    start: int
    end: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of each pattern, by the pattern's number."""

    of_pattern: list[tuple[Rule, ...]]
    closed_left: list[bool]
    """Whether every rule of the pattern must start at a word's beginning, so that a match inside a word fails early."""
    closed_right: list[bool]

    @classmethod
    def of(cls, rules: list[tuple[Rule, ...]]) -> Rules:
        return cls(
            rules,
            [not any(r.open_left for r in own) for own in rules],
            [not any(r.open_right or r.tail is not None for r in own) for own in rules],
        )


@dataclass(slots=True)
class Compiled:
    """The taxonomy as patterns for the automaton, with their rules."""

    patterns: list[str] = field(default_factory=list)
    rules: list[list[Rule]] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    keys: int = 0

    def add(self, pattern: str, rule: Rule) -> None:
        number = self.index.get(pattern)
        if number is None:
            number = self.index[pattern] = len(self.patterns)
            self.patterns.append(pattern)
            self.rules.append([])
        self.rules[number].append(rule)


def split_form(form: str) -> tuple[str, re.Pattern[str] | None]:
    """A form's literal beginning, and the pattern of what follows if the form contains stems."""
    literal, _, rest = form.removeprefix("*").removesuffix("*").partition("*")
    if not rest:
        return literal, None
    return literal, re.compile(r"\w*" + r"\w*".join(re.escape(fold(part).text) for part in rest.split("*")))
