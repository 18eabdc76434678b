"""Dates as feeds and pages write them: read right, or not read and a reason given."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.dates import MAX_CHARS, read
from ingest.zones import NO_HINTS, Hints, hints_of


def at(day: str, time: str = "00:00") -> datetime:
    return datetime.fromisoformat(f"2026-{day}T{time}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("Thu, 05 Mar 2026 14:30:00 +0100", "13:30"),
        ("Thu, 05 Mar 2026 14:30:00 GMT", "14:30"),
        ("Thu, 5 Mar 26 14:30:00 GMT", "14:30"),
        ("2026-03-05T14:30:00-05:00", "19:30"),
        ("2026-03-05 14:30", "14:30"),
        ("2026-03-05T14:30:00.9999999Z", "14:30"),
        ("20260305T143000Z", "14:30"),
        ("2026-03-05T143000+0200", "12:30"),
        ("20260305143000", "14:30"),
        ("Thu Mar  5 14:30:00 2026", "14:30"),
        ("Thu Mar 05 14:30:00 CET 2026", "13:30"),
        ("Thu Mar 5 14:30:00 2026 +0200", "12:30"),
        ("2026-03-05 14:30:00.5 +0300 MSK m=+0.01", "11:30"),
        ("2026-03-05T14:30:00+01:00[Europe/Paris]", "13:30"),
        ("Thu Mar 05 2026 14:30:00 GMT+0200 (Eastern European Standard Time)", "12:30"),
        ("Thu, 05 Mar 2026 2:30 PM EST", "19:30"),
        ("Thu, 05 Mar 2026 12:30 AM GMT", "00:30"),
        ("Mar 5, 2026 2:30:00 PM", "14:30"),
        ("Thursday, 5 March 2026 - 14:30", "14:30"),
        ("05-Mar-2026 14:30:00", "14:30"),
        ("2026/3/5 14:30:00", "14:30"),
        ("1772721000", "14:30"),
        ("1772721000000", "14:30"),
    ],
)
def test_formats(written: str, utc: str) -> None:
    found = read(written)
    assert isinstance(found, datetime), found
    assert found.replace(second=0, microsecond=0) == at("03-05", utc)


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        ("CET", "17:00"),
        ("CEST", "16:00"),
        ("MESZ", "16:00"),
        ("WEZ", "18:00"),
        ("WIB", "11:00"),
        ("NPT", "12:15"),
        ("GMT+5:30", "12:30"),
        ("Z+00:00", "18:00"),
        ("BST", "17:00"),
        ("EET", "16:00"),
        ("EEST", "15:00"),
        ("MSK", "15:00"),
        ("МСК", "15:00"),
        ("TRT", "15:00"),
        ("JST", "09:00"),
        ("KST", "09:00"),
        ("AEST", "08:00"),
        ("AEDT", "07:00"),
        ("NZST", "06:00"),
        ("CST", "00:00"),
        ("PDT", "01:00"),
        ("ET", "22:00"),
        ("UTC+3", "15:00"),
        ("UTC +05:30", "12:30"),
        ("GMT-5", "23:00"),
        ("GMT+0300 (GMT+03:00)", "15:00"),
        ("(CEST)", "16:00"),
        ("Asia/Tokyo", "09:00"),
        ("America/Argentina/Buenos_Aires", "21:00"),
        ("Etc/GMT-3", "15:00"),
        ("−03:00", "21:00"),
    ],
)
def test_zones(zone: str, utc: str) -> None:
    day = "07-07" if utc < "06:00" else "07-06"
    assert read(f"Mon, 06 Jul 2026 18:00:00 {zone}") == at(day, utc)


@pytest.mark.parametrize(
    ("zone", "hints", "utc"),
    [
        ("IST", Hints("IN", "en"), "12:30"),
        ("IST", Hints(None, "hi"), "12:30"),
        ("IST", Hints("IL", "en"), "16:00"),
        ("IST", Hints("IE", "en"), "17:00"),
        ("CST", Hints("CN", "en"), "10:00"),
        ("CST", Hints(None, "zh"), "10:00"),
        ("BST", Hints("BD", "en"), "12:00"),
        ("AST", Hints(None, "ar"), "15:00"),
        ("AST", Hints("CA", "en"), "22:00"),
        ("PST", Hints("PH", "en"), "10:00"),
        ("AMT", Hints("AM", "ru"), "14:00"),
    ],
)
def test_zones_of_one_name_are_told_apart_by_who_writes(zone: str, hints: Hints, utc: str) -> None:
    assert read(f"06 Jul 2026 18:00 {zone}", hints) == at("07-06", utc)


@pytest.mark.parametrize(
    ("written", "day", "utc"),
    [
        ("ven, 06 mar 2026 18:00:00 +0100", "03-06", "17:00"),
        ("mar, 03 mar 2026 18:00:00 +0100", "03-03", "17:00"),
        ("Fr, 06 Mär 2026 18:00:00 +0100", "03-06", "17:00"),
        ("ven., 06 févr. 2026 18:00:00 +0100", "02-06", "17:00"),
        ("Seg, 07 Set 2026 19:42:40 -0300", "09-07", "22:42"),
        ("Чт, 05 мар 2026 18:00:00 +0300", "03-05", "15:00"),
        ("星期四, 05 三月 2026 18:00:00 +0000", "03-05", "18:00"),
        ("2026년 3월 5일 오후 6:00", "03-05", "18:00"),
        ("2026. 03. 05. 18:00", "03-05", "18:00"),
        ("2026年3月5日(木) 18時30分", "03-05", "18:30"),
        ("令和8年3月5日 午前6時", "03-05", "06:00"),
        ("2026年03月05日 18:00:00", "03-05", "18:00"),
        ("5 de março de 2026 às 18h00", "03-05", "18:00"),
        ("jueves, 5 de marzo de 2026 6:00 p. m.", "03-05", "18:00"),
        ("Donnerstag, 5. März 2026, 18 Uhr", "03-05", "18:00"),
        ("1er mars 2026 à 18h30", "03-01", "18:30"),
        ("5. března 2026 v 18:00", "03-05", "18:00"),
        ("5 marca 2026, godz. 18:00", "03-05", "18:00"),
        ("5 Ağustos 2026 Çarşamba, 18:00", "08-05", "18:00"),
        ("5 августа 2026 г., 18:00", "08-05", "18:00"),
        ("5 серпня 2026 року, 18:00", "08-05", "18:00"),
        ("5. elokuuta 2026 klo 18.00", "08-05", "18:00"),
        ("den 5 augusti 2026 kl. 18.00", "08-05", "18:00"),
        ("5 august 2026, ora 18:00", "08-05", "18:00"),
        ("5 Αυγούστου 2026, 6:00 μ.μ.", "08-05", "18:00"),
        ("الأربعاء 5 أغسطس/آب 2026 06:00 م", "08-05", "18:00"),
        ("٥ أغسطس ٢٠٢٦ ١٨:٠٠", "08-05", "18:00"),
        ("5 באוגוסט 2026, 18:00", "08-05", "18:00"),
        ("5 अगस्त 2026, 18:00", "08-05", "18:00"),
        ("5 tháng 8 năm 2026, 18:00", "08-05", "18:00"),
        ("05.08.2026 18:00", "08-05", "18:00"),
        ("13/08/2026 18:00", "08-13", "18:00"),
        ("8/13/2026 6:00 PM", "08-13", "18:00"),
        ("Wed, 08/05/2026 18:00", "08-05", "18:00"),
        ("Thu, 5 Mar 2026 24:00:00 GMT", "03-06", "00:00"),
        ("5 March 2026 6.30 p.m.", "03-05", "18:30"),
        ("Stand: 05.03.2026, 18:00 Uhr", "03-05", "18:00"),
        ("Published: March 5, 2026", "03-05", "00:00"),
        ("5 KASIM 2026 18:00", "11-05", "18:00"),
        ("05.03.2026, g. 18:00", "03-05", "18:00"),
        ("2026-03-05 18:00 val.", "03-05", "18:00"),
        ("الإثنين 5 يناير 2026", "01-05", "00:00"),
        ("6 ابريل 2026", "04-06", "00:00"),
        ("6 ஜூலை 2026", "07-06", "00:00"),
        ("6 ივლისი 2026", "07-06", "00:00"),
        ("6 հուլիսի 2026", "07-06", "00:00"),
        ("6 ліпеня 2026", "07-06", "00:00"),
        ("Hulyo 6, 2026", "07-06", "00:00"),
        ("6 กรกฎาคม 2569 18:00", "07-06", "18:00"),
        ("6 ก.ค. 69", "07-06", "00:00"),
    ],
)
def test_languages(written: str, day: str, utc: str) -> None:
    found = read(written)
    assert isinstance(found, datetime), found
    assert found.replace(second=0) == at(day, utc)


@pytest.mark.parametrize(
    ("written", "hints", "day"),
    [
        ("05/08/2026", Hints("FR", "fr"), "08-05"),
        ("05-08-2026", Hints(None, "nl"), "08-05"),
        ("Thứ hai, 05/08/2026", Hints(None, "vi"), "08-05"),
        ("5 lip 2026", Hints("PL", "pl"), "07-05"),
        ("5 lip 2026", Hints("HR", "hr"), "06-05"),
        ("5 listopada 2026", Hints(None, "hr"), "10-05"),
        ("Sen, 05 Jan 2026", Hints(None, "id"), "01-05"),
        ("2569-07-06", Hints(None, "th"), "07-06"),
        ("06/07/2569", Hints("TH", "th"), "07-06"),
    ],
)
def test_what_a_language_says_of_the_order_and_the_names(written: str, hints: Hints, day: str) -> None:
    assert read(written, hints) == at(day)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("05/08/2026 18:00", "more than one day"),
        ("5 lip 2026", "more than one day"),
        ("Thu, 05 Mar 2026 18:00:00 IST", "IST has several meanings"),
        ("Thu, 05 Mar 2026 18:00:00 XQT", "'XQT' is not part"),
        ("Thu, 05 Mar 2026 18:00:00 A", "'A' is not part"),
        ("Thu, 05 Mar 2026 18:00:00 +9900", "time zone"),
        ("Thu, 05 Mar 2026 18:00:00 +0100 MSK", "two time zones"),
        ("Sun, 25 Oct 2026 01:30:00 Europe/London", "twice or never"),
        ("2026-03-05 18:00 - 19:00", "two times"),
        ("2026-03-05 and 2026-03-06", "not part of a date"),
        ("2026-02-30", "calendar"),
        ("1405-04-15", "another calendar"),
        ("115年9月3日", "another calendar"),
        ("۱۴۰۵/۰۴/۱۵", "another calendar"),
        ("21/01/1448", "another calendar"),
        ("2569-07-06T18:00:00+07:00", "another calendar"),
        ("۱۵ تیر ۱۴۰۵", "not part of a date"),
        ("21 محرم 1448", "not part of a date"),
        ("2026-03-05T18:00:00Z+03:00", "not part of a date"),
        ("2026-03-05 25:00", "not a time of a day"),
        ("2026-03-05 18:00 AM", "both halves"),
        ("1712010000", "digits"),
        ("2026-03", "a day, a month and a year"),
        ("2026", "a day, a month and a year"),
        ("5 March", "a day, a month and a year"),
        ("12 min ago", "can't be read as a date"),
        ("vor 3 Stunden", "not part of a date"),
        ("Published 5 March 2026", "not part of a date"),
        ("5 Smarch 2026", "not part of a date"),
        ("05 Mar 26, Monday", "day of the week"),
        ("18:00", "can't be read as a date"),
        ("-", "can't be read as a date"),
        ("6² July 2026", "footnotes"),
        ("July 6, 2026 18:00①", "footnotes"),
        ("x" * (MAX_CHARS + 1), "characters"),
    ],
)
def test_what_is_not_understood_whole_is_no_date(written: str, reason: str) -> None:
    found = read(written)
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.parametrize(
    ("language", "url", "hints"),
    [
        ("en-IN", "https://news.example/", Hints("IN", "en")),
        ("en", "https://www.news.ie/feed", Hints("IE", "en")),
        (None, "https://news.co.uk/feed", Hints("GB", None)),
        ("zh_CN", None, Hints("CN", "zh")),
        (None, "http://[", NO_HINTS),
        ("", None, NO_HINTS),
    ],
)
def test_hints(language: str | None, url: str | None, hints: Hints) -> None:
    assert hints_of(language, url) == hints


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text("0123456789:/-.+TZ ,GMT年月日", max_size=30))
def test_anything_is_a_date_or_a_reason(written: str) -> None:
    found = read(written)
    assert found if isinstance(found, str) else found.tzinfo is UTC
