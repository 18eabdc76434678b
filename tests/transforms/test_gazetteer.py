"""What the shipped gazetteer knows of 2022–2026: what was true when, and by which names each language tells it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from newswatch.config import plain
from transforms.language import detect
from transforms.tag import Tagger
from transforms.taxonomy import GazetteerEntity, Taxonomy, written

SENTENCES = plain((Path(__file__).parent / "data" / "gazetteer_sentences.yaml").read_text(encoding="utf-8"))
LANGUAGES = {
    "en", "fr", "de", "es", "it", "pt", "nl", "pl", "ro", "el", "sv", "ru", "uk", "tr", "ar", "fa", "zh", "ja",
}  # fmt: skip


def lists(taxonomy: Taxonomy, entity: str, day: date) -> set[str]:
    """Who lists `entity` as terrorist on `day`; empty too where there is no such entity on that day."""
    then = taxonomy.entities_at(day)
    return {listing.by for listing in then[entity].listed} if entity in then else set()


@pytest.mark.parametrize(
    ("role", "day", "holders"),
    [
        ("Secretary General of NATO", date(1999, 4, 23), {"javier-solana"}),
        ("Secretary General of NATO", date(1999, 10, 10), set()),
        ("Secretary General of NATO", date(2022, 2, 24), {"jens-stoltenberg"}),
        ("Secretary General of NATO", date(2024, 9, 30), {"jens-stoltenberg"}),
        ("Secretary General of NATO", date(2024, 10, 1), {"mark-rutte"}),
        ("Prime Minister of the Netherlands", date(2022, 2, 24), {"mark-rutte"}),
        ("Deputy Secretary General of NATO", date(2024, 10, 1), set()),
        ("Deputy Secretary General of NATO", date(2025, 1, 1), {"radmila-shekerinska"}),
        ("Supreme Allied Commander Europe", date(2022, 7, 3), {"tod-wolters"}),
        ("Supreme Allied Commander Europe", date(2022, 7, 4), {"christopher-cavoli"}),
        ("Supreme Allied Commander Europe", date(2025, 7, 4), {"alexus-grynkewich"}),
        ("Chair of the NATO Military Committee", date(2016, 1, 1), {"petr-pavel"}),
        ("Chair of the NATO Military Committee", date(2025, 1, 16), {"rob-bauer"}),
        ("Chair of the NATO Military Committee", date(2025, 1, 17), {"giuseppe-cavo-dragone"}),
        ("Supreme Allied Commander Transformation", date(2025, 1, 1), {"pierre-vandier"}),
        ("member of NATO", date(2023, 4, 3), set()),
        ("member of NATO", date(2023, 4, 4), {"finland"}),
        ("member of NATO", date(2024, 3, 7), {"finland", "sweden"}),
    ],
)
def test_who_held_an_office(taxonomy: Taxonomy, role: str, day: date, holders: set[str]) -> None:
    then = taxonomy.entities_at(day)
    assert {key for key, entity in then.items() if role in {r.role for r in entity.roles}} == holders


@pytest.mark.parametrize(
    ("entity", "day", "by"),
    [
        ("hayat-tahrir-al-sham", date(2017, 1, 1), set()),
        ("hayat-tahrir-al-sham", date(2024, 12, 8), {"US", "UK"}),
        ("nusra-front", date(2014, 1, 1), {"US", "UN"}),
        ("irgc", date(2019, 4, 14), set()),
        ("irgc", date(2024, 7, 1), {"US", "Canada"}),
        ("irgc", date(2026, 2, 1), {"US", "Canada", "Australia", "EU"}),
        ("houthis", date(2021, 2, 1), {"US"}),
        ("houthis", date(2022, 1, 1), set()),
        ("houthis", date(2025, 3, 5), {"US", "Canada"}),
        ("tren-de-aragua", date(2025, 2, 19), set()),
        ("tren-de-aragua", date(2025, 2, 20), {"US", "Canada"}),
        ("the-com-764", date(2025, 12, 9), set()),
        ("the-com-764", date(2025, 12, 10), {"Canada"}),
        ("terrorgram", date(2025, 1, 13), {"UK", "US"}),
        ("the-base", date(2024, 7, 26), {"Canada", "UK", "EU"}),
        ("hamas", date(2021, 11, 25), {"US", "Canada", "EU"}),
        ("hamas", date(2021, 11, 26), {"US", "Canada", "EU", "UK"}),
        ("balochistan-liberation-army", date(2019, 7, 2), {"US", "UK"}),
        ("rapid-support-forces", date(2026, 6, 1), set()),
    ],
)
def test_by_whom_a_group_was_listed(taxonomy: Taxonomy, entity: str, day: date, by: set[str]) -> None:
    assert lists(taxonomy, entity, day) == by


def test_the_pkk_and_hts_are_dissolved(taxonomy: Taxonomy) -> None:
    assert {"pkk", "hayat-tahrir-al-sham"} <= set(taxonomy.entities_at(date(2025, 1, 1)))
    assert not {"pkk", "hayat-tahrir-al-sham"} & set(taxonomy.entities_at(date(2025, 6, 1)))


def test_nobody_holds_an_office_twice_over(taxonomy: Taxonomy) -> None:
    """One holder at a time of each office; memberships and missions are no offices."""
    held = [(r, key) for key, entity in taxonomy.entities.items() for r in entity.roles if entity.type == "person"]
    for role, key in held:
        others = [other for r, other in held if r.role == role.role and r is not role and r.meets(role)]
        assert not others, (key, role.role)


def test_every_attack_since_2019_has_its_day_and_no_names_before(taxonomy: Taxonomy, tagger: Tagger) -> None:
    dated = {key: entity for key, entity in taxonomy.entities.items() if entity.type == "attack" and entity.begin}
    assert len(dated) >= 35
    for key, day in (("solingen-2024", "2024-08-22"), ("magdeburg-2024", "2024-12-19"), ("bondi-2025", "2024-04-13")):
        text = f"Knife attack in {taxonomy.entities[key].name.split()[0]}, police say."
        moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
        assert key in {e.id for e in tagger.tag(title=text, language="en").entities}
        assert key not in {e.id for e in tagger.tag(title=text, language="en", date=moment).entities}


@pytest.mark.parametrize("entity", SENTENCES)
def test_a_name_is_known_in_every_language(tagger: Tagger, entity: str) -> None:
    told = SENTENCES[entity]
    assert set(told["in"]) >= LANGUAGES, entity
    published = datetime.fromisoformat(told["published"]).replace(tzinfo=UTC)
    missed = {
        language: sentence
        for language, sentence in told["in"].items()
        if entity not in {e.id for e in tagger.tag(title=sentence, language=language, date=published).entities}
    }
    assert missed == {}


@pytest.mark.parametrize(
    ("title", "published", "entity"),
    [
        ("Rutte tritt zurück: Was wird aus der Regierung in Den Haag?", "2023-07-07", None),
        ("NATO: Rutte lobt die Verbündeten in Vilnius", "2023-07-07", None),
        ("NATO: Rutte lobt die Verbündeten in Vilnius", "2025-07-07", "nato/command"),
        ("NATO-Militärausschuss: Petr Pavel warnt", "2017-07-07", "nato/command"),
        ("Petr Pavel über NATO und Tschechien", "2024-07-07", None),
    ],
)
def test_an_office_is_evidence_only_while_it_is_held(
    taxonomy: Taxonomy, title: str, published: str, entity: str | None
) -> None:
    day = date.fromisoformat(published)
    person = taxonomy.entities["petr-pavel" if "Pavel" in title else "mark-rutte"]
    assert set(person.weights(person.names[0], day)) == ({entity} if entity else set())


@pytest.mark.parametrize(
    ("language", "title", "text"),
    [
        ("en", "Hamas says talks on a ceasefire go on", "Hamas said its delegation left Cairo. Hamas wants more aid."),
        ("en", "Hezbollah lawmakers vote on the budget", "Hezbollah and its allies backed the budget in Beirut."),
        ("nl", "Taliban sluiten meisjesscholen", "De Taliban hebben opnieuw scholen gesloten, zegt de Unesco."),
        ("de", "Atomwaffen: Streit im Bundestag", "Atomwaffen bleiben in Büchel. Atomwaffen schrecken ab."),
        ("es", "Cae un jefe del cartel de Sinaloa", "El cartel de Sinaloa vende fentanilo, dijo la fiscalía."),
        ("en", "Khorasan province hit by floods", "Rivers in North Khorasan Province rose after rain, officials said."),
        ("ru", "Гринкевич", "Компания Гринкевича поставляла одежду."),
    ],
)
def test_a_group_in_war_politics_or_crime_is_no_terrorism(tagger: Tagger, language: str, title: str, text: str) -> None:
    found = tagger.tag(title=title, text=text, language=language, date=datetime(2026, 3, 1, tzinfo=UTC))
    assert [(t.tag, t.level) for t in found.tags] == []


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "US designates Hezbollah a terrorist group, sanctions its bankers"),
        ("de", "EU setzt Revolutionsgarden auf die Terrorliste"),
        ("tr", "AB, Devrim Muhafızları'nı terör örgütleri listesine ekledi"),
        ("en", "Washington blacklists Tren de Aragua"),
        ("en", "Turkish parliament votes for amnesty for PKK fighters"),
    ],
)
def test_to_be_listed_or_to_disband_is_news_of_terrorism(tagger: Tagger, language: str, title: str) -> None:
    found = tagger.tag(title=title, text=title, language=language, date=datetime(2026, 3, 1, tzinfo=UTC))
    assert "counter-terrorism" in {t.tag for t in found.tags}


def test_sentences_are_in_the_language_they_are_under() -> None:
    """Short ones may be undecided; none may be taken for another language of the taxonomy."""
    wrong = [
        (entity, language, taken)
        for entity, told in SENTENCES.items()
        for language, sentence in told["in"].items()
        if (taken := detect(sentence, stated=(language,))) not in (language, None)
    ]
    assert wrong == []


def test_every_attack_has_its_day(taxonomy: Taxonomy) -> None:
    assert [key for key, e in taxonomy.entities.items() if e.type == "attack" and e.begin is None] == []


def _tags(tagger: Tagger, language: str, title: str) -> set[str]:
    found = tagger.tag(title=title, text=title, language=language, date=datetime(2026, 3, 1, tzinfo=UTC))
    return {t.tag for t in found.tags}


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("fr", "Bataclan rouvre avec Sting"),
        ("en", "Lockerbie ice rink reopens"),
        ("en", "Pahalgam welcomes record tourists"),
        ("en", "Utøya summer camp"),
        ("en", "Christchurch mosque choir"),
        ("en", "Charlie Hebdo marks 20 years"),
        ("ru", "В Беслане открыли новый парк"),
        ("zh", "别斯兰学校新楼启用"),
        ("en", "Lone wolf returns"),
        ("en", "Wreck of HMS Terror mapped"),
        ("en", "Tamil Tigers rugby team wins"),
        ("en", "Black September for shares on Wall Street"),
        ("en", "A terror on the touchline: coach banned"),
        ("en", "New sleeper cell battery doubles range"),
        ("ko", "나토리 시장, 축제 개막"),
    ],
)
def test_a_place_or_an_animal_is_no_attack(tagger: Tagger, language: str, title: str) -> None:
    assert _tags(tagger, language, title) == set()


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("fr", "Procès du Bataclan : perpétuité requise"),
        ("en", "Lockerbie trial opens"),
        ("en", "Beslan victims remembered"),
        ("en", "Police arrest lone wolf suspect"),
        ("fr", "Le Jnim étend son emprise au Sahel"),
        ("fr", "Aqmi revendique une opération au Mali"),
    ],
)
def test_beside_a_word_of_the_attack_the_place_is_one(tagger: Tagger, language: str, title: str) -> None:
    assert "counter-terrorism" in _tags(tagger, language, title)


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "An active endeavour for the whole family"),
        ("it", "Il collegio di difesa nato dal processo"),
        ("en", "Airlines deny flight attendants a raise"),
        ("en", "Guards used deliberate force, court hears"),
        ("en", "China doubles its strategic airlift capability"),
        ("en", "Ocean Shield sails south in search for a lost airliner"),
        ("ru", "Учение «Океанский щит» началось: флот России вышел на Балтику"),
        ("ru", "Объединенные защитники леса собрались в Туле"),
        ("ru", "Морские стражи границы: флот пополнился катером"),
        ("ru", "Адмирал принял командование в Норфолке"),
        ("it", "Il collegio nato nel 1923 riapre le porte"),
        ("it", "L'oleodotto nato nel 1960 chiude"),
        ("ko", "연합군 최고사령부와 맥아더의 일본 점령"),
        ("ko", "북극 감시 위성 발사 성공"),
        ("ko", "청해부대장, 바레인 연합해군사령부 방문"),
        ("ko", "한미 방위비 분담 협상 시작"),
        ("ko", "부쿠레슈티 9일 드론 잔해 발견"),
        ("ja", "【ブカレスト9日】ルーマニアに無人機"),
        ("ja", "海上保安庁、無人機シーガーディアンを運用"),
        ("zh", "台灣接收海上守護者無人機"),
        ("zh", "诺曼底：盟军行动八十周年"),
        ("zh", "科技创新成为强大盾牌"),
        ("uk", "Єдиний тризуб на пам'ятнику зберегли"),
        ("uk", "Саміт ЄС: розподіл тягаря прийому біженців"),
        ("cs", "Summit EU: sdílení břemene při migraci"),
        ("hu", "Arányos teherviselés a gyakorlatban: adóreform"),
        ("bg", "Международни сили за поддържане на сигурността в Хаити"),
        ("sv", "Israels missilsköld stoppade attacken"),
    ],
)
def test_what_a_name_of_the_alliance_means_elsewhere_is_no_name_of_it(
    tagger: Tagger, language: str, title: str
) -> None:
    assert _tags(tagger, language, title) == set()


@pytest.mark.parametrize(
    ("language", "title", "entity"),
    [
        ("en", "Operation Deny Flight over Bosnia, thirty years on", "deny-flight"),
        ("en", "NATO ends Ocean Shield off Somalia", "ocean-shield"),
        ("ru", "НАТО завершает «Океанский щит» у берегов Сомали", "ocean-shield"),
        ("it", "Il Collegio di difesa NATO di Roma apre le porte", "nato-defence-college"),
        ("it", "L'oleodotto NATO attraversa il Friuli", "air-command-and-surveillance"),
        ("hu", "A NATO stratégiai légiszállítási képesség gépei Pápán", "air-command-and-surveillance"),
        ("ja", "NATOのシーガーディアン作戦、地中海で続く", "sea-guardian"),
    ],
)
def test_beside_the_alliance_it_is_one(tagger: Tagger, language: str, title: str, entity: str) -> None:
    then = datetime(2026, 3, 1, tzinfo=UTC)
    assert entity in {e.id for e in tagger.tag(title=title, language=language, date=then).entities}


HOLES = plain((Path(__file__).parent / "data" / "gazetteer_holes.yaml").read_text(encoding="utf-8"))
SCRIPTS = {
    "[a-z]": "en fr de es it pt nl pl ro sv da no fi cs hu tr", "[α-ω]": "el", "[а-яіїє]": "bg ru uk",
    "[\u0621-\u06d3]": "ar fa", "[א-ת]": "he", "[一-龥]": "zh", "[ァ-ヶ]": "ja", "[가-힣]": "ko",
}  # fmt: skip
"""A letter of a form under `any` → languages whose press writes names so."""


def test_holes_of_the_handbook_are_stated(taxonomy: Taxonomy) -> None:
    """Where an entity of the Alliance has no name in a language, the table says so, and nowhere else."""
    holes = {
        key: missing
        for key, entity in taxonomy.entities.items()
        if any(path.startswith("nato") for group in entity.names for path in entity.weights(group, None))
        if (missing := " ".join(sorted(_spoken() - _languages_of(entity))))
    }
    assert holes == HOLES


def _spoken() -> set[str]:
    return {language for listed in SCRIPTS.values() for language in listed.split()}


def _languages_of(entity: GazetteerEntity) -> set[str]:
    found: set[str] = set()
    for group in (g for g in entity.names if not g.cancels):
        for language, form in written(group.terms):
            if language != "any":
                found.add(language)
                continue
            for letters, languages in SCRIPTS.items():
                if re.search(letters, form.lower()):
                    found.update(languages.split())
    return found


@pytest.mark.parametrize(
    ("language", "title", "entity"),
    [
        ("ko", "나토 그린케비치 사령관, 방위 계획 발표", "alexus-grynkewich"),
        ("ru", "Альянс создал группу ядерного планирования", "nuclear-planning-group"),
        ("tr", "Nükleer Planlama Grubu toplandı", "nuclear-planning-group"),
        ("pl", "Bukareszteńska Dziewiątka: więcej wojsk na flance NATO", "bucharest-nine"),
        ("de", "Fregatte führt den ständigen Einsatzverband der Nato", "standing-naval-groups"),
        ("en", "In Bucharest nine people died in a fire", None),
        ("en", "Arma Reforger gets an update", None),
        ("ru", "Активные усилия врачей спасли мальчика", None),
        ("fr", "Force alliée aux Verts, la gauche gagne", None),
    ],
)
def test_a_handbook_name_is_itself_and_nothing_else(
    taxonomy: Taxonomy, tagger: Tagger, language: str, title: str, entity: str | None
) -> None:
    found = tagger.tag(title=title, language=language, date=datetime(2026, 3, 1, tzinfo=UTC))
    topical = {e.id for e in found.entities if any(p.startswith("nato") for p in taxonomy.entities[e.id].topics)}
    assert topical == ({entity} if entity else set())
