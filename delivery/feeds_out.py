"""What a reader's feed shows, and its secret address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus

from itsdangerous import BadData, URLSafeSerializer

from alerts.query import to_query
from alerts.saved import SavedSearches
from delivery.links import signing_keys
from newswatch.errors import NewswatchError
from newswatch.feed_address import FeedAddress, Target
from newswatch.settings import Settings
from search.asked import shortened
from search.ingest_pages import Query, query_of
from search.story_view import read_story
from search.syntax import parse
from store.elastic.client import Client
from store.names import Names

PATH: Final = "/newswatch/feeds"
"""Below `Settings.public_url`."""
FORMS: Final = ("atom", "json")
"""What stands after the secret part of an address."""


class NoSuchFeedError(NewswatchError):
    """What the feed showed is not there any more."""


class Addresses:
    """Signs and reads the secret part of feed addresses."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.public_url.rstrip("/") + PATH
        self._signer = URLSafeSerializer(signing_keys(settings), salt="newswatch feed addresses")

    def url(self, address: FeedAddress, form: str) -> str:
        """The address for a format, `atom` or `json`."""
        return f"{self._base}/{self.token(address)}/{form}"

    def token(self, address: FeedAddress) -> str:
        """The secret part."""
        token = self._signer.dumps([address.id, address.number])
        return token if isinstance(token, str) else token.decode("ascii")

    def read(self, token: str) -> tuple[str, int] | None:
        """The id and the number that are signed; None if nothing of ours is."""
        try:
            address_id, number = self._signer.loads(token)
            return str(address_id), int(number)
        except (BadData, ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a feed shows."""

    title: str
    query: Query
    typed: str
    home: str
    marks: bool
    """Whether its query has words, whose matches show why an article is in it."""
    shortened: str = ""
    """Which words of its query are not looked for: a sentence, or nothing."""


def shown_by(es: Client, names: Names, target: Target, now: datetime) -> Shown:
    """What a feed of the target shows.

    Raises:
        NoSuchFeedError: its saved search or story is gone.
        QueryError: its query can't be parsed, or asks for what only a logged-in reader knows.
    """
    original: Query = {"bool": {"must_not": [{"exists": {"field": "duplicate_of"}}]}}
    if target.shows == "story":
        story = read_story(es, names, target.of)
        if story is None:
            raise NoSuchFeedError("There is no such story, or it is older than what is kept.")
        title = f"Story: {story.lead.title}"
        return Shown(title, {"term": {"story_id": story.id}}, "", f"/story/{story.id}", marks=False)
    if target.shows == "saved-search":
        search = SavedSearches(es, names).of([target.of]).get(target.of)
        if search is None:
            raise NoSuchFeedError("There is no such saved search: it was deleted.")
        query = {"bool": {"filter": [to_query(search), original]}}
        return Shown(search.name, query, search.query, f"/searches/{search.id}", marks=bool(search.query.strip()))
    parsed = parse(target.of)
    asked = query_of(es, names, target.of, now)
    states_copies = any(value in ("copy", "original") for one in parsed.of("is") for value in one.values)
    query = asked if states_copies else {"bool": {"filter": [asked, original]}}
    title = f"newswatch: {target.of.strip() or 'everything'}"
    home = f"/?q={quote_plus(target.of)}&sort=time"
    left_out = shortened(target.of, names)
    return Shown(title, query, target.of, home, marks=bool(parsed.text.strip()), shortened=left_out)
