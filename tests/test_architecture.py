"""The house is as `docs/architecture.md` draws it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
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
    assert PROJECT["tool"]["mypy"]["packages"] == [*PACKAGES, "benchmarks", "tools", "tests"]
    copied = re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert copied == [*PACKAGES, "config"]
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{package}" for package in PACKAGES} <= set(let_in)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [package for package in PACKAGES if f"| [`{package}/`]({package}) |" not in readme]


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@dataclass(frozen=True, slots=True)
class Module:
    """What the tests ask of a Python file."""

    docstring: str | None
    imported: frozenset[str]
    """The packages, wherever in the file."""
    strings: tuple[str, ...]
    """That are no docstrings nor notes."""


@cache
def read(path: Path) -> Module:
    """A file, parsed once for all tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[str] = set()
    notes: set[int] = set()
    strings: list[ast.Constant] = []
    for node in ast.walk(tree):  # level by level, so that a note's statement comes before its string
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and id(node) not in notes:
                strings.append(node)
        elif isinstance(node, ast.Expr):
            notes.add(id(node.value))
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
    return Module(ast.get_docstring(tree), frozenset(imported), tuple(str(node.value) for node in strings))


def test_every_module_says_what_it_is() -> None:
    assert [path for path in modules() if not read(path).docstring] == []


def test_what_ships_does_without_benchmarks_tests_and_tools() -> None:
    assert [path for path in modules() if read(path).imported & {"benchmarks", "tests", "tools"}] == []


SHIPPED_TOPICS = re.compile(r"\b(nato|counter.?terrorism)\b|--ct\b", re.IGNORECASE)
"""What config/taxonomy.yaml alone may know of its topics."""
OF_THE_DEMO = (
    "cli/demo.py",
    "cli/demo_steps.py",
    "cli/demo_webhook.py",
    "embedded/newsroom_site/",
    "kibana/saved_objects.ndjson",
)
"""What the demo publishes and looks for is about the shipped topics; what Kibana imports is made for them."""
OF_NO_TOPIC = {"ingest/pages/walls.py"}
"""The Italian "nato"."""


def shipped_files() -> list[Path]:
    kinds = {".py", ".j2", ".css", ".js", ".yaml", ".ndjson", ".svg", ".java"}
    own = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*")) if path.suffix in kinds]
    return [*own, ROOT / "docker-compose.yml", ROOT / "pyproject.toml"]


def sayings(path: Path) -> Sequence[str]:
    """What a file says to a machine or a user: all of it, but of Python only the strings that are no docstrings."""
    return read(path).strings if path.suffix == ".py" else path.read_text(encoding="utf-8").splitlines()


def test_topics_are_data() -> None:
    """A third topic takes no code (tests/jobs/test_third_topic.py): so no code may know the first two."""
    files = {path.relative_to(ROOT).as_posix(): path for path in shipped_files()}
    asked = {name: path for name, path in files.items() if not name.startswith(OF_THE_DEMO) and name not in OF_NO_TOPIC}
    assert {"web/static/news.css", "kibana/definition.yaml", "web/templates/search.html.j2"} <= asked.keys()
    assert [(name, line) for name, path in asked.items() for line in sayings(path) if SHIPPED_TOPICS.search(line)] == []


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


# ── e-mail is one channel of several ─────────────────────────────────────────────────────────────────────────────────

OF_EMAIL = re.compile(
    r"\b(EmailMessage|smtplib|aiosmtpd|email_validator|message.?ids?|RFC ?5321|RFC ?5322"
    r"|email\.(message|policy|headerregistry|generator|parser))\b",
    re.IGNORECASE,
)
KNOW_EMAIL = {
    "delivery/channels/email*": "the channel itself",
    "embedded/mail.py": "the mail catcher, which is the other side of it",
    "embedded/stack_status.py": "asks whether the mail catcher answers",
    "delivery/documents.py": "reads documents from before there were channels",
    "store/indices/mapping.py": "has the fields of documents from before there were channels",
    "store/notices.py": "reads documents from before there were channels",
}


def test_only_the_channel_knows_what_an_e_mail_is_made_of() -> None:
    know = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".j2") and OF_EMAIL.search(path.read_text(encoding="utf-8"))
    }
    allowed = {str(path.relative_to(ROOT)) for pattern in KNOW_EMAIL for path in ROOT.glob(pattern)}
    assert not know - allowed
    assert not [pattern for pattern in KNOW_EMAIL if not know & {str(p.relative_to(ROOT)) for p in ROOT.glob(pattern)}]


@pytest.mark.parametrize("name", ["delivery/documents.py", "store/indices/mapping.py", "store/notices.py"])
def test_what_reads_former_documents_knows_no_more_of_e_mail_than_their_field(name: str) -> None:
    said = OF_EMAIL.findall((ROOT / name).read_text(encoding="utf-8"))
    assert {one if isinstance(one, str) else one[0] for one in said} <= {"message_id", "message_ids"}


def test_a_channel_knows_nothing_of_what_is_owed() -> None:
    for path in (ROOT / "delivery/channels").glob("*.py"):
        # The installation's key signs where bounces go.
        text = path.read_text(encoding="utf-8").replace("from delivery.links import signing_keys\n", "")
        named = re.findall(r"^from delivery\.(\w+)", text, re.MULTILINE)
        assert set(named) <= {"channels", "message", "plain_text", "short", "words"}, path


def test_ranges_of_scripts_stand_in_one_module() -> None:
    """Five modules each had their own idea of what is Chinese or Thai."""
    bounds = re.compile(r"\\u(?:3040|30ff|3400|4e00|9fff|ac00|d7a[3f]|0e01|0eff|1780|17ff)", re.IGNORECASE)
    rooms = (ROOT / name for name in PACKAGES if name not in ("tests", "benchmarks"))
    found = {
        str(path.relative_to(ROOT))
        for room in rooms
        for path in room.rglob("*.py")
        if bounds.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"newswatch/scripts.py"}
