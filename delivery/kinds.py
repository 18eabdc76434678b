"""The kinds of deliveries."""

from __future__ import annotations

from typing import Final

from alerts.kinds import EVENT_KINDS

ABOUT_SEARCHES: Final = ("failing", "working")
"""Kinds of deliveries that report on the saved search itself: it can't be run, or it can again."""
COVERAGE: Final = "coverage"
"""Kind of the delivery that makes a digest due without a story, because the watch was poor (`alerts.coverage`)."""
NOTICES: Final = (*ABOUT_SEARCHES, COVERAGE)
"""Kinds of deliveries without a story."""
EVENTS: Final = tuple(kind.name for kind in EVENT_KINDS)
"""Kinds of deliveries about a saved search's articles as a whole, without a story."""
KINDS: Final = ("retraction", "correction", *EVENTS, "story", "update", *NOTICES)
"""The kinds of deliveries, the gravest first."""
