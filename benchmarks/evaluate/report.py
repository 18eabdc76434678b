"""`docs/evaluation.md`, rendered from its JSON twin. Pure: the same JSON gives the same page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.evaluate.feed_items import items_section
from benchmarks.evaluate.floors import LEAST_CASES, LEAST_TEXTS
from benchmarks.evaluate.labels import LEVELS, TOPICS
from benchmarks.evaluate.markdown import cell, table
from benchmarks.evaluate.measures import Figure

Report = Mapping[str, Any]
"""What `evaluation.json` holds."""
GAP = 0.03
"""If the halves differ by more, the tagger was tuned to the build half, or the halves are too small to tell."""
LEAST_POSITIVE = 10
"""Texts on a topic that a language needs before its F1 says much."""
CELLS = [(topic, level) for topic in TOPICS for level in LEVELS]
HEADS = [f"{topic} {level}" for topic, level in CELLS]
FORMS = {
    "whole": "title and text",
    "feed": "title, and the text's first 200 characters as summary, as most news arrives",
    "stand-in": "the same with these 200 characters as text, too, as a feed's item is stored without its page",
}
ORIGIN_NAMES = {
    "labelled": "labelled for this evaluation",
    "recent_labelled": "`recent_labelled_dev`",
    "before": "`labelled_dev`, which the terms were tuned on",
    "before-again": "the same, as two blind readings grade it",
}


def as_json(figures: Mapping[str, Figure]) -> dict[str, dict[str, float | int]]:
    """Figures as `evaluation.json` holds them, rounded to four digits."""
    return {
        path: {name: round(value, 4) for name, value in asdict(figure).items()}
        for path, figure in sorted(figures.items())
    }


def figures_of(report: Report) -> dict[str, Figure]:
    """The figures of a report that was read from JSON."""
    return {path: Figure(**figure) for path, figure in report["figures"].items()}


def render(report: Report) -> str:
    """The page."""
    figures = figures_of(report)
    parts = [
        _intro(report),
        "## Tags",
        _by_half(figures),
        _gaps(figures),
        items_section(figures),
        _by_set(figures),
        _by_slice(figures, "length", "Text", {"short": "below 1,500 characters", "long": "1,500 and more"}),
        _by_language(report, figures),
        _by_slice(figures, "year", "Year", {}),
        _written(report, figures),
        "## Kinds of errors",
        _confusions(report),
        _traps(figures),
        _sentences(figures),
        "## Saved searches",
        _searches(report, figures),
        "## Extraction",
        _extraction(figures),
        "## Copies and stories",
        _grouping(figures),
        "## Updates",
        _updates(figures),
        "## Language",
        _language_detection(figures),
        "## Delivery latency",
        _latency(report["latency"]),
        "## Two readers",
        _readers(figures),
        "## What is missing",
        _missing(report),
        "## Data and versions",
        _versions(report),
    ]
    return "\n\n".join(parts) + "\n"


# ── the parts of a page ──────────────────────────────────────────────────────────────────────────────────────────────


def _intro(report: Report) -> str:
    counts = report["counts"]
    return f"""# Evaluation

Written by `make evaluate`, never by hand. Its twin [`evaluation.json`](evaluation.json) holds every figure for
programs. The tests refuse a figure below its floor in [`floors.json`](../benchmarks/evaluate/floors.json).

| articles | which |
|---:|---|
| {counts["labelled"]:,} | labelled by reading for this evaluation ([how](../tests/transforms/data/README.md)) |
| {counts["recent_labelled"]:,} | `recent_labelled_dev`, which came with its labels |
| {counts["before"]:,} | `labelled_dev`: labelled earlier; the terms were tuned on it, so it stands apart |

A hash of the id splits the first two sets. The build half may be read; of the test half only figures are made.

Brackets hold the 95 % interval: Wilson's for shares, mapped to F1; 1,000 resamples of pages or events for the F1 of
texts and B³. `·` marks figures of fewer than {LEAST_CASES} cases, which say little. A text counts for a level only if
its reader was sure of that level. The draw favours texts that name the topics, so on all news of a day precision is
lower than here.

How search ranks is measured apart, by `python -m benchmarks.ranking`
([how, and the figures](../tests/search/judged/README.md)): on 173 judged queries on NATO and counter-terrorism, and on
63 on defence and security at large, which were written and judged by others than those who chose the order:

