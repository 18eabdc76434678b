"""The article that newswatch exists to catch, told in words of our own, must carry its tags."""

from __future__ import annotations

from newswatch.article import Tag
from transforms.tag import Tagger

TITLE = "NATO joins coalition against ISIS"
TEXT = """\
BRUSSELS — NATO will become a member of the global coalition that fights Daesh, Secretary General Jens Stoltenberg told
a news conference on Thursday, as the leaders of the 28 allies met at the Alliance's new headquarters.

The Alliance takes no part in combat operations, he said. Its AWACS planes will fly longer, it will share more of what
it knows, and it offers air-to-air refuelling. All 28 already belong one by one to the coalition, formed in 2014.

The decision is part of an action plan against terrorism. A terrorism-intelligence cell at headquarters is to pool what
is known about foreign fighters, and there will be a coordinator for counter-terrorism. More training of local forces
may follow; NATO already trains Iraqi forces.

It was the first NATO summit for President Donald Trump, who had called the Alliance obsolete. He was expected to press
Germany and others to meet the goal of 2 percent of GDP for defence. Theresa May and Emmanuel Macron were new there too.
"""

MAIN = {
    "nato",
    "nato/operations",
    "nato/command",
    "counter-terrorism",
    "counter-terrorism/operations",
    "counter-terrorism/foreign-fighters",
    "counter-terrorism/law-policy",
}


def tags(tagger: Tagger) -> dict[str, Tag]:
    return {t.tag: t for t in tagger.tag(title=TITLE, text=TEXT, language="en").tags}


def test_both_topics_are_main_with_the_subtopics_of_the_story(tagger: Tagger) -> None:
    found = tags(tagger)
    assert {"nato/summits", "nato/burden-sharing"} | MAIN <= set(found)
    assert {name for name in MAIN if found[name].level != "main"} == set()


def test_its_entities_are_recognised(tagger: Tagger) -> None:
    found = {e.id for e in tagger.tag(title=TITLE, text=TEXT, language="en").entities}
    assert found >= {
        "nato", "islamic-state", "jens-stoltenberg", "donald-trump", "theresa-may", "emmanuel-macron", "brussels",
        "global-coalition",
    }  # fmt: skip


def test_evidence_is_what_stands_at_its_offsets(tagger: Tagger) -> None:
    fields = {"title": TITLE, "text": TEXT}
    for tag in tags(tagger).values():
        assert tag.evidence
        for evidence in tag.evidence:
            assert fields[evidence.field][evidence.start : evidence.end] == evidence.text
