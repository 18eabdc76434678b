"""Words that mean an entity, though the index can't tell them from others: `IS` from "is", القاعدة from "the rule".

The taxonomy says so itself: such a name counts only in a telling context (`needs`), or it is a function word but for
its capitals. The tagger has looked at the context of each, so the query asks for articles that name the entity. In
scripts without spaces a name may also be the beginning of another word (伊斯兰国 of 伊斯兰国家, "Islamic countries").
Beside operators (`IS OR Daesh`), the entity's clause replaces the word. In quotation marks a word is looked for as
it is written.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from newswatch.config import Source, Written
from newswatch.errors import ConfigError
from search.gazetteer import entities
from search.spelling import is_dense
from search.syntax import bare_words
from search.words import Sense, is_acronym, is_small_acronym
from transforms.fold import ARABIC, fold

if TYPE_CHECKING:
    from transforms.taxonomy import GazetteerEntity

log = logging.getLogger(__name__)

_ARABIC: Final = re.compile(f"[{ARABIC}]")


Senses = Mapping[str, Sense]
"""Word of a query → its meaning."""


def senses_of(words: Sequence[str], taxonomy: Source) -> Senses:
    """The words that the taxonomy says mean an entity. Reads the taxonomy only for words that may be such a name.

    While the taxonomy can't be read, words are only words; the log says why.
    """
    candidates = [word for word in words if _may_be_a_name(word)]
    if not candidates:
        return {}
    try:
        known = _known(taxonomy, 0 if isinstance(taxonomy, Written) else taxonomy.stat().st_mtime_ns)
    except (OSError, ConfigError) as error:
        log.warning("Words are not taken for names of entities: %s", error)
        return {}
    return {word: known[_key(word)] for word in candidates if _key(word) in known}


def with_entities(lucene: str, taxonomy: Source) -> str:
    """A result of `as_lucene` with the entity's clause for each bare word that means one: `entity_ids:islamic-state`.

    So Kibana and saved searches, which know no taxonomy, find what the word means and not the word.

    Raises:
        QuerySyntaxError: it can't be parsed; the error names the place.
    """
    places = bare_words(lucene)
    senses = senses_of([lucene[start:end] for start, end in places], taxonomy)
    for start, end in reversed(places):
        if sense := senses.get(lucene[start:end]):
            lucene = lucene[:start] + _clause(sense) + lucene[end:]
    return lucene


def _clause(sense: Sense) -> str:
    ids = " OR ".join(sense.entities)
    return f"entity_ids:({ids})" if len(sense.entities) > 1 else f"entity_ids:{ids}"


def _may_be_a_name(word: str) -> bool:
    return is_dense(word) or _ARABIC.search(word) is not None or is_small_acronym(word)


def _key(word: str) -> str:
    """The word as it is compared: acronyms by their capitals."""
    return word if is_acronym(word) else fold(word).text


@lru_cache(maxsize=4)
def _known(source: Source, _changed_ns: int) -> Mapping[str, Sense]:
    known: dict[str, Sense] = {}
    for key, entity in entities(source).items():
        for word in dict.fromkeys(map(_key, _guarded(entity))):
            before = known.get(word, Sense((), entity.name))
            known[word] = Sense((*before.entities, key), before.name)
    return known


def _guarded(entity: GazetteerEntity) -> Iterator[str]:
    """The names of the entity that are single words and mean something else in another context."""
    from transforms.taxonomy import expand  # takes time to load

    for group in entity.names:
        for form in (one for forms in group.terms.values() for given in forms for one in expand(given)):
            is_guarded = group.needs or is_dense(form) or is_small_acronym(form)
            if is_guarded and not group.cancels and re.fullmatch(r"\w+", form):
                yield form
