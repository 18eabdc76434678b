"""Paragraphs of the article that look like what pages put around it, and stay."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.pages.extract import extract
from ingest.pages.prose import is_sentence
from ingest.pages.trim import trim

NOW = datetime(2026, 9, 1, tzinfo=UTC)
FIRST = (
    "The frigate left the port of Constanța on Tuesday with two hundred sailors on board, the navy said in Bucharest."
)
LAST = "It will stay in the Black Sea until the end of the year and take part in four exercises, a spokesman added."


def text_of(*paragraphs: str, lang: str = "en") -> str:
    body = "".join(f"<p>{paragraph}</p>" for paragraph in (FIRST, *paragraphs, LAST))
    html = (
        f'<!doctype html><html lang="{lang}"><head><title>Frigate leaves - The Courier</title></head><body>'
        f"<main><article><h1>Frigate leaves</h1>{body}</article></main></body></html>"
    )
    return extract(html, url="https://www.courier.example/2026/08/30/frigate", now=NOW).text


@pytest.mark.parametrize(
    "paragraph",
    [
        "Sponsored terrorism was the subject of the meeting, which went on into the night in Brussels.",
        "Related charges against two brothers from Antwerp were dropped in May for lack of evidence.",
        "Watch: the word was all that the sentry shouted before the blast, a witness told the court.",
        "Comments by the minister had angered Ankara a week before, and the ambassador was called in.",
        "Weitere Meldungen über Drohnen gingen am Abend bei der Polizei in Flensburg ein, sagte ein Sprecher.",
        "Quelle: Das Verteidigungsministerium hatte den Bericht am Montag an den Bundestag geschickt.",
        "Mehr zum Thema wollte der General nicht sagen, als er das Hauptquartier am Abend verließ.",
        "Voir aussi dans cet attentat la main de Moscou serait prématuré, a estimé le procureur mardi.",
        "À lire le communiqué publié lundi soir, l'Alliance n'enverra pas de troupes au Sahel.",
        "Fuente: el Ministerio de Defensa confirmó el martes que el buque había llegado a Rota.",
        "Ver más allá de la frontera era imposible, dijo un soldado del puesto de Melilla.",
        "Читать далее приговор судья не стал и объявил перерыв до утра вторника.",
        "Anzeige erstattete die Polizei gegen drei Männer, die Geld für die Gruppe gesammelt haben sollen.",
        "Publicité pour le djihad, voilà ce que le parquet reproche au prédicateur, arrêté dimanche à Lyon.",
        "Lue myös raportti, kansanedustaja kehotti, ja sanoi uhkan kasvaneen viime vuodesta.",
        "Baca juga laporan itu, kata menteri kepada wartawan setelah pertemuan di Jakarta.",
        "Läs också domen, sade familjens advokat utanför rätten i Stockholm på måndagen.",
        "関連記事を書いた記者が拘束されたと、国境なき記者団が火曜日に発表した。",
        "اقرأ أيضا الحكم كاملا، قال محامي العائلة أمام المحكمة في بيروت.",
        "Subscribe to our cause or die, the leaflets said that the fighters left in the village.",
        "Follow @courier_news was all the message said, and 300 did, the court in Oslo heard on Monday.",
        "Newsletter of the jihadists in hand, the prosecutor read from it for an hour.",
        "Zobacz więcej żołnierzy na granicy – tego chce premier, jak powiedział w czwartek w Sejmie.",
    ],
)
def test_a_sentence_that_begins_like_a_prompt_stays(paragraph: str) -> None:
    assert text_of(paragraph) == "\n".join((FIRST, paragraph, LAST))


@pytest.mark.parametrize(
    "line",
    [
        "Read more: what came before it",
        "Sponsored",
        "Related news",
        "Photo: AFP",
        "Anzeige",
        "Publicité",
        "Mainos",
        "Реклама",
        "広告",
        "إعلان",
        "Story continues below advertisement",
        "$$AD_SLOT$$",
        "{{ inline_ad }}",
        "Sign up for our free weekly newsletter to get the best of our reporting.",
        "Quelle: dpa",
        "Follow us on Facebook and subscribe to our channel.",
        "Lesen Sie auch: die Geschichte des Einsatzes",
        '<a href="/x">Read also: How the navy came to buy three old frigates from Britain.</a>',
        'Weitere Informationen <a href="/x">stehen auf der Seite des Ministeriums für Verteidigung.</a>',
    ],
)
def test_a_label_a_link_and_an_appeal_go(line: str) -> None:
    assert text_of(line) == f"{FIRST}\n{LAST}"


@pytest.mark.parametrize(
    "sentences",
    [
        ("प्रधानमंत्री ने बुधवार को बैठक की।", "अगली बैठक दिल्ली में होगी।"),
        ("وزیر اعظم نے اجلاس کی صدارت کی۔", "اگلا اجلاس لاہور میں ہو گا۔"),
        ("هل تنضم فنلندا إلى الحلف؟", "ماذا يقول الوزراء؟"),
        ("ጠቅላይ ሚኒስትሩ ተናገሩ።", "ስብሰባው ነገ ይካሄዳል።"),
        ("Վարչապետը հանդիպեց նախարարներին։", "Հաջորդ նիստը Երևանում է։"),
        ("নেতারা বুধবার বৈঠক করেছেন।", "পরের বৈঠক ঢাকায় হবে।"),
        ("นายกรัฐมนตรีกล่าวเมื่อวันพุธ", "การประชุมครั้งต่อไปจะจัดขึ้นที่กรุงเทพฯ"),
        ("„Wir sind bereit“", "»Das genügt nicht«"),
    ],
)
def test_first_and_last_sentences_stay(sentences: tuple[str, str]) -> None:
    first, last = sentences
    assert trim("\n".join((first, FIRST, last)), []) == "\n".join((first, FIRST, last))


@pytest.mark.parametrize(
    "paragraph",
    [
        "On Sunday the group claimed the attack on a church in Mozambique that killed forty people and more.",
        "Am Sonntag hatte die Gruppe den Anschlag auf eine Kirche in Mosambik für sich in Anspruch genommen, bei dem "
        "vierzig Menschen starben.",
        "日曜日には、教会への攻撃で子ども9人を含む40人が死亡し、武装組織が犯行声明を出した。",
        "Dimanche, le groupe avait revendiqué l'attaque d'une église au Mozambique, qui a fait quarante morts.",
        "रविवार को समूह ने मोज़ाम्बिक के एक चर्च पर हमले की ज़िम्मेदारी ली, जिसमें चालीस लोग मारे गए, जिनमें नौ बच्चे थे।",
    ],
)
@pytest.mark.parametrize(
    "markup", ['<a href="/x">{}</a>', '<a href="/x"><strong>{}</strong></a>', '<b><a href="/x">{}</a></b>']
)
def test_a_paragraph_that_is_one_link_stays(paragraph: str, markup: str) -> None:
    assert text_of(markup.format(paragraph)) == "\n".join((FIRST, paragraph, LAST))


@pytest.mark.parametrize("line", ["He said “no.”", "(It ended.)", "Schluss.«", "终。", "ختم۔"])
def test_a_sentence_ends_with_a_stop_in_quotation_marks_or_not(line: str) -> None:
    assert is_sentence(line)
    assert not is_sentence(line.rstrip(".”)«。۔"))
