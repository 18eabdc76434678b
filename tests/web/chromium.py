"""The browser that tests look at pages with: the system's Chromium.

`make pictures` renews those in the documentation: NEWSWATCH_PICTURES names the folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
KEPT = (
    "search-wide-light",
    "search-narrow-dark",
    "article-wide-light",
    "story-wide-light",
    "corrected-narrow-dark",
    "deliveries-narrow-dark",
    "entity-wide-light",
    "new-search",
    "airflow",
)
"""The pictures in the documentation."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield chromium
        chromium.close()


def keep(tab: Page, name: str) -> None:
    """Renew a picture in the documentation, if that is asked for."""
    if (folder := os.environ.get("NEWSWATCH_PICTURES")) and name in KEPT:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=Path(folder) / f"news-{name}.png")
