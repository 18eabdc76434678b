"""How often the archive is looked through."""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobs.keeping import TIDIED_EVERY_S, _is_due


def test_the_archive_is_looked_through_now_and_then_and_not_with_every_batch(tmp_path: Path) -> None:
    assert not _is_due(tmp_path / "nothing was kept")
    assert _is_due(tmp_path)
    assert not _is_due(tmp_path)
    long_ago = time.time() - TIDIED_EVERY_S - 1
    os.utime(tmp_path / ".tidied", (long_ago, long_ago))
    assert _is_due(tmp_path)
    assert not _is_due(tmp_path)
    set_back = time.time() + 9_999
    os.utime(tmp_path / ".tidied", (set_back, set_back))
    assert _is_due(tmp_path)
