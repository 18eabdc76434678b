"""The taxonomy file: what is refused, with its line, and what is remarked on."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from newswatch.errors import ConfigError
from transforms.taxonomy import Taxonomy, expand, load_taxonomy
from transforms.taxonomy_check import check_taxonomy

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
        ("weight: 0.5", "weight: 7", 14, "must be at most 3"),
        ("needs: [war]", "neds: [war]", 15, "there is no such key"),
        ("en: [nato (summit", "xx: [nato (summit", 21, "not a known language"),
        ("nato (summit/summits)", "nato (summit/summits", 21, "brackets come in pairs"),
        ('"alliance*"', '"al*iance"', 16, "a star ends a word"),
        ("type: mission", "type: misison", 25, "must be "),
        ("edition: test\n", "edition: test\nedition: twice\n", 2, "given twice"),
        ("  nato:\n    name", "  Nato:\n    name", 7, "must match"),
        ("topics: {nato: 1}", "topics: {nato: 4}", 26, "must be at most 3"),
        ("topics: {nato: 1}", "topics: {nato: {weight: 1, form: 2001-01-01}}", 26, "there is no such key"),
        ("topics: {nato: 1}", "topics: {nato: {weight: 1, from: soon}}", 26, "must be a date"),
        (
            "topics: {nato: 1}",
            "topics: {nato: {weight: 1, from: 2001-01-01, until: 2001-01-01}}",
            26,
            "must be later than",
        ),
        ("topics: {nato: 1}", "topics: {nato: [{weight: 1}, {weight: 2, from: 2001-01-01}]}", 26, "on the same day"),
        ("type: mission", "type: mission\n    listed: [{by: Mars}]", 26, "must be 'Argentina'"),
        ("type: mission", "type: mission\n    from: 2001-01-01\n    until: 1999-01-01", 23, "must be later than"),
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
        ("needs: [war]", "needs: [peace]", "refers to the context 'peace'"),
        ("needs: [war]", "raised: {weight: 0.9, needs: [peace]}", "refers to the context 'peace'"),
        ("needs: [war]", "raised: {weight: 0.9, needs: [war], unless: [peace]}", "refers to the context 'peace'"),
        ("needs: [war]", "raised: {weight: 0.4, needs: [war]}", "`raised` requires a smaller `weight`"),
        ("needs: [war]", "needs: [war]\n        raised: {weight: 0.9, needs: [war]}", "neither `needs`"),
        ("weight: 0.5\n        needs: [war]", "weight: 0\n        raised: {weight: 1, needs: [war]}", "above 0"),
        ("topics: {nato: 1}", "topics: {nato/kosovo: 1}", "not a topic or sub-topic"),
        (
            "      any: {bias: -1",
            "      sentence: {cues: {peace: 1}}\n      any: {bias: -1",
            "refers to the context 'peace'",
        ),
        (
            "      any: {bias: -1",
            "      sentence: {beside: {peace: 1}}\n      any: {bias: -1",
            "refers to the context 'peace'",
        ),
        (
            "[{case: true, terms",
            "[{topics: {nato/kosovo: 1}, case: true, terms",
            "kfor.names.0.topics refers to 'nato/kosovo'",
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


def test_a_context_that_only_raises_a_weight_is_not_dead(tmp_path: Path) -> None:
    assert check_taxonomy(loaded(tmp_path, SMALL.replace("needs: [war]", "raised: {weight: 1, needs: [war]}"))) == []


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


DATED = (
    SMALL
    + """\
  chief:
    name: The chief
    type: person
    from: 1990-05-01
    until: 2020-01-01
    roles: [{role: chief, from: 2000-01-01, until: 2010-01-01}]
    listed: [{by: UN, from: 2005-01-01}]
    topics:
      nato: [{weight: 0.6, from: 2000-01-01, until: 2010-01-01}, {weight: 0.2, from: 2010-01-01}]
      nato/summits: 0.1
    names:
      - terms: {any: [chief]}
      - {terms: {any: [big chief]}, topics: {nato: {weight: 2, until: 2010-01-01}}}
"""
)


@pytest.mark.parametrize(
    ("day", "weights", "big"),
    [
        (None, {"nato": 0.6, "nato/summits": 0.1}, {"nato": 2}),
        ("1999-12-31", {"nato/summits": 0.1}, {"nato": 2}),
        ("2000-01-01", {"nato": 0.6, "nato/summits": 0.1}, {"nato": 2}),
        ("2009-12-31", {"nato": 0.6, "nato/summits": 0.1}, {"nato": 2}),
        ("2010-01-01", {"nato": 0.2, "nato/summits": 0.1}, {}),
    ],
)
def test_a_name_weighs_what_it_weighs_on_the_day(
    tmp_path: Path, day: str | None, weights: dict[str, float], big: dict[str, float]
) -> None:
    chief = loaded(tmp_path, DATED).entities["chief"]
    then = date.fromisoformat(day) if day else None
    assert [chief.weights(names, then) for names in chief.names] == [weights, big]


def test_entities_are_as_they_were_on_a_day(tmp_path: Path) -> None:
    taxonomy = loaded(tmp_path, DATED)
    assert set(taxonomy.entities_at(date(1990, 4, 30))) == set(taxonomy.entities_at(date(2020, 1, 1))) == {"kfor"}
    early, late = taxonomy.entities_at(date(1990, 5, 1))["chief"], taxonomy.entities_at(date(2019, 12, 31))["chief"]
    assert (early.roles, early.listed, set(early.topics)) == ((), (), {"nato/summits"})
    assert (late.roles, [li.by for li in late.listed], late.topics["nato"][0].weight) == ((), ["UN"], 0.2)
    assert [r.role for r in taxonomy.entities_at(date(2004, 2, 29))["chief"].roles] == ["chief"]


def test_an_undated_weight_is_written_as_before(tmp_path: Path) -> None:
    kfor = loaded(tmp_path, SMALL).entities["kfor"]
    assert kfor.weights(kfor.names[0], date(1950, 1, 1)) == {"nato": 1}
    assert not kfor.dated(kfor.names[0])


def test_a_non_joiner_between_arabic_letters_is_written_or_not() -> None:
    assert expand("(یاران/یار) شهر\u200cنو") == ["یاران شهر\u200cنو", "یاران شهرنو", "یار شهر\u200cنو", "یار شهرنو"]
    assert expand("वि\u200cश्व") == ["वि\u200cश्व"], "in Hindi it changes how letters are drawn"
