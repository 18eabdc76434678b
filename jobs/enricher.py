"""What every job does to an article before it is written, in one place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jobs.context import Context
from jobs.encoder import encoder_of
from jobs.tagger import tagger_of
from newswatch.article import Article
from transforms.encoder import Encoder
from transforms.enrich import enrich
from transforms.meaning import with_meaning
from transforms.tag import Tagger


def enricher_of(context: Context) -> Callable[[Article], Article]:
    """What cleans and tags an article and, if it is tagged, encodes it; the configuration is read once, here.

    Raises:
        ConfigError: no version of the taxonomy can be used.
    """
    return partial(_enriched, tagger=tagger_of(context), encoder=encoder_of(context))


def _enriched(article: Article, tagger: Tagger, encoder: Encoder | None) -> Article:
    return with_meaning(enrich(article, tagger), encoder)
