"""Writes `docs/reference/`: settings, command line, DAGs, indices and filters, each from the code that defines it.

`make docs` runs this module; `tests/tools/test_reference.py` fails while a page differs from its code.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "docs" / "reference"

Json = Mapping[str, Any]


def settings() -> str:
    """Every environment variable: values it takes, default, meaning. Defaults that differ per machine are named so."""
    from newswatch.settings import Settings

    schema = Settings.model_json_schema()["properties"]
    rows = [
        (f"`NEWSWATCH_{name.upper()}`", _values(schema[name]), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _page(
        "Settings",
        "newswatch.settings",
        "Every setting is an environment variable. `newswatch settings` shows the values in force, `newswatch settings "
        "--set` only those that differ from the default. A wrong value stops the command with exit code 3 and names "
        "the variable. Names ending in `_s` are in seconds.",
        _table(("variable", "takes", "default", "meaning"), rows),
    )


def command_line() -> str:
    """Every command with its arguments and options, as Typer documents them."""
    import typer
    from typer.cli import get_docs_for_click

    from cli.exit_codes import EXIT_CODES, MONITOR
    from cli.main import app

    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="newswatch")
    _, _, commands = get_docs_for_click(obj=command, ctx=context, name="newswatch").partition("\n")
    codes = _table(("exit code", "meaning", "when"), [(str(code), *told) for code, told in EXIT_CODES.items()])
    monitor = ", ".join(f"{code} {state}" for code, state in MONITOR.items())
    plugin = f"`newswatch check` and `newswatch watch --once` have those of a monitoring plugin: {monitor}."
    return _page("Command line", "cli.main", codes, plugin, commands.strip())


def dags() -> str:
    """Every DAG: when it runs, its documentation, its tasks. Read by Airflow itself, in a process of its own."""
    read = read_dags()
    return _page("DAGs", "dags", "What Airflow runs. All times are UTC.", *(_dag(dag) for dag in read))


def indices() -> str:
    """Every index with its fields, from the one mapping."""
    from store.indices import mapping
    from store.names import Names

    names = Names()
    properties = {name: prop for name, prop in vars(Names).items() if isinstance(prop, property)}
    described = {getattr(names, name): prop.__doc__ or "" for name, prop in properties.items()}
    notes = _notes(mapping)
    tables = {names.slices: mapping.ARTICLE, **mapping.plain_indices(names)}
    constants = {id(value): name for name, value in vars(mapping).items() if isinstance(value, dict)}
    parts = [
        f"## `{index}`\n\n{described[index]}\n\n{notes.get(constants[id(fields)], '')}\n\n"
        + _table(("field", "type", "searched"), list(_fields(fields)))
        for index, fields in tables.items()
    ]
    return _page(
        "Indices",
        mapping.__name__,
        f"Version {mapping.VERSION} of the articles' mapping. Every index is `dynamic: strict`: it refuses a field "
        "that is not listed. `NEWSWATCH_INDEX_PREFIX` stands before each name.",
        *parts,
    )


def filters() -> str:
    """The short filters and the fields that a query may name."""
    from search import field_names
    from search.filters import FILTERS

    rows = [
        (f"`{name}:`", f"{one.meaning}: {', '.join(f'`{example}`' for example in one.examples)}")
        for name, one in FILTERS.items()
    ]
    fields = ", ".join(f"`{name}`" for name in sorted(field_names.fields()))
    return _page(
        "Filters and fields of a query",
        field_names.__name__,
        "A filter stands anywhere in the query and holds for all of it. Commas mean any of these; `-` before a filter "
        "means not. [The tutorial](../tutorial.md) shows them at work.",
        "## Filters\n\n" + _table(("filter", "asks for"), rows),
        f"## Fields\n\nIn Lucene's syntax, as in `title:AWACS`. Kibana takes the same names.\n\n{fields}",
    )


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings.md": settings,
    "command-line.md": command_line,
    "dags.md": dags,
    "indices.md": indices,
    "filters.md": filters,
}
"""File name → what makes the page."""


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _page(title: str, module: str, introduction: str, *parts: str) -> str:
    made = f"<!-- Generated from `{module}` by `make docs`; edit that instead. -->"
    return "\n\n".join((f"# {title}", made, introduction, *parts)).replace("\n\n\n\n", "\n\n").rstrip() + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _values(field: Json) -> str:
    """What a field of a JSON schema takes: type, choices and bounds."""
    if "anyOf" in field:
        field = {**field, **next(choice for choice in field["anyOf"] if choice["type"] != "null")}
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[key]:,}" for key, sign in signs.items() if key in field]
    kind = {"array": "JSON list", "string": _STRINGS.get(field.get("format", ""), "text")}.get(field["type"])
    return ", ".join([kind or field["type"], *bounds])


_STRINGS: Final = {"path": "path", "password": "secret"}


def _default(field: Any) -> str:
    if field.default_factory:
        return "depends on the machine"
    return "–" if field.default in (None, "", ()) else f"`{field.default}`"


# ── DAGs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_dags() -> list[dict[str, Any]]:
    """What `tools.dag_facts` says of each DAG, by name.

    Raises:
        CalledProcessError: a DAG can't be imported; standard error says why.
    """
    with TemporaryDirectory() as home:
        environment = {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "tools.dag_facts", str(ROOT / "dags")]
        run = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True
        )
    facts: list[dict[str, Any]] = json.loads(run.stdout.splitlines()[-1])
    return facts


def _dag(dag: Json) -> str:
    from cron_descriptor import Options, get_description

    every = get_description(dag["cron"], Options(use_24hour_time_format=True)).lower() if dag["cron"] else ""
    when = [f"{every} (`{dag['cron']}`)"] if every else []
    when += [f"when `{asset}` is announced" for asset in dag["assets"]]
    _, _, text = dag["doc"].partition("\n")
    limit = f"At most {dag['runs']} runs at once." if dag["runs"] > 1 else "One run at a time."
    parameters = [f"Parameter `{name}` (`{value}`): {text}" for name, value, text in dag["parameters"]]
    rows = [
        (f"`{task['id']}`" + (" (mapped)" if task["mapped"] else ""), *(_shown(task[key]) for key in _TASK))
        for task in dag["tasks"]
    ]
    return "\n\n".join(
        (
            f"## `{dag['name']}`",
            f"Runs {', and '.join(when) or 'by hand'}. {limit}",
            text.strip(),
            *parameters,
            _table(("task", "then", "retries", "first retry after", "time limit", "announces"), rows),
        )
    )


_TASK: Final = ("then", "retries", "retry_delay", "limit", "announces")


def _shown(value: object) -> str:
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return text or "–"


# ── indices ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _notes(module: ModuleType) -> dict[str, str]:
    """Name of each variable of a module → the string under its assignment."""
    body = ast.parse(inspect.getsource(module)).body
    named = {
        node.target.id: after.value.value
        for node, after in pairwise(body)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }
    return {name: inspect.cleandoc(str(text)) for name, text in named.items()}


def _fields(properties: Json, path: str = "") -> Iterator[tuple[str, str, str]]:
    """A row for each field; an object whose fields are all text (one per analyzer) has one row."""
    for name, field in properties.items():
        below = field.get("properties", {})
        if below and all(inner.get("type") == "text" for inner in below.values()):
            yield f"`{path}{name}.*`", "text", f"yes; one field each: {', '.join(below)}"
        elif below:
            yield from _fields(below, f"{path}{name}.")
        else:
            yield f"`{path}{name}`", field["type"], _searched(field)
            yield from _fields(field.get("fields", {}), f"{path}{name}.")


def _searched(field: Json) -> str:
    if not field.get("enabled", True) or not field.get("index", True):
        return "no, only returned"
    return "yes, any key below it" if field.get("dynamic") else "yes"


if __name__ == "__main__":
    main()
