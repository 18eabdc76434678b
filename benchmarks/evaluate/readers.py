"""The agreement of two readers who did not see each other's labels: Cohen's κ. It needs only the committed labels."""

from __future__ import annotations

from benchmarks.evaluate.labels import LEVELS, TOPICS, rows, written
from benchmarks.evaluate.measures import Figure, kappa


def reader_figures() -> dict[str, Figure]:
    """κ on articles (by grade, by level), sentences, texts written with their labels, and `labelled_dev`."""
    articles, sentences = _twice("labels"), _twice("sentence_labels")
    grades, again = {article.id: article.grades for article in written()}, rows("written_second")
    read = rows("labelled_dev_again")
    figures: dict[str, Figure | None] = {}
    for topic, column in TOPICS.items():
        graded = [(int(first[column]), int(second[column])) for first, second in articles]
        figures[f"readers/articles/{topic}/grade"] = kappa(graded)
        for level, least in LEVELS.items():
            figures[f"readers/articles/{topic}/{level}"] = kappa([(a >= least, b >= least) for a, b in graded])
        figures[f"readers/sentences/{topic}"] = kappa([(first[column], second[column]) for first, second in sentences])
        figures[f"readers/written/{topic}"] = kappa(
            [(grades[row["title"]][topic].best, int(row[column])) for row in again]
        )
        figures[f"readers/labelled_dev/{topic}"] = kappa(
            [(first[column], second[column]) for first, second in zip(read[::2], read[1::2], strict=True)]
        )
    return {path: figure for path, figure in figures.items() if figure}


def _twice(name: str) -> list[tuple[dict[str, str], dict[str, str]]]:
    """The items that both readers labelled: each label with the second reader's."""
    first = {row["id"]: row for row in rows(name)}
    return [(first[row["id"]], row) for row in rows(f"{name}_second")]
