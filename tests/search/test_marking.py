"""How much of a query an article says first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from newswatch.article import Article, Entity, Evidence, Tag
from newswatch.topics import TopicCalled, Topics
from search.highlight import MARK_END, MARK_START
from search.marking import Opening, opening, stand_ins
from search.words import Sense, wording
from tests.factories import an_article

ALLIANCE = Entity("nato", "NATO", "organisation", 1, aliases=("OTAN", "Alianţa Nord-Atlantică"))
SWEDEN = Entity("sweden", "Sweden", "country", 1, aliases=("السويد",))
STATE = Entity("islamic-state", "Islamic State", "group", 1, aliases=("IS", "Daesh"))
FAR = "Nothing of it. " * 30


def marked(text: str) -> str:
    return text.replace("[", MARK_START).replace("]", MARK_END)


def said(article: Article, *words: str, title: str = "", text: str = "", **senses: Sense) -> tuple[float, float]:
    texts = {"title": (marked(title),), "text": (marked(text),)}
    found = opening(wording(words, senses), article, Topics(), texts)
    return round(found.title, 2), round(found.head, 2)


def article(title: str = "", text: str = "", *entities: Entity) -> Article:
    return replace(an_article(), title=title, summary="", text=text, entities=entities, tags=())


def test_it_is_the_share_of_the_words_that_title_and_head_say() -> None:
    title, text = "A [storm] on the coast", f"The [ferries] sail. {FAR} A [strike]."
    assert said(article(), "storm", "ferry", "strike", title=title, text=text) == (0.33, 0.33), "no form that we know"
    assert said(article(), "storm", "ferries", "strike", title=title, text=text) == (0.33, 0.67)
    assert said(article(), "storms", "coast") == (0, 0), "what is not marked"
    assert said(article(), "storm-coast", title="A [storm] on the [coast]") == (1, 1), "a compound by its parts"
    assert said(article(), "北約峰會", title="[北約峰會]在") == (1, 1)


@pytest.mark.parametrize(
    ("word", "title"), [("北約峰會", "[北约峰会]在"), ("F16", "[F-16] jets"), ("F-16", "[F16] jets")]
)
def test_a_word_is_said_in_each_of_its_spellings(word: str, title: str) -> None:
    assert said(article(), word, title=title) == (1, 1)


@pytest.mark.parametrize("title", ["[北约]在", "北约在", "北約在"])
def test_nothing_stands_for_a_word_that_the_article_has_in_another_spelling(title: str) -> None:
    alliance = replace(ALLIANCE, aliases=("北约", "北約", "OTAN"))
    of = article(title.strip("[]").replace("]", ""), "OTAN", alliance)
    assert stand_ins(wording(["北約"]), of, Topics(), {"title": (marked(title),)}) == ()


def test_a_name_that_stands_for_a_word_says_it() -> None:
    assert said(article("Summit of OTAN", "", ALLIANCE), "NATO") == (1, 1)
    assert said(article("A senator", "", ALLIANCE), "OTAN") == (0, 0), "no part of another word"
    assert said(article("فنلندا والسويد", "", SWEDEN), "Sweden") == (1, 1), "a long one with what is written on to it"
    assert said(article("", f"{FAR} OTAN", ALLIANCE), "NATO") == (0, 0)
    group = Sense(("islamic-state",), "Islamic State")
    assert said(article("This is Mosul", "Daesh", STATE), "IS", IS=group) == (0, 1), "the verb is not the group"


@pytest.mark.parametrize(
    ("title", "words", "expected"),
    [
        ("Lambrecht besucht Soldaten in Rumänien", "militari România", 0.5),
        ("莫斯科州恐袭遇难人数升至137人", "теракт Москві", 0.5),
        ("Israeli strike near Tyre", "غارات إسرائيل", 0.5),
        ("Rumänien", "romania", 1.0),
        ("Rumänien", "Bulgaria", 0.0),
        ("中国军舰", "China Sea", 0.5),
        ("中国军舰", "South China Sea", 0.0),
        ("A summit in the US", "tell us", 0.0),
    ],
)
def test_a_country_is_said_in_every_language(title: str, words: str, expected: float) -> None:
    assert said(article(title), *words.split()) == (expected, expected)
    assert said(article("", f"{title}. {FAR}"), *words.split()) == (0, expected)
    assert said(article("", f"{FAR} {title}"), *words.split()) == (0, 0)


def test_a_common_word_is_said_in_the_language_of_the_article() -> None:
    russian = replace(article("Солдаты у границы", f"{FAR} саммит"), language="ru")
    assert said(russian, "soldiers", "summit", "in", "autumn") == (0.33, 0.33)
    assert said(replace(russian, language="el"), "soldiers", "summit", "in", "autumn") == (0, 0)
    assert said(replace(russian, text="Саммит."), "soldiers", "summit", "in", "autumn") == (0.33, 0.67)


@pytest.mark.parametrize(
    ("field", "start", "expected"), [("title", 0, (1, 1)), ("text", 9, (0, 1)), ("text", 900, (0, 0))]
)
def test_evidence_of_a_topic_says_what_the_topic_is_called(
    field: str, start: int, expected: tuple[float, float]
) -> None:
    reason = Evidence(field, start, start + 6, "attack")  # type: ignore[arg-type]
    tagged = replace(article(), tags=(Tag("terror", "main", 0.9, (reason,)),))
    topics = Topics(topics={"terror": TopicCalled(name="Terror", called={"fr": ("terrorisme",)})})
    assert opening(wording(["terrorisme"]), tagged, topics, {}) == Opening(*expected)


def test_a_query_without_words_is_said_nowhere_and_a_pasted_text_is_not_looked_for() -> None:
    assert opening(wording([]), article("Storm"), Topics(), {}) == Opening()
    assert said(article(), "storm", *(f"word{n}" for n in range(30)), title="[storm]") == (0, 0)
