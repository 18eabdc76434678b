"""What in a taxonomy is allowed and yet no use: terms that never count, or that another finds first. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from transforms.taxonomy import Taxonomy, expand, written


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the taxonomy that probably does not do what its editor intended."""

    kind: Literal["dead", "shadowed", "colliding"]
    form: str
    place: str
    message: str


def check_taxonomy(taxonomy: Taxonomy) -> list[Finding]:
    """The parts of `taxonomy` without effect or with conflicting effects; empty if there are none.

    `dead`: a context that nothing refers to. `shadowed`: a form that a shorter stem in the same group already matches.
    `colliding`: a form with two meanings in the same language (topic terms of different weight, names of two entities).
    """
    return [*_dead_contexts(taxonomy), *_shadowed(taxonomy), *_colliding(taxonomy)]


def _dead_contexts(taxonomy: Taxonomy) -> Iterator[Finding]:
    used = {c for group, _ in taxonomy.groups() for c in group.contexts}
    used.update(c for topic in taxonomy.topics.values() for c in topic.scoring.sentence.contexts)
    for context in taxonomy.contexts:
        if context not in used:
            yield Finding("dead", context, f"contexts.{context}", "nothing refers to this context")


def _shadowed(taxonomy: Taxonomy) -> Iterator[Finding]:
    for group, place in taxonomy.groups():
        seen: dict[str, set[str]] = defaultdict(set)
        for language, listed in group.terms.items():
            for form in listed:
                alternatives = [w if group.case else w.lower() for w in expand(form)]
                stems = [_shadowing_stem(w, seen[language], seen["any"]) for w in alternatives]
                if all(stems):
                    yield Finding(
                        "shadowed", form, place, f"{language}: {stems[0]!r} in the same group already matches it"
                    )
                seen[language].update(alternatives)


def _shadowing_stem(form: str, *seen: set[str]) -> str | None:
    beginnings = (form[:length] for length in range(1, len(form) + 1))
    candidates = (form, *(f"{beginning}*" for beginning in beginnings if "*" not in beginning))
    return next((candidate for candidate in candidates if any(candidate in forms for forms in seen)), None)


def _colliding(taxonomy: Taxonomy) -> Iterator[Finding]:
    first: dict[tuple[str, str, str], str] = {}
    for group, place in taxonomy.groups():
        scope = "entity" if place.startswith("entities.") else place.split(".")[1]
        holder = place.rsplit(".", 2)[0] if scope == "entity" else place
        for language, form in written(group.terms):
            key = (scope, language, form if group.case else form.lower())
            if first.setdefault(key, holder) != holder:
                yield Finding("colliding", form, place, f"{language}: it is also in {first[key]}")
