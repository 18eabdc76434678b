"""Hooks of MkDocs: pages of the top folder join those of `docs/`, and links to source files become plain text.

The same files are read in the repository, where such links work; a strict build knows pages only.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
TOP_PAGES: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK: Final = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<fragment>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of `docs/` and the pages of the top folder."""
    for name in TOP_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """A page with its links as the site needs them.

    Raises:
        PluginError: a link leads to a file that the repository doesn't have.
    """
    folder = "" if page.file.src_uri in TOP_PAGES else normpath(f"docs/{page.file.src_uri}/..")
    return _LINK.sub(lambda link: _link(link, folder, page.file.src_uri), markdown)


def _link(link: re.Match[str], folder: str, page: str) -> str:
    if re.match(r"[a-z]+:", link["target"]):
        return link[0]
    target = normpath(f"{folder}/{link['target']}".lstrip("/"))
    if not (ROOT / target).exists():
        raise PluginError(f"{page} links to {link['target']}, which is not in the repository")
    if target in TOP_PAGES or (target.startswith("docs/") and target.endswith(".md")):
        there = _relative(target.removeprefix("docs/"), page)
        return f"[{link['text']}]({there}{link['fragment'] or ''})"
    return link["text"]


def _relative(target: str, page: str) -> str:
    """The path from one page of the site to another."""
    return "../" * page.count("/") + target
