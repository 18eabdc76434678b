"""The tagger's rules, one by one, on a taxonomy made for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.article import Tag
from transforms.scoring import SENTENCE_FEATURES, weight_of
from transforms.tag import Tagger
from transforms.tag_evidence import EVIDENCE_PER_TAG
from transforms.taxonomy import Taxonomy

ANY = {"bias": -1, "volume": 3, "title": 3}
SENTENCE = {"bias": -2, "peak": 4, "beside": {"acts": 1}, "cues": {"law": 1, "front": -9}}
RULES = {
    "edition": "test",
    "contexts": {
        "war": {"any": ["troops", "война"]},
        "sport": {"any": ["midfield"]},
        "law": {"any": ["court"]},
        "front": {"any": ["shelling"]},
        "acts": {"any": ["said"]},
    },
    "topics": {
        "t": {
            "name": "T",
            "scoring": {"sentence": SENTENCE, "any": ANY, "main": {"bias": -5, "title": 6}},
            "terms": [
                {"terms": {"any": ["terrorist*", "jihad", "террор* атак*", "ناتو", "ارهاب*", "北约", "テロ"]}},
                {"case": True, "terms": {"any": ["ETA"]}},
                {"case": True, "beside_names": True, "needs": ["war"], "near": 1000, "terms": {"any": ["Nato"]}},
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
        ("The Nato plans are secret, as is Nato itself", ["Nato", "Nato"]),
        ("Nato Lomidze bakes. Nato learnt it early.", []),
        ("A shop called Nato's Pizza closes", []),
        ("The chef Prospero Nato bakes", []),
        ("Die Nato wartet", ["Nato"]),
        ("Nato General speaks of troops", ["Nato"]),
        ("Nato Expands Arctic Presence After Talks", ["Nato"]),
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


def reads(tagger: Tagger, text: str) -> list[tuple[str, bool]]:
    """Each sentence with evidence for `t`, and whether it passes by."""
    found, _ = tagger.read("t", title="", text=text)
    return [(r.passage.text, r.passing is not None) for r in found]


def test_the_sentence_decides(small: Tagger) -> None:
    text = "The court tried a terrorist. The shelling hit a terrorist. It rained. A militia sang in court; a militia."
    assert reads(small, text) == [
        ("The court tried a terrorist.", False),
        ("The shelling hit a terrorist.", True),
        ("A militia sang in court; a militia.", False),
    ]
    assert reads(small, "A militia sang.") == [("A militia sang.", False)]


def test_evidence_of_sentences_that_say_something_is_shown_first(small: Tagger) -> None:
    text = "".join(f"The shelling hit terrorist{n}x. " for n in range(40)) + "A terroristic plot was tried in court."
    (tag,) = small.tag(title="jihad", text=text).tags
    assert len(tag.evidence) == EVIDENCE_PER_TAG
    assert "terroristic" in [e.text for e in tag.evidence]


def test_who_acts_says_more(small: Tagger) -> None:
    def sure(text: str) -> float:
        return small.read("t", title="", text=text)[0][0].probability

    assert sure("The terrorist said so") > sure("The terrorist, as all in the long street knew well, said so")


SENTENCES = (
    "NATO will send ships. ",
    "The summit was held near a NATO base. ",
    "A terrorist was tried by a court. ",
    "Police arrested two militants of Islamic State. ",
    "It rained on Monday. ",
    "北约将派遣军舰。",
    "وقال الناتو إنه سيرسل سفنا. ",
)


@given(
    st.lists(st.sampled_from(SENTENCES), max_size=8).map("".join),
    st.sampled_from(("Ships", "NATO to send ships")),
    st.data(),
)
def test_the_same_words_are_tagged_alike_as_summary_as_text_and_as_both(
    tagger: Tagger, words: str, title: str, data: st.DataObject
) -> None:
    def tags(**fields: Any) -> list[tuple[str, str, float]]:
        return [(t.tag, t.level, t.score) for t in tagger.tag(title=title, **fields).tags]

    alone = tags(text=words)
    assert tags(summary=words) == alone
    assert tags(summary=words, text=words) == alone
    if len(words) > 60:
        beginning = words[: data.draw(st.integers(40, len(words)))]
        assert tags(summary=beginning, text=words) == alone


def test_a_copy_moves_no_context_away(tagger: Tagger) -> None:
    """The summary stands between title and text, and is the text's beginning."""
    title = "War games at the fair"
    words = (
        "Nobody in the small town by the river had expected that. A bomb exploded at the market, killing three people."
    )
    fields = (("", words), (words, ""), (words, words))
    readings = [
        tagger.read("counter-terrorism", title=title, summary=summary, text=text, language="en")[0]
        for summary, text in fields
    ]
    rows = [[reading.row for reading in own] for own in readings]
    assert rows[0] == rows[1] == rows[2] != []


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("sv", "Källor: Nato-toppmötet i Albanien kan skjutas upp"),
        ("sv", "Natos generalsekreterare besöker Gotland"),
        ("sv", "Natoländerna enas om nya mål"),
        ("da", "Nato-chef: Danmark skal bruge flere penge"),
        ("da", "Natos lande vil styrke Arktis"),
        ("no", "Nato-toppmøtet utsettes til høsten"),
        ("fi", "Naton pääsihteeri vieraili Helsingissä"),
        ("fi", "NATO:n huippukokous alkaa tiistaina"),
        ("fi", "Suomi liittyi Natoon kaksi vuotta sitten"),
        ("de", "Nato verlegt Soldaten ins Baltikum"),
        ("de", "Natogipfel in Ankara beginnt"),
        ("it", "La Nato rafforza il fianco est"),
        ("pt", "Nato reforça presença no Báltico"),
        ("pt", "Otan anuncia novas metas de gastos"),
        ("fr", "L'Otan veut renforcer son flanc est"),
        ("es", "La OTAN acuerda gastar más"),
        ("nl", "NAVO wil meer schepen in de Oostzee"),
        ("pl", "NATO wzmocni wschodnią flankę"),
        ("ro", "NATO își întărește flancul estic"),
        ("cs", "NATO posílí východní křídlo"),
        ("hu", "A NATO-hoz csatlakozna Ukrajna"),
        ("el", "Το ΝΑΤΟ ενισχύει την ανατολική πτέρυγα"),
        ("ru", "НАТО усилит восточный фланг"),
        ("uk", "НАТО посилить східний фланг"),
        ("bg", "НАТО ще засили източния фланг"),
        ("tr", "NATO'ya yeni üye: Parlamento onayladı"),
        ("ar", "الناتو يعزز وجوده في البلطيق"),
        ("ar", "حلف شمال الأطلسي يرسل سفنا"),
        ("fa", "ناتو کشتی‌های بیشتری می‌فرستد"),
        ("he", 'נאט"ו תשלח ספינות נוספות'),
        ("zh", "北约将加强东翼部署"),
        ("ja", "NATO、東部の防衛を強化"),
        ("ko", "나토 정상회의 개막"),
    ],
)
def test_one_name_in_a_headline_is_the_alliance_in_every_language(tagger: Tagger, language: str, title: str) -> None:
    tags = {t.tag: t.level for t in tagger.tag(title=title, language=language).tags}
    assert tags.get("nato") == "main"


