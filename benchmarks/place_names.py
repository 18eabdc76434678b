"""Collects the names of countries: `python -m benchmarks.place_names`.

Writes `transforms/data/place_names.json`: the names of all countries in the languages of `config/languages`, from CLDR
by `babel`, and those of `place_names.yaml`, which come first where both have a name. Left out are names that CLDR gives
two countries, short ones of few languages, which are others' words (Cada, Pole), and those in scripts whose vowels are
marks, which folding drops: पेरू, Peru, would be पर, "but". CLDR's licence is beside the names (`LICENSE.unicode`).
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import yaml
from babel import Locale, UnknownLocaleError

from benchmarks.evaluate.labels import ROOT
from transforms.fold import fold
from transforms.places import AS_WRITTEN, NAMES, is_caseless

OWN: Final = Path(__file__).with_name("place_names.yaml")
LANGUAGES: Final = ROOT / "config" / "languages"
WORDS: Final = frozenset({"RE", "JE", "GG", "IM", "CX", "NF", "CC", "HM", "BV", "TK"})
"""Islands whose names are words, or other places: Réunion, Jersey."""
PARTS: Final = {
    "AU": "CC CX HM NF",
    "CD": "CG",
    "CN": "HK MO",
    "DK": "FO GL",
    "FI": "AX",
    "FR": "BL GF GP MF MQ NC PF PM TF WF YT",
    "GB": "AI BM FK GI GS IO KY MS PN SH TC VG",
    "NL": "AW BQ CW SX",
    "NO": "SJ",
    "NZ": "CK NU",
    "US": "AS GU MP PR UM VI",
}
"""Country → what belongs to it, and the other Congo: headlines say which only by chance."""
SHORT: Final = 4
"""Letters of a short name."""
FEW: Final = 3
"""A short name in Latin letters must have as many languages."""
_VOWEL_MARKS: Final = re.compile(r"[\u0900-\u109f\u1780-\u17ff]")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_REMARK: Final = re.compile(r"\s*[(（\[].*")
_NOT_COUNTRIES: Final = frozenset({"EU", "EZ", "UN", "QO", "ZZ", "XA", "XB"})


def collected() -> dict[str, list[str]]:
    """Country → its names, those of `place_names.yaml` first, then CLDR's."""
    own: dict[str, list[str]] = yaml.safe_load(OWN.read_text(encoding="utf-8"))
    taken = {_key(name) for names in own.values() for name in names}
    whole = {part: code for code, parts in PARTS.items() for part in parts.split()}
    countries: dict[str, dict[str, str]] = defaultdict(dict)
    languages: Counter[str] = Counter()
    for code, name in _of_cldr():
        countries[_key(name)][whole.get(code, code)] = name
        languages[_key(name)] += 1
    found: dict[str, list[str]] = defaultdict(list, own)
    for key, by_code in sorted(countries.items()):
        is_rare = key.isascii() and len(key) <= SHORT and languages[key] < FEW
        if len(by_code) == 1 and key not in taken and not is_rare:
            ((code, name),) = by_code.items()
            if not _is_begun(key, own.get(code, [])):
                found[code] = [*found[code], name]
    return {code: found[code] for code in sorted(found)}


def _of_cldr() -> Iterator[tuple[str, str]]:
    for path in sorted(LANGUAGES.glob("*.yaml")):
        try:
            territories = Locale.parse(path.stem).territories
        except (UnknownLocaleError, ValueError):
            continue
        for code, name in territories.items():
            name = _REMARK.sub("", name)
            if _COUNTRY.fullmatch(code) and code not in WORDS | _NOT_COUNTRIES and _is_usable(name):
                yield code, name


def _is_usable(name: str) -> bool:
    """Whether it is long enough (the shortest are other languages' words), and folding leaves its letters."""
    return len(name) > (1 if is_caseless(name) else AS_WRITTEN) and _VOWEL_MARKS.search(name) is None


def _is_begun(key: str, own: Sequence[str]) -> bool:
    """Whether a beginning among the country's own names finds the name already."""
    return " " not in key and any(key.startswith(_key(name[:-1])) for name in own if name[-1] == "*")


def _key(name: str) -> str:
    return fold(name).text


def main() -> None:
    """Collect and write."""
    NAMES.write_text(json.dumps(collected(), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
