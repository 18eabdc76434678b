"""The taxonomy file: what is refused, with its line, and what is remarked on."""

from __future__ import annotations

from pathlib import Path

import pytest

from newswatch.errors import ConfigError
from transforms.taxonomy import Taxonomy, check_taxonomy, expand, load_taxonomy

SMALL = """\
edition: test
contexts:
  war:
    any: [troops]
topics:
  nato:
    name: NATO
    scoring:
      any: {bias: -1, volume: 2}
      main: {bias: -2, title: 3}
    terms:
      - case: true
        terms: {any: [NATO]}
      - weight: 0.5
        needs: [war]
        terms: {en: ["alliance*"], de: ["*bündnis*"]}
    subtopics:
      summits:
        name: Summits
        terms:
          - terms: {en: [nato (summit/summits)]}
entities:
  kfor:
    name: Kosovo Force
    type: mission
    topics: {nato: 1}
    names: [{case: true, terms: {any: [KFOR]}}]
"""


def loaded(tmp_path: Path, text: str) -> Taxonomy:
    file = tmp_path / "taxonomy.yaml"
    file.write_text(text, encoding="utf-8")
    return load_taxonomy(file)


def test_it_says_what_it_holds(tmp_path: Path) -> None:
    taxonomy = loaded(tmp_path, SMALL)
    assert taxonomy.paths == ("nato", "nato/summits")
    assert taxonomy.size == 6
    assert taxonomy.version.startswith("test+")


def test_every_edit_is_another_version_and_none_is_the_same(tmp_path: Path) -> None:
    versions = {loaded(tmp_path, SMALL).version, loaded(tmp_path, SMALL.replace("0.5", "0.6")).version}
    assert len(versions) == 2
    assert loaded(tmp_path, SMALL).version in versions
    assert loaded(tmp_path, "# a comment\n" + SMALL).version in versions


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("weight: 0.5", "weight: 7", 14, "less than or equal to 3"),
        ("needs: [war]", "neds: [war]", 15, "Extra inputs are not permitted"),
        ("en: [nato (summit", "xx: [nato (summit", 21, "no language of the taxonomy"),
        ("nato (summit/summits)", "nato (summit/summits", 21, "brackets come in pairs"),
        ('"alliance*"', '"al*iance"', 16, "a star ends a word"),
        ("type: mission", "type: misison", 25, "Input should be"),
        ("edition: test\n", "edition: test\nedition: twice\n", 2, "given twice"),
        ("  nato:\n    name", "  Nato:\n    name", 7, "should match pattern"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert old in SMALL
    with pytest.raises(ConfigError, match=says) as raised:
        loaded(tmp_path, SMALL.replace(old, new, 1))
    assert raised.value.line == line


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("needs: [war]", "needs: [peace]", "names the context 'peace'"),
        ("topics: {nato: 1}", "topics: {nato/kosovo: 1}", "no topic or sub-topic"),
        (
            "      any: {bias: -1",
            "      sentence: {cues: {peace: 1}}\n      any: {bias: -1",
            "names the context 'peace'",
        ),
        (
            "      any: {bias: -1",
            "      sentence: {beside: {peace: 1}}\n      any: {bias: -1",
            "names the context 'peace'",
        ),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        loaded(tmp_path, SMALL.replace(old, new, 1))


def test_brackets_are_written_out() -> None:
    assert expand("(car/truck) bomb(s/ing)") == ["car bombs", "car bombing", "truck bombs", "truck bombing"]
    assert expand("(major /)ally") == ["major ally", "ally"]


def test_check_finds_what_has_no_effect_or_two(tmp_path: Path) -> None:
    text = SMALL.replace("needs: [war]", "near: 50").replace('"alliance*"]', '"alliance*", alliances]')
    text += "  jfc:\n    name: A\n    type: body\n    names: [{case: true, terms: {any: [KFOR]}}]\n"
    found = check_taxonomy(loaded(tmp_path, text))
    assert {(f.kind, f.form) for f in found} == {("dead", "war"), ("shadowed", "alliances"), ("colliding", "KFOR")}


def test_the_shipped_taxonomy_has_nothing_to_remark_on(taxonomy: Taxonomy) -> None:
    assert check_taxonomy(taxonomy) == []
    wanted = {
        "en",
        "fr",
        "de",
        "es",
        "it",
        "pt",
        "nl",
        "pl",
        "ro",
        "el",
        "sv",
        "ru",
        "uk",
        "tr",
        "ar",
        "fa",
        "zh",
        "ja",
    }
    for topic in taxonomy.topics.values():
        assert {language for group in topic.terms for language in group.terms} >= wanted
        for key, sub in topic.subtopics.items():
            assert sub.terms, key


def test_the_topics_have_the_subtopics_that_were_asked_for(taxonomy: Taxonomy) -> None:
    assert set(taxonomy.topics["nato"].subtopics) == {
        "summits", "burden-sharing", "enlargement", "deterrence", "operations", "command", "partnerships",
        "cyber-hybrid",
    }  # fmt: skip
    assert set(taxonomy.topics["counter-terrorism"].subtopics) == {
        "attacks", "plots", "trials", "designations", "financing", "radicalisation", "foreign-fighters", "operations",
        "law-policy",
    }  # fmt: skip
