"""Groups a collection of articles into stories without a store, as `match` does with those that arrive. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from transforms.across import RecentAcross
from transforms.encoder import Encoder, Vector, headline_and_lead
from transforms.profile import Profile, profile
from transforms.repeated_lines import line_hashes, repeated_lines, without_lines
from transforms.story import WINDOW, Placed


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of an article that is to be grouped."""

    id: str
    title: str
    text: str
    published: datetime
    """Aware."""
    source: str = ""
    language: str = ""

    def profile(self, repeated: frozenset[str] = frozenset()) -> Profile:
        """Its profile without the lines that its outlet repeats."""
        return profile(
            id=self.id,
            title=self.title,
            text=without_lines(self.text, repeated),
            published=self.published,
            source=self.source,
            language=self.language,
        )


class _Once:
    """An encoder that encodes each text once: collections are placed twice."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.name = encoder, encoder.name
        self._known: dict[str, Vector | None] = {}

    def encode(self, texts: Sequence[str]) -> list[Vector | None]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._encoder.encode(new), strict=True) if new else ())
        return [self._known[text] for text in texts]


def grouped(
    reports: Sequence[Report], *, window: timedelta = WINDOW, encoder: Encoder | None = None
) -> Mapping[str, Placed]:
    """Article → where it was placed, in the order of publication; with an encoder, across languages too.

    Lines that an outlet repeats are learned from the collection itself: it is placed, and where an outlet has a line in
    several stories, placed once more without it.
    """
    once = _Once(encoder) if encoder else None
    profiles = [one.profile() for one in reports]
    placed = _placed(reports, profiles, window, once)
    known = repeated_lines(
        (one.source, placed[one.id].story_id, line_hashes(one.text)) for one in reports if one.source
    )
    if not known:
        return placed
    # Most texts have none of those lines, so they keep their profile, which takes longer to make than to place.
    own = [_without(one, of, known.get(one.source, frozenset())) for one, of in zip(reports, profiles, strict=True)]
    return _placed(reports, own, window, once)


def _without(report: Report, profile: Profile, repeated: frozenset[str]) -> Profile:
    """The report's profile without such lines, given the one of its whole text."""
    return profile if without_lines(report.text, repeated) == report.text else report.profile(repeated)


def _placed(
    reports: Sequence[Report], profiles: Sequence[Profile], window: timedelta, encoder: Encoder | None
) -> Mapping[str, Placed]:
    """Article → where it was placed."""
    stream = RecentAcross(encoder, window=window)
    pairs = zip(profiles, reports, strict=True)
    for own, one in sorted(pairs, key=lambda both: (both[0].published, both[0].id)):
        stream.add(own, one.language, headline_and_lead(one.title, one.text))
    return stream.placed()