| nDCG@10 of the 63 (95 %) | by meaning | plain | words | BM25 |
|---|---:|---:|---:|---:|
| order of 30 November 2026 | .804 (.751–.854) | .818 (.766–.864) | .823 (.774–.866) | .769 (.705–.830) |"""


def _cells(figures: Mapping[str, Figure], form: str, last: str) -> list[str]:
    return [cell(figures.get(f"tags/{topic}/{level}/{form}/{last}")) for topic, level in CELLS]


def _by_half(figures: Mapping[str, Figure]) -> str:
    rows = []
    for form in FORMS:
        rows += [[form, f"{half} half", *_cells(figures, form, half)] for half in ("build", "test")]
        rows.append([form, "both halves", *_cells(figures, form, "both")])
        for last, what in (("precision", "precision"), ("recall", "recall"), ("with-doubts", "F1, doubts as labelled")):
            rows.append([form, f"both, {what}", *_cells(figures, form, f"both/{last}")])
    forms = "\n".join(f"- **{form}**: {what}" for form, what in FORMS.items())
    same, right = (_percent(figures[f"tags/{path}"]) for path in ("same-words", "evidence"))
    heads = ["Form", "Of", *HEADS]
    return (
        f"What the tagger is given:\n\n{forms}\n\nF1 by form and half:\n\n{table(heads, rows, text=2)}\n\n"
        f"`feed` and `stand-in` are the same words and should give the same levels: {same} articles.\n"
        f"Evidence whose offsets lead to its words: {right} places."
    )


def _percent(figure: Figure) -> str:
    return f"{100 * figure.value:.1f} % of {figure.cases:,}" if figure.value < 1 else f"all {figure.cases:,}"


def _gaps(figures: Mapping[str, Figure]) -> str:
    rows, wide = [], 0
    for form in FORMS:
        line = [form]
        for topic, level in CELLS:
            build, test = (figures[f"tags/{topic}/{level}/{form}/{half}"] for half in ("build", "test"))
            gap = build.value - test.value
            wide += abs(gap) > GAP
            line.append(f"{gap:+.3f}{' †' if abs(gap) > chance(build, test) else ''}")
        rows.append(line)
    introduction = (
        f"Build half minus test half: {wide} of {len(rows) * len(CELLS)} differ by more than {GAP}. † marks those that "
        f"chance does not explain: they exceed the root of both intervals' squared half-widths."
    )
    return f"{introduction}\n\n{table(['Gap', *HEADS], rows)}"


def chance(first: Figure, second: Figure) -> float:
    """The difference of two independent figures that their 95 % intervals allow."""
    return float((((first.high - first.low) / 2) ** 2 + ((second.high - second.low) / 2) ** 2) ** 0.5)


def _by_set(figures: Mapping[str, Figure]) -> str:
    rows = [
        [name, form, *_cells(figures, form, f"set={origin}")]
        for origin, name in ORIGIN_NAMES.items()
        for form in ("whole", "feed")
    ]
    return f"F1 by set:\n\n{table(['Set', 'Form', *HEADS], rows, text=2)}"


def _values(figures: Mapping[str, Figure], name: str) -> list[str]:
    return sorted({path.split(f"/{name}=")[1] for path in figures if f"/{name}=" in path})


def _by_slice(figures: Mapping[str, Figure], name: str, head: str, names: Mapping[str, str]) -> str:
    values = sorted(names) if names else sorted(_values(figures, name), key=lambda v: ("until" not in v, v))
    rows = [
        [names.get(value, value), form, *_cells(figures, form, f"{name}={value}")]
        for form in ("whole", "feed")
        for value in values
    ]
    return f"F1 by {name}:\n\n{table([head, 'Form', *HEADS], rows, text=2)}"


def _by_language(report: Report, figures: Mapping[str, Figure]) -> str:
    heads = ["", "Form", "texts", *(f"on {topic}" for topic in TOPICS), *HEADS]
    rows = []
    for form in ("whole", "feed"):
        for language, count in report["languages"].items():
            known = [str(count["texts"]), *(str(count[topic]) for topic in TOPICS)]
            rows.append([language, form, *known, *_cells(figures, form, f"language={language}")])
    introduction = (
        "F1 by language, both halves. `on …` counts texts that surely say something of the topic. Languages of "
        f"{LEAST_TEXTS} texts and more have floors."
    )
    return f"{introduction}\n\n{table(heads, rows, text=2)}"


def _written(report: Report, figures: Mapping[str, Figure]) -> str:
    rows = [
        ["unseen", str(report["unseen"]), "", "", *_written_cells(figures, "unseen", "all")],
        *([f"{half} half", "", "", "", *_written_cells(figures, "written", half)] for half in ("build", "test")),
    ]
    for language, count in sorted(report["written"].items()):
        known = [str(count["texts"]), *(str(count[topic]) for topic in TOPICS)]
        rows.append([language, *known, *_written_cells(figures, "written", f"language={language}")])
    introduction = (
        "News items written for this evaluation by writers who saw neither taxonomy nor tagger. Halves, languages: "
        "44 a language, as varied as they could, many without the topic's name in the title. Unseen: 12 a language, "
        "everyday items, written when the terms were finished, and not read since. F1, title and text:"
    )
    return f"{introduction}\n\n{table(['', 'texts', *(f'on {topic}' for topic in TOPICS), *HEADS], rows)}"


def _written_cells(figures: Mapping[str, Figure], name: str, last: str) -> list[str]:
    return [cell(figures.get(f"{name}/{topic}/{level}/{last}")) for topic, level in CELLS]


def _confusions(report: Report) -> str:
    rows = []
    for topic in TOPICS:
        for half in ("build", "test"):
            for form in ("whole", "feed"):
                counts = report["confusion"][f"{topic}/{form}/{half}"]
                cells = [str(counts.get(f"{labelled}>{got}", 0)) for labelled in (2, 1, 0) for got in (2, 1, 0)]
                rows.append([topic, half, form, *cells])
    names = {2: "main", 1: "mention", 0: "none"}
    heads = [f"{names[labelled]} → {names[got]}" for labelled in (2, 1, 0) for got in (2, 1, 0)]
    return f"Labelled → tagged, texts whose label is sure:\n\n{table(['Topic', 'Half', 'Form', *heads], rows, text=3)}"


def _traps(figures: Mapping[str, Figure]) -> str:
    kinds = sorted({path.split("/")[1] for path in figures if path.startswith("traps/")} - {"all"})
    rows = []
    for kind in [*kinds, "all"]:
        shares = [
            figures[f"traps/{kind}/{what}/{form}"] for form in ("whole", "feed") for what in ("untagged", "not-main")
        ]
        wrong = [f"{round((1 - s.value) * s.cases)} ({100 * (1 - s.value):.1f} %)" for s in shares]
        rows.append([kind, str(shares[0].cases), *wrong])
    heads = ["Trap", "texts", "tagged, whole", "main, whole", "tagged, feed", "main, feed"]
    introduction = "Texts that lead astray and say nothing of either topic, by the kind of trap that the reader named:"
    return f"{introduction}\n\n{table(heads, rows)}"


def _sentences(figures: Mapping[str, Figure]) -> str:
    rows = [
        [
            topic,
            *(cell(figures.get(f"sentences/{topic}/{half}")) for half in ("build", "test")),
            *(cell(figures.get(f"sentences/{topic}/both/{what}")) for what in ("precision", "recall")),
        ]
        for topic in TOPICS
    ]
    kinds = sorted(path.removeprefix("sentences/silent/") for path in figures if path.startswith("sentences/silent/"))
    silent = [[kind, str(f.cases), cell(f)] for kind in kinds for f in [figures[f"sentences/silent/{kind}"]]]
    return (
        "A sentence that stands alone should get the tag where it says something substantive:\n\n"
        + table(["Topic", "F1, build", "F1, test", "precision", "recall"], rows)
        + "\n\nSentences that hold a topic's word and say nothing of it, by the reader's reason:\n\n"
        + table(["Reason", "sentences", "share left untagged"], silent)
    )


def _searches(report: Report, figures: Mapping[str, Figure]) -> str:
    rows = []
    for search, about in report["searches"].items():
        whole, feed = (figures.get(f"searches/{search}/{form}") for form in ("whole", "feed"))
        cases = ", ".join(str(f.cases if f else 0) for f in (whole, feed))
        rows.append([f"`{search}`", cases, cell(whole), cell(feed), about["limits"]])
    heads = ["Search of `config/alerts.yaml`", "found", "precision, whole", "precision, feed", ""]
    introduction = "Of what a saved search finds among the labelled articles, the share that it is meant to find:"
    return f"{introduction}\n\n{table(heads, rows)}"


def _extraction(figures: Mapping[str, Figure]) -> str:
    rows = []
    for key, name in (("aeb", "article-extraction-benchmark"), ("fundus", "`fundus_dev`, publishers of 20 countries")):
        for part, what in (("", "all"), ("build/", "build half"), ("test/", "test half")):
            cells = [figures.get(f"extraction/{key}/{part}{f}") for f in ("text", "not-empty", "title", "date")]
            count = next((str(f.cases) for f in cells if f), "0")
            rows.append([name, what, count, *map(cell, cells)])
    heads = ["Pages", "Of", "pages", "text, F1 of 4-grams", "not empty", "title", "date"]
    return f"Halves by a hash of the publisher:\n\n{table(heads, rows, text=2)}"


def _grouping(figures: Mapping[str, Figure]) -> str:
    named = {
        "duplicates/found": "near-duplicates (Jaccard ≥ .5, within a week) found",
        "duplicates/random-apart": "random pairs of one day told apart",
        "stories/copies/right": "copies that were read and report what their original does",
        "stories/copies/unread/right": "the same, of the half whose errors drove no change (both were read)",
        "stories/earlier/b-cubed": "B³ F1, events of 2004–2018, English and Arabic",
        "stories/recent/b-cubed-within-language": "B³ F1, events of 2024–2026, within a language",
        "stories/recent/b-cubed": "B³ F1, the same, all languages together",
        "stories/recent/pairs-across-languages/recall": "pairs of one event in two languages: recall",
        "stories/recent/pairs-across-languages/precision": "the same: precision",
        "stories/recent/hard-pairs-apart": "pairs that look alike, kept apart",
        "stories/recent/pairs-within-language/recall": "pairs of one event in one language: recall",
        "stories/recent/pairs-within-language/precision": "the same: precision",
        "stories/recent/pairs-within-language/unread/recall": "the same, of the events that nobody read: recall",
        "stories/recent/pairs-within-language/unread/precision": "the same: precision",
        "stories/vectors/b-cubed-within-language": "joined by vectors, too: B³ F1 within a language",
        "stories/vectors/b-cubed": "B³ F1, all languages together",
        "stories/vectors/pairs-across-languages/recall": "pairs of one event in two languages: recall",
        "stories/vectors/pairs-across-languages/precision": "the same: precision",
        "stories/vectors/pairs-across-languages/unread/recall": "the same, of the events that nobody read: recall",
        "stories/vectors/pairs-across-languages/unread/precision": "the same: precision",
        "stories/vectors/hard-pairs-apart": "pairs that look alike, kept apart",
        "stories/vectors/pairs-within-language/recall": "pairs of one event in one language: recall",
        "stories/vectors/pairs-within-language/precision": "the same: precision",
        "stories/vectors/pairs-within-language/unread/recall": "the same, of the events that nobody read: recall",
        "stories/vectors/pairs-within-language/unread/precision": "the same: precision",
    }
    rows = [[what, f"{f.cases:,}" if f else "0", cell(f)] for path, what in named.items() for f in [figures.get(path)]]
    return table(["", "pairs or events", ""], rows)


def _updates(figures: Mapping[str, Figure]) -> str:
    named = {
        "updates/new": "sentences that say something new",
        "updates/known": "sentences that say nothing new",
    }
    rows = [
        [what, *(cell(figures.get(f"{path}/{half}")) for half in ("build", "test"))] for path, what in named.items()
    ]
    numbers = figures.get("updates/changed-numbers")
    introduction = (
        "40 stories, whose later article was read sentence by sentence against the one that was mailed; F1. Of "
        f"{numbers.cases if numbers else 0} sentences of mailed articles with one number changed, an update shows "
        f"{round(numbers.value * numbers.cases) if numbers else 0}."
    )
    return f"{introduction}\n\n{table(['', 'half that was tuned on', 'other half'], rows)}"


def _language_detection(figures: Mapping[str, Figure]) -> str:
    kinds = {
        "articles/whole": "articles, whole",
        "articles/feed": "at a feed's length",
        "sentences": "single sentences",
    }
    prefixes = [f"languages/{kind}/" for kind in kinds]
    languages = {path.removeprefix(p) for p in prefixes for path in figures if path.startswith(p)} - {"all"}
    rows = [
        [language, *(_of(figures.get(f"{prefix}{language}")) for prefix in prefixes)]
        for language in [*sorted(languages), "all"]
    ]
    introduction = (
        "Accuracy from the text alone, `hits of texts`; a feed's or page's statement decides where the text does not."
    )
    return f"{introduction}\n\n{table(['', *kinds.values()], rows)}"


def _of(figure: Figure | None) -> str:
    return f"{round(figure.value * figure.cases):,} of {figure.cases:,}" if figure else "–"


def _latency(latency: Mapping[str, Any] | None) -> str:
    if latency is None:
        return (
            "Not measured in this run. `python -m benchmarks.latency --json FILE`, then `make evaluate LATENCY=FILE`; "
            "[earlier figures](benchmarks.md)."
        )
    rows = [[leg, *(f"{t[p]:.1f}" for p in ("p50", "p95", "longest"))] for leg, t in latency["legs"].items()]
    introduction = (
        f"{latency['stories']} stories in {latency['mails']} mails on {latency['measured_at']}, the embedded stack, "
        f"one-minute polls, load {latency['load']}; seconds:"
    )
    return f"{introduction}\n\n{table(['Leg', 'p50', 'p95', 'longest'], rows)}"


def _readers(figures: Mapping[str, Figure]) -> str:
    rows = []
    for topic in TOPICS:
        kinds = [f"articles/{topic}/{what}" for what in ("grade", "any", "main")]
        kinds += [f"sentences/{topic}", f"written/{topic}"]
        rows.append([topic, *(cell(figures.get(f"readers/{kind}")) for kind in kinds)])
    counts = [
        figures[f"readers/{kind}/nato{last}"].cases
        for kind, last in (("articles", "/grade"), ("sentences", ""), ("written", ""))
    ]
    introduction = (
        f"Cohen's κ of two readers who did not see each other's labels, {counts[0]} articles, {counts[1]} sentences, "
        f"and {counts[2]} texts written with their labels:"
    )
    again = ", ".join(f"{t} {cell(figures.get(f'readers/labelled_dev/{t}'))}" for t in TOPICS)
    return (
        f"{introduction}\n\n{table(['Topic', 'articles, grade', 'any', 'main', 'sentences', 'written'], rows)}\n\n"
        f"`labelled_dev` was read twice more, by one reader in two orders: κ by grade {again}."
    )


def _missing(report: Report) -> str:
    languages, written = report["languages"], report["written"]
    short = [
        f"{name} ({count['texts']})"
        for name, count in languages.items()
        if count["texts"] < LEAST_TEXTS and name not in written
    ]
    enough = {name: count for name, count in languages.items() if count["texts"] >= LEAST_TEXTS}
    lines = [f"- Languages with fewer than {LEAST_TEXTS} texts, read or written: {', '.join(short) or 'none'}."]
    if report["unlabelled_languages"]:
        lines.append(
            f"- Languages the taxonomy has terms for, without a text: {', '.join(report['unlabelled_languages'])}."
        )
    for topic in TOPICS:
        few = [f"{name} ({count[topic]})" for name, count in enough.items() if count[topic] < LEAST_POSITIVE]
        lines.append(f"- Fewer than {LEAST_POSITIVE} texts of publishers on {topic}: {', '.join(few) or 'none'}.")
    lines += [
        "- Sub-topics are not labelled, nor are entities.",
        "- Texts without a date: no year is known of them.",
        "- Stories have no test half: they are measured whole.",
    ]
    return "\n".join(lines)


def _versions(report: Report) -> str:
    rows = [[f"`{name}`", f"`{digest}`"] for name, digest in report["data"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return f"{versions}.\n\nFirst 16 digits of SHA-256:\n\n{table(['File', 'hash'], rows, text=2)}"
