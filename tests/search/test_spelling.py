"""Other spellings of one word, and what whoever saves a search is told of them."""

from __future__ import annotations

import pytest

from search.spelling import other_spellings, unsought


@pytest.mark.parametrize(
    ("word", "others"),
    [
        ("F-16", ["F16"]),
        ("F16", ["F 16"]),
        ("F\u201116", ["F16"]),
        ("MH17", ["MH 17"]),
        ("Т-72Б3", ["Т72Б3"]),
        ("COVID-19", ["COVID19"]),
        ("G7", ["G 7"]),
        ("St.Petersburg", ["St Petersburg"]),
        ("北约", ["北約"]),
        ("北約", ["北约"]),
        ("北约2", ["北約2"]),
        ("台湾", ["臺灣", "台灣"]),  # as Taiwan writes it, and as Hong Kong does
        ("臺灣", ["台湾", "台灣"]),
        ("让・约克", ["讓・約克"]),
        ("发动", ["發動"]),  # one simplified character
        ("头发", ["頭髮"]),  # for two traditional ones
        *(
            (word, [])
            for word in (
                "5G",
                "NATO",
                "2026",
                "al-Qaeda",
                "9M729",
                "articles2026x",
                "Article-12345",
                "U.S",
                "普京",
                "カナダ",
                "ロシア軍",
                "北朝鮮のミサイル",
            )
        ),
    ],
)
def test_a_word_has_other_spellings(word: str, others: list[str]) -> None:
    assert [*other_spellings(word)] == others


def test_a_paragraph_is_looked_for_as_it_is_written() -> None:
    assert other_spellings("北约" * 20) == ("北約" * 20,)
    assert other_spellings("北约" * 21) == ()


@pytest.mark.parametrize("word", ["北约\0条约", "北约\ud800", "北约\u200b"])
def test_signs_that_cannot_be_converted_leave_a_word_as_it_is(word: str) -> None:
    assert other_spellings(word) == ()


@pytest.mark.parametrize(
    ("query", "both"),
    [
        ("北约", '(北约 OR "北約")'),
        ("NATO (drone OR 无人机)", '(无人机 OR "無人機")'),
        ('"俄乌战争" AND F-16', '("俄乌战争" OR "俄烏戰爭"), (F-16 OR F16)'),
        ("-MH17 sanctions", '(MH17 OR "MH 17")'),
        ("台湾", '(台湾 OR "臺灣" OR "台灣")'),
    ],
)
def test_a_saved_search_names_the_spellings_that_it_does_not_look_for(query: str, both: str) -> None:
    assert unsought(query) == f"Words are looked for as they are written. To find other spellings too: {both}."


def test_it_names_ten_words() -> None:
    told = unsought(" ".join(f"F-{number}" for number in range(10, 22)))
    assert told.endswith(", (F-19 OR F19) and 2 more.")


@pytest.mark.parametrize(
    "query",
    [
        "(",
        "北约 AND (",
        '"F-16',
        "",
        "NATO",
        "F-16 OR F16",
        "北约 OR 北約",
        "title:北约",
        "/北约.*/",
        "北约*",
        "title:(F-16 OR MH17)",
    ],
)
def test_it_says_nothing_where_there_are_no_others(query: str) -> None:
    assert unsought(query) == ""
