"""What people call the topics."""

from __future__ import annotations

from pathlib import Path

import pytest

from newswatch.errors import ConfigError
from newswatch.settings import default_config_dir
from newswatch.topics import Topics, read_topics, topics_to_show

TEXT = """
edition: "1"
topics:
  # A comment amid the section.
  sea:
    name: The sea
    colour: "#1a4f94"
    called: {en: [sea, ocean], fr: [mer, océan]}

    subtopics:
      ice:
        name: Ice and icebergs
        called: {en: [ice], fr: [glace, mer]}
entities: {}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "taxonomy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def topics(tmp_path: Path) -> Topics:
    return read_topics(written(tmp_path, TEXT))


def test_names_are_those_that_the_analyst_gave(topics: Topics) -> None:
    assert (topics.name("sea"), topics.name("sea/ice")) == ("The sea", "Ice and icebergs")
    assert (topics.path("sea"), topics.path("sea/ice")) == ("The sea", "The sea: Ice and icebergs")
    assert (topics.paths, topics.names) == (("sea", "sea/ice"), ("The sea",))


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("dry-land", "Dry land"),
        ("dry-land/deep-sand", "Dry land: Deep sand"),
        ("sea/ice-cream", "The sea: Ice cream"),
        ("", ""),
    ],
)
def test_a_tag_that_the_taxonomy_no_longer_has_goes_by_its_id(topics: Topics, tag: str, name: str) -> None:
    assert topics.path(tag) == name
    assert topics.words([tag]) == []


def test_words_are_those_of_every_language_each_once(topics: Topics) -> None:
    assert topics.words(["sea/ice", "sea", "gone"]) == ["ice", "glace", "mer", "sea", "ocean", "océan"]


def test_an_edit_is_seen_at_once_and_a_slip_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    assert read_topics(path).names == ("The sea",)
    written(tmp_path, TEXT.replace("The sea", "Open sea"))
    assert read_topics(path).names == ("Open sea",)
    written(tmp_path, TEXT.replace('"#1a4f94"', "blue"))
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"taxonomy\.yaml:7: .*'blue' is no colour"):
            read_topics(path)
    with pytest.raises(ConfigError, match="can't be read"):
        read_topics(tmp_path / "none.yaml")


def test_while_it_can_not_be_read_tags_are_shown_by_their_ids(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shown = topics_to_show(written(tmp_path, TEXT.replace("name: The sea", "name: ''")))
    assert (shown.path("sea/ice"), shown.paths) == ("Sea: Ice", ())
    assert "taxonomy.yaml:6" in caplog.text


def test_two_topics_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = TEXT.replace("entities:", "  lake: {name: The sea}\nentities:")
    with pytest.raises(ConfigError, match="'The sea' is the name of two topics"):
        read_topics(written(tmp_path, twice))


def test_every_shipped_topic_has_a_name_a_colour_and_words_in_the_languages_people_search_in() -> None:
    topics = read_topics(default_config_dir() / "taxonomy.yaml")
    for path in topics.paths:
        assert len(topics.words([path])) >= 15, path
    for topic in topics.topics.values():
        assert topic.colour
        assert {"en", "fr", "de", "es", "ru", "ar", "zh"} <= topic.called.keys()
