"""Common words of security news, and names, in other languages."""

from __future__ import annotations

import json

import pytest

from newswatch.languages import languages
from search.common_words import FILE, meanings_of, says
from search.words import tokens_of, wording


def padded(text: str) -> str:
    return f" {' '.join(tokens_of(text))} "


def is_said(word: str, of: str, text: str, language: str | None) -> bool:
    return says(padded(text), meanings_of(word, (of,)), language)


@pytest.mark.parametrize(
    ("word", "of", "text", "language"),
    [
        ("troops", "en", "Солдаты у границы", "ru"),
        ("Soldaten", "de", "Żołnierze na granicy", "pl"),
        ("ateşkes", "tr", "Alto el fuego en el sur", "es"),
        ("ceasefire", "en", "وقف إطلاق النار", "ar"),
        ("missiles", "en", "إطلاق الصواريخ", "ar"),
        ("Raketen", "de", "תקיפה בטילים", "he"),
        ("Drohnen", "de", "据报道无人机坠毁", "zh"),
        ("drone", "fr", "Nächtlicher Großdrohnenangriff", "de"),
        ("停火", "zh", "A truce is near", "en"),
        ("Kremlin", "en", "Кремль молчит", None),
        ("Netanjahu", "de", "نتنياهو في القدس", "ar"),
        ("Нетаньяху", "ru", "Netanyahu's visit", "en"),
    ],
)
def test_what_means_the_same_is_said_in_every_language(word: str, of: str, text: str, language: str | None) -> None:
    assert is_said(word, of, text, language)


@pytest.mark.parametrize(
    ("word", "of", "text", "language"),
    [
        ("troops", "en", "Солдаты у границы", "bg"),
        ("soldier", "en", "A summit of ministers", "en"),
        ("train", "en", "He tog hatten", "da"),
        ("zirve", "de", "A summit", "en"),
        ("agreement", "en", "According to police", "en"),
        ("police", "en", "De politieke leider", "nl"),
        ("peace", "en", "Det händer på fredag", "sv"),
        ("ferry", "en", "The ferry sails", "en"),
    ],
)
def test_a_word_of_another_meaning_or_language_says_nothing(word: str, of: str, text: str, language: str) -> None:
    assert not is_said(word, of, text, language)


