"""Which words of a query count, in which language, and what they may begin like."""

from __future__ import annotations

import pytest

from search import words
from search.ranking import scores
from search.results import Results
from search.spelling import is_dense
from search.words import MOST_WORDS, Sense, beginning, is_compound, pairs, pieces, wording
from store.names import Names


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("who is the leader of al-Qaeda", "leader al-Qaeda"),
        ("why does Turkey block Sweden from joining NATO", "Turkey block Sweden joining NATO"),
        ("Wat zei Rutte over Oekraïne", "Rutte Oekraïne"),
        ("Leopard Panzer für die Ukraine", "Leopard Panzer Ukraine"),
        ("cumbre de la OTAN", "cumbre OTAN"),
        ("l'OTAN rejoint la coalition", "OTAN rejoint coalition"),
        ("Côte-d'Ivoire rock'n'roll", "Côte-Ivoire rock'n'roll"),
        ("теракт в Крокусе", "теракт Крокусе"),
        ("صاروخ باليستي حوثي على السعودية", "صاروخ باليستي حوثي السعودية"),
        # A word of one language is a function word of another.
        ("war in Ukraine", "war Ukraine"),
        ("men in Kabul", "men Kabul"),
        # Capitals tell a group from a verb, unless all is in capitals.
        ("IS Mosul", "IS Mosul"),
        ("WHO IS THE LEADER OF THE PKK", "LEADER PKK"),
        # Nothing is left but function words.
        ("who is who", "who is"),
        ("nato NATO Nato", "nato"),
    ],
)
def test_function_words_of_the_querys_language_are_not_required(query: str, content: str) -> None:
    assert wording(query.split()).text == content


def test_of_a_long_text_so_many_words_are_looked_for_and_the_others_are_counted() -> None:
    asked = wording([f"word{n}" for n in range(MOST_WORDS + 7)] + ["word1", "WORD2"])
    assert (len(asked.words), asked.words[-1], asked.left_out) == (MOST_WORDS, f"word{MOST_WORDS - 1}", 7)
    assert wording(asked.words).left_out == 0
    assert "100 words are looked for, 7 others are not" in asked.shortened
    assert "one other is not" in wording([f"word{n}" for n in range(MOST_WORDS + 1)]).shortened
    assert wording(asked.words).shortened == ""
    assert Results(0, (), 0).shortened == ""


def test_languages_weigh_by_their_likelihood() -> None:
    assert max(wording(["aanslag", "Berlijn", "verdachte"]).languages.items(), key=lambda pair: pair[1]) == ("nl", 1)
    assert wording(["2026"]).languages == {}


def test_the_language_is_guessed_only_where_it_decides_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading the model takes half a second, a third of what `newswatch search` takes."""
    monkeypatch.setattr(words, "likelihoods", lambda _: pytest.fail("it was guessed"))
    assert wording(["Zeebrugge", "AWACS"]).words == ("Zeebrugge", "AWACS")
    with pytest.raises(pytest.fail.Exception):
        wording(["the", "Zeebrugge", "AWACS"])


def test_only_words_that_count_keep_their_sense() -> None:
    sense = Sense(("islamic-state",), "Islamic State")
    assert wording(["IS", "Mosul"], {"IS": sense, "is": sense}).senses == {"IS": sense}


@pytest.mark.parametrize(
    ("word", "start"),
    [
        ("Natotoppmöte", "natotopp"),
        ("ракетний", "ракет"),
        ("NATO", None),
        ("F-16", None),
        ("莫斯科音乐厅袭击", None),
    ],
)
def test_long_words_are_also_looked_for_by_how_they_begin(word: str, start: str | None) -> None:
    assert beginning(word) == start


def test_compounds_and_dense_words() -> None:
    assert [is_compound(word) for word in ("F-16", "al-Qaeda", "NATO", "莫斯科恐袭")] == [True, True, False, False]
    assert [pieces(word) for word in ("F-16", "NATO-Beitritt", "Anti-IS-Koalition", "NATO")] == [
        [],
        ["NATO", "Beitritt"],
        ["Anti", "Koalition"],
        [],
    ]
    assert is_dense("北约")
    assert pairs("莫斯科") == ["莫斯", "斯科"]


def weights(query: str, senses: dict[str, Sense]) -> dict[str, float]:
    """Word → its weight in the text."""
    clauses = scores(wording(query.split(), senses), ["text"], Names().topics())
    found: dict[str, float] = {}
    for clause in clauses:
        for match in clause.get("dis_max", {}).get("queries", ()):
            said = next(iter(match.values()))["text"]
            found[said["query"]] = said["boost"]
    return found


def test_designations_weigh_double() -> None:
    assert weights("F-16 jets", {}) == {"F-16": 2.0, "F16": 2.0, "jets": 1.0}


def test_beside_other_words_an_acronym_that_means_a_group_is_no_word() -> None:
    senses = {"IS": Sense(("islamic-state",), "Islamic State")}
    assert weights("IS Mosul", senses) == {"Mosul": 1.0}
    assert weights("IS", senses) == {"Islamic State": 1.0}
