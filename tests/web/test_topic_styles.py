"""Topics have the colours of the taxonomy; nothing that an article says gets into a style sheet or a class."""

from __future__ import annotations

import re

import pytest

from newswatch.topics import TopicCalled, Topics
from web.render import STATIC
from web.topic_styles import topic_class, topic_styles, version

SEA = Topics(
    topics={
        "sea": TopicCalled(name="Sea", colour="#1a4f94"),
        "plain": TopicCalled(name="Plain"),
        "land": TopicCalled(name="Land", colour="#8f3a10"),
    }
)


def test_each_topic_with_a_colour_has_its_rules_and_a_line_of_its_own() -> None:
    styles = topic_styles(SEA)
    assert re.findall(r"^\.tag-(\w+) ", styles, re.MULTILINE) == ["sea", "land"]
    lines = re.findall(r"mark\.ev-(\w+) .*text-decoration-style: (\w+)", styles)
    assert lines == [("sea", "solid"), ("land", "dotted")]
    assert {f"--{name}" for name in re.findall(r"var\(--(\w+)\)", styles)} <= {
        *re.findall(r"--\w+", (STATIC / "news.css").read_text(encoding="utf-8"))
    }


def test_the_version_is_that_of_the_styles() -> None:
    other = SEA.model_copy(update={"topics": {**SEA.topics, "sea": TopicCalled(name="Sea", colour="#8f3a10")}})
    assert version(SEA) == version(SEA.model_copy()) != version(other)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("sea", "sea"),
        ("sea/ice-age", "sea"),
        ("no-longer-there", "no-longer-there"),
        ('x" onclick="y', "other"),
        ("", "other"),
        ("Ä/b", "other"),
    ],
)
def test_a_class_is_made_of_an_id_only(tag: str, name: str) -> None:
    assert topic_class(tag) == name