@pytest.mark.parametrize(
    ("meaning", "language", "text"),
    [
        ("attack", "de", "Eine überfällige Reform"),
        ("attack", "cs", "Našli útočiště"),
        ("bomb", "es", "La explotación del litio"),
        ("kill", "pl", "Kijów zabiega o pomoc"),
        ("kill", "ru", "Снег убирают"),
        ("kill", "he", "הרגע הנכון"),
        ("wounded", "ja", "日本だけが参加"),
        ("attack", "ja", "ステロイドを使用"),
        ("attack", "ja", "新しいテロップ"),
        ("mosque", "ja", "モスクワで会議"),
        ("spy", "ja", "スパイダーマン"),
        ("hostage", "it", "Una crescita rapida"),
        ("soldier", "da", "NATO styrker samarbejdet"),
        ("soldier", "no", "NATO styrker samarbeidet"),
        ("soldier", "fi", "Joukkue voitti"),
        ("soldier", "hu", "A csapat nyert"),
        ("soldier", "ro", "Trupul unui bărbat"),
        ("police", "da", "Ny politik i EU"),
        ("police", "no", "Ny politikk i EU"),
        ("police", "ro", "O decizie politică"),
        ("police", "he", "המשטר האיראני"),
        ("weapon", "ko", "무기한 휴전"),
        ("missile", "it", "Contro il razzismo"),
        ("missile", "cs", "Střelba ve městě"),
        ("missile", "he", "ארצות הברית הטילה סנקציות"),
        ("drone", "he", "הנציב ממלטה"),
        ("aircraft", "en", "Foreign fighters return"),
        ("ship", "fi", "Aluksi oli hiljaista"),
        ("ship", "he", "האוניברסיטה העברית"),
        ("tank", "hu", "Új tankönyvek"),
        ("peace", "cs", "Ceny mírně rostou"),
        ("talks", "it", "Negozi chiusi"),
        ("agreement", "el", "Σύμφωνα με πληροφορίες"),
        ("president", "ar", "السبب الرئيسي"),
        ("arrest", "sv", "Sverige säljer Jas Gripen"),
        ("prison", "ro", "Aeroport închis"),
        ("prison", "bg", "Летището е затворено"),
        ("trial", "el", "Η δική του θέση"),
        ("verdict", "de", "Experten beurteilen die Lage"),
        ("verdict", "de", "Er entschuldigt sich"),
        ("threat", "de", "Ungefähr hundert Menschen"),
        ("border", "hu", "Az ENSZ határozata"),
        ("spending", "it", "Accade spesso"),
        ("alliance", "cs", "Spojené státy"),
        ("alliance", "he", "ארצות הברית"),
        ("alliance", "fa", "ایالات متحده"),
        ("coalition", "ja", "欧州連合の会議"),
        ("coalition", "ko", "연합뉴스 기자"),
        ("join", "he", "חברות ביטוח"),
        ("nuclear", "nl", "De kern van de zaak"),
        ("nuclear", "ar", "بذريعة الأمن"),
        ("militant", "cs", "Ozbrojené síly"),
        ("militant", "ar", "القوات المسلحة"),
        ("militant", "el", "Μαχητικά αεροσκάφη"),
        ("leader", "hu", "Leállt a gázvezeték"),
        ("leader", "pl", "Nowe dowody w sprawie"),
        ("group", "cs", "Stavba bunkrů"),
        ("group", "el", "Πυρηνικά όπλα"),
        ("group", "fa", "برنامه هسته\u200cای ایران"),
        ("knife", "fi", "Sveitsi on puolueeton"),
        ("knife", "hu", "Késések a repülőtéren"),
        ("shooting", "sv", "Val i Skottland"),
        ("shooting", "he", "יריב פוליטי"),
        ("base", "el", "Με βάση τα στοιχεία"),
        ("base", "nl", "Op basis van cijfers"),
        ("base", "ro", "Pe baza datelor"),
        ("spy", "cs", "Náš zpravodaj hlásí"),
        ("east", "hu", "Tűz keletkezett"),
        ("east", "ru", "Публика в восторге"),
        ("east", "tr", "Doğum günü"),
        ("sea", "cs", "Morava zaplavena"),
        ("sea", "ar", "ملك البحرين"),
        ("sea", "fa", "دریافت جایزه"),
        ("sea", "he", "לפני שלושה ימים"),
        ("airport", "ar", "مطاردة في المدينة"),
        ("train", "cs", "Sto metrů"),
        ("church", "it", "Kiev ha chiesto aiuto"),
        ("mosque", "ko", "신입 사원 채용"),
        ("school", "pl", "Szkolenie pilotów"),
        ("school", "cs", "Školení pilotů"),
        ("school", "cs", "Nový zákon"),
        ("school", "fi", "Pilottien koulutus"),
        ("school", "ar", "جامعة الدول العربية"),
        ("jihadist", "zh", "极端天气来袭"),
        ("fico", "pt", "A cidade ficou sem luz"),
    ],
)
def test_a_false_friend_says_nothing(meaning: str, language: str, text: str) -> None:
    """Words that begin like one of the list, or whose plain letters are another's: žák and zákon, Spojené státy."""
    assert not says(padded(text), frozenset({meaning}), language)


