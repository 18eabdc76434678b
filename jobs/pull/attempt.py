"""What the parts of one attempt at a batch share: its stores, its walls, its clock."""

from __future__ import annotations

from threading import Lock

from ingest.addresses import is_address, shown
from jobs.context import Context
from jobs.encoder import encoder_of
from jobs.pull.lease import Lease
from jobs.tagger import tagger_of
from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.problems import Bulkhead, Problem
from store.articles import ArticleStore
from store.entries import EntryStore
from store.feeds import FeedStore
from store.repeated_lines import RepeatedLines
from transforms.enrich import enrich
from transforms.meaning import with_meaning
from transforms.tag import Tagger


class Attempt:
    """One attempt at one batch."""

    def __init__(self, context: Context, batch: Batch, lease: Lease) -> None:
        self.context, self.batch, self.lease = context, batch, lease
        self.settings, self.clock = context.settings, context.clock
        self.months: set[str] = set()
        """The months of the articles that it has written to, unless a write failed half-way (`knows_months`)."""
        self.knows_months = True
        self._tagger: Tagger | None = None
        self._tagging = Lock()
        self._walls: dict[str, Bulkhead] = {}
        self.articles = ArticleStore(context.es, context.names, retag=self.enriched)
        self.entries = EntryStore(context.es, context.names, walls=self.wall("entries"))
        self.feeds = FeedStore(context.es, context.names)
        self._lines = RepeatedLines(context.es, context.names, before=batch.seq_from, now=context.clock())

    def wall(self, stage: str) -> Bulkhead:
        """The walls of a stage, the same ones each time."""
        return self._walls.setdefault(stage, self.context.bulkhead(stage))

    @property
    def problems(self) -> dict[tuple[str, str], Problem]:
        """The problems so far, by stage and the problem's id."""
        stages = list(self._walls.items())  # other threads may add a stage
        return {(stage, problem.id): problem for stage, walls in stages for problem in walls.problems}

    def tagger(self) -> Tagger:
        """The tagger of the taxonomy in force, the same one for the whole attempt.

        Raises:
            ConfigError: no version of the taxonomy can be used.
        """
        with self._tagging:
            if self._tagger is None:
                self._tagger = tagger_of(self.context)
            return self._tagger

    def enriched(self, article: Article) -> Article:
        """The article cleaned, tagged without the lines that its feed repeats and, if it is tagged, encoded."""
        tagged = enrich(article, self.tagger(), repeated=self._lines.of(article.source.feed_id))
        return with_meaning(tagged, encoder_of(self.context))

    def address_of(self, article: Article, link: str | None) -> str | None:
        """The stored article's URL, or `link` if that URL was edited to something that is not an address."""
        if is_address(article.url):
            return article.url
        reason = f"its url is not an address: {shown(article.url)}"
        self.wall("identify").note(Problem("document", f"articles/{article.id}", reason, "identify"))
        return link
