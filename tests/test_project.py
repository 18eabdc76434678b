"""What the project says of itself is true: links, commands, paths, versions, licences, the files that tools read."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cli.main import app
from newswatch import __version__

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
HISTORY = {"CHANGELOG.md"}
"""Tells what was: a command in it may be gone."""
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.parent != ROOT / "docs/reference"
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


# ── what is written ──────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """Every token of a page, those within paragraphs too."""
    blocks = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    return tuple(token for block in blocks for token in (block, *(block.children or ())))


def code(page: Path) -> Iterator[str]:
    """Every code span and every line of a code block of a page."""
    for token in tokens(page):
        if token.type == "code_inline":
            yield " ".join(token.content.split())
        elif token.type in ("fence", "code_block"):
            yield from token.content.splitlines()


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links and pictures, those of HTML too."""
    for token in tokens(page):
        named = token.attrs.get("href") or token.attrs.get("src")
        if named:
            yield str(named)
        elif token.type.startswith("html"):
            yield from re.findall(r'(?:src|href)="([^"]+)"', token.content)


def anchors(page: Path) -> set[str]:
    """The fragments by which a page's headings are reached."""
    texts = [text.content for opening, text in pairwise(tokens(page)) if opening.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in texts}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, fragment = unquote(link).partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if fragment and target.suffix == ".md":
            assert fragment in anchors(target), link


@every_page
def test_paths_that_are_named_exist(page: Path) -> None:
    """Of files in our folders: `search/mapping.py`, `docs/tagging.md`."""
    if page.name in HISTORY or page.name == "decisions.md":
        return
    folders = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    pattern = re.compile(rf"(?:{'|'.join(folders)})/[\w./-]+\.\w+")
    for text in code(page):
        if pattern.fullmatch(text) and not text.startswith("var/"):
            assert (ROOT / text).exists(), text


COMING: set[str] = set()
"""Folders that CONTRIBUTING names and that are still being built."""


def test_the_places_that_contributing_names_exist() -> None:
    named = {text for text in code(ROOT / "CONTRIBUTING.md") if re.fullmatch(r"[\w./-]+/[\w./-]*", text)}
    assert len(named) > 10
    missing = {text for text in named if not (ROOT / text).exists()}
    assert missing == COMING, "correct the page; what is no longer missing leaves COMING"


@every_page
def test_commands_that_are_named_exist_with_their_options(page: Path) -> None:
    if page.name in HISTORY:
        return
    for text in code(page):
        if found := re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*newswatch ([a-z-].*)", text):
            check_command(found[1])


@cache
def whole_command() -> Any:
    """The command `newswatch` with all its commands; it takes a tenth of a second to put together."""
    return typer.main.get_command(app)


def check_command(text: str) -> None:
    """Fail if there is no such command, or if it lacks an option that is named.

    Of `feeds list … --json # comment` it looks at `feeds list` and `--json`.
    """
    words = shlex.split(text.replace("…", ""), comments=True)
    command = whole_command()
    for word in words:
        inner = getattr(command, "commands", {})
        if word not in inner:
            assert not inner or word.startswith("-") or getattr(command, "invoke_without_command", False), text
            break
        command = inner[word]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert options <= known | {"--help"}, text


@every_page
def test_targets_of_make_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for text in code(page):
        if found := re.match(r"(?:\$ )?make ([a-z-]+)\b", text):
            assert found[1] in targets, text


@pytest.mark.parametrize("text", ["serch x", "search x --florets", "feeds lisst", "alerts add x --colour red"])
def test_a_command_that_is_not_there_is_noticed(text: str) -> None:
    with pytest.raises(AssertionError):
        check_command(text)


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_changelog_begins_with_what_is_unreleased_and_then_has_our_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", heading) for heading in headings[1:])
    assert headings[1].split()[0] == __version__ == PROJECT["project"]["version"]


# ── files that tools read ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("package", PACKAGES)
def test_the_types_of_a_package_are_shipped(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file(), "PEP 561: without it mypy reads nothing of an installed package"


def test_the_workflow_is_one_and_runs_what_ci_runs() -> None:
    workflow = ROOT / ".github" / "workflows" / "ci.yml"
    run = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert "run: .ci/run" in workflow.read_text(encoding="utf-8")
    versions = re.findall(r'"(3\.\d+)"', workflow.read_text(encoding="utf-8"))
    lowest, beyond = re.findall(r"3\.(\d+)", PROJECT["project"]["requires-python"])
    assert versions == [f"3.{minor}" for minor in range(int(lowest), int(beyond))]


def test_the_hooks_are_well_formed() -> None:
    run = subprocess.run([BIN / "pre-commit", "validate-config"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_every_package_that_we_install_names_its_licence() -> None:
    run = subprocess.run(["make", "--silent", "licences"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "apache-airflow-core" in run.stdout
    assert "UNKNOWN" not in run.stdout
