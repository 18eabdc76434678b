"""The documentation site: a strict build passes, and a link that leads nowhere fails it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from mkdocs.exceptions import PluginError

from tools.site import ROOT, on_page_markdown


class _File:
    def __init__(self, src_uri: str) -> None:
        self.src_uri = src_uri


class _Page:
    def __init__(self, src_uri: str) -> None:
        self.file = _File(src_uri)


def rewritten(markdown: str, page: str) -> str:
    return on_page_markdown(markdown, _Page(page))  # type: ignore[arg-type]  # all that the hook reads of a page


@pytest.mark.parametrize(
    ("page", "link", "shown"),
    [
        ("architecture.md", "[the model](../newswatch/settings.py)", "the model"),
        ("architecture.md", "[How](tagging.md#speed)", "[How](tagging.md#speed)"),
        ("faq.md", "[Changes](../CHANGELOG.md)", "[Changes](CHANGELOG.md)"),
        ("reference/filters.md", "[Tutorial](../tutorial.md)", "[Tutorial](../tutorial.md)"),
        ("CONTRIBUTING.md", "[Style](docs/style.md)", "[Style](style.md)"),
        ("CONTRIBUTING.md", "[map](README.md#find-your-way)", "map"),
        ("index.md", "[w3](https://www.w3.org/)", "[w3](https://www.w3.org/)"),
        ("news-page.md", "![News](pictures/news-airflow.png)", "![News](pictures/news-airflow.png)"),
        ("faq.md", "[here](#mails)", "[here](#mails)"),
    ],
)
def test_links_lead_to_pages_or_become_text(page: str, link: str, shown: str) -> None:
    assert rewritten(f"See {link}.", page) == f"See {shown}."


def test_a_link_to_a_file_that_is_not_there_ends_the_build() -> None:
    with pytest.raises(PluginError, match=r"architecture\.md links to \.\./search/nothing\.py"):
        rewritten("[gone](../search/nothing.py)", "architecture.md")


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = build(ROOT / "mkdocs.yml", tmp_path)
    assert done.returncode == 0, done.stderr
    tutorial = (tmp_path / "tutorial.html").read_text(encoding="utf-8")
    assert "From a question to a mail" in tutorial or "from a question to a mail" in tutorial
    assert 'src="http' not in tutorial
    assert 'rel="stylesheet" href="http' not in tutorial


@pytest.mark.slow
def test_a_page_with_a_dead_link_fails_the_build(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("*.json"))
    (tmp_path / "docs" / "faq.md").write_text("# Questions\n\n[gone](tutorial.md#nowhere)\n", encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config |= {"hooks": [str(ROOT / "tools" / "site.py")], "site_dir": str(tmp_path / "site")}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0
    assert "tutorial.md#nowhere" in done.stderr
