"""The first page in the order of words and meaning, and what is added to it."""

from __future__ import annotations

from dataclasses import replace

from newswatch.article import Tag
from search.by_meaning import OF_ANOTHER, nearer_first
from search.marking import Opening
from search.meant import Meant
from search.results import Hit, Results
from tests.factories import an_article
from transforms.encoder import DIMENSIONS, Vector


def vector(cosine: float) -> Vector:
    return (cosine, (1 - cosine**2) ** 0.5, *[0.0] * (DIMENSIONS - 2))


def hit(number: int, score: float, cosine: float | None = None, *, by: str = "e", marked: bool = True) -> Hit:
    meant = None if cosine is None else Meant(vector(cosine), by)
    marks = {"title": ("",)} if marked else {}
    return Hit(an_article(f"https://a.example/{number}"), score, marks, number, meant=meant)


MEANT = Meant(vector(1.0), "e")


def order(results: Results, *added: Hit, size: int = 20) -> list[int]:
    return [one.seq for one in nearer_first(results, MEANT, size, added).hits]


def page(*hits: Hit, filled: int | None = None, relaxed: bool = False) -> Results:
    return Results(len(hits), hits, 0, filled=filled, relaxed=relaxed)


def test_rows_with_all_words_go_by_the_sum_of_words_and_meaning() -> None:
    assert order(page(hit(1, 10), hit(2, 9), hit(3, 8))) == [1, 2, 3]
    assert order(page(hit(1, 10, 0.1), hit(2, 9, 0.5), hit(3, 8))) == [2, 1, 3], "without a vector: as the farthest"
    assert order(page(hit(1, 10, 0.1, by="another"), hit(2, 9, 0.1), hit(3, 8, 0.5))) == [3, 1, 2]


def lacking(*hits: Hit) -> tuple[Hit, ...]:
    return tuple(replace(one, lacks_words=True) for one in hits)


def saying(one: Hit, title: float, head: float) -> Hit:
    return replace(one, opening=Opening(title, head))


def test_beside_them_stand_the_near_however_few_words_they_have() -> None:
    some = lacking(hit(2, 9, 0.29), hit(3, 2, 0.31), hit(4, 1, 0.95))
    found = nearer_first(page(hit(1, 10, 0.0), *some, filled=1), MEANT, 20)
    assert [one.seq for one in found.hits] == [4, 1, 3, 2]
    assert found.filled == 3
    assert [found.is_close(place) for place in range(4)] == [True, False, True, False]


def test_what_says_the_words_first_rises_and_stands_beside_them_if_it_says_all() -> None:
    assert order(page(saying(hit(1, 10, 0.1), 0, 0.5), saying(hit(2, 9, 0.1), 0.5, 0.5))) == [1, 2]
    assert order(page(saying(hit(1, 10, 0.1), 0, 0.5), saying(hit(2, 9, 0.1), 0.5, 1))) == [2, 1]
    some = lacking(saying(hit(2, 8, 0.1), 1, 0.9), saying(hit(3, 1, 0.1), 0, 1))
    found = nearer_first(page(hit(1, 10, 0.1), *some, filled=1), MEANT, 20)
    assert [one.seq for one in found.hits] == [1, 3, 2]
    assert (found.filled, found.is_close(1)) == (2, True)


def test_where_no_row_has_all_words_none_is_close_to_those_that_have() -> None:
    found = nearer_first(page(*lacking(hit(1, 10, 0.1), hit(2, 9, 0.5)), filled=0), MEANT, 20)
    assert [one.seq for one in found.hits] == [2, 1]
    assert (found.filled, found.has_close) == (0, False)


