"""Pages in the encodings that they have, under the labels that they bear."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from ingest.encodings import decoded
from ingest.pages.extract import extract

NOW = datetime(2026, 9, 1, tzinfo=UTC)
URL = "https://www.courier.example/2026/08/30/plan"
TEXTS = {
    "cp1252": "L’Alliance prépare « un nouveau plan » – “prêt dès lundi”, dit-on à Bruxelles… d’après l’état-major.",
    "cp1254": "Türkiye’nin NATO’ya “mesajı” – İstanbul’da gözaltına alınanların sayısı on ikiye çıktı, dedi bakan.",
    "cp1250": "„Jesteśmy gotowi” – powiedział żołnierz z Łodzi; źródło: sztab… Śląsk czeka na pociąg do Warszawy.",
    "iso8859-2": "Jestesmy gotowi, powiedział żołnierz z Łodzi; źródło: sztab. Ślaski pociąg czeka na Warszawę.",
    "cp1251": "«Мы готовы» – сказал министр… “Скоро”, – добавил он, говоря о саммите в Анкаре и планах союза.",
    "cp1253": "Το ΝΑΤΟ “είναι έτοιμο” στην Άγκυρα – δήλωσε ο υπουργός… στη σύνοδο κορυφής, όπως μετέδωσε το δίκτυο.",
    "koi8-r": "Министры союзников встретились сегодня в Брюсселе и говорили о новой миссии весь день.",
    "gb18030": "北约秘书长周三在安卡拉表示，盟国将在今年年底前向东翼增派两个营的兵力，并讨论反恐任务。",
    "cp932": "北大西洋条約機構の事務総長は水曜日、アンカラで同盟国が東部に部隊を増派すると述べた。",
    "cp1256": "قال الحلف „نحن مستعدون“ – وإن الوزراء سيجتمعون… في أنقرة يوم الاثنين لبحث المهمة الجديدة في العراق.",
    "iso8859-6": "قال الحلف إن الوزراء سيجتمعون في أنقرة يوم الاثنين لبحث المهمة الجديدة في العراق مع الشركاء.",
    "cp1255": "הברית אמרה “אנחנו מוכנים” – והשרים ייפגשו… באנקרה ביום שני כדי לדון במשימה החדשה בעיראק.",
    "cp1257": "Aljansas sako „esame pasirengę“ – ministrai susitiks… Ankaroje pirmadienį, žada ąčęėįšųūž.",
    "cp874": "พันธมิตรกล่าวว่า “เราพร้อม” – รัฐมนตรีจะพบกัน… ที่กรุงอังการาในวันจันทร์เพื่อหารือภารกิจใหม่ในอิรัก",
    "iso8859-5": "Министры союзников встретились сегодня в Брюсселе и говорили о новой миссии весь день.",
    "iso8859-7": "Το ΝΑΤΟ είναι ‘έτοιμο’, δήλωσε ο υπουργός στη σύνοδο κορυφής. Άγκυρα, Έβρος, όπως μετέδωσε.",
    "cp949": "북대서양조약기구 사무총장은 수요일 앙카라에서 동맹국들이 동부에 병력을 증파한다고 밝혔다.",
}


def page(text: str, meta: str = "") -> str:
    head = f'<meta charset="{meta}">' if meta else ""
    return (
        f"<!doctype html><html><head>{head}<title>Plan</title></head><body><article><h1>Plan</h1>"
        f"<p>{text}</p><p>{text} 2.</p></article></body></html>"
    )


@pytest.mark.parametrize(
    ("codec", "label"),
    [
        ("cp1252", "iso-8859-1"),
        ("cp1252", "latin1"),
        ("cp1252", "us-ascii"),
        ("cp1252", "windows-1252"),
        ("cp1252", "x-cp1252"),
        ("cp1252", "ISO-8859-15"),
        ("cp1254", "iso-8859-9"),
        ("cp1254", "latin5"),
        ("cp1250", "iso-8859-2"),
        ("cp1250", "windows-1250"),
        ("iso8859-2", "iso-8859-2"),
        ("cp1251", "windows-1251"),
        ("koi8-r", "koi8-r"),
        ("cp1253", "windows-1253"),
        ("cp1253", "iso-8859-7"),
        ("iso8859-7", "iso-8859-7"),
        ("cp1251", "iso-8859-5"),
        ("iso8859-5", "iso-8859-5"),
        ("cp1256", "iso-8859-6"),
        ("iso8859-6", "iso-8859-6"),
        ("cp1255", "iso-8859-8"),
        ("cp1255", "iso-8859-8-i"),
        ("cp1257", "iso-8859-13"),
        ("cp1257", "iso-8859-4"),
        ("cp874", "tis-620"),
        ("cp874", "iso-8859-11"),
        ("gb18030", "gb2312"),
        ("cp932", "shift_jis"),
        ("cp949", "euc-kr"),
        ("utf-8", "iso-8859-1"),
        ("utf-8", "windows-1251"),
    ],
)
@pytest.mark.parametrize("where", ["http", "meta", "http-equiv"])
def test_labels(codec: str, label: str, where: str) -> None:
    text = TEXTS.get(codec, TEXTS["cp1252"] + TEXTS["cp1251"])
    html = page(text, label if where == "meta" else "")
    if where == "http-equiv":
        html = page(text).replace(
            "<title>", f'<meta http-equiv="Content-Type" content="text/html; charset={label}"><title>'
        )
    content_type = f"text/html; charset={label}" if where == "http" else "text/html"
    found = extract(html.encode(codec), url=URL, content_type=content_type, now=NOW)
    assert text in found.text


def test_marks_of_windows_in_a_text_that_is_iso() -> None:
    body = page("żołnierz z Łodzi").encode("iso8859-2").replace(b"z ", b"\x84z\x94 \x96 ")
    text = decoded(body, "text/html; charset=iso-8859-2")
    assert isinstance(text, str)
    assert "„z” – Łodzi" in text
    assert "żołnier„z”" in text


def test_a_broken_character_costs_only_itself() -> None:
    body = page(TEXTS["cp1251"] * 20).encode().replace("саммите".encode(), "самм".encode() + b"\xff", 1)
    text = decoded(body, "text/html; charset=utf-8")
    assert isinstance(text, str)
    assert text.count("\ufffd") == 1


def test_a_byte_order_mark_beats_every_label() -> None:
    text = decoded(page("Łódź").encode("utf-16"), "text/html; charset=iso-8859-1")
    assert "Łódź" in str(text)


def test_no_label_is_left_to_the_parser_and_so_is_a_wrong_one() -> None:
    body = page(TEXTS["cp1251"]).encode("cp1251")
    assert decoded(body, None) is body
    assert decoded(body, "text/html; charset=utf-8") is body
    assert decoded(body, "text/html; charset=nonsense") is body


def test_a_label_of_the_page_that_w3lib_does_not_know() -> None:
    body = page(TEXTS["cp1255"], "iso-8859-8-i").encode("cp1255")
    assert TEXTS["cp1255"] in str(decoded(body, None))


def test_a_packed_page_is_unpacked() -> None:
    found = extract(gzip.compress(page(TEXTS["cp1252"]).encode()), url=URL, now=NOW)
    assert TEXTS["cp1252"] in found.text


@pytest.mark.parametrize(
    "label", ["undefined", "idna", "punycode", "base64", "rot13", "hex", "unicode_escape", "nonsense"]
)
def test_a_label_that_names_no_encoding_of_texts_is_passed_over(label: str) -> None:
    """Python knows codecs by these names; what they make of a page is an error or worse."""
    assert decoded("Grüße".encode("latin-1"), f"text/html; charset={label}") == "Grüße".encode("latin-1")