@pytest.mark.parametrize(
    ("language", "title", "text"),
    [
        ("en", "Nato Lomidze opens bakery in Bristol", "Nato learnt to bake from her grandmother."),
        ("it", "È nato il primo panda dello zoo", "Il cucciolo è nato a Roma nella notte."),
        ("it", "Nato a Napoli, cantava da bambino", "Il tenore è nato nel 1950."),
        ("es", "El líder nato del vestuario se retira", "Fue un goleador nato."),
        ("en", "A NATO strap for your watch", "The NATO strap comes in four colours."),
        ("en", "Egypt is a major non-NATO ally", "The status eases sales of arms."),
    ],
)
def test_what_is_not_the_alliance_is_not_tagged(tagger: Tagger, language: str, title: str, text: str) -> None:
    assert [t.tag for t in tagger.tag(title=title, text=text, language=language).tags if t.tag == "nato"] == []


@pytest.mark.parametrize(
    ("language", "title", "summary", "wanted"),
    [
        ("en", "US designates Hezbollah an Iranian proxy, sanctions its funding", "It takes aim at financing.", True),
        ("tr", "AB bir grubu 'terör örgütleri' listesine ekledi", "Karar salı günü açıklandı.", True),
        ("de", "Verdächtiger nach Anschlag festgenommen", "Die Polizei ermittelt wegen Terrorverdachts.", True),
        ("nl", "Rechtbank veroordeelt man voor voorbereiden aanslag", "Hij krijgt twaalf jaar.", True),
        ("en", "Cheney blames Clinton for Benghazi terrorist attack", "He spoke on Sunday.", True),
        ("fr", "Recrutement à marche forcée", "L'Ukraine et la Russie enrôlent des combattants étrangers.", False),
        ("uk", "Терористи вночі обстріляли місто ракетами", "Окупанти запустили дрони, ворог відступає.", False),
        ("en", "Kamikaze drones hit the front", "Suicide drones and missiles struck the army's lines.", False),
        ("fr", "Drones kamikazes sur le front", "Les drones kamikazes ont frappé l'armée.", False),
        ("en", "Winger is the terror of the midfield", "The match ended 2-0.", False),
    ],
)  # fmt: skip
def test_terrorism_at_feed_length(tagger: Tagger, language: str, title: str, summary: str, wanted: bool) -> None:
    tags = {t.tag: t.level for t in tagger.tag(title=title, summary=summary, language=language).tags}
    assert (tags.get("counter-terrorism") == "main") is wanted


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


