"""All that is worked out from an article's own words, in order."""

from __future__ import annotations

from dataclasses import replace

from newswatch.article import Article
from transforms.clean import clean
from transforms.fingerprint import agency, text_hash
from transforms.language import detect
from transforms.tag import Tagger


def enrich(article: Article, tagger: Tagger) -> Article:
    """`article` cleaned, its language settled, tagged and fingerprinted; its story is its own until it shares one."""
    article = clean(article)
    stated = (article.language,) if article.language else ()
    language = detect(f"{article.title}\n{article.summary}\n{article.text}", stated=stated)
    found = tagger.tag(
        title=article.title, summary=article.summary, text=article.text, language=language, date=article.published
    )
    return replace(
        article,
        problems=tuple(dict.fromkeys((*article.problems, *found.problems))),
        language=language,
        tags=found.tags,
        entities=found.entities,
        text_hash=text_hash(article.title, article.text),
        provenance=replace(article.provenance, taxonomy=tagger.taxonomy.version),
        agency=article.agency or agency(article.text or article.summary, article.authors),
        story_id=article.story_id or article.id,
    )
