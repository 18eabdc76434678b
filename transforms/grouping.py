"""Groups a collection of articles into stories without a store, as `match` does with those that arrive. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from transforms.profile import Profile, profile
from transforms.repeated_lines import line_hashes, repeated_lines, without_lines
from transforms.story import WINDOW, Placed, placed_in_order


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


def grouped(reports: Sequence[Report], *, window: timedelta = WINDOW) -> Mapping[str, Placed]:
    """Article → where it was placed, in the order of publication.

    Lines that an outlet repeats are learned from the collection itself: it is placed, and where an outlet has a line in
    several stories, placed once more without it.
    """
    placed = placed_in_order([one.profile() for one in reports], window=window)
    known = repeated_lines(
        (one.source, placed[one.id].story_id, line_hashes(one.text)) for one in reports if one.source
    )
    if not known:
        return placed
    return placed_in_order([one.profile(known.get(one.source, frozenset())) for one in reports], window=window)