DATED = {
    **RULES,
    "entities": {
        "siege": {
            "name": "The siege",
            "type": "attack",
            "from": "2024-03-22",
            "topics": {"t/s": 1},
            "names": [{"terms": {"any": ["concert hall"]}}],
        },
        "chief": {
            "name": "The chief",
            "type": "person",
            "topics": {"t": {"weight": 2, "from": "2024-10-01"}},
            "names": [
                {"terms": {"any": ["rutte"]}},
                {"terms": {"any": ["rutte"]}, "needs": ["war"], "topics": {"u": {"weight": 2, "until": "2024-10-01"}}},
            ],
        },
    },
}


@pytest.mark.parametrize(
    ("text", "moment", "tags", "entities"),
    [
        ("concert hall", None, ["t", "t/s"], ["siege"]),
        ("concert hall", "2024-03-21T09:59:00+00:00", [], []),
        ("concert hall", "2024-03-21T10:00:00+00:00", ["t", "t/s"], ["siege"]),
        ("concert hall", "2024-03-21T20:00:00+14:00", [], []),
        ("concert hall", "2030-01-01T00:00:00+00:00", ["t", "t/s"], ["siege"]),
        ("rutte", "2024-09-01T00:00:00+00:00", [], ["chief"]),
        ("rutte", "2024-10-01T00:00:00+00:00", ["t"], ["chief"]),
        ("rutte, troops", "2024-09-01T00:00:00+00:00", ["u"], ["chief"]),
        ("rutte, troops", "2024-10-01T00:00:00+00:00", ["t"], ["chief"]),
        ("rutte", None, ["t"], ["chief"]),
    ],
)
def test_entities_count_as_they_were_when_the_article_appeared(
    text: str, moment: str | None, tags: list[str], entities: list[str]
) -> None:
    published = datetime.fromisoformat(moment) if moment else None
    found = Tagger(Taxonomy.model_validate(DATED)).tag(title="", text=text, date=published)
    assert ([t.tag for t in found.tags], [e.id for e in found.entities]) == (tags, entities)


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)])
def test_the_first_and_the_last_day_have_no_day_beyond_them(moment: datetime) -> None:
    assert Tagger(Taxonomy.model_validate(DATED)).tag(title="", text="jihad", date=moment).tags


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


