#!/opt/newswatch/bin/python -I
"""/usr/local/sbin/newswatch and airflow: that command, with the settings and as the user of the services.

docs/debian.md has it installed. Root alone may read the settings. What this reads, systemd reads the same way; what the
two could take differently is refused. A shell does not read them so: there `a&b` is two commands.
"""

from __future__ import annotations

import os
import pwd
import re
import sys
from pathlib import Path

FILE = Path("/etc/newswatch/environment")
PROGRAMS = Path("/opt/newswatch/bin")
USER = "newswatch"
COMMANDS = ("newswatch", "airflow")
_LINE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*")


def settings(text: str) -> dict[str, str]:
    """The variables in a file of settings.

    Raises:
        ValueError: a line is none; the message has its number, and no value.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} is no NAME=value")
        name, value = match.groups()
        quoted = re.fullmatch(r"""'([^'\\]*)'|"([^"\\$`]*)\"""", value)
        if quoted is None and re.search(r"""[\s"'\\]""", value):
            why = "put its value into single quotes; it may hold no single quote and no backslash"
            raise ValueError(f"line {number}, {name}: {why}")
        found[name] = next((part for part in quoted.groups() if part is not None), "") if quoted else value
    return found


def main() -> None:
    """Become the command."""
    name = Path(sys.argv[0]).name
    if name not in COMMANDS:
        sys.exit(f"Call this as {' or '.join(COMMANDS)}.")
    try:
        stated = settings(FILE.read_text(encoding="utf-8"))
    except PermissionError:
        sys.exit(f"{FILE} is root's alone: call this as root (sudo {name} …).")
    except (OSError, ValueError) as error:
        sys.exit(f"{FILE}: {error}")
    user = pwd.getpwnam(USER)
    home = {"HOME": user.pw_dir, "USER": USER, "LOGNAME": USER, "SHELL": "/bin/sh"}
    os.initgroups(USER, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.execve(PROGRAMS / name, [name, *sys.argv[1:]], {**os.environ, **home, **stated})  # noqa: S606


if __name__ == "__main__":
    main()