@pytest.mark.parametrize(
    ("meaning", "language", "text"),
    [
        ("attack", "de", "Der Raubüberfall in Köln"),
        ("attack", "de", "Russlands Überfälle"),
        ("attack", "cs", "Útočník zatčen"),
        ("kill", "pl", "Zabito żołnierza"),
        ("kill", "ru", "Убиты двое"),
        ("police", "da", "Politiet leder"),
        ("police", "no", "Politiet leter"),
        ("police", "ro", "Polițiștii caută"),
        ("police", "he", "המשטרה חוקרת"),
        ("soldier", "fi", "Joukot siirtyvät"),
        ("soldier", "hu", "Orosz csapatok"),
        ("weapon", "ko", "무기를 지원"),
        ("missile", "it", "Un razzo lanciato"),
        ("missile", "he", "הטילים נורו"),
        ("missile", "cs", "Ruské střely"),
        ("drone", "he", 'מל"טים'),
        ("ship", "fi", "Alukset palasivat"),
        ("ship", "he", "האונייה טבעה"),
        ("agreement", "el", "Η συμφωνία υπεγράφη"),
        ("president", "ar", "الرئيس الأمريكي"),
        ("verdict", "de", "Das Urteil fällt"),
        ("verdict", "de", "Er wurde verurteilt"),
        ("threat", "de", "Akute Terrorgefahr"),
        ("threat", "de", "Sie gefährden uns"),
        ("alliance", "cs", "Spojenci v NATO"),
        ("alliance", "he", "בעלות הברית"),
        ("alliance", "fa", "متحدان ناتو"),
        ("alliance", "hu", "Szövetségesek"),
        ("militant", "ar", "المسلحون"),
        ("militant", "cs", "Ozbrojenci"),
        ("militant", "el", "Οι μαχητές"),
        ("knife", "fi", "Veitsi löytyi"),
        ("shooting", "sv", "Skottlossning i Malmö"),
        ("shooting", "he", "הירי נמשך"),
        ("sea", "ar", "البحرية الأمريكية"),
        ("sea", "fa", "دریای سرخ"),
        ("sea", "he", "מהים"),
        ("airport", "ar", "مطار بيروت"),
        ("school", "pl", "W szkole"),
        ("school", "cs", "Žáci školy"),
        ("school", "fi", "Koulussa ammuttiin"),
        ("church", "it", "Attacco alla chiesa"),
        ("fico", "pl", "Spotkanie z Ficem"),
        ("hostage", "it", "Rapiti due turisti"),
        ("wounded", "ja", "3人がけがをした"),
        ("attack", "ja", "自爆テロ攻撃"),
        ("mosque", "ja", "首都のモスクで"),
        ("base", "de", "US-Militärbasis in Katar"),
        ("east", "tr", "Doğusunda"),
        ("east", "ru", "На востоке"),
        ("leader", "pl", "Dowódca zginął"),
        ("kill", "he", "ההרוגים"),
        ("spending", "it", "La spesa militare"),
    ],
)
def test_what_a_false_friend_resembles_is_still_said(meaning: str, language: str, text: str) -> None:
    assert says(padded(text), frozenset({meaning}), language)


def test_a_compound_means_each_of_its_parts() -> None:
    assert meanings_of("Drohnenangriff", ("de",)) == {"drone", "attack"}
    assert meanings_of("drönarattack", ("sv",)) == {"drone", "attack"}
    assert meanings_of("Natotoppmöte", ("sv",)) == {"summit"}


def test_a_query_may_be_in_each_of_its_likely_languages() -> None:
    assert "de" in wording(("Soldaten", "der", "Bundeswehr", "in", "Litauen")).likely
    assert wording(("2025",)).likely == ()


def test_the_file_is_whole_and_no_function_word_is_in_it() -> None:
    words = json.loads(FILE.read_text(encoding="utf-8"))
    known = languages()
    for meaning, by_language in words.items():
        assert by_language.keys() <= {*known, "any"}, meaning
        assert "any" in by_language or len(by_language) == 26, meaning
        for code, written in by_language.items():
            assert all(tokens_of(part) for word in written.split() for part in word.split("_")), (meaning, code)
            small = known[code].function_words if code != "any" else ()
            told = [word for word in small if says(padded(word), frozenset({meaning}), code)]
            assert told == [], (meaning, code)
