"""Commands that tag and check without any server: JSON lines in, JSON lines out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from transforms.tag import Tagger

STDIN = Path("-")
TaxonomyOption = Annotated[
    Path | None, typer.Option("--taxonomy", help="Taxonomy to use instead of config/taxonomy.yaml.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to `app`."""
    app.command("tag")(tag)
    group = typer.Typer(no_args_is_help=True, help="The taxonomy that tags are given by.")
    group.command("check")(check)
    app.add_typer(group, name="taxonomy")


def tag(
    file: Annotated[Path, typer.Argument(help="JSON lines with title, text and optionally summary, language.")] = STDIN,
    taxonomy: TaxonomyOption = None,
) -> None:
    """Tag articles: reads JSON lines, writes each with its tags and their evidence."""
    from newswatch.errors import NewswatchError

    try:
        tagger = _tagger(taxonomy)
        with _opened(file) as lines:
            failed = _tag_lines(lines, tagger)
    except (NewswatchError, OSError) as error:
        typer.echo(f"newswatch: {error}", err=True)
        raise typer.Exit(getattr(error, "exit_code", 1)) from error
    if failed:
        typer.echo(f"newswatch: {failed} line(s) could not be tagged; all others were", err=True)
        raise typer.Exit(1)


def check(taxonomy: TaxonomyOption = None) -> None:
    """Check the taxonomy: schema errors with their line, then dead, shadowed and colliding terms."""
    from newswatch.errors import ConfigError
    from transforms.taxonomy import check_taxonomy, load_taxonomy

    path = taxonomy or _default_taxonomy()
    try:
        loaded = load_taxonomy(path)
    except ConfigError as error:
        typer.echo(f"newswatch: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    findings = check_taxonomy(loaded)
    for found in findings:
        typer.echo(f"{found.kind}: {found.form!r} ({found.place}): {found.message}")
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


def _tag_lines(lines: IO[bytes], tagger: Tagger) -> int:
    """Writes each article with its tags as soon as it is read; how many lines could not be."""
    import json

    failed = 0
    for number, line in _numbered(lines):
        try:
            article = _article(line)
            found = tagger.tag(**_tagged_fields(article))
        except ValueError as error:
            typer.echo(f"newswatch: line {number}: {error}", err=True)
            failed += 1
            continue
        article["tags"] = [asdict(t) for t in found.tags]
        article["entities"] = [asdict(e) for e in found.entities]
        sys.stdout.write(json.dumps(article, ensure_ascii=False) + "\n")
    return failed


def _numbered(lines: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((n, line) for n, line in enumerate(lines, 1) if line.strip())


def _article(line: bytes) -> dict[str, Any]:
    import json

    try:
        article = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"is no JSON: {error}") from error
    if not isinstance(article, dict):
        raise ValueError("is no JSON object")
    return article


def _tagged_fields(article: dict[str, Any]) -> dict[str, Any]:
    """The fields that are tagged, their types checked; the language worked out where none is given."""
    from transforms.language import detect

    fields = {name: article.get(name) or "" for name in ("title", "summary", "text")}
    for name in ("title", "text"):
        if name not in article:
            raise ValueError(f"has no {name!r}")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise ValueError(f"{name!r} is no text")
    language = article.get("language")
    if language is not None and not isinstance(language, str):
        raise ValueError("'language' is no text")
    return {**fields, "language": language or detect("\n".join(fields.values()))}
