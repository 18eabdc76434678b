"""The whole of it: `newswatch demo` runs the main job under the real scheduler, and checks itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_holds(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from cli.main import run; run()", "demo", "--folder", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Every check passed" in run.stdout
    assert "✗" not in run.stdout
    for kind in ("instant", "grouped", "reply", "update", "digest", "briefing"):
        assert f"\n  {kind} " in run.stdout, f"it shows no {kind} mail"
