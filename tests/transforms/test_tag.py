"""The tagger's rules, one by one, on a taxonomy made for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.model import Tag
from transforms.tag import EVIDENCE_PER_TAG, Tagger
from transforms.taxonomy import Taxonomy

ANY = {"bias": -1, "volume": 3, "title": 3}
RULES = {
    "edition": "test",
    "contexts": {"war": {"any": ["troops", "война"]}, "sport": {"any": ["midfield"]}},
    "topics": {
        "t": {
            "name": "T",
            "scoring": {"any": ANY, "main": {"bias": -5, "title": 6}},
            "terms": [
                {"terms": {"any": ["terrorist*", "jihad", "террор* атак*", "ناتو", "ارهاب*", "北约", "テロ"]}},
                {"case": True, "terms": {"any": ["ETA", "Nato"]}},
                {"terms": {"de": ["*anschlag*"], "it": ["nata"]}},
                {"weight": 0, "terms": {"any": ["terrorist movie*", "non-Nato"]}},
                {"needs": ["war"], "terms": {"any": ["alliance"]}},
                {"unless": ["sport"], "near": 30, "terms": {"any": ["attack"]}},
                {"weight": 0.5, "terms": {"any": ["militia"]}},
                {"terms": {"any": ["Islamic State", "ISIS"]}},
            ],
            "subtopics": {"s": {"name": "S", "terms": [{"weight": 2, "terms": {"any": ["jihad camp"]}}]}},
        },
        "u": {
            "name": "U",
            "scoring": {"any": ANY, "main": ANY},
            "terms": [{"terms": {"any": ["movie*"]}}],
        },
    },
    "entities": {
        "isis": {
            "name": "Islamic State",
            "type": "group",
            "wikidata": "Q1",
            "topics": {"t/s": 1},
            "names": [
                {"terms": {"any": ["daesh", "داعش"]}},
                {"terms": {"any": ["daesh soap"]}, "cancels": True},
            ],
        }
    },
}


@pytest.fixture(scope="module")
def small() -> Tagger:
    return Tagger(Taxonomy.model_validate(RULES))


def hits(tagger: Tagger, text: str, language: str | None = None, tag: str = "t") -> list[str]:
    """What the tagger shows as evidence for `tag` in `text`."""
    found = tagger.tag(title="", text=text, language=language).tags
    return [e.text for t in found if t.tag == tag for e in t.evidence]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Two terrorists fled.", ["terrorists"]),
        ("A bioterrorist fled.", []),
        ("jihad, not jihadism", ["jihad"]),
        ("Террористическая атака и террором", ["Террористическая атака"]),
        ("والناتو للناتو بالناتو ناتو", ["ناتو", "ناتو", "ناتو", "ناتو"]),
        ("ناتوان", []),
        ("الإرهابيين", ["إرهابيين"]),
        ("يَنبَغي إِرْهَابُ", ["إِرْهَاب"]),
        ("加入北约组织", ["北约"]),
        ("Nato加盟へ", ["Nato"]),
        ("自爆テロで", ["テロ"]),
        ("コレステロール", []),
        ("Nato and NATO, never nato", ["Nato", "NATO"]),
        ("ETA said; eta and Eta did not", ["ETA"]),
        ("THE ARRIVAL OF FLIGHTS (ETA) IS DELAYED AGAIN", []),
        ("a terrorist movie", []),
        ("a non-Nato country", []),
        ("an alliance", []),
        ("troops of the alliance", ["alliance"]),
        ("the attack came", ["attack"]),
        ("the attack in midfield", []),
        ("the attack, which had been planned for long, was not in midfield", ["attack"]),
        ("Islamic State (ISIS) said", ["Islamic State"]),
        ("Islamic State said ISIS", ["Islamic State", "ISIS"]),
        ("na\u00adto terror\u00adist", ["terror\u00adist"]),
    ],
)  # fmt: skip
def test_a_form_counts_where_its_rules_hold(small: Tagger, text: str, found: list[str]) -> None:
    assert hits(small, text) == found


def test_a_form_counts_in_its_language_or_where_the_language_is_unknown(small: Tagger) -> None:
    assert hits(small, "Bombenanschläge nata", "de") == ["Bombenanschläge"]
    assert hits(small, "Bombenanschläge nata", "it-IT") == ["nata"]
    assert (
        hits(small, "Bombenanschläge nata", "so") == hits(small, "Bombenanschläge nata") == ["Bombenanschläge", "nata"]
    )


def test_a_longer_form_holds_for_its_own_topic_only(small: Tagger) -> None:
    assert hits(small, "a terrorist movie", tag="u") == ["movie"]


def test_a_subtopic_shows_with_its_topic(small: Tagger) -> None:
    assert hits(small, "a jihad camp", tag="t/s") == ["jihad camp"]
    assert hits(small, "a jihad camp") == ["jihad camp"]


def test_an_entity_is_counted_named_and_evidence(small: Tagger) -> None:
    found = small.tag(title="Daesh", text="Daesh again, and daesh soap. داعش")
    (entity,) = found.entities
    assert (entity.id, entity.count, entity.wikidata, set(entity.aliases)) == ("isis", 3, "Q1", {"daesh", "داعش"})
    assert hits(small, "Daesh and daesh soap", tag="t/s") == ["Daesh"]


def test_the_title_makes_a_topic_main(small: Tagger) -> None:
    def level(**article: str) -> list[tuple[str, str]]:
        return [(t.tag, t.level) for t in small.tag(**article).tags]  # type: ignore[arg-type]

    assert level(title="The terrorist", text="") == [("t", "main")]
    assert level(title="Another day", text="The terrorist") == [("t", "mention")]
    assert level(title="Another day", text="The weather") == []


def test_evidence_names_its_field(small: Tagger) -> None:
    found = small.tag(title="jihad", summary="A jihad", text="The jihad").tags[0]
    assert [(e.field, e.start, e.end) for e in found.evidence] == [
        ("title", 0, 5), ("summary", 2, 7), ("text", 4, 9),
    ]  # fmt: skip


def test_much_evidence_is_cut_to_the_weightiest_with_the_title_first(small: Tagger) -> None:
    found = small.tag(title="jihad", text="militia terrorist " * 40).tags[0]
    assert len(found.evidence) == EVIDENCE_PER_TAG
    assert found.evidence[0].field == "title"
    assert [e.text for e in found.evidence].count("militia") == 1


WORDS = [
    "terrorist",
    "NATO",
    "jihad",
    "والناتو",
    "إِرْهَاب",
    "北约",
    "ISIS",
    "Daesh",
    "—",
    "\n",
    "İ",
    "\u200c",
    "Übung",
    "ß",
    "🧨",
]


@given(
    st.lists(st.sampled_from(WORDS) | st.text(max_size=5)).map("".join),
    st.lists(st.sampled_from(WORDS) | st.text(max_size=5)).map(" ".join),
)
def test_whatever_the_text_evidence_stands_where_it_says(tagger: Tagger, title: str, text: str) -> None:
    fields = {"title": title, "summary": text[::-1], "text": text}
    found = tagger.tag(**fields)  # type: ignore[arg-type]
    assert found == tagger.tag(**fields)  # type: ignore[arg-type]
    for tag in found.tags:
        assert tag.evidence
        assert 0 <= tag.score <= 1
        for evidence in tag.evidence:
            assert fields[evidence.field][evidence.start : evidence.end] == evidence.text != ""


def main_tags(tagger: Tagger, title: str, text: str, language: str) -> dict[str, Tag]:
    return {t.tag: t for t in tagger.tag(title=title, text=text, language=language).tags}


@pytest.mark.parametrize(
    ("language", "title", "text", "wanted"),
    [
        ("en", "Finland joins NATO", "Finland's accession to NATO was completed.", "nato/enlargement"),
        (
            "de",
            "Streit um Verteidigungsausgaben",
            "Die Nato fordert höhere Verteidigungsausgaben.",
            "nato/burden-sharing",
        ),
        (
            "fr",
            "L'OTAN déploie",
            "Les troupes de l'OTAN arrivent. L'OTAN va renforcer le flanc est.",
            "nato/deterrence",
        ),
        ("ru", "Саммит НАТО", "Саммит НАТО прошёл в Мадриде. НАТО будет расширяться.", "nato/summits"),
        ("ar", "قوات الناتو", "نفذت قوات الناتو مناورات. وقال الأمين العام للناتو إنها دفاعية.", "nato/command"),
        ("en", "Bank fined", "The bank was fined for terrorist financing by Hezbollah.", "counter-terrorism/financing"),
        (
            "es",
            "Yihadistas",
            "Los combatientes extranjeros yihadistas vuelven de Siria.",
            "counter-terrorism/foreign-fighters",
        ),
        ("tr", "Terör davası", "Terör örgütü PKK üyeleri terör davasında yargılandı.", "counter-terrorism/trials"),
        ("zh", "反恐法", "议会通过反恐法，打击恐怖组织。", "counter-terrorism/law-policy"),
        ("ja", "テロ組織", "政府はテロ組織に指定した。テロ資金を断つ。", "counter-terrorism/designations"),
    ],
)
def test_subtopics_in_many_languages(tagger: Tagger, language: str, title: str, text: str, wanted: str) -> None:
    assert wanted in main_tags(tagger, title, text, language)


@pytest.mark.parametrize(
    "name",
    [
        *("נאט״ו", 'נאט"ו', "נאט''ו", "נאט”ו", "נאטו", "בנאט״ו", 'לנאט"ו', "\u200fנאט״ו\u200f", "\u2067נאט״ו\u2069"),
        *("NA\u00adTO", "N\u200bATO", "\ufeffНАТО\u2060", "НАТО:саммит", "ΝΑΤΟ᾽", "NATO’nun", "নেটো NATO\u200c"),
    ],
)
def test_nato_is_told_however_it_is_set(tagger: Tagger, name: str) -> None:
    text = f"{name} – {name}, {name}."
    tag = next(tag for tag in tagger.tag(title=name, text=text).tags if tag.tag == "nato")
    assert all(text[one.start : one.end] == one.text for one in tag.evidence if one.field == "text")
    assert len(tag.evidence) % 4 == 0, "the title's and three of the text"
