"""What people type, in Lucene's signs: quotation marks, invisible marks, colons that name no field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.lucene import as_lucene, lone_mark, visible


@pytest.mark.parametrize(
    "quoted",
    [
        "“NATO summit”",
        "„NATO-Gipfel in Ankara“",
        "„szczyt NATO”",
        "”Natos toppmöte”",
        "«sommet de l’OTAN»",
        "»NATO-topmødet i Ankara«",
        "‚zwei Worte‘",
        "‘two words’",
        "‹deux mots›",
        "「首脳 会議」",
        "『北約 峰會』",
        "〝北约 峰会〞",
        "＂나토 정상＂",
        '"mixed by a word processor”',
    ],
)
def test_quotation_marks_of_every_language_are_straight_ones(quoted: str) -> None:
    wanted = f'"{quoted[1:-1]}"'
    assert as_lucene(quoted) == wanted
    for around in ("title:{}~2 AND x", "-{}", "({} OR y)^2", "x {} “a b”"):
        assert as_lucene(around.format(quoted)).startswith(around.format(wanted).removesuffix("“a b”"))


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("l’OTAN d’Ankara", "l’OTAN d’Ankara"),
        ("‘90s and ‘80s", "‘90s and ‘80s"),
        ("İstanbul’da", "İstanbul’da"),
        ("„er sagte «nein» dazu“", '"er sagte «nein» dazu"'),
        ('“it is "so" there”', '"it is  so  there"'),
        ('"a “quoted" word', '"a “quoted" word'),
        (r"\“a b”", r"\“a b”"),
        ("“never closed", "“never closed"),
    ],
)
def test_what_is_no_quotation_or_one_within_another(query: str, read: str) -> None:
    assert as_lucene(query) == read


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ('נאט"ו', "נאט״ו"),
        ('צה"ל OR ארה"ב', "צה״ל OR ארה״ב"),
        ('"פסגת נאט"ו באנקרה" x', '"פסגת נאט״ו באנקרה" x'),
        ("נאט”ו", "נאט״ו"),
        ('об"єкт', "об'єкт"),
        ('об"єкт "два слова"', 'об\'єкт "два слова"'),
        ('a"b" OR c', 'a"b" OR c'),
        ('title:"a b"', 'title:"a b"'),
        ('"a b"c', '"a b"c'),
    ],
)
def test_a_mark_amid_a_word_is_no_quotation_mark(query: str, read: str) -> None:
    assert as_lucene(query) == read


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("NATO🚀Russia", "NATO∶Russia"),
        ("NATO👩\u200d🚀\ufe0fRussia", "NATO∶∶∶Russia"),
        ("🚀NATO -🚀x", "∶NATO -∶x"),
        ("🚀 NATO OR 🚀", "🚀 NATO OR 🚀"),
        ('"a🚀b" x', '"a🚀b" x'),
        ("Yahoo!Mail!!now", "Yahoo∶Mail∶∶now"),
        ("Fire! Five dead!! (Now!)", "Fire  Five dead   (Now )"),
        ("! nato !x", "! nato !x"),
        ("Guerre en Ukraine !", "Guerre en Ukraine  "),
        ("¿OTAN? (¿y Daesh?) nat?", "¿OTAN  (¿y Daesh ) nat "),
        ("now!? AND who?!", "now   AND who? "),
        (r"Fire\! now", r"Fire\! now"),
        ("#stop_war __x__", "#stop∶war __x__"),
        (r"a\b \x \*", r"a∶b \x \*"),
        ("a~b a~2 a~ a^b a^2", "a∶b a~2 a~ a∶b a^2"),
        ("feeds:(my_feed OR (b_c)) d_e", "feeds:(my_feed OR (b_c)) d∶e"),
        (
            "_exists_:duplicate_of source.state_media:true entity_ids:a_b",
            "_exists_:duplicate_of source.state_media:true entity_ids:a_b",
        ),
        ("stop_w*", "stop∶w*"),
        ("/a_b!c/ a_b", "/a_b!c/ a∶b"),
        ("«\u202fOTAN\u202f» 2\u202f000\u3000x", '" OTAN " 2 000 x'),
        ("\u1102\u1161\u1110\u1169", "나토"),
        ("e\u0301te\u0301", "été"),
    ],
)
def test_signs_that_part_words_for_a_reader_part_them_for_lucene(query: str, read: str) -> None:
    assert as_lucene(query) == read
    assert as_lucene(read) == read


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("НАТО:саммит", "НАТО∶саммит"),
        ("09:30", "09∶30"),
        ("-16:9 x", "-16∶9 x"),
        ("OTAN : sommet", "OTAN ∶ sommet"),
        ("Stoltenberg: NATO", "Stoltenberg∶ NATO"),
        ("Iran:Israel OR x", "Iran∶Israel OR x"),
        ("EU:n", "EU∶n"),
        ("Запад:сам*", "Запад∶сам*"),
        ('Ministre:"deux mots"', 'Ministre∶"deux mots"'),
        (r"C:\Users\nato", "C∶∖Users∖nato"),
        ("https://example.org/a/b?c=d&e#f", "https∶∕∕example.org∕a∕b∶c∶d∶e∶f"),
        ("x (http://example.org OR y)", "x (http∶∕∕example.org OR y)"),
        ("9/11 -(7/7 OR +NATO/Russia) tag:nato/burden-sharing", "9∕11 -(7∕7 OR +NATO∕Russia) tag:nato/burden-sharing"),
    ],
)
def test_what_stands_before_a_colon_and_is_no_field_is_words(query: str, read: str) -> None:
    assert as_lucene(query) == read


@pytest.mark.parametrize(
    "query",
    [
        "title:x",
        "-title:x +source.name:y",
        "scores.nato:>0.5",
        "time:[2026-03-01T10:30 TO 2026-03-02T11:45]",
        "since:2026-03-01T10:30",
        'url:"https://example.org/x"',
        "url:https\\:\\/\\/example.org",
        "title:/a:b/",
        "/a/b/",
        '"9/11"',
        "*:*",
        "_exists_:agency",
        r"stemmed.\*:nato",
        r"a\:b",
        '"at 09:30"',
        "titel:x",
        "foo:[a TO b]",
        "foo:>3",
        "tag:nato",
        "tree:oak",
        'author:"Jane Roe"',
        "source.nme:(a b)",
    ],
)
def test_a_field_or_a_slip_for_one_stays(query: str) -> None:
    assert as_lucene(query) == query


@pytest.mark.parametrize("mark", "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufeff")
def test_what_nobody_sees_is_not_there(mark: str) -> None:
    assert as_lucene(f"{mark}NATO{mark} {mark}OR{mark} {mark}“a b”{mark} ti{mark}tle:x") == 'NATO OR "a b" title:x'
    assert visible(f'entity:"a{mark}b"{mark}') == f'entity:"a{mark}b"', "a value may hold it"


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("𝐍𝐀𝐓𝐎 𝗌𝘶𝓶𝔪𝚒𝘁 𝟚𝟘𝟚𝟞", "NATO summit 2026"),
        ("ＮＡＴＯ　Ｆ１６ サミット", "NATO F16 サミット"),
        ('"𝐍𝐀𝐓𝐎 summit"', '"NATO summit"'),
        ('owner:"ＮＨＫ"', 'owner:"ＮＨＫ"'),
        ("№ 5 m² ªº", "№ 5 m² ªº"),
    ],
)
def test_letters_that_are_drawn_otherwise_are_letters(query: str, read: str) -> None:
    assert as_lucene(query) == read
    assert len(visible(query)) == len(query)


def test_a_non_joiner_between_persian_words_stays() -> None:
    assert visible("می\u200cخواهد क\u200cष") == "می\u200cخواهد कष"


def test_a_mark_without_a_partner_is_found() -> None:
    assert lone_mark(as_lucene("x “open")) == 2
    assert lone_mark(as_lucene("«a b» c»")) == 7
    assert lone_mark(as_lucene("“he said “no” to it”")) is not None, "which is meant can't be told"
    assert [lone_mark(as_lucene(q)) for q in ("“a b”", "l’OTAN ‘90", '"a “b"', "/“/", "plain")] == [None] * 5


@given(st.text(alphabet='ab:"“”„«»‘’‚״\\/()[]{}+-!*?~^ \u200e\u200cאבжTOR<>', max_size=40))
def test_reading_keeps_the_places_and_changes_nothing_the_second_time(query: str) -> None:
    read = as_lucene(query)
    assert len(read) == len(visible(query))
    # Whether an invisible sign counts depends on its neighbours, and those may have become others.
    assert as_lucene(read) == read or visible(read) != read


def test_long_queries_are_read_in_no_time() -> None:
    for piece in ("“", '"', "a:", "„a", "[", "a/", ":", "\\", '"a“', "‚a "):
        as_lucene(piece * (8_000 // len(piece)))
