"""Runs every transform that needs only the article's own words, in order."""

from __future__ import annotations

from dataclasses import replace

from newswatch.article import Article
from transforms.clean import clean
from transforms.fingerprint import agency, text_hash
from transforms.language import detect
from transforms.tag import Tagger


def enrich(article: Article, tagger: Tagger) -> Article:
    """`article` cleaned, with language, tags and fingerprint. Until it joins a story, its story id is its own id."""
    article = clean(article)
    stated = (article.language,) if article.language else ()
    language = detect(f"{article.title}\n{article.summary}\n{article.text}", stated=stated)
    tagged = tagger.tag(
        title=article.title, summary=article.summary, text=article.text, language=language, date=article.published
    )
    return replace(
        article,
        problems=tuple(dict.fromkeys((*article.problems, *tagged.problems))),
        language=language,
        tags=tagged.tags,
        entities=tagged.entities,
        text_hash=text_hash(article.title, article.text),
        provenance=replace(article.provenance, taxonomy=tagger.taxonomy.version),
        agency=article.agency or agency(article.text or article.summary, article.authors),
        story_id=article.story_id or article.id,
    )
