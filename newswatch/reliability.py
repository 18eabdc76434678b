"""How far a source can be relied on, and how credible a story is: the Admiralty code (NATO AJP-2.1). Pure.

A grade is data, given by people with a reason and a date (`config/feeds.yaml`); the rubric is in docs/reliability.md.
A story's number follows from the grades of the independent owners that report it, by `credibility`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Grade = Literal["A", "B", "C", "D", "E", "F"]

GRADES: Final[Mapping[str, str]] = {
    "A": "completely reliable",
    "B": "usually reliable",
    "C": "fairly reliable",
    "D": "not usually reliable",
    "E": "unreliable",
    "F": "cannot be judged",
}
"""Grade → its meaning, best first. F is no bad mark: nothing is known, or nobody has rated the source yet."""
UNRATED: Final = "F"
"""What a source without a rating counts as."""
LEAST: Final = tuple(grade for grade in GRADES if grade != UNRATED)
"""What can be asked for as the least: F would leave out nothing."""

CREDIBILITY: Final[Mapping[int, str]] = {
    1: "confirmed by other sources",
    2: "probably true",
    3: "possibly true",
    4: "doubtful",
    5: "improbable",
    6: "cannot be judged",
}
"""Number → its meaning, best first. It weighs who reports a story, not whether it is plausible."""


def at_least(grade: str) -> tuple[str, ...]:
    """The grades that are `grade` or better; F is not better than any, so it is only in its own."""
    return tuple(GRADES)[: [*GRADES].index(grade) + 1]


def grade_of(stated: str | None) -> str:
    """The grade that a source counts as."""
    return stated if stated and stated in GRADES else UNRATED


def meant(grade: str | None) -> str:
    """A grade in words: "B, usually reliable"; of none "not rated"."""
    return f"{grade}, {GRADES[grade]}" if grade and grade in GRADES else "not rated"


@dataclass(frozen=True, slots=True)
class Voice:
    """Somebody independent who reports a story in own words, by the best of their sources."""

    owner: str
    grade: str
    of_state: bool = False


@dataclass(frozen=True, slots=True)
class Credibility:
    """How credible a story is by who reports it."""

    number: int
    """A key of `CREDIBILITY`."""
    why: str
    """In words: whom it rests on."""

    @property
    def meaning(self) -> str:
        """The number in words."""
        return CREDIBILITY[self.number]

    @property
    def is_known(self) -> bool:
        """Whether anybody has judged one of the outlets."""
        return self.number < max(CREDIBILITY)


def voice_key(owner: str | None, domain: str, country: str | None, *, of_state: bool) -> str:
    """Who speaks: the owner, or the outlet if that is unknown. All media of one state are one voice."""
    return f"the state of {country}" if of_state and country else owner or domain


def voices(reports: Iterable[tuple[str, str | None, bool]]) -> tuple[Voice, ...]:
    """The independent voices among reports that are no copies, each (key, grade, of a state), best first."""
    best: dict[str, Voice] = {}
    for key, stated, of_state in reports:
        voice = Voice(key, grade_of(stated), of_state)
        if key not in best or voice.grade < best[key].grade:
            best[key] = voice
    return tuple(sorted(best.values(), key=lambda voice: (voice.grade, voice.owner)))


def credibility(heard: Collection[Voice]) -> Credibility:
    """The number that docs/reliability.md derives from independent voices. Media of a state confirm nothing.

    1: three or more, of which two are A or B. 2: two or more, of which one is A or B. 3: one is A or B, or two or more
    with a C among them. 4: one C, or several D. 5: one D, or none better than E. 6: none that can be judged.
    """
    judged = [voice for voice in heard if voice.grade != UNRATED]
    free = [voice for voice in judged if not voice.of_state]
    good = sum(voice.grade in "AB" for voice in free)
    fair = sum(voice.grade in "ABC" for voice in judged)
    poor = sum(voice.grade == "D" for voice in judged)
    if len(free) >= 3 and good >= 2:
        number = 1
    elif len(free) >= 2 and good:
        number = 2
    elif good or any(voice.grade in "AB" for voice in judged) or (fair and len(judged) > 1):
        number = 3
    elif fair or poor > 1:
        number = 4
    else:
        number = 5 if judged else 6
    return Credibility(number, _told(heard))


def _told(heard: Collection[Voice]) -> str:
    """Who reports it, in words: "3 independent owners: 2 rated B, 1 rated C"."""
    if not heard:
        return "no independent report"
    counts: dict[str, int] = {}
    for voice in heard:
        name = f"rated {voice.grade}" if voice.grade != UNRATED else "not rated"
        name += " (state media)" if voice.of_state else ""
        counts[name] = counts.get(name, 0) + 1
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{len(heard)} independent owner{'s' * (len(heard) != 1)}: {parts}"
