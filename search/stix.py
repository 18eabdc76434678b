"""Articles as STIX 2.1 (OASIS): a report, its source, the groups that it names, and that it has sighted them. Pure.

Ids and times follow from the article, so that the same article gives the same objects, whoever asks when:

- a report's UUID is its article's id, with the bits that mark a UUID set; `article_ids` leads back;
- a source's, a group's and a sighting's are UUIDv5 of what identifies them;
- a report's `modified` is when its latest version was seen; a group's is the edition of the taxonomy.

Built by hand, as the objects are few and plain: the library `stix2` would bring five packages along, and takes
milliseconds for each object. The tests have it judge what is built here.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from newswatch.article import Article, Entity, Source

Json = dict[str, Any]
Tlp = Literal["clear", "green", "amber", "red"]

NAMESPACE: Final = uuid.UUID("5f5c3f5e-6c1b-5d0a-9d0e-3f1d3f0c7b11")
"""Of our UUIDv5; must never change."""
TLP: Final[dict[Tlp, str]] = {
    "clear": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "green": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "amber": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "red": "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}
"""The marking definitions that every STIX 2.1 consumer knows (7.2.1.4); "clear" is what TLP 1 calls white."""
CONFIDENCE: Final = {"A": 90, "B": 70, "C": 50, "D": 30, "E": 10}
"""Grade of the source → STIX confidence, by the Admiralty scale of STIX 2.1's appendix A. F, and none: not stated."""
ACTORS: Final = ("group",)
"""Types of the taxonomy's entities that are threat actors."""
IDENTITIES: Final = {"person": "individual"} | dict.fromkeys(("alliance", "coalition", "body"), "organization")
"""Types that are identities, and their class. Others (places, attacks, exercises) stay labels."""
_BASE: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""`created` of what has no time of its own."""
_EDITION: Final = re.compile(r"(\d{4})\.(\d{1,3})")
_REPORT: Final = re.compile(r"report--([0-9a-f]{8})-([0-9a-f]{4})-5([0-9a-f]{3})-([89ab])([0-9a-f]{3})-([0-9a-f]{12})")


def objects_of(article: Article, *, base: str, tlp: Tlp) -> list[Json]:
    """The article's objects: its source, whom it names, the report, the sightings. `base` is the News page's address.

    What an object refers to stands before it.
    """
    source = source_identity(article.source, tlp)
    actors = [_actor(entity, article, tlp) for entity in article.entities if entity.type in ACTORS]
    named = [_named(entity, article, tlp) for entity in article.entities if entity.type in IDENTITIES]
    report = _report(article, [source, *actors, *named], base, tlp)
    sightings = [
        _sighting(entity, actor, source, article, tlp)
        for entity, actor in zip((e for e in article.entities if e.type in ACTORS), actors, strict=True)
    ]
    return [source, *actors, *named, report, *sightings]


def source_identity(source: Source, tlp: Tlp) -> Json:
    """The outlet. Its id covers what is said of it, so that it never changes under one id."""
    facts = {"name": source.name or source.domain, "domain": source.domain, "kind": source.kind, "owner": source.owner}
    sectors = {"sectors": ["communications"]} if source.kind in ("press", "broadcaster", "wire", "specialist") else {}
    said = "; ".join(f"{name}: {value}" for name, value in facts.items() if value and name != "name")
    body = {"name": facts["name"], "identity_class": "organization", "description": said, **sectors}
    return _object("identity", json.dumps(facts, sort_keys=True), _BASE, _BASE, tlp, **body)


def _actor(entity: Entity, article: Article, tlp: Tlp) -> Json:
    aliases = [name for name in dict.fromkeys(entity.aliases) if name != entity.name]
    return _of_taxonomy("threat-actor", entity, article, tlp, aliases=aliases)


def _named(entity: Entity, article: Article, tlp: Tlp) -> Json:
    return _of_taxonomy("identity", entity, article, tlp, identity_class=IDENTITIES[entity.type])


def _of_taxonomy(kind: str, entity: Entity, article: Article, tlp: Tlp, **body: Any) -> Json:
    known = [{"source_name": "wikidata", "external_id": entity.wikidata}] if entity.wikidata else []
    modified = edition_time(article.provenance.taxonomy)
    body = {"name": entity.name, **body, "external_references": known}
    return _object(kind, f"entity {entity.id}", _BASE, modified, tlp, **body)


def _report(article: Article, refs: Iterable[Json], base: str, tlp: Tlp) -> Json:
    created, modified = _times(article)
    pages = [
        {"source_name": article.source.name or article.source.domain, "url": article.address},
        {"source_name": "newswatch", "url": f"{base.rstrip('/')}/news/article/{article.id}", "external_id": article.id},
    ]
    body = {
        "name": article.title,
        "description": article.summary,
        "published": _time(article.published or article.first_seen),
        "report_types": ["threat-actor" if any(e.type in ACTORS for e in article.entities) else "threat-report"],
        "object_refs": list(dict.fromkeys(ref["id"] for ref in refs)),
        "labels": sorted({tag.tag if tag.level == "main" else f"{tag.tag}:mention" for tag in article.tags}),
        "external_references": pages,
        "lang": article.language,
        "confidence": CONFIDENCE.get(article.source.reliability or ""),
    }
    return _made("report", report_id(article.id), created, modified, tlp, body)


def _sighting(entity: Entity, actor: Json, source: Json, article: Article, tlp: Tlp) -> Json:
    created, modified = _times(article)
    seen = article.published or article.first_seen
    grade = CONFIDENCE.get(article.source.reliability or "")
    score = max((tag.score for tag in article.tags), default=0.0)
    body = {
        "sighting_of_ref": actor["id"],
        "where_sighted_refs": [source["id"]],
        "first_seen": _time(seen),
        "last_seen": _time(seen),
        "count": max(1, min(entity.count, 999_999_999)),
        "confidence": None if grade is None else round(grade * score),
        "external_references": [{"source_name": article.source.name or article.source.domain, "url": article.address}],
    }
    return _object("sighting", f"{article.id} {entity.id}", created, modified, tlp, **body)


def marking(tlp: Tlp) -> Json:
    """The marking definition, as the standard gives it."""
    name = "white" if tlp == "clear" else tlp
    told = {"definition_type": "tlp", "name": f"TLP:{name.upper()}", "definition": {"tlp": name}}
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": TLP[tlp],
        "created": "2017-01-20T00:00:00.000Z",
    } | told


# ── ids and times ────────────────────────────────────────────────────────────────────────────────────────────────────


def report_id(article_id: str) -> str:
    """The id of an article's report: the article's id with the marks of a UUID (version 5) in place of six bits."""
    hex_ = article_id if re.fullmatch(r"[0-9a-f]{32}", article_id) else uuid.uuid5(NAMESPACE, article_id).hex
    variant = "89ab"[int(hex_[16], 16) & 3]
    return f"report--{hex_[:8]}-{hex_[8:12]}-5{hex_[13:16]}-{variant}{hex_[17:20]}-{hex_[20:]}"


def article_ids(stix_id: str) -> list[str]:
    """The articles whose report may have that id: 64, of which one exists; none for the id of another object."""
    parts = _REPORT.fullmatch(stix_id)
    if parts is None:
        return []
    first, second, third, variant, fourth, last = parts.groups()
    low = "89ab".index(variant)
    return [
        f"{first}{second}{version:x}{third}{high << 2 | low:x}{fourth}{last}"
        for version in range(16)
        for high in range(4)
    ]


def edition_time(taxonomy: str) -> datetime:
    """When an edition of the taxonomy ("2026.6+…") counts as made: the later one of two is later."""
    parts = _EDITION.match(taxonomy)
    if parts is None or not 2000 <= int(parts[1]) <= 2200:
        return _BASE
    return datetime(int(parts[1]), 1, 1, tzinfo=UTC) + timedelta(days=int(parts[2]))


def _times(article: Article) -> tuple[datetime, datetime]:
    """When the report was made and last changed: the first and the latest sight of the article."""
    seen = [version.seen_at for version in article.versions]
    created = min([article.first_seen, *seen])
    return created, max([article.first_seen, *seen])


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03d}Z"


def _object(kind: str, named: str, created: datetime, modified: datetime, tlp: Tlp, /, **body: Any) -> Json:
    return _made(kind, f"{kind}--{uuid.uuid5(NAMESPACE, f'{kind} {named}')}", created, modified, tlp, body)


def _made(kind: str, id_: str, created: datetime, modified: datetime, tlp: Tlp, body: Json) -> Json:
    head = {"type": kind, "spec_version": "2.1", "id": id_, "created": _time(created), "modified": _time(modified)}
    given = {name: value for name, value in body.items() if value not in (None, "", [])}
    return head | given | {"object_marking_refs": [TLP[tlp]]}


# ── a bundle ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def bundle_lines(articles: Iterable[Article], *, base: str, tlp: Tlp, name: str) -> Iterator[str]:
    """A bundle of the articles as JSON text, piece by piece; each object once, however many articles have it.

    `name` decides the bundle's id.
    """
    yield f'{{"type": "bundle", "id": "bundle--{uuid.uuid5(NAMESPACE, f"bundle {name}")}", "objects": [\n'
    yield json.dumps(marking(tlp))
    told: set[tuple[str, str]] = set()
    for article in articles:
        for each in objects_of(article, base=base, tlp=tlp):
            key = each["id"], each["modified"]
            if key not in told:
                if each["type"] in ("identity", "threat-actor"):  # reports and sightings are each of one article
                    told.add(key)
                yield ",\n" + json.dumps(each, ensure_ascii=False)
    yield "\n]}\n"
