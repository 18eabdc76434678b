"""`newswatch parse` and `newswatch extract`, as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from cli import offline_ingest

RSS = """<rss version="2.0"><channel><title>T</title><item><title>Café — один</title><link>/a</link><guid>1</guid>
<pubDate>Thu, 15 Jan 2026 10:30:00 +0100</pubDate><description>Text.</description></item><item><title>B</title>
<pubDate>Sun, 01 Jan 3247 00:00:00 GMT</pubDate></item></channel></rss>"""
PROSE = "".join(f"<p>The ministers spoke about the mission for a long while, for the {n}th time.</p>" for n in range(9))
PAGE = f"""<!doctype html><html lang="en"><head><title>Allies agree</title></head>
<body><article><h1>Allies agree</h1>{PROSE}</article>"""


def run(*arguments: str, text: str = "") -> Result:
    app = typer.Typer()
    offline_ingest.register(app)
    return CliRunner().invoke(app, arguments, input=text.encode())


def test_parse_writes_an_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(RSS, encoding="utf-8")
    result = run("parse", str(path), "--url", "https://news.example/rss")
    first, second = map(json.loads, result.stdout.splitlines())
    keys = {"id", "url", "title", "summary", "content", "authors", "published", "updated", "language"}
    assert set(first) >= keys
    assert (first["title"], first["url"], first["published"]) == (
        "Café — один",
        "https://news.example/a",
        "2026-01-15T09:30:00Z",
    )
    assert second["published"] is None
    assert "3247" in result.stderr
    assert result.exit_code == 0


def test_a_malformed_feed_is_told_and_ends_well() -> None:
    result = run("parse", "-", text=RSS.removesuffix("</channel></rss>"))
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert "ill-formed" in result.stderr


def test_an_entry_in_which_a_feed_breaks_off_is_told() -> None:
    result = run("parse", "-", text=RSS[:-40])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    assert "one that is not whole waits for the next poll" in result.stderr


def test_what_is_no_feed_ends_with_2_and_names_what_it_advertises() -> None:
    page = "<html><head><link rel=alternate type=application/rss+xml href=/rss></head></html>"
    result = run("parse", "-", "--url", "https://news.example/", text=page)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "https://news.example/rss" in result.stderr


def test_extract_writes_one_object() -> None:
    result = run("extract", "-", "--url", "https://news.example/a", text=PAGE)
    [line] = result.stdout.splitlines()
    found = json.loads(line)
    assert set(found) >= {"title", "text", "authors", "published", "language", "canonical_url"}
    assert (found["title"], found["language"], found["status"]) == ("Allies agree", "en", "full")
    assert found["text"].count("ministers") == 9
    assert result.exit_code == 0


def test_the_encoding_is_the_one_that_was_served(tmp_path: Path) -> None:
    page, feed = tmp_path / "page.html", tmp_path / "feed.xml"
    page.write_bytes(PAGE.replace("ministers", "Türkiye’nin bakanları").encode("cp1254"))
    feed.write_bytes(RSS.replace("— один", "в Анкаре").replace("é", "e").encode("koi8-r"))
    served = ("--url", "https://news.example/a", "--content-type")
    extracted = run("extract", str(page), *served, "text/html; charset=ISO-8859-9")
    assert json.loads(extracted.stdout)["text"].count("Türkiye’nin bakanları") == 9
    parsed = run("parse", str(feed), *served, "application/rss+xml; charset=koi8-r")
    assert json.loads(parsed.stdout.splitlines()[0])["title"] == "Cafe в Анкаре"


def test_registering_the_commands_imports_nothing_heavy() -> None:
    heavy = ("feedparser", "trafilatura", "aiohttp")
    code = f"import sys, cli.offline_ingest; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
