"""The demo's checks of stories: one event in four languages is one, two earthquakes of one day are two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich.markup import escape

from cli.output import out

if TYPE_CHECKING:
    from cli.demo_steps import Checks
    from jobs.context import Context
    from newswatch.article import Article

EVENT: Final = "mine"
"""How the names of the reports of the event begin."""
QUAKES: Final = (("quake-arda", "quake-arda-ledger"), ("quake-naru",))
"""The names of the reports of two earthquakes."""


def check_event(
    checks: Checks, context: Context, reports: Mapping[str, Article], went_to: Sequence[str], wanted: Sequence[str]
) -> None:
    """Check that the event is one story, mailed once to each; says so where there is no encoder to join languages.

    `reports` are by name; `went_to` are the recipients of the mails that tell of one.
    """
    from jobs.encoder import why_none

    of_event = [article for name, article in sorted(reports.items()) if name.startswith(EVENT)]
    stories = {article.story_id for article in of_event}
    languages = sorted(article.language or "?" for article in of_event)
    title = escape(next(article.title for article in of_event if article.language == "en"))
    if reason := why_none(context.settings):
        out.print(f"  – “{title}” is {len(stories)} stories in {len(languages)} languages: {escape(reason)}")
        return
    checks.that(
        len(stories) == 1 and sorted(went_to) == sorted(wanted),
        f"“{title}”, reported in {', '.join(languages)}, is one story → {', '.join(wanted)}, once each",
        f"{len(stories)} stories, which went to {list(went_to)}",
    )


def check_quakes(checks: Checks, reports: Mapping[str, Article]) -> None:
    """Check that the reports of each earthquake are one story, and no other's."""
    stories = [{reports[name].story_id for name in names} for names in QUAKES]
    checks.that(
        all(len(story) == 1 for story in stories) and stories[0].isdisjoint(stories[1]),
        f"{sum(map(len, QUAKES))} reports of {len(QUAKES)} earthquakes are {len(QUAKES)} stories",
        str(stories),
    )
