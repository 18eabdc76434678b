"""What is hard to show: scripts from right to left, words without end, a story in sixty articles, a feed that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from delivery.outbox import Outbox
from jobs.context import Context
from newswatch.article import Article, Evidence, Tag
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.feed import FeedHealth
from store.feeds import FeedStore
from tests.factories import NOW, a_feed, a_source, an_article
from tests.newsstand import stock
from transforms.fingerprint import text_hash

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
ARABIC = (
    "الناتو ينضم إلى التحالف ضد داعش",
    "قال الأمين العام ينس ستولتنبرغ إن حلف الناتو (NATO) سينضم إلى التحالف الدولي.",
)
PERSIAN = ("ناتو به ائتلاف ضد داعش پیوست", "دبیرکل ناتو گفت هواپیماهای AWACS بر فراز مرز پرواز خواهند کرد.")
STORY = 60
CORRECTED = 11
"""Which of the articles its outlet corrects."""


def hard_articles() -> list[Article]:
    """Each of these breaks a careless page in its own way; the long story is the last sixty."""
    return [
        _article("ar", ARABIC, "ar", "قناة الأخبار"),
        _article("fa", PERSIAN, "fa", "خبرگزاری"),
        _article("long", (f"NATO {LONG}", f"{LONG} NATO {LONG}"), "de", LONG),
        _article("bare", ("", ""), None, "x"),
        *_long_story(),
    ]


def _article(slug: str, words: tuple[str, str], language: str | None, outlet: str) -> Article:
    title, text = words
    at = text.find("NATO")
    evidence = (Evidence("text", at, at + 4, "NATO"),) if at >= 0 else ()
    return an_article(
        f"https://{slug}.example/{slug}",
        title=title,
        text=text,
        summary=text[:80],
        language=language,
        source=a_source(name=outlet, domain=f"{slug}.example", owner=outlet),
        tags=(Tag("nato", "main", 0.9, evidence),) if evidence else (),
        entities=(),
    )


def _long_story() -> list[Article]:
    first = an_article("https://outlet-0.example/summit", title="Summit: leaders meet in Brussels")
    articles = []
    for n in range(STORY):
        copied = n % 3 == 2
        article = an_article(
            f"https://outlet-{n}.example/summit",
            title=f"Summit: leaders meet in Brussels, report {n}",
            source=a_source(name=f"Outlet {n}", domain=f"outlet-{n}.example", owner=f"Group {n // 3}"),
            published=NOW - timedelta(minutes=4 * n),
            story_id=first.id,
            duplicate_of=first.id if copied else None,
            agency="Reuters" if copied else None,
        )
        articles.append(article)
    return articles


def _corrected(article: Article) -> Article:
    """The article as it is read an hour later."""
    later = NOW + timedelta(hours=1)
    text = f"{article.text.replace('Brussels', 'Ghent')}\nCorrection: an earlier version placed the summit in Brussels."
    title = article.title.replace("Brussels", "Ghent")
    provenance = replace(article.provenance, fetched_at=later)
    return replace(
        article, title=title, text=text, text_hash=text_hash(title, text), first_seen=later, provenance=provenance
    )


def stock_hard(context: Context) -> list[Article]:
    """Bring it all into the index; what was stocked is returned."""
    articles = hard_articles()
    stock(context.es, context.names, articles)
    stock(context.es, context.names, [_corrected(articles[CORRECTED])])
    store = FeedStore(context.es, context.names)
    store.sync([a_feed("courier"), a_feed("ledger", country="LV"), a_feed("broken", title=f"The {LONG}")])
    (record,) = [found for found in store.due(NOW, 10) if found.id == "broken"]
    failing = replace(
        record.value.state,
        health=FeedHealth.FAILING,
        health_since=NOW - timedelta(days=3),
        health_why=f"6 failures in a row; the last: 503 Service Unavailable from https://{LONG}.example/feed",
        failures=6,
        last_error=f"503 Service Unavailable: {LONG}",
        last_poll_at=NOW - timedelta(minutes=9),
        next_poll_at=NOW + timedelta(hours=1),
    )
    store.save([(record, failing)])
    Outbox(context.es, context.names).add(_deliveries(articles))
    return articles


def _deliveries(articles: list[Article]) -> list[Delivery]:
    """One in each state."""
    found = []
    told = (
        (DeliveryState.SENT, None),
        (DeliveryState.PENDING, None),
        (DeliveryState.FAILED, f"550 5.1.1 no such user {LONG}"),
        (DeliveryState.SUPPRESSED, None),
    )
    for article, (state, error) in zip(articles, told, strict=False):
        outcome = Outcome("ann@example.org", state, at=NOW, error=error)
        found.append(
            Delivery(
                "nato",
                "NATO: main stories",
                article.story_id or article.id,
                article.id,
                ("ann@example.org",),
                state,
                NOW,
                sent_at=NOW if state is DeliveryState.SENT else None,
                outcomes=(outcome,),
                suppressed_by="muted until 2026-03-05 05:06 UTC" if state is DeliveryState.SUPPRESSED else None,
                published=article.published,
                fetched_at=NOW - timedelta(seconds=40),
                indexed_at=NOW - timedelta(seconds=20),
            )
        )
    return found
