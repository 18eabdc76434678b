"""How well languages are detected from the text alone, without what feed or page state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.evaluate.labels import LabelledArticle, texts
from benchmarks.evaluate.measures import Figure, share
from transforms.language import detect

SENTENCES: Mapping[str, str] = {
    "arb_Arab": "ar", "deu_Latn": "de", "eng_Latn": "en", "fra_Latn": "fr", "heb_Hebr": "he", "ita_Latn": "it",
    "pes_Arab": "fa", "pol_Latn": "pl", "rus_Cyrl": "ru", "spa_Latn": "es", "tur_Latn": "tr", "ukr_Cyrl": "uk",
    "zho_Hans": "zh",
}  # fmt: skip
"""The name of a language in SIB-200 → its primary subtag."""
FEED_CHARS = 200


def language_figures(news: Path, articles: Iterable[LabelledArticle]) -> dict[str, Figure]:
    """Accuracy by language on sentences (SIB-200) and labelled articles, whole and at the length of a feed's item."""
    answers: dict[str, list[bool]] = defaultdict(list)
    for row in texts(news, "sib200").values():
        language = SENTENCES[row["lang"]]
        right = detect(row["text"]) == language
        answers[f"sentences/{language}"].append(right)
        answers["sentences/all"].append(right)
    for article in articles:
        for form, text in (("whole", article.text), ("feed", article.text[:FEED_CHARS])):
            right = detect(f"{article.title}\n{text}") == article.language
            answers[f"articles/{form}/{article.language}"].append(right)
            answers[f"articles/{form}/all"].append(right)
    figures = {f"languages/{path}": share(sum(right), len(right)) for path, right in sorted(answers.items())}
    return {path: figure for path, figure in figures.items() if figure}
