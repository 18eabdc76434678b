"""Which stored article a candidate is, whatever address it was read from this time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ingest.urls import known_id
from jobs.pull.attempt import Attempt
from jobs.pull.in_reach import InReach
from jobs.pull.linkless import has_slot, known_by, placed
from jobs.pull.polled import Candidate, aliases, former_article, is_same, moved
from newswatch.article import Article


class Identities:
    """Gives each article the identity that it already has, if any."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._articles = InReach(attempt.articles)

    def identified(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates in their order, each known by the URL that its article was first known by.

        An article whose page once failed stays known by its link. Candidates that can't be identified without a month
        out of reach are left out, and counted as waiting.
        """
        self._articles = InReach(self._attempt.articles)
        kept = self._linkless(self._as_before(candidates))
        addresses = self._where_links_lead(kept)
        return [candidate.led_to(addresses) for candidate in kept if not self._waits(candidate)]

    def _waits(self, candidate: Candidate) -> bool:
        """Whether another article decides which one it is, and a month out of reach may have that."""
        unknown = self._articles.unknown
        asked = {
            former_article(candidate),
            candidate.fresh.link_id,
            candidate.article.id if candidate.article else None,
        }
        if has_slot(candidate):
            asked.update(known_by(candidate))
        waits = bool(unknown) and not unknown.isdisjoint(asked)
        candidate.fresh.polled.waiting += waits
        return waits

    def _as_before(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Entries with a changed link keep the article they had, if it is still the same article."""
        former = [former_article(candidate) for candidate in candidates]
        stored = self._articles.get(name for name in former if name)
        before = [stored.get(name or "") for name in former]
        return [self._kept(candidate, article) for candidate, article in zip(candidates, before, strict=True)]

    def _kept(self, candidate: Candidate, before: Article | None) -> Candidate:
        if candidate.article is None or before is None:
            return candidate
        work = partial(is_same, candidate.article, before, candidate.fresh.record)
        stays = self._attempt.wall("identify").attempt("article", before.id, work, url=before.url)
        return candidate.known_as(before.url) if stays else candidate

    def _linkless(self, candidates: list[Candidate]) -> list[Candidate]:
        """Entries without a link are the article they were, or another if the feed gave their id to other news."""
        some = [candidate for candidate in candidates if has_slot(candidate)]
        if not some:
            return candidates
        stored = self._articles.get({name for candidate in some for name in known_by(candidate)})
        return [self._placed(candidate, stored) if has_slot(candidate) else candidate for candidate in candidates]

    def _placed(self, candidate: Candidate, stored: Mapping[str, Article]) -> Candidate:
        work = partial(placed, candidate, stored)
        entry = candidate.fresh.entry
        return self._attempt.wall("identify").attempt("entry", entry.id, work) or candidate

    def _where_links_lead(self, candidates: Sequence[Candidate]) -> dict[str, str]:
        """Link id → URL of the article, for links that lead to another address.

        It is stored before the articles are written, because the next worker that follows the link may not get the
        page.
        """
        addresses = moved(candidates)
        if not addresses:
            return {}
        links = {candidate.fresh.link_id: candidate.fresh.entry.url for candidate in candidates}
        known = self._articles.get({*addresses, *map(known_id, addresses.values())})
        for link_id, article in ((link_id, known[link_id]) for link_id in addresses if link_id in known):
            addresses[link_id] = self._attempt.address_of(article, links[link_id]) or addresses[link_id]
        unknown = self._articles.unknown
        addresses = {link: url for link, url in addresses.items() if unknown.isdisjoint((link, known_id(url)))}
        self._attempt.entries.save(aliases(addresses, self._attempt.clock()))
        return addresses
