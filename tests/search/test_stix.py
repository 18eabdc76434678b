"""STIX: what `stix2` itself takes without complaint, the same for the same article, and leads back to it."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from ingest.urls import article_id
from newswatch.article import Entity, Evidence, Tag, Version
from search.stix import TLP, article_ids, bundle_lines, edition_time, marking, objects_of, report_id
from tests.factories import NOW, a_source, stored_article

GROUP = Entity("isil", "Islamic State", "group", 3, "Q2429253", ("ISIS", "Daesh", "Islamic State"))
BASE = "https://news.example"


def an_article(**changes: Any) -> Any:
    article = stored_article()
    whole: dict[str, Any] = {
        "source": a_source(reliability="B"),
        "entities": (GROUP, *article.entities, Entity("rota", "Rota", "base", 1)),
        "provenance": replace(article.provenance, taxonomy="2026.6+abc"),
        "tags": (Tag("nato", "main", 0.5, (Evidence("text", 0, 4, "NATO"),)), Tag("ct/attacks", "mention", 0.2, ())),
    }
    return replace(article, **whole | changes)


def by_type(article: Any, **more: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in objects_of(article, base=BASE, tlp=more.get("tlp", "clear")):
        found.setdefault(one["type"], []).append(one)
    return found


@pytest.mark.parametrize("tlp", list(TLP))
def test_the_library_takes_it_as_it_is(tlp: Any) -> None:
    text = "".join(bundle_lines([an_article(), an_article(title="“Ü”\u2028 <x>")], base=BASE, tlp=tlp, name="x"))
    bundle = stix2.parse(text, allow_custom=False)
    assert bundle.type == "bundle"
    for one in bundle.objects:
        stix2.parse(one.serialize(), allow_custom=False)
    kinds = [one.type for one in bundle.objects]
    assert kinds == [
        "marking-definition",
        "identity",
        "threat-actor",
        "identity",
        "report",
        "sighting",
        "report",
        "sighting",
    ]
    ids = {one.id for one in bundle.objects}
    for one in bundle.objects:
        refs = [*one.get("object_refs", []), *one.get("where_sighted_refs", []), one.get("sighting_of_ref", one.id)]
        assert {*refs, *one.get("object_marking_refs", [])} <= ids, "it can be read by itself"
    assert json.loads(text)["objects"][0] == json.loads(stix2.parse(marking(tlp)).serialize())


def test_a_report_says_what_the_article_says_and_how_far_to_rely_on_it() -> None:
    article = an_article()
    found = by_type(article)
    (report,), (actor,), (sighting,) = found["report"], found["threat-actor"], found["sighting"]
    assert (report["name"], report["published"], report["lang"]) == (article.title, "2026-03-04T05:06:07.000Z", "en")
    assert report["labels"] == ["ct/attacks:mention", "nato"]
    assert report["external_references"][0]["url"] == article.url
    assert (report["confidence"], sighting["confidence"], sighting["count"]) == (70, 35, 3)
    assert (actor["name"], actor["aliases"]) == ("Islamic State", ["ISIS", "Daesh"])
    assert actor["modified"] == "2026-01-07T00:00:00.000Z"
    unrated = by_type(an_article(source=a_source(reliability=None)))
    assert "confidence" not in unrated["report"][0]
    assert "confidence" not in unrated["sighting"][0]


def test_ids_stay_and_versions_move_on() -> None:
    article = an_article()
    assert objects_of(article, base=BASE, tlp="clear") == objects_of(article, base=BASE, tlp="clear")
    later = Version(NOW + timedelta(hours=1), "Corrected", "x", ("title",))
    edited = by_type(replace(article, title="Corrected", versions=(*article.versions, later)))["report"][0]
    before = by_type(article)["report"][0]
    assert (edited["id"], edited["created"]) == (before["id"], before["created"])
    assert edited["modified"] > before["modified"]
    renamed = by_type(an_article(source=a_source(name="The New Herald")))["identity"][0]
    assert renamed["id"] != by_type(article)["identity"][0]["id"]
    assert edition_time("2026.12+a") > edition_time("2026.6+b") > edition_time("mine") == edition_time("9999.1")


@given(st.text())
def test_a_reports_id_leads_back_to_its_article(url: str) -> None:
    known = article_id("https://x.example/?" + uuid.uuid5(uuid.NAMESPACE_URL, url.encode("utf-8", "replace").hex()).hex)
    stix_id = report_id(known)
    assert uuid.UUID(stix_id.removeprefix("report--")).version == 5
    assert article_ids(stix_id).count(known) == 1
    assert article_ids("identity" + stix_id.removeprefix("report")) == []
