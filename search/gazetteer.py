"""The entities of the taxonomy, for looking one up: what each is, its Wikidata id, its names in every language.

Reading them takes about half a second, so they are kept until the taxonomy changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from newswatch import config
from newswatch.config import Source, Written

if TYPE_CHECKING:
    from transforms.taxonomy import GazetteerEntity


def entities(taxonomy: Source) -> Mapping[str, GazetteerEntity]:
    """Id → entity, for every entity of the taxonomy.

    Raises:
        ConfigError: the taxonomy can't be read, or its entities break the schema.
        OSError: there is no such file.
    """
    return _read(taxonomy, 0 if isinstance(taxonomy, Written) else taxonomy.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(taxonomy: Source, _changed_ns: int) -> Mapping[str, GazetteerEntity]:
    from pydantic import create_model

    from transforms.taxonomy import GazetteerEntity  # takes time to load

    section = create_model("Gazetteer", entities=(dict[str, GazetteerEntity], {}))
    found: Mapping[str, GazetteerEntity] = config.load_section(taxonomy, "entities", section).entities  # type: ignore[attr-defined]
    return found


def names_of(entity: GazetteerEntity) -> dict[str, tuple[str, ...]]:
    """Language ("any": the same in all) → the entity's names as they are written there; "…" where endings follow."""
    from transforms.taxonomy import written

    found: dict[str, dict[str, None]] = {}
    for group in entity.names:
        if not group.cancels:
            for language, form in written(group.terms):
                found.setdefault(language, {})[form.replace("*", "…")] = None
    return {
        language: tuple(forms) for language, forms in sorted(found.items(), key=lambda one: (one[0] != "any", one[0]))
    }