def with_terms(*groups: dict[str, object]) -> Tagger:
    """A tagger whose topic `t` has these groups of terms alone."""
    topic = {**RULES["topics"]["t"], "terms": list(groups)}  # type: ignore[index]
    return Tagger(Taxonomy.model_validate({**RULES, "topics": {**RULES["topics"], "t": topic}}))  # type: ignore[dict-item]


def test_a_hit_weighs_more_where_its_context_says_more() -> None:
    raised = {"weight": 0.9, "needs": ["law"], "unless": ["front"], "near": 40}
    tagger = with_terms({"weight": 0.3, "raised": raised, "terms": {"any": ["bomb"]}})

    def peak(text: str) -> float:
        readings, _ = tagger.read("t", title="", text=text, language="en")
        return readings[0].row[1]

    assert peak("A bomb was found.") == 0.3
    assert peak("A bomb is before the court.") == 0.9
    assert peak("A bomb, shelling, a court.") == 0.3
    assert peak("A bomb was found, and that is all that we know today of it and its court.") == 0.3


def test_in_an_unknown_language_a_short_stem_is_a_word() -> None:
    tagger = with_terms({"terms": {"tr": ["deaş*", "terör*"], "any": ["isis*"]}})
    assert hits(tagger, "deasupra, deaş, terörist, isises") == ["deaş", "terörist", "isises"]
    assert hits(tagger, "deaşlı", "tr") == ["deaşlı"]


@pytest.mark.parametrize(
    ("title", "silent"),
    [("The minister visits Paris again", 1.0), ("A terrorist was caught in Paris", 0.0), ("DEV-MUC3-0174", 0.0)],
)
def test_a_headline_without_a_word_of_the_topic_is_silent(small: Tagger, title: str, silent: float) -> None:
    _, summed = small.read("t", title=title, text="A terrorist was caught.", language="en")
    assert summed.silent == silent


def test_a_headline_in_chinese_has_fewer_characters(small: Tagger) -> None:
    _, summed = small.read("t", title="外交部长今日访问巴黎", text="他谈到加入北约组织，并会见了总统。", language="zh")
    assert summed.silent == 1.0


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        ("Ronaldo scored the winning goal against Al Shabab.", False),
        ("Al Shabab fighters killed nine people in Mogadishu.", True),
        ("A bomb blast at a cafe killed nine people, police said.", True),
        ("A bomb from the museum's collection was restored.", False),
        ("The blast was a suicide attack.", True),
    ],
)
def test_what_the_shipped_taxonomy_makes_of_words_with_two_meanings(tagger: Tagger, text: str, *, tagged: bool) -> None:
    assert any(t.tag == "counter-terrorism" for t in tagger.tag(title=text, text="", language="en").tags) == tagged


def test_a_subtopic_has_the_same_level_whether_its_words_come_once_or_twice(tagger: Tagger) -> None:
    opening = "NATO ministers opened their meeting in Brussels on Thursday and NATO praised the host city. "
    filler = "".join(
        f"Delegation {n} walked through the rain to a hall that was built for a show of trams. " for n in range(9)
    )
    late = (
        "Burden-sharing came up after lunch. Several asked for burden-sharing. One spoke of burden-sharing at length."
    )
    text = opening + filler + late
    once = tagger.tag(title="NATO ministers meet in Brussels", text=text, language="en")
    twice = tagger.tag(title="NATO ministers meet in Brussels", summary=text, text=text, language="en")
    levels = [(tag.tag, tag.level) for tag in once.tags]
    assert ("nato/burden-sharing", "mention") in levels
    assert levels == [(tag.tag, tag.level) for tag in twice.tags]


