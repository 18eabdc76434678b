"""Gives an article the vector of its headline and lead, if it is of interest. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from newswatch.article import Article, Meaning
from transforms.encoder import Encoder, Vector, centring, headline_and_lead, packed, unpacked


def with_meaning(article: Article, encoder: Encoder | None, *, of_interest: bool | None = None) -> Article:
    """The article with the vector of what it says now.

    Encoding is the most expensive transform, so only what is `of_interest` is encoded (by default: what is tagged). An
    article keeps the vector that it has if it says the same and the encoder is the same, or there is none.
    """
    if encoder is None:
        return article
    said = headline_and_lead(article.title, article.text or article.summary)
    of = hashlib.sha256(f"{article.language}\n{said}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    was = article.meaning
    if was is not None and (was.by, was.of) == (encoder.name, of):
        return article
    if not (bool(article.tags) if of_interest is None else of_interest):
        return replace(article, meaning=None) if was is not None else article
    vector = encoded(said, article.language, encoder)
    return replace(article, meaning=Meaning(encoder.name, of, packed(vector)) if vector else None)


def encoded(text: str, language: str | None, encoder: Encoder) -> Vector | None:
    """The vector of a text, without what all texts of its language have in common; None for a text without words."""
    (vector,) = encoder.encode([text])
    return centring().centred(vector, language) if vector else None


def vector_of(article: Article, encoder_name: str) -> Vector | None:
    """The article's vector, if it has one of that encoder."""
    meaning = article.meaning
    return unpacked(meaning.vector) if meaning is not None and meaning.by == encoder_name else None
