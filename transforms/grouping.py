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
    placed = _placed(reports, {}, window, once)
    known = repeated_lines(
        (one.source, placed[one.id].story_id, line_hashes(one.text)) for one in reports if one.source
    )
    return _placed(reports, known, window, once) if known else placed


def _placed(
    reports: Sequence[Report], known: Mapping[str, frozenset[str]], window: timedelta, encoder: Encoder | None
) -> Mapping[str, Placed]:
    """Article → where it was placed, without the lines that its outlet is known to repeat."""
    stream = RecentAcross(encoder, window=window)
    profiles = [(one.profile(known.get(one.source, frozenset())), one) for one in reports]
    for own, one in sorted(profiles, key=lambda both: (both[0].published, both[0].id)):
        stream.add(own, one.language, headline_and_lead(one.title, one.text))
    return stream.placed()