@pytest.mark.parametrize(
    ("language", "together", "one"),
    [
        ("en", "NATO members will send more troops", "One of the NATO members will hold an election"),
        ("de", "Die Nato-Staaten verlegen Truppen", "Das Nato-Mitglied wählt ein Parlament"),
        ("fr", "Les pays de l'Otan envoient des troupes", "Un pays de l'Otan vote dimanche"),
        ("ru", "Страны НАТО усилят войска", "Одна из стран НАТО проводит выборы"),
        ("tr", "NATO üyeleri asker gönderecek", "NATO üyesi seçime gidiyor"),
        ("ar", "أعضاء الناتو يرسلون قوات", "دولة عضو في الناتو تنتخب برلمانا"),
    ],
)
def test_the_allies_together_are_the_alliance_and_one_of_them_is_not(
    tagger: Tagger, language: str, together: str, one: str
) -> None:
    for text, tagged in ((together, True), (one, False)):
        tags = tagger.tag(title="", text=f"{text}.", language=language).tags
        assert any(tag.tag == "nato" for tag in tags) is tagged, text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The EU and NATO bombarded Belgrade"),
        ("de", "Die EU und die Nato stärkt den Osten"),
        ("de", "Die EU und die Nato warne Moskau"),
        ("de", "Die EU und die Nato verlange mehr Geld"),
        ("fr", "L'UE et l'Otan déplorent ces essais"),
        ("fr", "Pas l'UE, mais l'Otan est responsable"),
        ("es", "Que la UE y la OTAN envíen tropas"),
        ("nl", "De EU en de NAVO kritiseren Moskou"),
        ("sv", "EU och Nato planera och inleda övningar"),
        ("sv", "EU och Nato hotas av Moskva"),
        ("no", "Putin begynte å true EU og Nato"),
        ("fi", "EU ja Nato uskoa Suomea"),
        ("ru", "Кто должен ЕС и НАТО"),
        ("uk", "ЄС і НАТО посилають вантажі"),
        ("tr", "AB ve NATO yardıma koştu"),
        ("el", "ΕΕ και ΝΑΤΟ, ο φόβος της Μόσχας"),
    ],
)
def test_acts_are_known_in_their_ordinary_forms(tagger: Tagger, language: str, text: str) -> None:
    ((reading, *_), _) = tagger.read("nato", title="", text=f"{text}.", language=language)
    assert weight_of(reading.row) > 0.5


@pytest.mark.parametrize(
    ("language", "text", "cue"),
    [
        ("tr", "Terör saldırısında 14 ölü", "harm"),
        ("tr", "Terör örgütü iki kişiyi öldürdü", "harm"),
        ("tr", "Terör saldırısında ölenlerin adları", "harm"),
        ("ro", "O secție de poliție și terorism", "law"),
        ("nl", "Een politiewoordvoerder over terrorisme", "law"),
        ("bg", "Арестът за тероризъм", "law"),
        ("el", "Τους χαρακτηρίσουν τρομοκρατία", "measures"),
    ],
)
def test_cues_are_known_in_their_ordinary_forms(tagger: Tagger, language: str, text: str, cue: str) -> None:
    names = (*SENTENCE_FEATURES, *tagger.taxonomy.topics["counter-terrorism"].scoring.sentence.contexts)
    ((reading, *_), _) = tagger.read("counter-terrorism", title="", text=f"{text}.", language=language)
    assert reading.row[names.index(cue)]


