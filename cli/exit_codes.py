"""What each exit code of the command line means. `make docs` writes the table; `tests/cli/test_main.py` proves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
CONFIGURATION: Final = 3
STORE: Final = 4
STACK: Final = 5
UNREACHED: Final = 6
INTERRUPTED: Final = 130

EXIT_CODES: Final[Mapping[int, tuple[str, str]]] = {
    DONE: ("done", "also if the reader of a pipe has gone, as in `newswatch search ice | head -1`"),
    FAILED: ("failed", "what was named does not exist, a file can't be used, or a question was answered with no"),
    USAGE: ("wrong usage", "an option, an argument, a saved search's field, a query that can't be parsed, or no feed"),
    CONFIGURATION: ("wrong configuration", "a file in `config/`, or a `NEWSWATCH_…` variable"),
    STORE: ("Elasticsearch", "it can't be reached, refuses, or holds a document that can't be read"),
    STACK: ("the embedded stack", "a part can't be started or stopped"),
    UNREACHED: ("nothing could be done", "no feed can be reached, or the mail server takes no mail"),
    INTERRUPTED: ("interrupted", "by Ctrl-C"),
}
"""Exit code → what it means in short, and when it is used. `check` and `watch --once` have those of a monitor."""

MONITOR: Final[Mapping[int, str]] = {0: "ok", 1: "warning", 2: "critical", 3: "unknown: it could not look"}
"""Exit codes of `newswatch check` and `newswatch watch --once`, which are a monitoring plugin's."""
