"""What an update says that its reader was not mailed before: the new sentences of later articles on a story. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from delivery.message import NewsFrom
from delivery.passages import clipped, pieces_of
from delivery.words import one_line, safe_url
from newswatch import languages
from newswatch.article import Article
from transforms.fold import fold
from transforms.novelty import NewSentence, new_sentences, sentences

SHOWN: Final = 8
SHOWN_AMONG_OTHERS: Final = 2
"""Maximum new sentences of an article in a mail on its own, and in one with other stories; the others are counted."""
COMPARED: Final = 20
"""Maximum articles that an update is compared with. What only older ones say may come again."""
_LONG: Final = 480
"""Maximum columns of a sentence."""


def news_of(
    articles: Sequence[Article], mailed: Sequence[Article], times: Mapping[str, datetime], *, alone: bool
) -> tuple[NewsFrom, ...]:
    """What each of the `articles`, oldest first, says beyond the `mailed` ones and the articles before it.

    `times` has when each article was mailed: what was edited into it since is not known. The headline counts as
    said, since the mail shows it. An article that says nothing new has no sentences.
    """
    known = texts_mailed(mailed, times)
    told = []
    for article in sorted(articles, key=_age):
        new = new_sentences(_body(article), [*known, article.title], article.language)
        told.append(_news(article, new, SHOWN if alone else SHOWN_AMONG_OTHERS))
        known.append(f"{article.title}\n{_body(article)}")
    return tuple(told)


def latest_mailed(mailed: Mapping[str, datetime]) -> tuple[str, ...]:
    """The ids of the articles, mailed at these times, that an update is compared with: the latest `COMPARED`."""
    return tuple(sorted(mailed, key=lambda article_id: mailed[article_id], reverse=True)[:COMPARED])


def adds_nothing(articles: Iterable[Article], mailed: Sequence[Article], times: Mapping[str, datetime]) -> bool:
    """Whether the mailed articles hold each sentence of the `articles`, headlines included, word for word."""
    known = {_folded(s) for text in texts_mailed(mailed, times) for s in sentences(text)}
    return all(_folded(s) in known for article in articles for s in sentences(f"{article.title}\n{_body(article)}"))


def texts_mailed(mailed: Sequence[Article], times: Mapping[str, datetime]) -> list[str]:
    """The texts of the mailed articles, as `as_mailed`."""
    return [as_mailed(article, times.get(article.id)) for article in mailed]


def as_mailed(article: Article, mailed: datetime | None) -> str:
    """The article's title and text without the sentences that were edited since it was mailed.

    Only its last state is stored. If much of the text was rewritten, nothing of the text is known to have been mailed.
    """
    later = [version for version in article.versions[1:] if mailed and version.seen_at > mailed]
    if not later:
        return f"{article.title}\n{_body(article)}"
    title = article.versions[article.versions.index(later[0]) - 1].title
    if any("text" in version.changed and not version.edits for version in later):
        return title
    added = [edit.after.strip() for version in later for edit in version.edits if edit.after.strip()]
    kept = (s for s in sentences(_body(article)) if not any(_overlap(s, words) for words in added))
    return "\n".join((title, *kept))


def _overlap(sentence: str, words: str) -> bool:
    """Whether the edited words lie in the sentence, or the sentence among them."""
    return words in sentence or sentence in words or any(part and part in sentence for part in words.split("\n"))


def _news(article: Article, new: Sequence[NewSentence], most: int) -> NewsFrom:
    # Those with new numbers first, since a changed number must not be hidden; shown in the order of the article.
    first = sorted(range(len(new)), key=lambda number: (not new[number].marks, number))[:most]
    left = len(new) - most
    return NewsFrom(
        outlet=one_line(article.source.name),
        url=safe_url(article.address),
        language=article.language or "",
        direction=languages.direction(article.language),
        sentences=tuple(
            clipped(pieces_of(sentence.text, sentence.marks), _LONG) for sentence in map(new.__getitem__, sorted(first))
        ),
        more=f"{left} more new {'sentence' if left == 1 else 'sentences'} in the article." if left > 0 else "",
    )


def _age(article: Article) -> datetime:
    return article.published or article.first_seen


def _body(article: Article) -> str:
    return article.text or article.summary


def _folded(sentence: str) -> str:
    return " ".join(fold(sentence).text.split())