@pytest.mark.parametrize(
    ("language", "acting", "listed"),
    [
        ("en", "The EU and NATO warned Moscow", "He teaches law and wrote on the EU and NATO at length"),
        ("pl", "UE i NATO ostrzegły Moskwę", "Uczył o organizacjach takich jak UE i NATO na uczelni"),
        ("tr", "AB ve NATO Moskova'yı uyardı", "Derste AB ve NATO konuları da vardı"),
        ("ar", "حذر الاتحاد الأوروبي والناتو موسكو", "كتب عن الاتحاد الأوروبي والناتو في دروسه"),
        ("ja", "EUとNATOは警告した", "授業ではEUとNATOの歴史に触れた"),
    ],
)
def test_in_a_list_the_alliance_says_something_where_it_acts(
    tagger: Tagger, language: str, acting: str, listed: str
) -> None:
    weights = [
        weight_of(tagger.read("nato", title="", text=f"{text}.", language=language)[0][0].row)
        for text in (acting, listed)
    ]
    assert weights == pytest.approx([0.6, 0.25])


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Vortrag über Drohnen, EU und Nato im Saal"),
        ("fi", "Luennon aiheina lisäksi EU ja Nato"),
        ("ar", "درس عن منطقة شنغن والاتحاد الأوروبي والناتو"),
        ("ar", "درس عنها إضافة إلى الأمم المتحدة والناتو"),
        ("el", "μάθημα για Εγγύς Ανατολή, ΟΗΕ και ΝΑΤΟ"),
        ("el", "μάθημα για παράδειγμα ΟΗΕ και ΝΑΤΟ"),
        ("pt", "aula sobre negócios, UE e NATO"),
        ("da", "foredrag om loven, EU og Nato"),
        ("en", "Lecture on the station, the EU and NATO"),
        ("en", "Lecture on dividends, the EU and NATO"),
        ("en", "Lecture on a committee, the EU and NATO"),
        ("de", "Vortrag über das Schicksal von EU und Nato"),
        ("de", "Vortrag über starke EU und Nato"),
        ("ro", "curs despre Marea Neagră, UE și NATO"),
        ("ar", "درس عن طالبان والاتحاد الأوروبي والناتو"),
        ("ar", "درس عن السلم وعدد السكان في الاتحاد الأوروبي والناتو"),
        ("he", 'הרצאה על פרסום, האיחוד האירופי ונאט"ו'),
        ("he", 'הרצאה על הציבור, האיחוד האירופי ונאט"ו'),
        ("es", "clase sobre salud, la UE y la OTAN"),
        ("fr", "cours sur la santé mentale, l'UE et l'OTAN"),
        ("pl", "wykład o zadaniach, UE i NATO"),
        ("sv", "föreläsning om hotell, EU och Nato"),
        ("uk", "лекція про планети, ЄС і НАТО"),
        ("ru", "лекция о сообществах, ЕС и НАТО"),
        ("bg", "лекция за отговорност, ЕС и НАТО"),
        ("cs", "přednáška o vyslancích, EU a NATO"),
        ("tr", "ders: genel karargah, AB ve NATO"),
        ("nl", "les over beslag, de EU en de NAVO"),
        ("fi", "luento toimittajista, EU ja Nato"),
        ("zh", "讲座：各国领导人与欧盟、北约"),
    ],
)
def test_words_that_begin_as_acts_do_are_none(tagger: Tagger, language: str, text: str) -> None:
    ((reading, *_), _) = tagger.read("nato", title="", text=f"{text}.", language=language)
    assert weight_of(reading.row) == pytest.approx(0.25)


def test_a_line_broken_at_a_width_ends_nothing(tagger: Tagger) -> None:
    text = (
        "Ministers talked for hours about ports and harbour dues. Neither\n"
        "of the two delegations said before it left what the North\n"
        "Atlantic Alliance would decide when the coalition against Islamic\n"
        "State meets again in the spring, and nobody expected it to say\n"
        "so before then.\n"
    )
    for topic, name in (
        ("nato", "North\nAtlantic Alliance"),
        ("counter-terrorism", "coalition against Islamic\nState"),
    ):
        ((reading, *_), _) = tagger.read(topic, title="", text=text, language="en")
        assert [text[e.start : e.end] for e in reading.evidence if e.text == name] == [name]


@pytest.mark.parametrize(
    ("language", "text", "terrorism"),
    [
        ("en", "GUERRILLAS KIDNAPPED TWO GEOLOGISTS NEAR THE RIVER PORT AND RELEASED THEIR DRIVER", True),
        ("en", "Two geologists abducted by the ELN are free after six weeks", True),
        ("en", "Kidnappers took a banker and asked his family for a ransom", False),
        ("en", "Guerrilla marketing: a beer brand abducts its own billboard", False),
        ("en", "The father of an EPL striker was kidnapped on his way home", False),
        ("en", "The People's Liberation Army denied that it had abducted a fisherman", False),
        ("es", "Dos ingenieros fueron secuestrados por la guerrilla en la frontera", True),
        ("es", "Un empresario fue secuestrado por una banda que pidió rescate", False),
        ("fr", "Un géologue a été enlevé par la guérilla près du fleuve", True),
        ("pt", "Engenheiro é sequestrado pela guerrilha na fronteira", True),
        ("de", "Zwei Geologen wurden von der ELN entführt", True),
        ("it", "Due geologi rapiti dai guerriglieri", True),
    ],
)
def test_a_kidnapping_is_terrorism_where_guerrillas_kidnap(
    tagger: Tagger, language: str, text: str, *, terrorism: bool
) -> None:
    tags = tagger.tag(title="", text=f"{text}.", language=language).tags
    assert any(tag.tag == "counter-terrorism" for tag in tags) is terrorism


