"""Synthetic but plausible articles, any number of them: the newsroom's own stories, recombined.

Each article starts like one of the stories and continues with sentences from a second-order Markov chain over all
stories of the language. Names, places and numbers are replaced by invented ones whose frequencies follow Zipf's law:
without that long tail the dictionary of terms would be far smaller than that of real news. Tags and entities are the
tagger's for the first story, with the evidence located in the new text. Outlets, countries and hours are unevenly
frequent; one article in twelve is a copy of an earlier one and shares its story.

The same seed and the same months give the same articles, in any process and order.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path

from embedded.newsroom_site.content import Story, load_stories
from ingest.urls import article_id
from newswatch.article import Article, Evidence, Provenance, Source, Tag, Version
from transforms.enrich import enrich
from transforms.fingerprint import text_hash
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

ROOT = Path(__file__).parents[1]
SENTENCES = 60_000
"""Made for each language in advance: far more than a compressor's window holds."""
NAMES = 200_000
OUTLETS = 300
COUNTRIES = ("GB", "US", "DE", "FR", "BE", "TR", "PL", "UA", "EE", "LT", "CH", "NL", "IT", "ES", "CA", "IN")
COPY_ONE_IN = 12
SYLLABLES = (
    "ba bel cor dan er fal gor han il jan kov lin mar nev or pet qua ros sto tar ul ven wil xan yor zel ski sen ton "
    "berg ova"
)
_SENTENCE = re.compile(r"(?<=[.!?»”])\s+(?=[A-ZÀ-Ý«“0-9])")
_NAME = re.compile(r"(?<=[a-zà-ÿ,] )[A-ZÀ-Ý][a-zà-ÿ]{3,}|\b\d{1,3}\b")
_PLAIN = re.compile(r"[*_#>\[\]]|\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class _Opening:
    """The beginning of an article, with its tags and entities."""

    article: Article
    lead: tuple[str, ...]


class Synthesizer:
    """Generates articles."""

    def __init__(self, seed: int = 1, *, sentences: int = SENTENCES) -> None:
        self._seed, self._rnd = seed, random.Random(seed)
        tagger = Tagger(load_taxonomy(ROOT / "config" / "taxonomy.yaml"))
        stories = [story for story in load_stories() if not story.copy_of]
        self._openings = [_opening(story, tagger) for story in stories]
        # One story in four is on a topic here; in the news it is far fewer.
        self._weights = list(accumulate(1 if opening.article.tags else 4 for opening in self._openings))
        self._names = [self._name() for _ in range(NAMES)]
        self._sources = [self._source(number) for number in range(OUTLETS)]
        self._source_weights = list(accumulate(1 / (number + 3) for number in range(OUTLETS)))
        bodies: dict[str, list[str]] = defaultdict(list)
        for story in stories:
            bodies[story.language].append(_plain(story.body))
        self._pool = {language: self._sentences(bodies[language], sentences) for language in sorted(bodies)}

    def articles(self, count: int, start: datetime, end: datetime) -> Iterator[Article]:
        """`count` articles, first seen between `start` and `end`, in that order."""
        self._rnd.seed(f"{self._seed} {start.isoformat()}")
        recent: list[Article] = []
        step = (end - start) / count
        for number in range(count):
            first_seen = start + number * step
            if recent and self._rnd.randrange(COPY_ONE_IN) == 0:
                yield self._placed(self._copy(self._rnd.choice(recent)), number, first_seen)
                continue
            article = self._placed(self._article(), number, first_seen)
            recent = [*recent[-50:], article]
            yield article

    def _article(self) -> Article:
        rnd = self._rnd
        opening = rnd.choices(self._openings, cum_weights=self._weights)[0]
        story = opening.article
        pool = self._pool[story.language or "en"]
        body = [self._exchanged(sentence) for sentence in (*opening.lead[1:], *rnd.choices(pool, k=rnd.randint(6, 24)))]
        paragraphs = [opening.lead[0], *(" ".join(body[start : start + 3]) for start in range(0, len(body), 3))]
        text = "\n".join(paragraphs)
        title = f"{story.title} in {self._pick()}" if rnd.random() < 0.5 else f"{self._pick()}: {story.title}"
        tags = _relocated(story.tags, title, text)
        return replace(story, title=title, text=text, summary=self._exchanged(story.summary), tags=tags)

    def _placed(self, article: Article, number: int, first_seen: datetime) -> Article:
        source = self._rnd.choices(self._sources, cum_weights=self._source_weights)[0]
        slug = re.sub(r"\W+", "-", article.title.lower())[:60]
        url = f"https://{source.domain}/{first_seen:%Y/%m/%d}/{slug}-{number}"
        name, digest = article_id(url), text_hash(article.title, article.text)
        return replace(
            article,
            id=name,
            url=url,
            source=source,
            feeds=(source.feed_id,),
            authors=(f"{self._pick()} {self._pick()}",),
            image=f"https://{source.domain}/media/{number}.jpg",
            first_seen=first_seen,
            published=first_seen - timedelta(seconds=self._rnd.expovariate(1 / 900)),
            provenance=replace(article.provenance, fetched_at=first_seen),
            text_hash=digest,
            story_id=article.story_id or name,
            versions=(Version(first_seen, article.title, digest, ()),),
        )

    def _copy(self, article: Article) -> Article:
        return replace(article, duplicate_of=article.id, agency=self._rnd.choice(("Reuters", "AP", "AFP", "dpa")))

    def _exchanged(self, sentence: str) -> str:
        return _NAME.sub(
            lambda match: str(self._rnd.randint(2, 999)) if match[0].isdigit() else self._kept(match[0]), sentence
        )

    def _kept(self, name: str) -> str:
        return self._pick() if self._rnd.random() < 0.5 else name

    def _pick(self) -> str:
        """A name by Zipf's law: the density of rank r falls as 1/r."""
        return self._names[int(len(self._names) ** self._rnd.random()) - 1]

    def _name(self) -> str:
        return "".join(self._rnd.choices(SYLLABLES.split(), k=self._rnd.randint(2, 4))).capitalize()

    def _source(self, number: int) -> Source:
        name = f"{self._name()} {self._rnd.choice(('Herald', 'Post', 'Times', 'Courier', 'Tribune'))}"
        country = self._rnd.choice(COUNTRIES)
        domain = f"{name.lower().replace(' ', '-')}-{number}.example"
        kind = self._rnd.choice(("press", "press", "press", "agency", "government", "think tank"))
        return Source(f"outlet-{number}", name, domain, country, kind, f"{self._name()} Group")

    def _sentences(self, texts: Sequence[str], count: int) -> list[str]:
        chain: dict[tuple[str, str], list[str]] = defaultdict(list)
        for text in texts:
            for sentence in _SENTENCE.split(text):
                words = ["", "", *sentence.split(), ""]
                for first, two, three in zip(words, words[1:], words[2:], strict=False):
                    chain[first, two].append(three)
        return [self._walk(chain) for _ in range(count)]

    def _walk(self, chain: dict[tuple[str, str], list[str]]) -> str:
        state, words = ("", ""), list[str]()
        while len(words) < 40 and (word := self._rnd.choice(chain[state])):
            words.append(word)
            state = (state[1], word)
        return " ".join(words)


def _opening(story: Story, tagger: Tagger) -> _Opening:
    text = _plain(story.body)
    now = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    article = Article(
        id="",
        url=f"https://newsroom.example/{story.slug}",
        title=story.title,
        summary=story.summary,
        text=text,
        text_status="full",
        source=Source("newsroom", "Newsroom", "newsroom.example"),
        first_seen=now,
        provenance=Provenance(now, page_fetched=True, extractor="newswatch 1"),
        language=story.language,
    )
    return _Opening(replace(enrich(article, tagger), story_id=""), tuple(_SENTENCE.split(text)[:4]))


def _plain(body: str) -> str:
    return " ".join(_PLAIN.sub("", body).split())


def _relocated(tags: Sequence[Tag], title: str, text: str) -> tuple[Tag, ...]:
    """The tags with such evidence as stands in the new title and text, where it stands."""
    return tuple(replace(tag, evidence=tuple(_evidence(tag.evidence, {"title": title, "text": text}))) for tag in tags)


def _evidence(old: Sequence[Evidence], fields: dict[str, str]) -> Iterator[Evidence]:
    for evidence in old:
        start = fields.get(evidence.field, "").find(evidence.text)
        if start >= 0:
            yield replace(evidence, start=start, end=start + len(evidence.text))
