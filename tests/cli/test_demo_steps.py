"""What the demo checks can fail."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from cli import demo_steps
from cli.demo_steps import Checks, check_evidence, check_mails
from cli.demo_world import EVENT, QUAKES, check_event, check_quakes
from newswatch.article import Article, Evidence, Tag
from tests.factories import an_article

TEXT = "NATO joins the coalition against Daesh."
NATO = Tag("nato", "main", 0.9, (Evidence("text", 0, 4, "NATO"),))
TERROR = Tag("counter-terrorism", "main", 0.9, (Evidence("text", 33, 38, "Daesh"),))
ARTICLE = an_article(text=TEXT, tags=(NATO, TERROR))


def failed(article: Article) -> int:
    checks = Checks()
    check_evidence(checks, article, ("nato", "counter-terrorism"))
    return len(checks.failed)


def test_the_canonical_story_has_its_tags_and_their_words() -> None:
    assert failed(ARTICLE) == 0


@pytest.mark.parametrize(
    "broken",
    [
        (NATO,),
        (NATO, replace(TERROR, level="mention")),
        (NATO, replace(TERROR, evidence=())),
        (NATO, replace(TERROR, evidence=(Evidence("text", 0, 5, "Daesh"),))),
    ],
)
def test_a_tag_that_is_missing_minor_or_without_its_words_fails(broken: tuple[Tag, ...]) -> None:
    assert failed(replace(ARTICLE, tags=broken)) == 1


@pytest.mark.parametrize(
    ("went_to", "failures"),
    [
        ({"A": ["ann", "bob"], "B": [], "C": []}, []),
        ({"A": ["ann"], "B": [], "C": []}, ["“A” → ann, bob, once each"]),
        ({"A": ["ann", "bob", "bob"], "B": [], "C": []}, ["“A” → ann, bob, once each"]),
        ({"A": ["bob", "ann"], "B": ["ann"], "C": []}, ["2 other stories"]),
    ],
)
def test_a_mail_too_few_and_a_mail_too_many_fail(went_to: dict[str, list[str]], failures: list[str]) -> None:
    checks = Checks()
    check_mails(checks, {"A": ["ann", "bob"], "B": [], "C": []}, went_to)
    assert len(checks.failed) == len(failures)
    assert all(told.startswith(start) for told, start in zip(checks.failed, failures, strict=True))


@pytest.mark.parametrize(
    ("stories", "failures"), [("aab", 0), ("aba", 1), ("aaa", 1), ("abc", 1)], ids=["two", "crossed", "one", "three"]
)
def test_earthquakes_that_are_not_two_stories_fail(stories: str, failures: int) -> None:
    checks, names = Checks(), [name for names in QUAKES for name in names]
    check_quakes(checks, {name: replace(ARTICLE, story_id=story) for name, story in zip(names, stories, strict=True)})
    assert len(checks.failed) == failures


@pytest.mark.parametrize(
    ("stories", "went_to", "failures"), [("aaaa", ["ann"], 0), ("aaab", ["ann"], 1), ("aaaa", ["ann", "ann"], 1)]
)
def test_an_event_in_several_stories_or_mails_fails(
    stories: str, went_to: list[str], failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.encoder.why_none", lambda _: "")
    context: Any = SimpleNamespace(settings=None)
    reports = {
        f"{EVENT}-{language}": replace(ARTICLE, language=language, story_id=story)
        for language, story in zip(("de", "en", "fr", "it"), stories, strict=True)
    }
    checks = Checks()
    check_event(checks, context, reports, went_to, ["ann"])
    assert len(checks.failed) == failures


def test_no_check_of_the_demo_holds_whatever_happens() -> None:
    calls = (node for node in ast.walk(ast.parse(inspect.getsource(demo_steps))) if isinstance(node, ast.Call))
    checks = [node for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr == "that"]
    assert len(checks) > 10
    assert not [node.lineno for node in checks if isinstance(node.args[0], ast.Constant)]