@pytest.mark.parametrize(
    ("language", "text", "named"),
    [
        ("et", "Eesti liitus NATOga 2004. aastal", "nato"),
        ("et", "Põhja-Atlandi Nõukogu pidas erakorralise istungi", "nato"),
        ("et", "Terrorirünnakus hukkus kümme inimest", "counter-terrorism"),
        ("et", "Natuke sadas vihma", ""),
        ("lv", "Ziemeļatlantijas padome sasauca ārkārtas sēdi", "nato"),
        ("lv", "Teroraktā gāja bojā desmit cilvēki", "counter-terrorism"),
        ("lv", "Natālija dzied korī", ""),
        ("lt", "Šiaurės Atlanto Taryba sušaukė neeilinį posėdį", "nato"),
        ("lt", "Teismas nuteisė teroristą", "counter-terrorism"),
        ("lt", "Natos knygoje muzika lengva", ""),
        ("sr", "Северноатлантски савет сазвао је хитну седницу", "nato"),
        ("sr", "Суд је осудио терористу на доживотну казну", "counter-terrorism"),
        ("sr", "Ната пева у хору", ""),
    ],
)
def test_languages_without_articles_know_the_names(tagger: Tagger, language: str, text: str, named: str) -> None:
    tags = tagger.tag(title="", text=f"{text}.", language=language).tags
    assert {tag.tag.split("/")[0] for tag in tags} == ({named} if named else set())


@pytest.mark.parametrize(
    ("language", "text", "cue"),
    [
        ("tr", "Terör konulu toplantı Ankara'da oldu", "harm"),
        ("tr", "Hükümet terör konusunu açtı", "law"),
        ("tr", "Romanya terör konusunu açtı", "culture"),
        ("pl", "W listopadzie mówiono o terroryzmie", "measures"),
        ("ro", "S-a vorbit despre terorism, inclusiv la radio", "measures"),
        ("he", "דיברו על טרור במשטרה", "state"),
        ("nl", "Politieke partijen spraken over terrorisme", "law"),
        ("el", "Μίλησε για χαρακτηριστικά της τρομοκρατίας", "measures"),
        ("bg", "Арестович говори за тероризъм", "law"),
    ],
)
def test_words_that_begin_as_cues_do_are_none(tagger: Tagger, language: str, text: str, cue: str) -> None:
    names = (*SENTENCE_FEATURES, *tagger.taxonomy.topics["counter-terrorism"].scoring.sentence.contexts)
    ((reading,), _) = tagger.read("counter-terrorism", title="", text=f"{text}.", language=language)
    assert reading.row[names.index(cue)] == 0


def test_what_only_passes_by_is_no_tag_however_short_the_text(tagger: Tagger) -> None:
    text = "The gun lobby's extremists have one goal: to mob every senator until nobody dares to speak of it again."
    ((reading,), _) = tagger.read("counter-terrorism", title="", text=text, language="en")
    assert reading.passing
    assert not tagger.tag(title="", text=text, language="en").tags


