"""The house is as `docs/architecture.md` draws it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["importlinter"]["root_packages"]


@pytest.mark.slow
def test_imports_run_one_way() -> None:
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_list_of_the_rooms_is_whole() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "tools"}
    assert set(PACKAGES) == folders
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == PACKAGES
    assert PROJECT["tool"]["mypy"]["packages"] == [*PACKAGES, "benchmarks.evaluate", "tools", "tests"]
    copied = re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert copied == [*PACKAGES, "config"]
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{package}" for package in PACKAGES} <= set(let_in)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [package for package in PACKAGES if f"| [`{package}/`]({package}) |" not in readme]


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_ships_does_without_benchmarks_tests_and_tools(path: Path) -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert not imported & {"benchmarks", "tests", "tools"}


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("*.py")), ids=lambda path: path.name)
def test_dag_files_only_wire(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    heavy = {"aiohttp", "elasticsearch", "trafilatura", "feedparser", *PACKAGES} - {"dags", "jobs", "newswatch"}
    imported = {
        name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert not imported & heavy, "a DAG file is parsed every few seconds, and by every task"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 70
