"""Runs every transform that needs only the article's own words, in order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from newswatch.article import Article
from transforms.clean import clean
from transforms.fingerprint import agency, text_hash
from transforms.language import detect
from transforms.repeated_lines import line_hashes, without_lines
from transforms.tag import Tagger


def enrich(article: Article, tagger: Tagger, *, repeated: Collection[str] | None = None) -> Article:
    """`article` cleaned, with language, tags and fingerprint. Until it joins a story, its story id is its own id.

    Lines in `repeated` (hashes of what its outlet repeats; None: those that are known of the article) give no tags.
    """
    article = clean(article)
    known = article.repeated if repeated is None else repeated
    lines = (line for text in (article.summary, article.text) for line in line_hashes(text))
    its = tuple(dict.fromkeys(line for line in lines if line in known))
    stated = (article.language,) if article.language else ()
    language = detect(f"{article.title}\n{article.summary}\n{article.text}", stated=stated)
    tagged = tagger.tag(
        title=article.title,
        summary=without_lines(article.summary, its),
        text=without_lines(article.text, its),
        language=language,
        date=article.published,
    )
    return replace(
        article,
        problems=tuple(dict.fromkeys((*article.problems, *tagged.problems))),
        language=language,
        repeated=its,
        tags=tagged.tags,
        entities=tagged.entities,
        text_hash=text_hash(article.title, article.text),
        provenance=replace(article.provenance, taxonomy=tagger.taxonomy.version),
        agency=article.agency or agency(article.text or article.summary, article.authors),
        story_id=article.story_id or article.id,
    )
