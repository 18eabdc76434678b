"""The feed list: what is read from it, and how a fault in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ingest.feed_list.feeds import KINDS, FeedSpec, load_feeds
from newswatch.countries import iso_country
from newswatch.errors import ConfigError
from newswatch.settings import default_config_dir


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "feeds.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_feed_is_read_whole(tmp_path: Path) -> None:
    [feed] = load_feeds(
        written(
            tmp_path,
            """
feeds:
  - url: https://example.com/rss
    title: Example
    id: example
    site: https://example.com/
    country: BE
    language: fr
    topics: [nato]
    kind: wire
    owner: Example Group
    full_text: page
""",
        )
    )
    assert (feed.id, feed.country, feed.topics, feed.full_text) == ("example", "BE", ("nato",), "page")


def test_a_feed_without_an_id_keeps_one_through_spellings_of_its_url(tmp_path: Path) -> None:
    ids = {
        load_feeds(written(tmp_path, f"feeds: [{{url: '{url}', title: T}}]"))[0].id
        for url in ("http://example.com/rss", "https://Example.com:443/rss#top")
    }
    [only] = ids
    assert len(only) == 16


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (
            "feeds:\n- {url: 'https://a.example/', title: A}\n- {url: 'ftp://b.example/', title: B}\n",
            3,
            "ftp://b.example/",
        ),
        ("feeds:\n- url: https://a.example/\n  title: A\n  colour: red\n", 4, "colour"),
        ("feeds:\n- url: https://a.example/\n  title: A\n  kind: blog\n", 4, "kind"),
        ("feeds:\n- url: https://a.example/\n  title: A\n  reliability: {grade: B}\n", 4, "why"),
        ("feeds:\n- url: https://a.example/\n  title: A\n  reliability: B\n", 4, "reliability"),
        (
            "feeds:\n- url: https://a.example/\n  title: A\n"
            "  reliability: {grade: G, rated: 2026-11-29, why: it has been right for years}\n",
            4,
            "grade",
        ),
        ("feeds:\n- url: https://a.example/\n  title: A\n  country: be\n", 4, "country"),
        (
            "feeds:\n- {url: 'https://a.example/', title: A}\n\n- {url: 'http://a.example', title: B}\n",
            4,
            "is already in line 2",
        ),
        (
            "feeds:\n- {url: 'https://a.example/', title: A, id: x}\n- {url: 'https://b.example', title: B, id: x}\n",
            3,
            "the id x is already in line 2",
        ),
        ("feeds: []\n", 1, "feeds"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load_feeds(path)
    assert refused.value.line == line
    assert told in str(refused.value)
    assert str(refused.value).startswith(f"{path}:{line}:")


def test_the_list_that_is_shipped_is_valid() -> None:
    feeds = load_feeds(default_config_dir() / "feeds.yaml")
    assert len({feed.id for feed in feeds}) == len(feeds)
    assert {feed.kind for feed in feeds} <= set(KINDS)
    assert any("nato" in feed.topics for feed in feeds)
    assert all(feed.site and feed.language and feed.owner for feed in feeds)
    assert all(
        feed.country for feed in feeds if feed.kind not in ("international", "parliament", "think tank", "court")
    )
    assert len(feeds) >= 200
    # fmt: off
    assert {feed.language for feed in feeds} >= {
        "ar", "tr", "ru", "uk", "fa", "fr", "de", "es", "it", "pl", "nl", "pt", "ro", "el", "et", "lv", "lt", "sv",
        "no", "da", "fi", "en",
    }
    # fmt: on


def test_every_source_of_the_shipped_list_has_a_grade_with_its_reason() -> None:
    feeds = load_feeds(default_config_dir() / "feeds.yaml")
    assert [feed.title for feed in feeds if feed.reliability is None] == []
    state = {feed.title for feed in feeds if feed.state_media}
    assert {"TASS (English)", "Anadolu Ajansı", "Al Jazeera English"} <= state
    assert all(feed.reliability and feed.reliability.grade not in "A" for feed in feeds if feed.state_media)


def test_a_country_has_the_code_that_searches_ask_for() -> None:
    """`country: UK` stood with the articles, and `country:GB`, which the pages offer, found none of them."""
    feed = FeedSpec(url="https://a.example/rss", title="A", country="UK").feed()
    assert (feed.country, iso_country("EL"), iso_country("FR"), iso_country(None)) == ("GB", "GR", "FR", None)


def test_a_name_is_on_one_line_and_no_book() -> None:
    """It is kept with every article of the feed."""
    assert FeedSpec(url="https://a.example/rss", title=" A\n  B ", topics=("x\ty",)).title == "A B"
    with pytest.raises(ValidationError, match="at most 1000 characters"):
        FeedSpec(url="https://a.example/rss", title="A" * 1_001)
