"""Commands that tag and check without a server: JSON lines in, JSON lines out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from cli.output import STAGES, emit_json
from cli.readings import as_row, readings

if TYPE_CHECKING:
    from datetime import datetime

    from transforms.encoder import Encoder
    from transforms.grouping import Report
    from transforms.tag import Tagger

STDIN = Path("-")
TaxonomyOption = Annotated[
    Path | None, typer.Option("--taxonomy", help="Taxonomy to use instead of config/taxonomy.yaml.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command("tag", rich_help_panel=STAGES)(tag)
    app.command("stories", rich_help_panel=STAGES)(stories)
    group = typer.Typer(no_args_is_help=True, help="The taxonomy: topics, terms and entities.")
    group.command("check")(check)
    app.add_typer(group, name="taxonomy", rich_help_panel=STAGES)


def tag(
    file: Annotated[
        Path, typer.Argument(help="JSON lines with title, and optionally summary, text, language.")
    ] = STDIN,
    taxonomy: TaxonomyOption = None,
) -> None:
    """Tag articles: reads JSON lines, writes each with its language, its tags and how its sentences were read."""
    with _opened(file) as lines:
        failed = _tag_lines(lines, _tagger(taxonomy))
    _tell_failed(failed, "tagged")


def stories(
    file: Annotated[
        Path, typer.Argument(help="JSON lines with id, title, text and optionally published, source, language.")
    ] = STDIN,
    window: Annotated[int, typer.Option(min=1, help="Maximum days between two articles of a story.")] = 7,
    across: Annotated[
        bool | None,
        typer.Option(
            "--across/--no-across",
            help="Whether to join stories across languages, which takes the encoder and 0.1 s an article. "
            "By default: if it is installed.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Group articles into stories: reads JSON lines, writes the id, story_id and duplicate_of of each, in order."""
    with _opened(file) as lines:
        failed = _group_lines(lines, window, _encoder(across))
    _tell_failed(failed, "grouped")


def _tell_failed(lines: int, done: str) -> None:
    """Exit with 1 if lines could not be used; each has been told with its reason."""
    if lines:
        typer.echo(f"Error: {lines} line{'s' * (lines != 1)} could not be {done}; the others were.", err=True)
        raise typer.Exit(1)


def check(taxonomy: TaxonomyOption = None) -> None:
    """Check the taxonomy: schema errors with their line, then dead, shadowed and colliding terms."""
    from transforms.taxonomy import load_taxonomy
    from transforms.taxonomy_check import check_taxonomy

    path = taxonomy or _default_taxonomy()
    loaded = load_taxonomy(path)
    findings = check_taxonomy(loaded)
    for finding in findings:
        typer.echo(f"{finding.kind}: {finding.form!r} ({finding.place}): {finding.message}")
    typer.echo(
        f"{path}: version {loaded.version}, {loaded.size} forms, {len(loaded.entities)} entities, "
        f"{len(findings)} finding(s)"
    )
    raise typer.Exit(1 if findings else 0)


def _default_taxonomy() -> Path:
    from newswatch.settings import Settings

    return Settings().config_dir / "taxonomy.yaml"


def _tagger(taxonomy: Path | None) -> Tagger:
    from transforms.tag import Tagger
    from transforms.taxonomy import load_taxonomy

    return Tagger(load_taxonomy(taxonomy or _default_taxonomy()))


def _opened(file: Path) -> Any:
    return nullcontext(sys.stdin.buffer) if file == STDIN else file.open("rb")


def _encoder(across: bool | None) -> Encoder | None:
    from transforms import encoder

    if across and (reason := encoder.why_none()):
        typer.echo(f"Error: stories can't be joined across languages: {reason}.", err=True)
        raise typer.Exit(2)
    return None if across is False else encoder.load()


def _group_lines(lines: IO[bytes], window: int, encoder: Encoder | None) -> int:
    """Group the articles in order of publication and write their stories; returns how many lines could not be read."""
    from datetime import timedelta

    from transforms.grouping import grouped

    reports, failed = _reports(lines)
    placed = grouped(reports, window=timedelta(days=window), encoder=encoder)
    for report in reports:
        place = placed[report.id]
        emit_json({"id": place.id, "story_id": place.story_id, "duplicate_of": place.duplicate_of})
    return failed


def _reports(lines: IO[bytes]) -> tuple[list[Report], int]:
    """The articles in the order of the lines, and the number of unusable lines."""
    reports: list[Report] = []
    seen: set[str] = set()
    failed = 0
    for number, line in _numbered(lines):
        try:
            report = _report(_article(line))
            if report.id in seen:
                raise ValueError(f"id {report.id!r} occurs twice")
        except ValueError as error:
            typer.echo(f"Error: line {number}: {error}", err=True)
            failed += 1
            continue
        seen.add(report.id)
        reports.append(report)
    return reports, failed


def _report(article: dict[str, Any]) -> Report:
    from transforms.grouping import Report
    from transforms.language import detect

    for name in ("id", "title", "text"):
        if not isinstance(article.get(name), str):
            raise ValueError(f"{name!r} is missing or not a string")
    language = article.get("language")
    if language is not None and not isinstance(language, str):
        raise ValueError("'language' is not a string")
    return Report(
        id=article["id"],
        title=article["title"],
        text=article["text"],
        published=_time(article.get("published")),
        source=str(article.get("source") or ""),
        language=language or detect(f"{article['title']}\n{article['text']}") or "",
    )


def _time(published: object) -> datetime:
    """`published` as a time in UTC. Undated articles count as of 1 January 1970, near each other in time."""
    from datetime import UTC, datetime

    if published in (None, ""):
        return datetime(1970, 1, 1, tzinfo=UTC)
    try:
        time = datetime.fromisoformat(str(published))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"'published' is not an ISO 8601 time: {published!r}") from error


def _tag_lines(lines: IO[bytes], tagger: Tagger) -> int:
    """Write each article with its tags as soon as it is read; returns how many lines could not be read."""
    failed = 0
    for number, line in _numbered(lines):
        try:
            article = _article(line)
            fields = _tagged_fields(article)
            tagged = tagger.tag(**fields)
            read = [as_row(r) for r in readings(tagger, [*tagger.taxonomy.topics], **fields)]
        except ValueError as error:
            typer.echo(f"Error: line {number}: {error}", err=True)
            failed += 1
            continue
        article["language"] = fields["language"]
        article["tags"] = tagged.tags
        article["entities"] = tagged.entities
        article["sentences"] = read
        emit_json(article)
    return failed


def _numbered(lines: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((n, line) for n, line in enumerate(lines, 1) if line.strip())


def _article(line: bytes) -> dict[str, Any]:
    import json

    try:
        article = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.pos + 1}") from error
    except UnicodeDecodeError as error:
        raise ValueError("is not JSON: it is not UTF-8") from error
    if not isinstance(article, dict):
        raise ValueError("is not a JSON object")
    return article


def _tagged_fields(article: dict[str, Any]) -> dict[str, Any]:
    """The fields for the tagger, with their types checked; the language is detected if it is not given."""
    from transforms.language import detect

    fields = {name: article.get(name) or "" for name in ("title", "summary", "text")}
    if "title" not in article:
        raise ValueError("has no 'title'")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise ValueError(f"{name!r} is not a string")
    language = article.get("language")
    if language is not None and not isinstance(language, str):
        raise ValueError("'language' is not a string")
    date = _time(article["published"]) if article.get("published") else None
    return {**fields, "language": language or detect("\n".join(fields.values())), "date": date}
