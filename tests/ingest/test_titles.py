"""Which of a page's titles is the article's."""

from __future__ import annotations

import pytest

from ingest.pages.titles import Titles, choose_title, site_label

SITES = ("News Example", "newsexample")


@pytest.mark.parametrize(
    ("titles", "chosen"),
    [
        (Titles(document="Allies agree - News Example"), "Allies agree"),
        (Titles(document="Allies agree | World | News Example"), "Allies agree | World"),
        (Titles(social="Allies agree – at last – NewsExample"), "Allies agree – at last"),
        (Titles(headline="Allies agree", social="You won't believe it", document="x"), "Allies agree"),
        (Titles(h1s=("News Example", "Allies agree"), document="Allies agree - News Example"), "Allies agree"),
        (Titles(h1s=("Most read", "Allies agree on it"), document="Allies agree on all of it"), "Allies agree on it"),
        (Titles(headline="Allies agree on a…", h1s=("Allies agree on a mission",)), "Allies agree on a mission"),
        (Titles(headline="Allies agree | World", h1s=("Allies agree",)), "Allies agree"),
        # One field for search engines, the other by hand.
        (
            Titles("Allies agree", ("Allies agree",), "How they agreed", "Allies agree - News Example"),
            "How they agreed",
        ),
        (
            Titles("Allies agree at last", ("Allies agree at last",), "Allies agree", "Allies agree at last"),
            "Allies agree at last",
        ),
        # Kickers.
        (Titles("", ("Summit: Allies agree on it",), "Allies agree on it", "News"), "Allies agree on it"),
        (Titles("", ("Summit - Allies agree on it",), "Brussels: Allies agree on it", "News"), "Allies agree on it"),
        # What only resembles the outlet's name belongs to the title.
        (
            Titles("", ("Drones hit depot – News",), "Drones hit depot – News", "Drones - News Example"),
            "Drones hit depot – News",
        ),
        (Titles(social="Fire in Aleppo: an example"), "Fire in Aleppo: an example"),
        (Titles(document="Streit um Berg-Karabach - News Example"), "Streit um Berg-Karabach"),
        (Titles(document="Nato-Gipfel in Den Haag-Nord | News Example"), "Nato-Gipfel in Den Haag-Nord"),
        (
            Titles(h1s=("Allies agree",), social="Allies agree | Le Courrier", document="Allies agree | Le Courrier"),
            "Allies agree",
        ),
        (Titles(social="Allies agree | Le Courrier", document="Allies agree"), "Allies agree"),
        (Titles(social="News Example", document="News Example"), ""),
        # The outlet's name in other places and behind other signs.
        (Titles(document="News Example | Allies agree"), "Allies agree"),
        (Titles(document="News Example » Allies agree"), "Allies agree"),
        (Titles(document="Allies agree « News Example"), "Allies agree"),
        (Titles(document="Allies agree / News Example"), "Allies agree"),
        (Titles(h1s=("News Example",), social="News Example", document="Allies agree | News Example"), "Allies agree"),
        # Before a colon it may be who the story is about.
        (Titles(document="News Example: a paper closes"), "News Example: a paper closes"),
        (Titles(social="Allies agree / disagree", document="Allies agree / disagree"), "Allies agree / disagree"),
        (
            Titles(document="Superbugs: what they are and how they spread"),
            "Superbugs: what they are and how they spread",
        ),
        (Titles(), ""),
    ],
)
def test_the_title_of_the_article_is_chosen(titles: Titles, chosen: str) -> None:
    assert choose_title(titles, SITES) == chosen


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("www.courier.co.uk", "courier"),
        ("courier.com.tr", "courier"),
        ("news.courier.example", "courier"),
        ("co.uk", "co"),
        ("localhost", ""),
    ],
)
def test_the_outlets_name_in_its_host(host: str, label: str) -> None:
    assert site_label(host) == label


def test_the_town_in_an_outlets_name_ends_no_title() -> None:
    title = "Drones hit power station – Kyiv"
    titles = Titles("", (title,), title, "Drones hit power station near Kyiv - The Kyiv Times")
    assert choose_title(titles, ("The Kyiv Times", "kyivtimes")) == title
    assert choose_title(Titles(social=title), ("The Kyiv Times", "kyivtimes")) == title
    assert choose_title(Titles(social="Allies meet | BBC"), ("BBC News",)) == "Allies meet"
