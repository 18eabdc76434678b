"""The README's map of folders is whole, and leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NO_ROOM = {"build", "dist"}
"""Made by commands, and not kept."""


def test_every_folder_stands_in_the_map_once() -> None:
    mapped = re.findall(
        r"^\| \[`(\w+)/`\]\((\w+)\) \| \S", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._"} - NO_ROOM
    assert sorted(name for name, _ in mapped) == sorted(there)
    assert all(name == link for name, link in mapped)
