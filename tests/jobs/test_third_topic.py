"""A topic is data: one more in the taxonomy is tagged, found, counted, shown, mailed and in Kibana without any code."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from jobs import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from kibana.build import build
from kibana.definition import load
from newswatch.colours import for_dark
from newswatch.errors import ConfigError
from search.query import Results, find
from store.names import Names
from tests.jobs.conftest import World
from tests.web.conftest import Visitor
from transforms.taxonomy import load_taxonomy
from transforms.taxonomy_check import check_taxonomy
from web.app import create_app

pytestmark = pytest.mark.slow

COLOUR = "#2f6b1f"
TOPIC = f"""
  energy-security:
    name: Energy security
    colour: "{COLOUR}"
    called: {{en: [energy security], de: [Energiesicherheit], ja: [エネルギー安全保障]}}
    scoring:
      any: {{bias: -3, title: 2, best: 2, volume: 2}}
      main: {{bias: -3, title: 2, lead: 2, volume: 1}}
    terms:
      - terms: {{en: [power grid*, blackout*]}}
    subtopics:
      pipelines:
        name: Pipes & cables
        called: {{de: [Versorgungsleitungen]}}
        terms:
          - terms: {{en: [gas pipeline*, undersea cable*]}}
"""
ALERTS = """
alerts:
  - id: energy
    name: Energy
    query: ""
    tags: [{tag: energy-security, level: main}]
    recipients: [analyst@example.org]
  - id: words
    name: In other words
    query: Energiesicherheit Versorgungsleitungen
    recipients: [analyst@example.org]
"""
PARAGRAPHS = (
    "A gas pipeline under the sea was cut on Sunday night, and the power grid of two islands went down at once.",
    "Engineers said the blackout would last until the gas pipeline was mended, a work of four weeks if calm.",
    "Nobody was seen near the undersea cables that keep the power grid of the islands alive, the operator said.",
)


@pytest.fixture
def energetic(world: World) -> World:
    """An installation with a third topic, which has polled a story on it, matched it and sent its mail."""
    settings = world.context.settings
    taxonomy = settings.config_dir / "taxonomy.yaml"
    text = taxonomy.read_text(encoding="utf-8")
    taxonomy.write_text(text.replace("\ntopics:\n", f"\ntopics:{TOPIC}", 1), encoding="utf-8")
    (settings.config_dir / "alerts.yaml").write_text(ALERTS, encoding="utf-8")
    world.context = replace(world.context, names=Names.of(settings))
    story = world.press.publish("outage", title="Blackout as gas pipeline is cut beneath the sea")
    story.paragraphs = PARAGRAPHS
    for number in plan(world.context).batches:
        pull(world.context, number)
    match(world.context)
    deliver.run(world.context)
    return world


def search(world: World, query: str) -> Results:
    context = world.context
    context.es.indices.refresh(index=context.names.articles)
    return find(context.es, context.names, query, with_facets=True, now=world.now)


def test_it_is_tagged_and_found_by_its_tag_and_by_its_words_in_any_language(energetic: World) -> None:
    for query in ("tag:energy-security level:main", "tag:energy-security/pipelines", "エネルギー安全保障"):
        assert search(energetic, query).total == 1, query
    assert search(energetic, "Energiesicherheit Versorgungsleitungen").total == 1
    assert search(energetic, "Lastenteilung").total == 0
    (facet,) = (facet for facet in search(energetic, "").facets if facet.name == "tag")
    assert {"energy-security", "energy-security/pipelines"} <= {bucket.value for bucket in facet.buckets}


def test_it_is_matched_and_mailed_under_the_names_that_the_analyst_gave(energetic: World) -> None:
    (mail,) = energetic.mailbox.mails
    message = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message["X-Newswatch-Alerts"] == "energy, words", "it is matched by its tag, and by what people call it"
    for kind, name in (
        ("plain", "Energy security (main subject): Pipes & cables"),
        ("html", ">Energy security</strong>, main subject: Pipes &amp; cables"),
    ):
        body = message.get_body((kind,))
        assert body
        assert name in body.get_content()


def test_its_name_and_colour_are_on_the_pages_and_in_the_form(energetic: World) -> None:
    client = TestClient(create_app(lambda: energetic.context, Visitor().access()))
    results, styles = client.get("/?q=blackout").text, client.get("/topics.css").text
    assert '<a class="tag tag-energy-security main"' in results
    assert ">Pipes &amp; cables<" in results
    assert 'placeholder="Words, or filters such as tag:energy-security ' in results
    assert f".tag-energy-security {{ color: light-dark({COLOUR}, {for_dark(COLOUR)}); }}" in styles
    assert "mark.ev-energy-security { text-decoration-color" in styles
    form = client.get("/searches/new?q=tag:energy-security/pipelines").text
    assert '<label for="t-energy-security">Energy security</label>' in form
    assert 'value="Energy security: Pipes &amp; cables"' in form
    assert "Energy security (main subject)" in client.get("/searches").text


def test_it_is_in_kibanas_build(energetic: World) -> None:
    definition = load(energetic.context.names.topics())
    assert definition.searches["energy-security"].title == "Energy security"
    assert '(tags:"energy-security" AND scores.energy-security:<0.6) OR (' in definition.searches["unsure"].query
    situation = definition.dashboards["situation"]
    counts = [panel.title for panel in situation.panels if panel.kind == "number"]
    assert counts == ["Energy security", "NATO", "Counter-terrorism"]
    (stories,) = (panel for panel in situation.panels if panel.id == "stories")
    assert stories.query == 'tags:("energy-security" OR nato OR "counter-terrorism")'
    titles = [one["attributes"]["title"] for one in build(definition) if one["type"] in ("search", "lens")]
    assert titles.count("Energy security") == 2, "a saved search and a count"


def test_a_taxonomy_that_can_not_be_read_keeps_nobody_from_reading(energetic: World) -> None:
    names = energetic.context.names
    assert isinstance(names.taxonomy, Path)
    names.taxonomy.write_text("topics: {nato: {name: [}}", encoding="utf-8")
    with pytest.raises(ConfigError):
        names.topics()
    client = TestClient(create_app(lambda: energetic.context, Visitor().access()))
    assert ">Pipelines<" in client.get("/?q=blackout").text, "by its id"
    assert client.get("/topics.css").text == ""


def test_the_third_topic_is_a_sound_one(world: World) -> None:
    taxonomy = world.context.settings.config_dir / "taxonomy.yaml"
    text = taxonomy.read_text(encoding="utf-8")
    taxonomy.write_text(text.replace("\ntopics:\n", f"\ntopics:{TOPIC}", 1), encoding="utf-8")
    assert check_taxonomy(load_taxonomy(taxonomy)) == []