@pytest.mark.parametrize(
    ("topic", "language", "with_name", "name"),
    [
        ("counter-terrorism", "de", "Terrorismus-Bekämpfung", "Terrorismus"),
        ("counter-terrorism", "ru", "уровень террористической опасности", "террористы"),
        ("counter-terrorism", "en", "anti-terrorism measures", "terrorism"),
        ("nato", "ru", "силы реагирования НАТО", "НАТО"),
        ("nato", "fr", "l'article 5 de l'Otan", "l'Otan"),
        ("nato", "ko", "나토 조약", "나토"),
    ],
)
def test_a_phrase_weighs_no_less_than_the_name_in_it(
    tagger: Tagger, topic: str, language: str, with_name: str, name: str
) -> None:
    peaks = []
    for text in (with_name, name):
        ((reading,), _) = tagger.read(topic, title="", text=f"{text}.", language=language)
        peaks.append(reading.row[SENTENCE_FEATURES.index("peak")])
        assert reading.row[SENTENCE_FEATURES.index("plain")] == 1
    assert peaks[0] >= 0.9 * peaks[1]


def test_an_alliance_is_known_once_it_was_named(tagger: Tagger) -> None:
    text = "Nobody in the alliance was ready to say more about the troops."
    after, alone = (
        tagger.read("nato", title="", text=before + text, language="en")[0][-1].probability
        for before in ("Nato met in the capital. ", "")
    )
    assert after > 0.3 > alone


def test_the_alliance_in_brackets_is_named_once(tagger: Tagger) -> None:
    for text in ("قال حلف شمال الأطلسي (الناتو) ذلك.", "قال حلف شمال الأطلسي [ناتو] ذلك."):
        ((reading,), _) = tagger.read("nato", title="", text=text, language="ar")
        assert len(reading.evidence) == 1


def test_no_language_has_much_fewer_acts_than_another(taxonomy: Taxonomy) -> None:
    acts = taxonomy.contexts["acts"]
    assert min(map(len, acts.values())) > 0.5 * max(map(len, acts.values()))
    assert len(acts) == 26


@pytest.mark.parametrize(
    ("language", "text", "named"),
    [
        ("it", "Cavoli, patate e fagioli: la ricetta della nonna.", False),
        ("it", "Cavoli ha parlato delle truppe della Nato.", True),
        ("en", "The CAOC at al-Udeid in Qatar planned the sorties.", False),
        ("en", "The CAOC in Bodo watches the sky for NATO.", True),
        ("zh", "1945年，盟军最高司令部进驻东京。", False),
        ("zh", "欧洲盟军最高司令部设在蒙斯。", True),
        ("fr", "Le corps de réaction rapide de la police est arrivé.", False),
        ("pl", "Strażacy to siły bardzo wysokiej gotowości w tym mieście.", False),
    ],
)
def test_names_that_others_bear_need_the_alliance_near(
    tagger: Tagger, language: str, text: str, *, named: bool
) -> None:
    readings, _ = tagger.read("nato", title="", text=text, language=language)
    assert any(e.text != "Nato" and e.text != "NATO" for r in readings for e in r.evidence) is named


def test_a_comma_before_the_alliance_makes_no_list_in_chinese(tagger: Tagger) -> None:
    begun, listed = (
        tagger.read("nato", title="", text=text, language="zh")[0][0]
        for text in ("会议结束后，北约决定增兵。", "会议引发北约、澳大利亚、新西兰关切。")
    )
    assert begun.probability > 0.7 > 0.3 > listed.probability


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "东北约70%地区降雨，河北约三成。"),
        ("zh", "基地以北约130公里处有军队。"),
        ("zh", "北约克市民欢呼。"),
        ("ko", "미나토구에서 축제가 열렸다. 아나토미 수업도 있다."),
    ],
)
def test_words_and_numbers_around_the_alliances_letters_are_not_the_alliance(
    tagger: Tagger, language: str, text: str
) -> None:
    found = tagger.tag(title="", text=text, language=language)
    assert "nato" not in {tag.tag for tag in found.tags} | {entity.id for entity in found.entities}


def test_who_shares_the_secretary_generals_name_is_not_the_alliance(tagger: Tagger) -> None:
    text = "За словами Камілли Столтенберг, надлишкової смертності немає. Армія щепила солдатів."
    found = tagger.tag(title="", text=text, language="uk")
    assert "jens-stoltenberg" not in {entity.id for entity in found.entities}