def test_what_is_added_is_marked_counted_and_never_a_second_row() -> None:
    found = page(hit(1, 10, 0.4), hit(2, 9, 0.1), filled=0, relaxed=True)
    added = hit(1, 1_000, 0.4), hit(5, 1_000, 0.5, marked=False), hit(6, 1_000, 0.3)
    filled = nearer_first(found, MEANT, 20, added)
    assert [one.seq for one in filled.hits] == [5, 1, 6, 2]
    assert [one.seq for one in filled.hits if one.by_meaning] == [5], "the others have marked words"
    assert (filled.similar, filled.filled, filled.total) == (2, 0, 2)
    assert order(found, *added, size=3) == [5, 1, 6], "the others stand on the next page"


def test_a_near_row_that_only_fills_the_page_up_is_not_lost_below_its_end() -> None:
    found = replace(page(hit(1, 10, 0.1), hit(2, 9, 0.1), hit(3, 1, 0.5), filled=0, relaxed=True), total=1)
    added = hit(3, 1, 0.5), hit(4, 1, 0.4)
    assert order(found, *added, size=3) == [3, 4, 1]
    assert nearer_first(found, MEANT, 3, added).similar == 2


def test_without_meaning_rows_go_by_their_score_and_by_what_they_say_first() -> None:
    first, second, third = hit(1, 10, 0.9), saying(hit(2, 9, 0.1), 0.5, 0.5), saying(hit(3, 8, 0.1), 0, 0)
    some = lacking(saying(hit(4, 7), 0, 0.9), saying(hit(5, 6), 0, 1))
    found = nearer_first(page(first, second, third, *some, filled=3), None, 20)
    assert [one.seq for one in found.hits] == [2, 1, 3, 5, 4]
    assert (found.filled, found.unmeant, found.raised, found.similar) == (4, None, (), 0)
    english = replace(first, article=replace(first.article, language="en"))
    assert nearer_first(page(english, third), None, 20, language="en").hits[0].seq == 1, "no cosine to correct"


def test_what_elasticsearch_raised_is_near_and_its_score_is_not_the_measure_of_the_others() -> None:
    assert order(page(hit(1, 10, 0.1), hit(2, 2, 0.2), hit(3, 660, 0.299), hit(4, 700), filled=0, relaxed=True)) == [
        3, 4, 1, 2
    ]  # fmt: skip


def test_where_most_vectors_are_of_another_encoder_it_says_so_and_keeps_the_order_of_the_words() -> None:
    old, older = hit(1, 10, 0.1, by="another"), hit(4, 8, 0.1, by="another")
    assert nearer_first(page(old, hit(2, 9)), MEANT, 20).unmeant == OF_ANOTHER
    assert nearer_first(page(old, hit(2, 9, 0.2)), MEANT, 20).unmeant is None, "half are not most"
    assert order(page(old, hit(2, 9, 0.1), hit(3, 7, 0.6))) == [3, 1, 2]
    found = nearer_first(page(old, older, hit(3, 7, 0.6)), MEANT, 20)
    assert [one.seq for one in found.hits] == [1, 4, 3], "the only new one would come first"
    assert found.unmeant == OF_ANOTHER
    assert nearer_first(page(hit(1, 10), hit(2, 9)), MEANT, 20).unmeant is None, "nothing that topics fit"


def test_a_main_topic_raises_a_row_and_the_language_of_the_words_does_not() -> None:
    first, second = hit(1, 10, 0.2), hit(2, 9.5, 0.2)
    foreign = replace(second, article=replace(second.article, language="fr"))
    on_topic = replace(second, article=replace(second.article, tags=(Tag("nato", "main", 0.9, ()),)))
    first = replace(first, article=replace(first.article, language="en", tags=()))
    plain = replace(foreign, article=replace(foreign.article, tags=()))
    assert [one.seq for one in nearer_first(page(first, plain), MEANT, 20).hits] == [1, 2]
    assert [one.seq for one in nearer_first(page(first, plain), MEANT, 20, language="en").hits] == [2, 1]
    assert [one.seq for one in nearer_first(page(first, on_topic), MEANT, 20).hits] == [2, 1]
